"""Random convolutional networks, and mappings that store their kernels once."""

from dataclasses import replace
from itertools import product
from math import prod
from random import Random

import numpy as np

from spiker_hdl.model import (
    AdaptiveLif,
    Convolution,
    CurrentLif,
    Decay,
    Dense,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    MaxPooling,
    Network,
    Population,
    Projection,
    Readout,
)
from spiker_hdl.model.mapping.layout import common_channels

from .networks import random_mapping

__all__ = [
    "number_of",
    "plainly",
    "random_convolution",
    "random_map_mapping",
    "random_map_network",
    "random_pooling",
    "with_fitting_banks",
]


def random_convolution(random: Random, shape, *, outputs=(1, 4), most=3, share=0.9) -> Convolution:
    """Draw a convolution from a source of a shape: any kernel, stride, padding and groups."""
    while True:
        groups = random.choice([n for n in range(1, shape[0] + 1) if shape[0] % n == 0])
        if random.random() < 0.6:
            groups = 1
        channels = groups * max(1, random.randint(*outputs) // groups)
        size = [random.randint(1, most) for _ in shape[1:]]
        kernel = np.array([
            random.randint(-3, 6) if random.random() < share else 0
            for _ in range(channels * shape[0] // groups * prod(size))
        ]).reshape(channels, shape[0] // groups, *size)
        padding = [
            (random.randint(0, n - 1), random.randint(0, n - 1))
            if random.random() < 0.7
            else (0, 0)
            for n in size
        ]
        stride = [random.choice([1, 1, 1, 2, 3]) for _ in size]
        dilation = [random.choice([1, 1, 1, 2]) for _ in size]
        try:
            return Convolution(
                kernel, shape, tuple(stride), tuple(padding), tuple(dilation), groups
            )
        except ValueError:  # a window that does not fit
            continue


def random_pooling(random: Random, shape) -> MaxPooling:
    """Draw windows over sums of a shape: disjoint, overlapping, with gaps or with padding."""
    while True:
        size = tuple(random.randint(1, 3) for _ in shape[1:])
        stride = size if random.random() < 0.6 else tuple(random.randint(1, 3) for _ in size)
        padding = tuple((random.randint(0, n // 2), random.randint(0, n // 2)) for n in size)
        try:
            return MaxPooling(shape, size, stride, padding)
        except ValueError:  # a window that does not fit
            continue


def _neuron(random: Random, high: int):
    threshold = max(1, round(high * random.uniform(0.1, 0.5)))
    kind = random.choice([If, Lif, Lif, CurrentLif, AdaptiveLif])
    width = threshold.bit_length() + random.randint(2, 4)
    if kind is If:
        return If(threshold=threshold, width=width)
    decay = Decay.shift(random.randint(1, 4))
    options = {"threshold": threshold, "width": width}
    if kind is Lif:
        reset = random.choice(["subtract", "zero"])
        return Lif(decay=decay, reset=reset, refractory=random.choice([0, 0, 1]), **options)
    if kind is CurrentLif:
        return CurrentLif(decay=decay, current_decay=Decay.shift(1), current_width=width, **options)
    return AdaptiveLif(decay=decay, rise_decay=Decay.shift(2), rise=2, **options)


def random_map_network(
    random: Random,
    *,
    axes=(3, 7),
    layers=(1, 3),
    channels=(1, 4),
    pooling=True,
    recurrent=True,
    static=False,
) -> Network:
    """Draw a network whose populations are maps, with convolutions between them.

    Parameters
    ----------
    random : Random
        The same state gives the same network.
    axes, layers, channels : (int, int)
        Least and most of positions along an axis, of populations, and of channels.
    pooling : bool
        Whether the maxima of sums may reach a population.
    recurrent : bool
        Whether there may be delays, recurrence and dense projections beside convolutions.
    static : bool
        Whether the input is static.
    """
    dimensions = random.choice([1, 2, 2, 2])
    shape = (random.randint(*channels), *(random.randint(*axes) for _ in range(dimensions)))
    graded = random.random() < 0.4
    node = Input("in", shape, 0, 3 if graded else 1, static=static)
    populations, projections, before = [], [], node
    for n in range(random.randint(*layers)):
        synapses = random_convolution(random, before.shape, outputs=channels)
        pooled = None
        if pooling and random.random() < 0.5:
            pooled = random_pooling(random, synapses.target_shape)
        shape = synapses.target_shape if pooled is None else pooled.target_shape
        delay = random.choice([0, 0, 0, 1, 2]) if recurrent and not static else 0
        name = f"map{n}"
        shift = random.choice([0, 0, 0, 1])
        own = [
            Projection(before.name, name, synapses, delay, shift=shift, pooling=pooled)
        ]  # what follows reaches the same population
        if recurrent and not (static and not n) and random.random() < 0.4:
            same = Convolution(
                [[[random.randint(-2, 2) for _ in range(3)] for _ in range(shape[0])]]
                * shape[0] if dimensions == 1 else
                [[[[random.randint(-2, 2) for _ in range(3)] for _ in range(3)]
                  for _ in range(shape[0])]] * shape[0],
                shape, padding=1,
            )  # fmt: skip
            own.append(Projection(name, name, same, random.randint(1, 3)))
        if recurrent and not static and random.random() < 0.3:
            size = prod(shape), node.size
            weights = [[random.randint(-2, 2) for _ in range(size[1])] for _ in range(size[0])]
            own.append(Projection(node.name, name, Dense(weights), 1, name=f"dense {n}"))
        reach = max(int(p.reach(0, 1)[1].max()) for p in own[:1])
        neuron = _neuron(random, max(2, reach * (2 if before is node and graded else 1)))
        bias = 0
        if random.random() < 0.5:  # one for each channel, as convolutions have it
            per_channel = [random.randint(-2, 4) for _ in range(shape[0])]
            bias = tuple(np.repeat(per_channel, prod(shape[1:])).tolist())
        population = Population(name, shape, neuron, bias)
        populations.append(population)
        projections += own
        before = population
    classes = random.randint(2, 4)
    weights = [[random.randint(-4, 4) for _ in range(before.size)] for _ in range(classes)]
    head = random.choice([Integrator(decay=Decay.shift(3), width=20), If(threshold=5, width=12)])
    populations.append(Population("head", classes, head))
    projections.append(Projection(before.name, "head", Dense(weights)))
    kind = "count" if head.spiking else random.choice(["last", "largest", "sum"])
    readouts = [Readout("head", kind)]
    # Drawn by its own generator, so that the draws above and of spikes stay those of their seed.
    own_draws = Random(3 * before.size)
    if own_draws.random() < 0.4:
        readouts.append(Readout(before.name, own_draws.choice(["count", "first"])))
    return Network([node], populations, projections, readouts, 16, "maps")


def random_map_mapping(network: Network, random: Random, *, share=0.9) -> Mapping:
    """Draw a mapping that stores most kernels of convolutions once, and the others unrolled."""
    mapping = random_mapping(network, random, check=False)  # pooled sums need more
    cores, stores = dict(mapping.cores), dict(mapping.stores)
    for population in network.populations:
        channels = common_channels(network, population.name)
        pooled = any(projection.pooling for projection in network.into(population.name))
        if not channels or (random.random() > share and not pooled):
            continue
        lanes = random.choice([n for n in range(1, channels + 1) if channels % n == 0])
        units = random.choice([n for n in range(1, lanes + 1) if lanes % n == 0])
        core = replace(cores[population.name], lanes=lanes, units=units, banks=1)
        cores[population.name] = core
        unrolled = ["rows"] if network.holds(population.name) else ["rows", "synapses"]
        for projection in network.into(population.name):
            if projection.synapses.kind == "convolution":
                store = random.choice(["kernel", "kernel", *unrolled])
                stores[projection.name] = "kernel" if projection.pooling else store
        if "kernel" in {
            stores.get(projection.name) for projection in network.into(population.name)
        }:
            positions = random.choice(["one", "line", "window"])
            cores[population.name] = replace(core, positions=positions)
    return with_fitting_banks(network, replace(mapping, cores=cores, stores=stores))


def with_sums_by_parity(network: Network, mapping: Mapping) -> Mapping:
    """Return a mapping with all sums in two memories that can be, with fewer lanes if need be."""
    for population in network.populations:
        for lanes in range(population.size // 2, 0, -1):
            core = replace(
                mapping.cores[population.name],
                lanes=lanes,
                units=lanes,
                overlap=False,
                banks=1,
                positions="one",
                sums="uninitialized",
            )
            changed = replace(mapping, cores={**mapping.cores, population.name: core})
            try:
                changed.check(network)
            except ValueError:
                continue
            mapping = changed
            break
    return mapping


def with_fitting_banks(network: Network, mapping: Mapping) -> Mapping:
    """Return a mapping, with one bank each where scanned words of a map are too narrow for more."""
    try:
        mapping.check(network)
    except ValueError:
        cores = {name: replace(core, banks=1) for name, core in mapping.cores.items()}
        mapping = replace(mapping, cores=cores)
        mapping.check(network)
    return mapping


def number_of(synapses, place, by_position):
    """Return the address of a channel and position."""
    channel, *position = place
    axes = synapses.shape[1:]
    at = int(np.ravel_multi_index(position, axes))
    return at * synapses.shape[0] + channel if by_position else channel * prod(axes) + at


def plainly(synapses, lanes, place, value=0):
    """Return what an event adds, said plainly: every target, and whether it has the position."""
    channel, *position = place
    outputs, inputs, *size = synapses.kernel.shape
    windows, results = synapses.windows, []
    per_group = outputs // synapses.groups
    group, own = divmod(channel, inputs)
    for target in product(*map(range, windows.counts)):
        for offset in product(*map(range, size)):
            reached = [
                t * stride - before + n * dilation
                for t, stride, (before, _), n, dilation in zip(
                    target, windows.stride, windows.padding, offset, windows.dilation, strict=True
                )
            ]
            if reached != position:
                continue
            for output in range(group * per_group, (group + 1) * per_group, lanes):
                at = int(np.ravel_multi_index(target, windows.counts))
                weights = synapses.kernel[(slice(output, output + lanes), own, *offset)]
                results.append((weights.tolist(), (at * outputs + output) // lanes, value))
    return results
