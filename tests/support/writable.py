"""Networks of the same structure with other numbers, to write to the memories of hardware."""

from dataclasses import replace
from random import Random

import numpy as np

from spiker_hdl.model import Dense, Mapping, Network, Population
from spiker_hdl.model.mapping.layout import parameter_period
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


def of_channels(values: tuple[int, ...], population: Population) -> tuple[int, ...]:
    """Return the values of channels, for each neuron of a map."""
    return tuple(np.repeat(values, population.size // len(values)).tolist())


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
            channels = parameter_period(network, mapping, population.name)
            count = channels or population.size
            changes = {
                name: random.choice([ints(*ends, count), ints(*ends, 1)[0]])
                for name, ends in population.neuron.replaceable.items()
            }
            if channels:
                changes = {
                    name: value if isinstance(value, int) else of_channels(value, population)
                    for name, value in changes.items()
                }
            population = replace(population, neuron=population.neuron.with_values(changes))
            if "bias" in (fields := fields_of(population, True)):
                low, high = fields["bias"]
                bias = low, *ints(low, high, count)[1:]
                population = replace(
                    population, bias=of_channels(bias, population) if channels else bias
                )
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
