"""Samples that bring many neurons near their thresholds, where small weights matter."""

from types import SimpleNamespace

import numpy as np

from spiker_hdl.model import Network, reference
from spiker_hdl.model.neurons.arithmetic import ARRAYS

__all__ = ["aimed"]

_ROUNDS = 40
_WORK = 2**33
_DENSITIES = (0.1, 0.3, 0.5, 0.5, 0.8)
_SHARE = 0.3
"""Of the neurons that are brought near their thresholds together."""


def aimed(
    network: Network, steps: int, number: int, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Make up samples whose currents are near what makes neurons fire.

    From random rates of the channels, those are sought, downhill, that give some of the neurons
    which read inputs a current somewhat above the least that fires them.

    Parameters
    ----------
    network : Network
    steps, number : int
        Steps of a sample, and how many samples.
    draw : numpy.random.Generator

    Returns
    -------
    dict of str to array of int, shape (number, steps, size)
        By input.
    """
    rates = {}
    for one in network.inputs:
        density = np.resize(_DENSITIES, number)[:, None]
        rates[one.name] = (draw.random((number, one.size)) < density).astype(float)
    targets = [_Target(network, name, steps, number, draw) for name in network.order]
    targets = [one for one in targets if one.matrices]
    size = sum(matrix.size for one in targets for matrix in one.matrices.values())
    for _ in range(int(min(_ROUNDS, max(4, _WORK / max(1, 4 * number * size))))):
        slopes = {name: np.zeros_like(each) for name, each in rates.items()}
        for one in targets:
            one.add_slopes(rates, slopes)
        for node in network.inputs:
            low = node.low / node.high
            rates[node.name] = np.clip(rates[node.name] - slopes[node.name], low, 1)
    return {one.name: _sampled(one, rates[one.name], steps, draw) for one in network.inputs}


def _sampled(node, rates: np.ndarray, steps: int, draw: np.random.Generator) -> np.ndarray:
    """Return values that are what the rates say, on average."""
    shape = (len(rates), 1 if node.static else steps, node.size)
    values = np.floor(rates[:, None] * node.high + draw.random(shape)).astype(np.int64)
    values = np.clip(values, node.low, node.high)
    return np.repeat(values, steps // shape[1], axis=1)


class _Target:
    """The neurons of a population, and which of them are to have which current."""

    def __init__(self, network, name: str, steps: int, number: int, draw):
        core = reference.Core(network, network.population[name])
        self.matrices: dict[str, np.ndarray] = {}
        if not core.neuron.spiking:
            return
        highs = {one.name: one.high for one in network.inputs}
        for projector in core.projectors:
            if projector.source in highs:
                weights = (
                    projector.weights.astype(float) * highs[projector.source] * 2.0**projector.shift
                )
                weights = np.diag(weights) if projector.lone else weights
                self.matrices[projector.source] = weights
        if not self.matrices:
            return
        reach = np.zeros(core.size)
        for matrix in self.matrices.values():
            reach += np.abs(matrix).sum(axis=0)
        onset = _onset(core, steps, reach)
        self.wanted = onset * draw.uniform(1, 25, (number, core.size))
        self.wanted = np.minimum(self.wanted, reach / 4)
        self.chosen = draw.random((number, core.size)) < _SHARE
        norm = max(np.linalg.norm(matrix) for matrix in self.matrices.values())
        self.rate = 8 / max(1.0, norm**2)

    def add_slopes(self, rates: dict, slopes: dict) -> None:
        """Add, by input, where rates are to go."""
        current = sum(rates[name] @ matrix for name, matrix in self.matrices.items())
        error = (current - self.wanted) * self.chosen * self.rate
        for name, matrix in self.matrices.items():
            slopes[name] += error @ matrix.T


def _onset(core, steps: int, reach: np.ndarray) -> np.ndarray:
    """Return the least constant current that makes each neuron fire within a sample, about."""
    low, high = np.zeros(core.size, dtype=np.int64), np.maximum(1, reach).astype(np.int64)
    while (high - low > 1).any():
        middle = (low + high) // 2
        states, fires = core.rest(1), np.zeros(core.size, dtype=bool)
        for _ in range(steps):
            fired, states = core.neuron.step(
                core.parameters, SimpleNamespace(**states), middle[None] + core.bias, ARRAYS
            )
            fires |= np.asarray(fired)[0].astype(bool)
        low, high = np.where(fires, low, middle), np.where(fires, middle, high)
    return high
