"""Networks of the same structure with other numbers, to write to the memories of hardware."""

from dataclasses import replace
from random import Random

import numpy as np

from spiker_hdl.model import Dense, Mapping, Network
from spiker_hdl.model.parameters import fields_of

__all__ = ["another", "as_rows", "random_writable"]


def random_writable(random: Random, network: Network, mapping: Mapping) -> Mapping:
    """Make some populations writable, and draw the kinds of their memories."""
    cores = dict(mapping.cores)
    names = [population.name for population in network.populations]
    for name in random.sample(names, random.randint(1, len(names))):
        cores[name] = replace(
            cores[name],
            writable=True,
            weights=random.choice(["auto", "block", "uninitialized"]),
            states=random.choice(["auto", "distributed", "registers"]),
        )
    stores = {
        projection.name: "rows"
        if cores[projection.target].writable and mapping.store(network, projection) == "synapses"
        else mapping.store(network, projection)
        for projection in network.projections
    }
    return replace(mapping, cores=cores, stores=stores)


def as_rows(network: Network, mapping: Mapping) -> Network:
    """Return the network with dense weights and declared bits in writable populations.

    Convolutions stay what they are.
    """
    return replace(
        network,
        projections=[
            replace(projection, synapses=_as_rows(projection.synapses), bits=projection.width)
            if projection.target in mapping.writable
            else projection
            for projection in network.projections
        ],
    )


def _as_rows(synapses):
    return synapses if synapses.kind == "convolution" else Dense(synapses.matrix())


def another(random: Random, network: Network, mapping: Mapping) -> Network:
    """Return a network of the same structure with other weights, thresholds and biases."""
    draws = np.random.default_rng(random.getrandbits(32))

    def ints(low: int, high: int, size: int) -> tuple[int, ...]:
        values = draws.integers(low, high + 1, size)
        values[: size // 4] = random.choice([low, high])  # the ends of the range, too
        return tuple(values.tolist())

    network = as_rows(network, mapping)
    populations = []
    for population in network.populations:
        if population.name in mapping.writable:
            changes = {
                name: random.choice([ints(*ends, population.size), ints(*ends, 1)[0]])
                for name, ends in population.neuron.replaceable.items()
            }
            population = replace(population, neuron=population.neuron.with_values(changes))
            if "bias" in (fields := fields_of(population, True)):
                low, high = fields["bias"]
                population = replace(population, bias=(low, *ints(low, high, population.size)[1:]))
        populations.append(population)
    projections = []
    for projection in network.projections:
        if projection.target in mapping.writable:
            low, high = -(2 ** (projection.width - 1)), 2 ** (projection.width - 1) - 1
            synapses = projection.synapses
            values = draws.integers(low, high + 1, synapses.values.shape)
            values[: random.randint(0, 1)] = random.choice([low, high])
            projection = replace(projection, synapses=synapses.with_values(values))
        projections.append(projection)
    return replace(network, populations=populations, projections=projections)
