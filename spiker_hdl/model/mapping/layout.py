"""The order of neurons in the machine, and the rows of a kernel that is stored once.

A population that a stored kernel reaches is a map, whose neurons are numbered ``y, x, channel`` in
the machine, so that neighbouring lanes hold neighbouring channels of one position. Everywhere else
(networks, results, records and files) they are numbered ``channel, y, x``. All that is stored,
sent or read by neuron within the machine asks here for the order.
"""

from dataclasses import replace
from math import gcd, prod
from typing import TYPE_CHECKING

import numpy as np

from spiker_hdl.model.bounds import position_sums, signed_width
from spiker_hdl.model.graph import SPIKE_READOUTS, Projection
from spiker_hdl.model.network import Network
from spiker_hdl.model.parameters import values_of
from spiker_hdl.model.synapses.base import Synapses
from spiker_hdl.model.synapses.convolution import Convolution
from spiker_hdl.model.synapses.dense import Dense
from spiker_hdl.model.synapses.one_to_one import OneToOne
from spiker_hdl.model.synapses.sparse import Sparse

from .core import Core
from .interleave import parallel_axes

if TYPE_CHECKING:
    from .mapping import Mapping

__all__ = [
    "alternates",
    "common_channels",
    "in_machine_order",
    "in_network_order",
    "kernel_events",
    "kernel_refusal",
    "kernel_rows",
    "kernel_size",
    "neuron_order",
    "parameter_period",
    "pooled_rows",
    "pooled_width",
    "summed_apart",
    "updates_by_window",
]


def kernel_refusal(network: Network, projection: Projection, core: Core) -> str | None:
    """Return why a projection cannot store its kernel once, as what must be; None if it can.

    Parameters
    ----------
    network : Network
    projection : Projection
    core : Core
        How the target is mapped to hardware.
    """
    synapses, target = projection.synapses, network.population[projection.target]
    if not isinstance(synapses, Convolution):
        return f"be a convolution, not {synapses.kind}"
    pooling = projection.pooling
    if core.banks > 1:
        return f"have a target with one bank, not {core.banks}: use banks=1"
    channels = len(synapses.kernel) // synapses.groups
    if channels % core.lanes:
        return (
            f"have a target whose lanes divide the {channels} output channels of a group, not "
            f"{core.lanes} lanes"
        )
    shape = (synapses if pooling is None else pooling).target_shape
    if prod(shape[1:]) == 1:
        return None
    # What follows needs the neurons in the order of the network.
    if not isinstance(target.shape, tuple):
        return f"have a target of the shape {shape}, not of a size alone"
    if target.coupling is not None:
        return "have a target without coupling: store it in rows or as synapses"
    readouts = [readout for readout in network.readouts if readout.population == target.name]
    if any(readout.kind not in SPIKE_READOUTS for readout in readouts):
        return "have a target whose potentials no readout reads: store it in rows or as synapses"
    return None


def common_channels(network: Network, name: str) -> int:
    """Return the largest number of lanes with which every convolution can store its kernel once.

    0 if no convolution that reaches the population can with any number of lanes.
    """
    channels = 0
    for projection in network.into(name):
        if kernel_refusal(network, projection, Core(1, 1)) is None:
            synapses = projection.synapses
            channels = gcd(channels, len(synapses.kernel) // synapses.groups)
    return channels


def neuron_order(network: Network, mapping: "Mapping", name: str) -> np.ndarray | None:
    """Return for each neuron in the machine its number in the network; None if they are equal.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    name : str
        An input or a population.
    """
    node = network.nodes[name]
    if name not in network.population or not isinstance(node.shape, tuple):
        return None
    stored = any(
        mapping.store(network, projection) == "kernel" for projection in network.into(name)
    )
    if not stored or prod(node.shape[1:]) == 1 or node.shape[0] == 1:
        return None
    return np.moveaxis(np.arange(node.size).reshape(node.shape), 0, -1).ravel()


def parameter_period(network: Network, mapping: "Mapping", name: str) -> int | None:
    """Return after how many neurons in the machine all parameters repeat; None if they do not.

    In a map that a stored kernel reaches, whose parameters are those of channels, these are as many
    as there are channels.
    """
    population = network.population[name]
    stored = any(
        mapping.store(network, projection) == "kernel" for projection in network.into(name)
    )
    if not stored or not isinstance(population.shape, tuple):
        return None
    channels, positions = population.shape[0], prod(population.shape[1:])
    if positions == 1:
        return None
    for value in values_of(population).values():
        if isinstance(value, tuple) and value != tuple(np.repeat(value[::positions], positions)):
            return None
    return channels


def alternates(network: Network, mapping: "Mapping", name: str) -> bool:
    """Return whether the rows of sums that are added to are even and odd in turn.

    They are where a population has a single projection, and each event adds to an even number of
    consecutive rows, of which the first is even: those of all neurons, or of a position's channels
    where a kernel is stored once. Nothing may be added while sums are read.
    """
    core, projections = mapping.cores[name], network.into(name)
    if len(projections) != 1 or core.overlap or core.banks > 1:
        return False
    size, (projection,) = network.population[name].size, projections
    store = mapping.store(network, projection)
    if store == "synapses" or summed_apart(network, mapping, projection):
        return False
    channels = size
    if store == "kernel":
        channels = len(projection.synapses.kernel) // projection.synapses.groups
    return -(-channels // core.lanes) % 2 == 0


def in_network_order(order: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    """Return what the last axis has for each neuron in the machine, in the network's order."""
    if order is None:
        return values
    ordered = np.empty_like(values)
    ordered[..., order] = values
    return ordered


def in_machine_order(network: Network, mapping: "Mapping", projection: Projection) -> Projection:
    """Return a projection between neurons as they are numbered in the machine.

    It has the same weights, which are in rows or single synapses.
    """
    orders = [
        neuron_order(network, mapping, name) for name in (projection.source, projection.target)
    ]
    if all(order is None for order in orders):
        return projection
    synapses = _permuted(projection.synapses, *orders)
    return replace(projection, synapses=synapses, bits=projection.width)


def _permuted(synapses: Synapses, source: np.ndarray | None, target: np.ndarray | None) -> Synapses:
    source = np.arange(synapses.source_size) if source is None else source
    target = np.arange(synapses.target_size) if target is None else target
    if isinstance(synapses, Dense):
        return Dense(synapses.weights[np.ix_(target, source)])
    if isinstance(synapses, OneToOne) and np.array_equal(source, target):
        return OneToOne(synapses.values[source])
    sources, targets, weights = synapses.pairs()
    places = [np.argsort(order) for order in (source, target)]
    sources, targets = places[0][sources], places[1][targets]
    by = np.lexsort((targets, sources))
    sizes = synapses.source_size, synapses.target_size
    return Sparse(sources[by], targets[by], weights[by], *sizes)


def kernel_size(synapses: Convolution, lanes: int) -> int:
    """Return the rows of a kernel that is stored once, each with a weight for each lane."""
    return synapses.kernel.size // lanes


def kernel_rows(synapses: Convolution, lanes: int) -> np.ndarray:
    """Return the rows of a kernel that is stored once, an array of shape (rows, lanes).

    A row has the weights from a channel, at an offset within the window, to as many output
    channels as there are lanes. The rows are ordered by channel, then offset, then output channel.
    """
    outputs, inputs, *size = synapses.kernel.shape
    groups = synapses.groups
    parts = synapses.kernel.reshape(groups, outputs // groups // lanes, lanes, inputs, prod(size))
    return parts.transpose(0, 3, 4, 1, 2).reshape(-1, lanes)


def kernel_events(synapses: Convolution, lanes: int, positions: str = "one") -> np.ndarray:
    """Return in how many cycles each source adds rows of its kernel, in the network's order.

    With one position a cycle, these are the rows that it adds: see
    :class:`~spiker_hdl.model.Core`.
    """
    rows = len(synapses.kernel) // synapses.groups // lanes
    counts = np.array(rows)
    axes = len(synapses.shape) - 1
    for axis in range(axes):
        own = [len(windows) for windows in synapses.windows.pairs(axis)]
        if axis >= axes - parallel_axes(synapses, positions):
            own = [min(1, count) for count in own]
        counts = np.multiply.outer(counts, own)
    return np.broadcast_to(counts, synapses.shape).ravel()


def summed_apart(network: Network, mapping: "Mapping", projection: Projection) -> bool:
    """Return whether the sums of a projection lie by position in a memory of their own.

    So do those that are pooled, and those of events that are added to several positions at once.
    """
    if mapping.store(network, projection) != "kernel":
        return False
    return projection.pooling is not None or mapping.cores[projection.target].positions != "one"


def updates_by_window(network: Network, mapping: "Mapping", name: str) -> bool:
    """Return whether a population is updated window by window, from what lies by position alone.

    So it is if a single projection without a delay leads to it, whose sums serve in one step only
    and lie by position, and its neurons are not coupled.
    """
    projections = network.into(name)
    if len(projections) != 1 or projections[0].delay or network.holds(name):
        return False
    coupled = network.population[name].coupling is not None
    return not coupled and summed_apart(network, mapping, projections[0])


def pooled_width(network: Network, mapping: "Mapping", projection: Projection) -> int:
    """Return the bits of a sum that lies by position, of any kernel where it can be replaced."""
    source = network.nodes[projection.source]
    return signed_width(*position_sums(projection, source, projection.target in mapping.writable))


def pooled_rows(projection: Projection, lanes: int) -> list[list[int]]:
    """Return for each row of pooled sums, in the machine, the rows of sums of its windows.

    Without pooling, each position is a window of its own.
    """
    pooling, synapses = projection.pooling, projection.synapses
    parts = len(synapses.kernel) // lanes
    if pooling is None:
        return [[row] for row in range(parts * prod(synapses.target_shape[1:]))]
    shape = pooling.windows.shape
    windows: list[list[int]] = [[] for _ in range(prod(pooling.windows.counts))]
    targets = np.arange(len(windows)).reshape(pooling.windows.counts)
    sources = np.arange(prod(shape)).reshape(shape)
    for tap in pooling.windows.taps():
        pairs = zip(targets[tap.targets].ravel(), sources[tap.sources].ravel(), strict=True)
        for target, source in pairs:
            windows[target].append(int(source))
    return [[source * parts + part for source in own] for own in windows for part in range(parts)]
