r"""Batch normalisation (Ioffe and Szegedy 2015) while a network is trained in floating point.

The current of a connection, behind its pooling, is brought to a mean of 0 and to a standard
deviation that is learned, :math:`x \leftarrow g\,(x - \mu) / \sqrt{\sigma^2 + \varepsilon}`. What
the training ends with is a factor of the weights and a part of the bias, so that the network
computes the same without it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from spiker_hdl.base.checks import shown

from .cell import IntegerCell

if TYPE_CHECKING:
    from .layers import Connection, Layer
    from .network import SpikingNetwork

__all__ = ["BatchNormalization", "batch_normalized", "batch_statistics"]

MOMENTUM = 0.05
"""Share of a batch in the statistics that other runs use."""
EPSILON = 1e-5
SMALLEST = 1e-3
"""Smallest standard deviation, as a share of the typical potential of the layer."""


class BatchNormalization(nn.Module):
    """The batch normalisation of the current of one connection, per channel or per neuron.

    Parameters
    ----------
    channels : int
        As many as the biases of the layer that the connection reaches.
    unit : float
        Typical potential of that layer, which is the standard deviation at first.
    shared : bool
        Whether all channels have one standard deviation, as they have one scale of their weights.

    Members
    -------
    gain : Parameter, shape (channels,), or (1,) where it is shared
        Standard deviation that currents are brought to, which is positive.
    mean, variance : tensor, shape (channels,)
        Of the currents of past batches, where newer ones count for more.
    batches : tensor of int
        Number of these batches.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    batches: torch.Tensor

    def __init__(self, channels: int, unit: float, shared: bool = False):
        super().__init__()
        self.unit = unit
        self.shared = shared
        self.gain = nn.Parameter(torch.full((1 if shared else channels,), float(unit)))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.training = False

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        """Normalise currents of the shape (samples, steps, targets).

        In training, the statistics are those of the batch, over its samples, steps and positions.
        """
        if self.training:
            self.batches += 1
        share = max(MOMENTUM, 1 / max(1, int(self.batches)))  # the first batch counts whole
        rows = current.reshape(current.shape[0] * current.shape[1], len(self.mean), -1)
        if not self.shared:
            rows = functional.batch_norm(
                rows, self.mean, self.variance, self.gain, None, self.training, share, EPSILON
            )
            return rows.reshape(current.shape)
        mean, variance = self.mean.unsqueeze(-1), self.variance
        if self.training:
            mean = rows.mean((0, 2), keepdim=True)
            variance = (rows - mean).square().mean((0, 2))
            with torch.no_grad():
                self.mean.lerp_(mean.flatten(), share)
                self.variance.lerp_(variance, share)
        return ((rows - mean) * (self.gain * self._inverse(variance))).reshape(current.shape)

    def _inverse(self, variance: torch.Tensor) -> torch.Tensor:
        """Return 1 over the standard deviation, of each channel or of all."""
        return ((variance.mean(0, keepdim=True) if self.shared else variance) + EPSILON).rsqrt()

    @torch.no_grad()
    def keep_positive(self) -> None:
        """Keep the gain positive: the maximum of currents stays one, and is no minimum."""
        self.gain.clamp_(min=SMALLEST * self.unit)

    @torch.no_grad()
    def fold(self, connection: "Connection", layer: "Layer") -> None:
        """Multiply the weights, and add to the biases, what this normalisation comes to."""
        factor = (self.gain.double() * self._inverse(self.variance.double())).expand(len(self.mean))
        weights, bias = connection.weights, layer.bias
        assert bias is not None
        rows = factor.repeat_interleave(len(weights) // len(factor)).to(weights)
        weights.mul_(rows.reshape(-1, *[1] * (weights.ndim - 1)))
        offset = self.mean.double() * factor
        bias.sub_(offset.repeat_interleave(len(bias) // len(factor)).to(bias))


@contextmanager
def batch_normalized(net: "SpikingNetwork", names: bool | Iterable[str]) -> Iterator[None]:
    """Normalise the currents of connections, and fold this into weights and biases at the end.

    Parameters
    ----------
    net : SpikingNetwork
    names : bool or sequence of str
        Names of the connections; True for all whose weights are learned, False for none.

    Raises
    ------
    ValueError
        If a name is unknown, or the normalisation of a connection cannot be folded.
    """
    known = {connection.name: connection for connection in net.connections}
    if isinstance(names, bool):
        learned = [name for name, part in known.items() if part.weights.requires_grad]
        names = learned if names else ()
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            listed = ", ".join(map(repr, known))
            raise ValueError(f"Batch normalisation must be of {listed}, not of {shown(name)}")
        reason = _obstacle(net, known[name])
        if reason is not None:
            raise ValueError(
                f"Batch normalisation cannot be of {name!r}, as {reason}: name the connections "
                "that have it"
            )
    for name in chosen:
        layer = net.layer[known[name].target]
        shared = known[name].kind != "convolution"
        part = BatchNormalization(_channels(known[name], layer), layer.cell.unit, shared)
        known[name].normalization = part.to(net.like())
    try:
        yield
    finally:
        for name in chosen:
            part: Any = known[name].normalization
            if part.batches:  # otherwise nothing was learned
                part.fold(known[name], net.layer[known[name].target])
            del known[name].normalization  # PyTorch would go on to list a part that is None
            known[name].normalization = None


@contextmanager
def batch_statistics(net: "SpikingNetwork") -> Iterator[None]:
    """Let normalisations take the statistics of the batches that run."""
    parts = [part.normalization for part in net.connections if part.normalization is not None]
    try:
        for part in parts:
            part.training = True
        yield
    finally:
        for part in parts:
            part.training = False


def _obstacle(net: "SpikingNetwork", connection: "Connection") -> str | None:
    """Return why the normalisation of a connection cannot be folded, or None."""
    layer = net.layer[connection.target]
    cycle = next(group for group in net.groups if layer.name in group)
    if connection.source in cycle:
        return "its events come from the layers that they reach"
    if connection.dynamics is not None:
        return "it has dynamics"
    if connection.grid is not None:
        return "its weights keep a grid"
    if not connection.weights.requires_grad:
        return "its weights are not learned"
    if isinstance(layer.cell, IntegerCell):
        return f"the neurons of {layer.name!r} are in integers"
    if layer.cell.receptors > 1:
        return f"the neurons of {layer.name!r} have several receptors"
    if layer.bias is None:
        return f"{layer.name!r} has no bias"
    return None


def _channels(connection: "Connection", layer: "Layer") -> int:
    """Return the number of normalised channels: weights that positions share have one factor."""
    assert layer.bias is not None
    return min(len(layer.bias), len(connection.weights))
