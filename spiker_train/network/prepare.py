"""Layers of a network prepared for a run, in floating point or in integers."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

from spiker_hdl.model import Neuron
from spiker_hdl.model.bounds import FLOAT32_EXACT, FLOAT64_EXACT, reach

from .arithmetic import FloatingPoint, Tensors
from .cell import Cell
from .layers import Connection, Layer
from .quantization import Quantization
from .rounding import rounded

if TYPE_CHECKING:
    from .network import SpikingNetwork

__all__ = ["Core", "cores", "into"]


@dataclass(frozen=True)
class Core:
    """A layer with all operands that its steps need.

    Members
    -------
    layer : Layer
    neuron : Neuron
        Model whose step is computed.
    parameters : namespace of tensor
        Parameters of the neuron, each of shape () or (neurons,).
    rest : dict of str to tensor
        Initial states, each of shape () or (neurons,).
    via : Arithmetic
    dtype : torch.dtype
        Format of currents and states.
    divisor : float or None
        Divisor of a floating-point current that neurons in integers take; None for all others.
    weights : dict of str to tensor
        Weights by connection, shape (neurons, source size), or (neurons,) one to one.
    bias : tensor, shape (neurons,), or None
    """

    layer: Layer
    neuron: Neuron
    parameters: SimpleNamespace
    rest: dict[str, torch.Tensor]
    via: Any
    dtype: torch.dtype
    divisor: float | None
    weights: dict[str, torch.Tensor]
    bias: torch.Tensor | None


def cores(net: "SpikingNetwork", integers: Quantization | None) -> dict[str, Core]:
    """Return the prepared layers by name, in floating point where ``integers`` is None."""
    if integers is None:
        return {layer.name: _float_core(net, layer) for layer in net.layers}
    return {layer.name: _integer_core(net, layer, integers) for layer in net.layers}


def into(net: "SpikingNetwork", layer: Layer) -> list[Connection]:
    """Return the connections that reach a layer."""
    return [connection for connection in net.connections if connection.target == layer.name]


def _float_core(net: "SpikingNetwork", layer: Layer) -> Core:
    like = net.like()
    cell = layer.cell
    weights = {connection.name: connection.masked() for connection in into(net, layer)}
    if isinstance(cell, Cell):
        neuron, parameters, rest = cell.floating_point(like)
        via = FloatingPoint(cell.surrogate, like.dtype)
        return Core(layer, neuron, parameters, rest, via, like.dtype, None, weights, layer.bias)
    neuron, scale = cell.fixed, cell.scale
    via = Tensors(cell.surrogate, scale, torch.float64)
    like = torch.zeros((), dtype=via.dtype, device=like.device)
    parameters = cell.integers(neuron, scale, like)
    return Core(
        layer,
        neuron,
        parameters,
        _rest(neuron, like),
        via,
        via.dtype,
        scale,
        weights,
        layer.bias,
    )


def _integer_core(net: "SpikingNetwork", layer: Layer, integers: Quantization) -> Core:
    scale = integers.scale(layer)
    bias = None if layer.bias is None else rounded(layer.bias, scale, -(2**31), 2**31 - 1)
    low, high = 0, 0
    weights = {}
    for connection in into(net, layer):
        low_weight, high_weight = integers.range(connection)
        times = 2 ** integers.shift(connection)
        weights[connection.name] = (
            rounded(connection.masked(), scale * times, low_weight, high_weight) * times
        )
        ends = [end * times for end in _ends(net, connection)]
        products = [end * weight for end in ends for weight in (low_weight, high_weight)]
        low += min(products) * _fan_in(net, connection)
        high += max(products) * _fan_in(net, connection)
    if bias is not None:
        bound = 2 ** int(bias.detach().abs().max()).bit_length()
        low, high = low - bound, high + bound
    neuron, dtype = _prepared(net, layer, integers, low, high)
    like = torch.zeros((), dtype=dtype, device=net.like().device)
    return Core(
        layer,
        neuron,
        layer.cell.integers(neuron, scale, like),
        _rest(neuron, like),
        Tensors(layer.cell.surrogate, scale, dtype),
        dtype,
        None,
        {name: values.to(dtype) for name, values in weights.items()},
        None if bias is None else bias.to(dtype),
    )


def _prepared(
    net: "SpikingNetwork", layer: Layer, integers: Quantization, low: int, high: int
) -> tuple[Neuron, torch.dtype]:
    # Kept from batch to batch, as training asks thousands of times; learned parameters change.
    seen = tuple((id(buffer), buffer._version) for buffer in layer.cell.buffers())
    key = layer.name, low, high, seen
    if net.known[0] is not integers:
        net.known = integers, {}
    known = net.known[1].get(key)
    if known is None or layer.cell.learned:
        neuron = integers.neuron(layer)
        known = neuron, _format(layer, neuron, low, high)
        net.known[1][key] = known
    return known


def _ends(net: "SpikingNetwork", connection: Connection) -> tuple[int, int]:
    node = net.graph.nodes[connection.source]
    return node.low, node.high


def _fan_in(net: "SpikingNetwork", connection: Connection) -> int:
    if connection.kind == "one_to_one":
        return 1
    return (
        connection.weights.shape[1]
        if connection.mask is None
        else int(connection.mask.sum(1).max())
    )


def _format(layer: Layer, neuron: Neuron, low: int, high: int) -> torch.dtype:
    bound = reach(neuron, low, high)
    if bound < FLOAT32_EXACT:
        return torch.float32
    if bound < FLOAT64_EXACT:
        return torch.float64
    raise ValueError(
        f"Layer {layer.name!r} must compute within 53 bits to train in integers, not reach {bound}"
    )


def _rest(neuron: Neuron, like: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        name: torch.as_tensor(state.rest, dtype=like.dtype, device=like.device)
        for name, state in neuron.states.items()
    }
