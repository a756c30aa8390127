"""Samples that bring many neurons near their thresholds, where low bits of weights matter."""

from types import SimpleNamespace

import numpy as np

from spiker_hdl.model import Network, reference
from spiker_hdl.model.neurons.arithmetic import ARRAYS

__all__ = ["near_threshold_samples"]

_MIN_ROUNDS, _MAX_ROUNDS = 4, 40
_WORK = 2**33
_DENSITIES = (0.1, 0.3, 0.5, 0.5, 0.8)
_SHARE = 0.3
"""Share of the neurons that one sample brings near their thresholds."""


def near_threshold_samples(
    network: Network, steps: int, count: int, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Generate samples whose input currents are near the onset of firing.

    Gradient descent starts from random rates of the channels, and looks for rates that give some
    of the neurons behind the inputs a current somewhat above the smallest one that fires them.

    Parameters
    ----------
    network : Network
    steps, count : int
        Steps of a sample, and number of samples.
    draw : numpy.random.Generator

    Returns
    -------
    dict of str to array of int, shape (count, steps, size)
        By input.
    """
    rates = {}
    for node in network.inputs:
        density = np.resize(_DENSITIES, count)[:, None]
        rates[node.name] = (draw.random((count, node.size)) < density).astype(float)
    targets = [_Target(network, name, steps, count, draw) for name in network.order]
    targets = [target for target in targets if target.matrices]
    size = sum(matrix.size for target in targets for matrix in target.matrices.values())
    rounds = _WORK / max(1, 4 * count * size)
    for _ in range(int(min(_MAX_ROUNDS, max(_MIN_ROUNDS, rounds)))):
        gradients = {name: np.zeros_like(values) for name, values in rates.items()}
        for target in targets:
            target.add_gradients(rates, gradients)
        for node in network.inputs:
            low = node.low / node.high
            rates[node.name] = np.clip(rates[node.name] - gradients[node.name], low, 1)
    return {node.name: _sampled(node, rates[node.name], steps, draw) for node in network.inputs}


def _sampled(node, rates: np.ndarray, steps: int, draw: np.random.Generator) -> np.ndarray:
    """Return values whose mean is the rates, in units of the greatest value."""
    shape = (len(rates), 1 if node.static else steps, node.size)
    values = np.floor(rates[:, None] * node.high + draw.random(shape)).astype(np.int64)
    values = np.clip(values, node.low, node.high)
    return np.repeat(values, steps // shape[1], axis=1)


class _Target:
    """The neurons of a population, and the current that some of them are to have."""

    def __init__(self, network, name: str, steps: int, count: int, draw):
        core = reference.Core(network, network.population[name])
        self.matrices: dict[str, np.ndarray] = {}
        if not core.neuron.spiking:
            return
        highs = {node.name: node.high for node in network.inputs}
        for projector in core.projectors:
            if projector.source in highs and projector.pooling is None:
                most = highs[projector.source] * 2.0**projector.shift
                weights = projector.synapses.matrix().T.astype(float) * most
                self.matrices[projector.source] = weights
        if not self.matrices:
            return
        reach = np.zeros(core.size)
        for matrix in self.matrices.values():
            reach += np.abs(matrix).sum(axis=0)
        onset = _onset(core, steps, reach)
        self.current = onset * draw.uniform(1, 25, (count, core.size))
        self.current = np.minimum(self.current, reach / 4)
        self.chosen = draw.random((count, core.size)) < _SHARE
        norm = max(np.linalg.norm(matrix) for matrix in self.matrices.values())
        self.rate = 8 / max(1.0, norm**2)

    def add_gradients(self, rates: dict, gradients: dict) -> None:
        """Add the scaled gradient of the current's error, by input."""
        current = sum(rates[name] @ matrix for name, matrix in self.matrices.items())
        error = (current - self.current) * self.chosen * self.rate
        for name, matrix in self.matrices.items():
            gradients[name] += error @ matrix.T


def _onset(core, steps: int, reach: np.ndarray) -> np.ndarray:
    """Return about the smallest constant current with which each neuron fires within a sample."""
    low, high = np.zeros(core.size, dtype=np.int64), np.maximum(1, reach).astype(np.int64)
    while (high - low > 1).any():
        middle = (low + high) // 2
        states, fires = core.rest(1), np.zeros(core.size, dtype=bool)
        for _ in range(steps):
            # With several receptors, the current reaches each of them.
            current = core.by_receptor(np.tile(middle, core.receptors)[None] + core.bias)
            fired, states = core.neuron.step(
                core.parameters, SimpleNamespace(**states), current, ARRAYS
            )
            fires |= np.asarray(fired)[0].astype(bool)
        low, high = np.where(fires, low, middle), np.where(fires, middle, high)
    return high
