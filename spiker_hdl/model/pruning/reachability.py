"""The neurons of a network that can ever fire, by interval arithmetic through their ``step``."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from spiker_hdl.model.graph import Population
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.intervals import Interval, Ranges, Test
from spiker_hdl.model.synapses.base import Synapses
from spiker_hdl.model.synapses.dense import Dense
from spiker_hdl.model.synapses.one_to_one import OneToOne
from spiker_hdl.model.synapses.sparse import Sparse

__all__ = ["find_live"]

_ROUNDS = 512


def find_live(network: Network) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
    """Return which nodes may fire, and the ranges of the states of the neurons that may not.

    Returns
    -------
    live : dict of str to array of bool
        By input and population, which channels and neurons may fire. All channels may.
    states : dict of str to dict of str to (array of int, array of int)
        By population and state, the minimum and maximum of each neuron that may not fire.
    """
    # A least fixed point: at first only the inputs fire, and each neuron that may then fire can
    # make others fire. This is sound since a spike is caused by an earlier step or population.
    live = {node.name: np.ones(node.size, dtype=bool) for node in network.inputs}
    live |= {node.name: np.zeros(node.size, dtype=bool) for node in network.populations}
    states: dict[str, dict[str, Any]] = {}
    waiting = list(network.order)
    while waiting:
        population = network.population[waiting.pop(0)]
        name = population.name
        low, high = _sums(network, population, live)
        fires, states[name] = _explore(population, low, high, live[name])
        if (fires & ~live[name]).any():
            live[name] |= fires
            following = {projection.target for projection in network.out_of(name)}
            waiting += [name for name in network.order if name in following - {*waiting}]
    return live, states


def _sums(network: Network, population: Population, live: dict[str, np.ndarray]) -> Any:
    """Return the minimum and maximum current, each of shape (receptors, neurons)."""
    neuron = population.neuron
    low, high = (np.full((neuron.receptors, population.size), 0, dtype=object) for _ in range(2))
    for ends in (low, high):
        ends[neuron.bias_receptor] += np.asarray(population.bias)
    for projection in network.into(population.name):
        source, synapses = network.nodes[projection.source], projection.synapses
        if not live[projection.source].all():
            synapses = _from_live(synapses, live[projection.source])
        lows, highs = replace(projection, synapses=synapses).reach(source.low, source.high)
        low[projection.receptor] += lows
        high[projection.receptor] += highs
    if population.coupling is not None:  # the input of an inhibited neuron is 0
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    return low, high


def _from_live(synapses: Synapses, live: np.ndarray) -> Synapses:
    """Return the synapses whose sources are live, with weights of zero or none for the others."""
    if isinstance(synapses, (Dense, OneToOne)):
        return synapses.with_values(synapses.values * live)
    sources, targets, weights = synapses.pairs()
    stays = live[sources]
    sizes = synapses.source_size, synapses.target_size
    return Sparse(sources[stays], targets[stays], weights[stays], *sizes)


def _explore(
    population: Population, low: np.ndarray, high: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, dict[str, Any]]:
    neuron, size = population.neuron, population.size
    fires = known.copy()
    parameters = {name: _filled(p.value, size) for name, p in neuron.parameters.items()}
    states = {
        name: (_filled(s.rest, size), _filled(s.rest, size)) for name, s in neuron.states.items()
    }
    at = np.flatnonzero(~known)
    for n in range(_ROUNDS + 1):
        if not at.size:
            break
        if n == _ROUNDS:  # states that do not settle soon are taken to reach their declared range
            for name, (lows, highs) in states.items():
                lows[at], highs[at] = neuron.states[name].low, neuron.states[name].high
        ranges = Ranges()
        bound = neuron.bind({name: ranges.interval(x[at], x[at]) for name, x in parameters.items()})
        before = {name: ranges.interval(a[at], b[at]) for name, (a, b) in states.items()}
        currents = [ranges.interval(a[at], b[at]) for a, b in zip(low, high, strict=True)]
        current = neuron.as_current(currents)
        fired, after = neuron.step(bound, SimpleNamespace(**before), current, ranges)
        moved = np.zeros(len(at), dtype=bool)
        for name, value in after.items():
            ends = getattr(value, "low", value), getattr(value, "high", value)
            moved |= _join(states[name], at, ends, neuron.states[name])
        can = _emitting(fired, len(at))
        fires[at] |= can
        at = at[moved & ~can]
    return fires, states


def _emitting(output: Any, size: int) -> np.ndarray:
    """Return which neurons may emit an event: a spike, or a value other than 0."""
    if output is None:
        return np.zeros(size, dtype=bool)
    if isinstance(output, Test):
        can = output.can_be(True)
    elif isinstance(output, Interval):
        can = (output.low != 0) | (output.high != 0)
    else:
        can = output != 0
    return np.broadcast_to(can, size).astype(bool)


def _filled(value: Any, size: int) -> np.ndarray:
    array = np.empty(size, dtype=object)
    array[:] = value
    return array


def _join(state: tuple[Any, Any], at: np.ndarray, ends: tuple[Any, Any], declared: Any) -> Any:
    lows, highs = state
    before = lows[at], highs[at]
    lows[at] = np.maximum(declared.low, np.minimum(before[0], ends[0]))
    highs[at] = np.minimum(declared.high, np.maximum(before[1], ends[1]))
    return ((lows[at] != before[0]) | (highs[at] != before[1])).astype(bool)
