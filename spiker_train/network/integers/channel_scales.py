"""Scales per channel: channels that are multiplied so that one scale of their layer suits all.

What a channel of neurons fires stays the same if its weights, biases, thresholds and states are
multiplied by one factor. With a factor for each channel, the weights of all channels use the bits
that a weight has, and quantisation keeps one scale per layer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from spiker_train.network.cell import Cell

from .quantization import CANDIDATES, Quantization, squared_error

if TYPE_CHECKING:
    from spiker_train.network.layers import Connection, Layer
    from spiker_train.network.network import SpikingNetwork

__all__ = ["equalize_channels", "rounded_weights"]


def equalize_channels(
    net: "SpikingNetwork", settings: Quantization
) -> tuple["SpikingNetwork", Quantization]:
    """Return a network that fires alike, and whose channels suit one scale of their layer.

    These are the channels of layers that a convolution reaches. A layer stays as it is where a
    scale has to be the same for all of its neurons or is set: where a readout or a coupling
    compares potentials, a setting of its neurons scales with the potential, the connections to it
    have dynamics or a grid, or ``settings`` have its scale.

    Parameters
    ----------
    net : SpikingNetwork
    settings : Quantization
        Bits of weights and potentials.

    Returns
    -------
    net : SpikingNetwork
        A copy, with thresholds and other parameters per channel.
    settings : Quantization
        The settings with the scales of these layers.
    """
    fitted = settings.fit(net)
    copy = deepcopy(net)
    scales = dict(settings.scales)
    for layer in copy.layers:
        if not has_channels(copy, layer, settings):
            continue
        own = _channel_scales(layer, fitted)
        scales[layer.name] = float(own.max())
        if (own != own[0]).any():  # otherwise the parameters stay as many as they are
            _multiply(layer, own.max() / own)
    return copy, replace(settings, scales=scales, dt=fitted.dt)


@contextmanager
def rounded_weights(net: "SpikingNetwork", bits: Any) -> Iterator[None]:
    """Let a network in floating point run with rounded weights, and have them at the end.

    The gradient passes to the weights unchanged. There is one scale for each connection, or for
    each channel where :func:`equalize_channels` gives it one.

    Parameters
    ----------
    net : SpikingNetwork
    bits : int or "ternary", or mapping of str to such, or None
        Bits of a weight, as for :class:`~.quantization.Quantization`; None for no rounding.
    """
    if bits is None:
        yield
        return
    settings = Quantization(bits)
    settings.check_names(net)
    for connection in net.connections:
        layer = net.layer[connection.target]
        scales = layer.channels if has_channels(net, layer, settings) else 1
        connection.rounding = settings.bits(connection), scales
    try:
        yield
    finally:
        for connection in net.connections:
            with torch.no_grad():
                connection.weights.copy_(connection.nearest())
            connection.rounding = None


def has_channels(net: "SpikingNetwork", layer: "Layer", settings: Quantization) -> bool:
    """Tell whether the channels of a layer may have scales of their own."""
    cell = layer.cell
    if not isinstance(cell, Cell) or not cell.spiking or cell.samples or cell.powers_of_two:
        return False
    compared = layer.coupling is not None or any(
        readout.population == layer.name and readout.kind not in {"count", "first"}
        for readout in net.readouts
    )
    return not (
        compared
        or layer.name in settings.scales
        or layer.channels == layer.size
        or any(
            cell.roles.get(declared.name) == "scaled setting"
            and cell.settings.get(declared.name, 0) is not None
            for declared in fields(cell.kind)
        )
        or all(connection.kind != "convolution" for connection in layer.incoming)
        or any(
            connection.dynamics is not None or connection.grid is not None
            for connection in layer.incoming
        )
    )


def _channel_scales(layer: "Layer", fitted: Quantization) -> np.ndarray:
    """Return the scale of each channel with the smallest squared error of its weights.

    Parameters of the layer fit at each of them.
    """
    smallest = fitted.smallest_scale(layer)
    links = [
        (_by_channel(layer, connection), 2 ** fitted.shift(connection), *fitted.range(connection))
        for connection in layer.incoming
    ]
    scales = np.full(layer.channels, fitted.scale(layer))
    for channel in range(layer.channels):
        own = [(rows[channel], *rest) for rows, *rest in links]
        base = max(float(rows.abs().max()) / high / times for rows, times, _, high in own)
        errors = {}
        for share in CANDIDATES:
            scale = max(base * share, smallest)
            errors[scale] = sum(
                squared_error(rows, scale * times, *ends) for rows, times, *ends in own
            )
        if base:
            scales[channel] = min(errors, key=lambda scale: (errors[scale], -scale))
    return scales


def _by_channel(layer: "Layer", connection: "Connection") -> torch.Tensor:
    """Return the weights that reach each channel, shape (channels, weights of a channel)."""
    return connection.masked().detach().reshape(layer.channels, -1)


def _multiply(layer: "Layer", factors: np.ndarray) -> None:
    """Multiply what scales with the potential by a factor for each channel."""
    channels = torch.from_numpy(factors)
    neurons = channels.repeat_interleave(layer.size // layer.channels)
    cell = layer.cell
    assert isinstance(cell, Cell)
    with torch.no_grad():
        for connection in layer.incoming:
            weights = connection.weights
            own = channels if connection.kind == "convolution" else neurons
            weights.mul_(own.to(weights).reshape(-1, *[1] * (weights.ndim - 1)))
        if layer.bias is not None:
            own = channels if layer.bias.shape[0] == layer.channels else neurons
            layer.bias.mul_(own.to(layer.bias))
    for declared in fields(cell.kind):
        name = f"float_{declared.name}"
        if not declared.metadata.get("scales") or not hasattr(cell, name):
            continue
        value = getattr(cell, name)
        own = neurons if value.ndim and value.shape[0] == layer.size else channels
        product = (value.detach().double() * own.to(value.device)).to(value.dtype)
        if isinstance(value, nn.Parameter):
            setattr(cell, name, nn.Parameter(product, value.requires_grad))
        else:
            setattr(cell, name, product)
    cell.arrange(layer.channels, layer.size)
