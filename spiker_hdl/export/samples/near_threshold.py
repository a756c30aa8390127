"""Samples that bring many neurons near their thresholds, where low bits of weights matter."""

from math import prod
from types import SimpleNamespace

import numpy as np

from spiker_hdl.model import Convolution, Network, reference
from spiker_hdl.model.neurons.arithmetic import ARRAYS
from spiker_hdl.model.synapses.base import Synapses

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
    targets = [target for target in targets if target.weights]
    size = sum(weights.size for target in targets for weights in target.weights.values())
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


class _Weights:
    """The weights of a projection in floating point, and their transpose.

    Attributes
    ----------
    size : int
        Number of products for the sums of a sample.
    squares : float
        Sum of the squared weights.
    """

    def __init__(self, synapses: Synapses, most: float):
        self.matrix = synapses.matrix().T.astype(float) * most
        self.size = self.matrix.size
        self.squares = float((self.matrix**2).sum())

    def sums(self, rates: np.ndarray) -> np.ndarray:
        """Return the sum of each target."""
        return rates @ self.matrix

    def gradient(self, error: np.ndarray) -> np.ndarray:
        """Return the gradient of each source from that of each target."""
        return error @ self.matrix.T

    def reach(self) -> np.ndarray:
        """Return the sum of the magnitudes of each target's weights."""
        return np.abs(self.matrix).sum(axis=0)


class _Kernel(_Weights):
    """The weights of a convolution, which is too large to be unrolled."""

    def __init__(self, synapses: Convolution, most: float):
        self.synapses, self.most = synapses, most
        products = synapses.with_values(np.ones_like(synapses.kernel)).reach(0, 1)[1]
        self.size = int(products.sum())
        self.kernel = synapses.kernel.astype(float) * most
        squares = 0.0
        for tap in synapses.windows.taps():
            places = prod(places.stop - places.start for places in tap.targets)
            squares += float((self.kernel[(..., *tap.offset)] ** 2).sum()) * places
        self.squares = squares

    def sums(self, rates: np.ndarray) -> np.ndarray:
        return self.synapses.sums(rates) * self.most

    def gradient(self, error: np.ndarray) -> np.ndarray:
        synapses, groups = self.synapses, self.synapses.groups
        error = error.reshape(len(error), groups, -1, *synapses.windows.counts)
        kernel = self.kernel.reshape(groups, -1, *self.kernel.shape[1:])
        shape = (len(error), groups, self.kernel.shape[1], *synapses.shape[1:])
        gradient = np.zeros(shape)
        for tap in synapses.windows.taps():
            weights = kernel[(..., *tap.offset)]
            own = np.einsum("goi,ngo...->ngi...", weights, error[(..., *tap.targets)])
            gradient[(..., *tap.sources)] += own
        return gradient.reshape(len(error), synapses.source_size)

    def reach(self) -> np.ndarray:
        magnitudes = self.synapses.with_values(np.abs(self.synapses.kernel))
        return magnitudes.reach(0, 1)[1] * self.most


class _Target:
    """The neurons of a population, and the current that some of them are to have."""

    def __init__(self, network, name: str, steps: int, count: int, draw):
        core = reference.Core(network, network.population[name])
        self.weights: dict[str, _Weights] = {}
        if not core.neuron.spiking:
            return
        highs = {node.name: node.high for node in network.inputs}
        for projector in core.projectors:
            if projector.source in highs and projector.pooling is None:
                most = highs[projector.source] * 2.0**projector.shift
                synapses = projector.synapses
                kind = _Kernel if isinstance(synapses, Convolution) else _Weights
                self.weights[projector.source] = kind(synapses, most)
        if not self.weights:
            return
        reach = np.zeros(core.size)
        for weights in self.weights.values():
            reach += weights.reach()
        onset = _onset(core, steps, reach)
        self.current = onset * draw.uniform(1, 25, (count, core.size))
        self.current = np.minimum(self.current, reach / 4)
        self.chosen = draw.random((count, core.size)) < _SHARE
        self.rate = 8 / max(1.0, *(weights.squares for weights in self.weights.values()))

    def add_gradients(self, rates: dict, gradients: dict) -> None:
        """Add the scaled gradient of the current's error, by input."""
        current = sum(weights.sums(rates[name]) for name, weights in self.weights.items())
        error = (current - self.current) * self.chosen * self.rate
        for name, weights in self.weights.items():
            gradients[name] += weights.gradient(error)


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
