"""Remove the input channels and neurons of a network that cannot change its answers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np

from spiker_hdl.model.graph import Input, Population, Projection
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.base import chosen
from spiker_hdl.model.result import Result
from spiker_hdl.model.rules.refusal import refuse_rules
from spiker_hdl.model.stimulus import by_input
from spiker_hdl.model.synapses.base import Synapses
from spiker_hdl.model.synapses.convolution import Convolution
from spiker_hdl.model.synapses.dense import Dense
from spiker_hdl.model.synapses.one_to_one import OneToOne
from spiker_hdl.model.synapses.sparse import Sparse

from .channels import Channels, channels, describe
from .maps import map_channels
from .reachability import find_live

__all__ = ["Pruned", "Pruning", "prune"]


@dataclass(frozen=True)
class Pruning:
    """The channels and neurons that were removed from a network, and why.

    Members
    -------
    inputs : mapping of str to tuple of int
        Removed channels, by input: no remaining neuron has a weight from them other than 0.
    silent : mapping of str to tuple of int
        Removed neurons, by population: proved never to fire, and read by no readout.
    kept_silent : mapping of str to tuple of int
        Neurons that never fire and are kept, since they are classes of a readout, the only
        neuron of their population, or in a channel of maps that has others.
    unread : mapping of str to tuple of int
        Kept neurons that may fire, but whose spikes reach no readout and no neuron. Without them
        the answers would be the same, but not the spike counts.
    sparse : tuple of str
        One-to-one projections that became sparse, since different neurons were removed from their
        two ends.
    bits_before, bits_after : int
        Bits of all weights: see :attr:`~.network.Network.weight_bits`.
    """

    inputs: Mapping[str, tuple[int, ...]]
    silent: Mapping[str, tuple[int, ...]]
    kept_silent: Mapping[str, tuple[int, ...]]
    unread: Mapping[str, tuple[int, ...]]
    sparse: tuple[str, ...]
    bits_before: int
    bits_after: int

    @property
    def bits_saved(self) -> int:
        """Bits of weight memory that are no longer needed."""
        return self.bits_before - self.bits_after

    @property
    def changed(self) -> bool:
        """Whether anything was removed."""
        return bool(self.inputs or self.silent)

    def to_json(self) -> dict[str, Any]:
        """Return the report in a form that JSON can hold."""
        lists = {
            name: {node: list(these) for node, these in getattr(self, name).items()}
            for name in ("inputs", "silent", "kept_silent", "unread")
        }
        bits = {"bits_before": self.bits_before, "bits_after": self.bits_after}
        return lists | {"sparse": list(self.sparse)} | bits | {"bits_saved": self.bits_saved}


@dataclass(frozen=True)
class Pruned:
    """A network without the channels and neurons that cannot change its answers.

    Members
    -------
    original, network : Network
        The network before and after pruning.
    kept : mapping of str to array of int
        Indices in the original of the remaining channels and neurons, by input and population.
    report : Pruning
    constant : mapping of str to mapping of int to int
        By ``"population.state"``, the value of each removed neuron whose state never changes.
    """

    original: Network
    network: Network
    kept: Mapping[str, np.ndarray]
    report: Pruning
    constant: Mapping[str, Mapping[int, int]]

    def select(self, spikes: Any) -> dict[str, Any]:
        """Return samples for the original network as samples for the pruned one.

        Parameters
        ----------
        spikes : array of int, list of arrays, or a mapping from input names to such
            See :func:`~.stimulus.stimulus`.

        Raises
        ------
        TypeError, ValueError
            If they are not samples for the original network.
        """
        chosen = {}
        for name, samples in by_input(self.original, spikes).items():
            kept = self.kept[name]
            chosen[name] = (
                samples[..., kept]
                if isinstance(samples, np.ndarray)
                else [sample[:, kept] for sample in samples]
            )
        return chosen

    def expand(self, result: Result) -> Result:
        """Return a result of the pruned network as one of the original.

        The removed neurons are inserted into what was recorded: they never fire.

        Raises
        ------
        ValueError
            If a state was recorded that is not constant in the removed neurons.
        """
        recorded = {}
        for name, samples in result.spikes.items():
            population = name.split(".")[0]
            kept, size = self.kept[population], self.original.population[population].size
            fill = self._fill(name, population)

            def widen(states: np.ndarray, kept=kept, size=size, fill=fill) -> np.ndarray:
                whole = np.empty((*states.shape[:-1], size), dtype=states.dtype)
                whole[...] = fill
                whole[..., kept] = states
                return whole

            if len(kept) < size:
                several = isinstance(samples, list)
                samples = [widen(sample) for sample in samples] if several else widen(samples)
            recorded[name] = samples
        return replace(result, spikes=recorded)

    def _fill(self, name: str, population: str) -> np.ndarray:
        fill = np.zeros(self.original.population[population].size, dtype=np.int64)
        if "." not in name:
            return fill
        known = self.constant.get(name, {})
        for neuron in self.report.silent.get(population, ()):
            if neuron not in known:
                raise ValueError(
                    f"Record must be of what is known of neurons that were dropped, not {name!r}: "
                    f"neuron {neuron} was, and its state changes with the input"
                )
            fill[neuron] = known[neuron]
        return fill


def prune(network: Network) -> Pruned:
    """Remove input channels and neurons that cannot change an answer.

    Two kinds are removed. First, neurons that are proved never to fire, for any spikes, by interval
    arithmetic through their own ``step``, and that no readout reads. Second, input channels that
    have no weight other than 0 to a remaining neuron. Each input keeps at least one channel, and
    each population at least one neuron. Maps, between which there are convolutions, keep or lose
    whole channels, and all of them where channels are in groups. For all samples, the pruned
    network has the classes, scores, steps and spike counts of the original.

    Parameters
    ----------
    network : Network

    Returns
    -------
    Pruned

    Raises
    ------
    ValueError
        If a one-to-one projection would become a sparse one with too many synapses, or the network
        has a rule of learning.
    """
    refuse_rules(network, "Pruning")
    live, states = find_live(network)
    weighed = {projection.name: _weighed(projection) for projection in network.projections}
    kept = _kept(network, live, weighed)
    numbers = {name: np.flatnonzero(stays) for name, stays in kept.items()}
    small = _rebuilt(network, numbers)
    report = _report(network, small, live, weighed, kept)
    constant = {
        f"{name}.{state}": {n: int(low[n]) for n in these if low[n] == high[n]}
        for name, these in report.silent.items()
        for state, (low, high) in states[name].items()
    }
    for indices in numbers.values():
        indices.flags.writeable = False
    return Pruned(network, small, numbers, report, constant)


def _kept(
    network: Network, live: dict[str, np.ndarray], weighed: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Return which channels and neurons remain, at least one of each node."""
    read = {readout.population for readout in network.readouts}
    whole = map_channels(network)
    kept: dict[str, np.ndarray] = {}
    for population in network.populations:
        name, size = population.name, population.size
        stays = live[name] if name not in read else np.ones(size, dtype=bool)
        if not stays.any():
            # The neuron with the fewest synapses is the cheapest one to keep.
            into = [weighed[projection.name].targets for projection in network.into(name)]
            fan_in = np.sum([np.bincount(targets, minlength=size) for targets in into], axis=0)
            stays = np.arange(size) == (int(np.argmin(fan_in)) if into else 0)
        kept[name] = _by_channel(stays, whole.get(name, size))
    for node in network.inputs:
        stays = _used(network, node, weighed, kept)
        stays[0] |= not stays.any()
        kept[node.name] = _by_channel(stays, whole.get(node.name, node.size))
    return kept


def _by_channel(stays: np.ndarray, channels: int) -> np.ndarray:
    """Return what stays if a channel stays or goes as a whole."""
    return np.repeat(stays.reshape(channels, -1).any(axis=1), len(stays) // channels)


def _report(
    network: Network,
    small: Network,
    live: dict[str, np.ndarray],
    weighed: dict[str, Any],
    kept: dict[str, np.ndarray],
) -> Pruning:
    read = {readout.population for readout in network.readouts}
    emitting = [population for population in network.populations if population.neuron.emits]
    kept_silent = {node.name: kept[node.name] & ~live[node.name] for node in emitting}
    unread = {
        node.name: live[node.name] & ~_used(network, node, weighed, kept)
        for node in emitting
        if node.name not in read
    }
    return Pruning(
        inputs=_indices({node.name: ~kept[node.name] for node in network.inputs}),
        silent=_indices({node.name: ~kept[node.name] for node in network.populations}),
        kept_silent=_indices(kept_silent),
        unread=_indices(unread),
        sparse=tuple(
            new.name
            for old, new in zip(network.projections, small.projections, strict=True)
            if old.synapses.kind != new.synapses.kind
        ),
        bits_before=network.weight_bits,
        bits_after=small.weight_bits,
    )


def _indices(masks: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Return the indices that each mask marks, without the masks that mark none."""
    return {name: tuple(np.flatnonzero(m).tolist()) for name, m in masks.items() if m.any()}


# -- the pruned network ---------------------------------------------------------------------------


def _weighed(projection: Projection) -> Any:
    """Return both ends of each synapse whose weight is not 0."""
    sources, targets, _ = projection.synapses.pairs()
    pooling = projection.pooling
    if pooling is not None:  # maps stay by channel, so any neuron of the channel stands for it
        sums, maxima = (n // pooling.shape[0] for n in (pooling.source_size, pooling.target_size))
        targets = targets // sums * maxima
    return SimpleNamespace(sources=sources, targets=targets)


def _used(
    network: Network, node: Input | Population, weighed: dict[str, Any], kept: dict[str, np.ndarray]
) -> np.ndarray:
    used = np.zeros(node.size, dtype=bool)
    for projection in network.out_of(node.name):
        ends = weighed[projection.name]
        used[ends.sources[kept[projection.target][ends.targets]]] = True
    return used


def _rebuilt(network: Network, kept: dict[str, np.ndarray]) -> Network:
    populations, inputs = [], []
    whole = map_channels(network)
    for population in network.populations:
        these = kept[population.name]
        if len(these) < population.size:
            population = Population(
                population.name,
                _shape(population, len(these), whole),
                population.neuron.choose(these),
                chosen(population.bias, these),
                population.coupling,
            )
        populations.append(population)
    taken = channels(network)
    for node in network.inputs:
        these = kept[node.name]
        if len(these) < node.size:
            before = taken.get(node.name)
            numbers = these if before is None else before.kept[these]
            taken[node.name] = Channels(node.size if before is None else before.size, numbers)
            node = replace(node, shape=_shape(node, len(these), whole))
        inputs.append(node)
    projections = [
        _joined(projection, kept[projection.source], kept[projection.target])
        for projection in network.projections
    ]
    return replace(
        network,
        inputs=tuple(inputs),
        populations=tuple(populations),
        projections=tuple(projections),
        notes=describe(network, taken),
    )


def _shape(node: Input | Population, size: int, whole: Mapping[str, int]) -> Any:
    """Return the shape of a node of which so many neurons are left."""
    if node.name not in whole or not isinstance(node.shape, tuple):
        return size
    return (size * node.shape[0] // node.size, *node.shape[1:])


def _joined(projection: Projection, sources: np.ndarray, targets: np.ndarray) -> Projection:
    """Return a projection between what is left of its ends."""
    pooling = projection.pooling
    if pooling is None:
        return replace(projection, synapses=_between(projection, sources, targets))
    channels = _channels(targets, pooling.target_shape)
    sums = np.arange(pooling.source_size).reshape(pooling.shape[0], -1)[channels].ravel()
    return replace(
        projection,
        synapses=_between(projection, sources, sums),
        pooling=replace(pooling, shape=(len(channels), *pooling.shape[1:])),
    )


def _channels(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the channels of whole maps of a shape."""
    return np.unique(indices // prod(shape[1:]))


def _between(projection: Projection, sources: np.ndarray, targets: np.ndarray) -> Synapses:
    synapses = projection.synapses
    if len(sources) == synapses.source_size and len(targets) == synapses.target_size:
        return synapses
    if isinstance(synapses, Dense):
        return Dense(synapses.weights[np.ix_(targets, sources)])
    if isinstance(synapses, Convolution):
        inputs = _channels(sources, synapses.shape)
        outputs = _channels(targets, synapses.target_shape)
        return replace(
            synapses,
            kernel=synapses.kernel[np.ix_(outputs, inputs)],
            shape=(len(inputs), *synapses.shape[1:]),
        )
    if isinstance(synapses, OneToOne):
        if np.array_equal(sources, targets):
            return OneToOne(synapses.weights[sources])
        at = np.arange(synapses.source_size)
        pairs = at, at, synapses.weights
    else:
        pairs = synapses.sources, synapses.targets, synapses.weights
    ends = []
    for size, kept, old in (
        (synapses.source_size, sources, pairs[0]),
        (synapses.target_size, targets, pairs[1]),
    ):
        new = np.full(size, -1)
        new[kept] = np.arange(len(kept))
        ends.append(new[old])
    stays = (ends[0] >= 0) & (ends[1] >= 0)
    try:
        return Sparse(ends[0][stays], ends[1][stays], pairs[2][stays], len(sources), len(targets))
    except ValueError as error:
        raise ValueError(f"Projection {projection.name!r}: {error}") from None
