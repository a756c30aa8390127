"""Leave out what cannot change an answer: channels that nothing weighs, neurons that never fire."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from spiker_hdl.model.graph import Input, Population, Projection
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.arithmetic import Decay
from spiker_hdl.model.neurons.base import Neuron
from spiker_hdl.model.result import Result
from spiker_hdl.model.stimulus import by_input
from spiker_hdl.model.synapses import Dense, OneToOne, Sparse, Synapses

from .channels import Channels, channels, describe
from .reachability import find_live

__all__ = ["Pruned", "Pruning", "prune"]


@dataclass(frozen=True)
class Pruning:
    """What was dropped of a network, and why.

    Members
    -------
    inputs : mapping of str to tuple of int
        Channels dropped, by input: no neuron that is left has a weight from them.
    silent : mapping of str to tuple of int
        Neurons dropped, by population: proven never to fire, and not read.
    kept_silent : mapping of str to tuple of int
        Neurons that never fire and are kept, since a readout counts them among its classes, or so
        that their population has one.
    unread : mapping of str to tuple of int
        Neurons kept that may fire, of whom no readout and no neuron takes notice: without them,
        answers would be the same, but not the count of spikes.
    sparse : tuple of str
        Projections from one to one that became sparse, since their two ends lost other neurons.
    bits_before, bits_after : int
        Of all weights: see :attr:`~.network.Network.weight_bits`.
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
        """Bits of weight memory that are needed no more."""
        return self.bits_before - self.bits_after

    @property
    def changed(self) -> bool:
        """Whether anything was dropped."""
        return bool(self.inputs or self.silent)

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        each = {
            name: {node: list(these) for node, these in getattr(self, name).items()}
            for name in ("inputs", "silent", "kept_silent", "unread")
        }
        bits = {"bits_before": self.bits_before, "bits_after": self.bits_after}
        return each | {"sparse": list(self.sparse)} | bits | {"bits_saved": self.bits_saved}


@dataclass(frozen=True)
class Pruned:
    """A network without what cannot change its answers.

    Members
    -------
    original, network : Network
        Before and after.
    kept : mapping of str to array of int
        Numbers in the original of the channels and neurons that are left, by input and population.
    report : Pruning
    constant : mapping of str to mapping of int to int
        By ``"population.state"``, the value of each neuron dropped whose state never changes.
    """

    original: Network
    network: Network
    kept: Mapping[str, np.ndarray]
    report: Pruning
    constant: Mapping[str, Mapping[int, int]]

    def select(self, spikes: Any) -> dict[str, Any]:
        """Return, of samples for the original network, what the new one takes.

        Parameters
        ----------
        spikes : array of int, list of arrays, or a mapping from input names to such
            See :func:`~.stimulus.stimulus`.

        Raises
        ------
        TypeError, ValueError
            If they are not what the original takes.
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
        """Return a result of the new network in the terms of the original.

        What was recorded gets the neurons that were dropped: they never fire.

        Raises
        ------
        ValueError
            If a state was recorded that neurons dropped have, and that is not constant in them.
        """
        recorded = {}
        for name, samples in result.spikes.items():
            population = name.split(".")[0]
            kept, size = self.kept[population], self.original.population[population].size
            fill = self._fill(name, population)

            def widen(each: np.ndarray, kept=kept, size=size, fill=fill) -> np.ndarray:
                whole = np.empty((*each.shape[:-1], size), dtype=each.dtype)
                whole[...] = fill
                whole[..., kept] = each
                return whole

            if len(kept) < size:
                several = isinstance(samples, list)
                samples = [widen(each) for each in samples] if several else widen(samples)
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
    """Drop input channels and neurons that can make no difference.

    What is dropped are neurons that can never fire, whatever the spikes, by intervals through their
    own ``step``, and that no readout reads; and then channels of inputs without a weight other than
    0 to any neuron that is left. Of each input and each population at least one is kept. Classes,
    scores, steps and spike counts are those of the original for all samples.

    Parameters
    ----------
    network : Network

    Returns
    -------
    Pruned

    Raises
    ------
    ValueError
        If a projection from one to one would become one of too many pairs.
    """
    live, states = find_live(network)
    weighed = {one.name: _weighed(one) for one in network.projections}
    read = {one.population for one in network.readouts}
    kept: dict[str, np.ndarray] = {}
    for one in network.populations:
        stays = live[one.name] if one.name not in read else np.ones(one.size, dtype=bool)
        if not stays.any():
            into = [weighed[each.name].targets for each in network.into(one.name)]
            fan_in = np.sum([np.bincount(each, minlength=one.size) for each in into], axis=0)
            stays = np.arange(one.size) == (int(np.argmin(fan_in)) if into else 0)
        kept[one.name] = stays
    for one in network.inputs:
        stays = _used(network, one, weighed, kept)
        stays[0] |= not stays.any()
        kept[one.name] = stays
    numbers = {name: np.flatnonzero(stays) for name, stays in kept.items()}
    small = _rebuilt(network, numbers)
    dropped = {name: _these(~stays) for name, stays in kept.items() if not stays.all()}
    spiking = [one for one in network.populations if one.neuron.spiking]
    report = Pruning(
        inputs={one.name: dropped[one.name] for one in network.inputs if one.name in dropped},
        silent={one.name: dropped[one.name] for one in network.populations if one.name in dropped},
        kept_silent=_named(spiking, lambda one: kept[one.name] & ~live[one.name]),
        unread=_named(
            [one for one in spiking if one.name not in read],
            lambda one: live[one.name] & ~_used(network, one, weighed, kept),
        ),
        sparse=tuple(
            new.name
            for old, new in zip(network.projections, small.projections, strict=True)
            if old.synapses.kind != new.synapses.kind
        ),
        bits_before=network.weight_bits,
        bits_after=small.weight_bits,
    )
    constant = {
        f"{name}.{state}": {n: int(low[n]) for n in these if low[n] == high[n]}
        for name, these in report.silent.items()
        for state, (low, high) in states[name].items()
    }
    for each in numbers.values():
        each.flags.writeable = False
    return Pruned(network, small, numbers, report, constant)


def _these(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())


def _named(populations: list[Population], pick: Any) -> dict[str, tuple[int, ...]]:
    found = {one.name: _these(pick(one)) for one in populations}
    return {name: these for name, these in found.items() if these}


# -- what is left --------------------------------------------------------------------------------


def _weighed(projection: Projection) -> Any:
    """Return both ends of each synapse whose weight is not 0."""
    synapses = projection.synapses
    at = np.nonzero(synapses.values)
    if isinstance(synapses, Sparse):
        ends = synapses.sources[at], synapses.targets[at]
    else:
        ends = at[-1], at[0]
    return SimpleNamespace(sources=ends[0], targets=ends[1])


def _used(
    network: Network, node: Input | Population, weighed: dict[str, Any], kept: dict[str, np.ndarray]
) -> np.ndarray:
    used = np.zeros(node.size, dtype=bool)
    for one in network.out_of(node.name):
        ends = weighed[one.name]
        used[ends.sources[kept[one.target][ends.targets]]] = True
    return used


def _rebuilt(network: Network, kept: dict[str, np.ndarray]) -> Network:
    populations, inputs = [], []
    for one in network.populations:
        these = kept[one.name]
        if len(these) < one.size:
            one = Population(
                one.name, len(these), _part(one.neuron, these), _taken(one.bias, these)
            )
        populations.append(one)
    taken = channels(network)
    for one in network.inputs:
        these = kept[one.name]
        if len(these) < one.size:
            before = taken.get(one.name)
            numbers = these if before is None else before.kept[these]
            taken[one.name] = Channels(one.size if before is None else before.size, numbers)
            one = replace(one, shape=len(these))
        inputs.append(one)
    projections = [
        replace(one, synapses=_between(one, kept[one.source], kept[one.target]))
        for one in network.projections
    ]
    return replace(
        network,
        inputs=tuple(inputs),
        populations=tuple(populations),
        projections=tuple(projections),
        notes=describe(network, taken),
    )


def _taken(value: Any, these: np.ndarray) -> Any:
    return tuple(value[n] for n in these) if isinstance(value, tuple) else value


def _part(neuron: Neuron, these: np.ndarray) -> Neuron:
    changes = {}
    for one in fields(neuron):
        value = getattr(neuron, one.name)
        if isinstance(value, Decay):
            changes[one.name] = Decay(_taken(value.numerator, these), value.bits)
        elif "role" in one.metadata:
            changes[one.name] = _taken(value, these)
    return replace(neuron, **changes)


def _between(projection: Projection, sources: np.ndarray, targets: np.ndarray) -> Synapses:
    synapses = projection.synapses
    if len(sources) == synapses.source_size and len(targets) == synapses.target_size:
        return synapses
    if isinstance(synapses, Dense):
        return Dense(synapses.weights[np.ix_(targets, sources)])
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
