"""Which neurons of a network can ever fire, by intervals through their own ``step``."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from spiker_hdl.model.graph import Population
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.intervals import Ranges, Test
from spiker_hdl.model.synapses import Sparse

__all__ = ["find_live"]

_ROUNDS = 512


def find_live(network: Network) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
    """Find who may fire, and what the states of the others reach.

    Returns
    -------
    live : dict of str to array of bool
        By input and population, which channels and neurons may fire: all channels.
    states : dict of str to dict of str to (array of int, array of int)
        By population and state, the least and greatest value of each neuron that may not.
    """
    # At first nobody is taken to fire but the inputs; who may fire then, may make others fire. That
    # is enough, since a spike has its cause in an earlier step or an earlier population.
    live = {one.name: np.ones(one.size, dtype=bool) for one in network.inputs}
    live |= {one.name: np.zeros(one.size, dtype=bool) for one in network.populations}
    states: dict[str, dict[str, Any]] = {}
    waiting = list(network.order)
    while waiting:
        population = network.population[waiting.pop(0)]
        name = population.name
        low, high = _sums(network, population, live)
        fires, states[name] = _explore(population, low, high, live[name])
        if (fires & ~live[name]).any():
            live[name] |= fires
            following = {one.target for one in network.out_of(name)}
            waiting += [one for one in network.order if one in following and one not in waiting]
    return live, states


def _sums(network: Network, population: Population, live: dict[str, np.ndarray]) -> Any:
    low, high = (np.full(population.size, 0, dtype=object) for _ in range(2))
    low, high = low + np.asarray(population.bias), high + np.asarray(population.bias)
    for one in network.into(population.name):
        source, synapses = network.nodes[one.source], one.synapses
        if not live[one.source].all():
            at = synapses.sources if isinstance(synapses, Sparse) else slice(None)
            synapses = replace(synapses, weights=synapses.weights * live[one.source][at])
        lows, highs = replace(one, synapses=synapses).reach(source.low, source.high)
        low, high = low + lows, high + highs
    return low, high


def _explore(
    population: Population, low: np.ndarray, high: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, dict[str, Any]]:
    neuron, size = population.neuron, population.size
    fires = known.copy()
    parameters = {name: _each(p.value, size) for name, p in neuron.parameters.items()}
    states = {name: (_each(s.rest, size), _each(s.rest, size)) for name, s in neuron.states.items()}
    at = np.flatnonzero(~known)
    for n in range(_ROUNDS + 1):
        if not at.size:
            break
        if n == _ROUNDS:  # what does not settle soon is taken to reach all that is declared
            for name, (lows, highs) in states.items():
                lows[at], highs[at] = neuron.states[name].low, neuron.states[name].high
        ranges = Ranges()
        bound = neuron.bind({name: ranges.interval(x[at], x[at]) for name, x in parameters.items()})
        before = {name: ranges.interval(a[at], b[at]) for name, (a, b) in states.items()}
        current = ranges.interval(low[at], high[at])
        fired, after = neuron.step(bound, SimpleNamespace(**before), current, ranges)
        moved = np.zeros(len(at), dtype=bool)
        for name, value in after.items():
            ends = getattr(value, "low", value), getattr(value, "high", value)
            moved |= _join(states[name], at, ends, neuron.states[name])
        can = np.zeros(len(at), dtype=bool)
        if fired is not None:
            can |= fired.can_be(True) if isinstance(fired, Test) else True
        fires[at] |= can
        at = at[moved & ~can]
    return fires, states


def _each(value: Any, size: int) -> np.ndarray:
    found = np.empty(size, dtype=object)
    found[:] = value
    return found


def _join(state: tuple[Any, Any], at: np.ndarray, ends: tuple[Any, Any], declared: Any) -> Any:
    lows, highs = state
    before = lows[at], highs[at]
    lows[at] = np.maximum(declared.low, np.minimum(before[0], ends[0]))
    highs[at] = np.minimum(declared.high, np.maximum(before[1], ends[1]))
    return ((lows[at] != before[0]) | (highs[at] != before[1])).astype(bool)
