"""Layers of a network prepared for a run, in floating point or in integers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

from spiker_hdl.model import Neuron
from spiker_hdl.model.bounds import FLOAT32_EXACT, FLOAT64_EXACT, reach
from spiker_train.network.arithmetic import FloatingPoint, Tensors
from spiker_train.network.cell import Cell
from spiker_train.network.coupling import WinnerTakeAll, as_coupling
from spiker_train.network.integers.fusion import learned_decays, receptors_of
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.layers import Connection, Layer
from spiker_train.network.rounding import rounded
from spiker_train.network.synapse_kinds import SynapseKind

if TYPE_CHECKING:
    from spiker_train.network.network import SpikingNetwork

__all__ = ["Core", "Dynamics", "cores", "into"]


@dataclass(frozen=True)
class Dynamics:
    """The dynamics of a connection with all operands that their steps need.

    Members
    -------
    connection : Connection
    kind : SynapseKind
    timed : dict of int or None to namespace
        Decays and parameters by the length of a step in picoseconds, None without seconds.
    rest : dict of str to tensor
        Initial states.
    gain : tensor or None
        Gain of each sample, which is no part of the weights, as it multiplies what enters the step.
    """

    connection: Connection
    kind: SynapseKind
    timed: dict[int | None, SimpleNamespace]
    rest: dict[str, torch.Tensor]
    gain: torch.Tensor | None


@dataclass(frozen=True)
class Core:
    """A layer with all operands that its steps need.

    Members
    -------
    layer : Layer
    neuron : Neuron
        Model whose step is computed.
    timed : dict of int or None to namespace of tensor
        Parameters of the neuron, each of shape (), (neurons,) or (samples, neurons), by the length
        of a step in picoseconds, None without seconds.
    rest : dict of str to tensor
        Initial states, each of shape (), (neurons,) or (samples, neurons).
    via : Arithmetic
    dtype : torch.dtype
        Format of currents and states.
    divisor : float or None
        Divisor of a floating-point current that neurons in integers take; None for all others.
    weights : dict of str to tensor
        Weights by connection, shape (neurons, source size), (neurons,) one to one, or that of the
        kernel of a convolution.
    bias : tensor, shape (neurons,), or None
    dynamics : dict of str to Dynamics
        By connection that has dynamics, in floating point. In integers they are part of the neuron.
    counted : set of str
        Names of the states that count down times: in whole picoseconds, as float64.
    coupling : WinnerTakeAll or None
        In integers, with a number of steps.
    receptors : dict of str to int
        By connection, the receptor of the neurons that its events reach.
    """

    layer: Layer
    neuron: Neuron
    timed: dict[int | None, SimpleNamespace]
    rest: dict[str, torch.Tensor]
    via: Any
    dtype: torch.dtype
    divisor: float | None
    weights: dict[str, torch.Tensor]
    bias: torch.Tensor | None
    dynamics: dict[str, Dynamics] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    coupling: WinnerTakeAll | None = None
    receptors: dict[str, int] = field(default_factory=dict)

    @property
    def parameters(self) -> SimpleNamespace:
        """Parameters of the neuron in a run whose steps are all of one length."""
        (parameters,) = self.timed.values()
        return parameters


def cores(
    net: "SpikingNetwork",
    integers: Quantization | None,
    lengths: Sequence[int | None] = (None,),
) -> dict[str, Core]:
    """Return the prepared layers by name.

    Parameters
    ----------
    net : SpikingNetwork
    integers : Quantization or None
        None in floating point.
    lengths : sequence of int or None
        Lengths of steps that occur, in picoseconds; None without seconds.
    """
    if integers is None:
        return {layer.name: _float_core(net, layer, lengths) for layer in net.layers}
    (length,) = lengths
    return {layer.name: _integer_core(net, layer, integers, length) for layer in net.layers}


def into(net: "SpikingNetwork", layer: Layer) -> list[Connection]:
    """Return the connections that reach a layer."""
    return list(layer.incoming)


def _float_core(net: "SpikingNetwork", layer: Layer, lengths: Sequence[int | None]) -> Core:
    like = net.like()
    cell = layer.cell
    weights, dynamics = {}, {}
    for connection in into(net, layer):
        weights[connection.name] = connection.masked()
        if connection.dynamics is not None:
            kind = connection.dynamics_in_run
            assert kind is not None
            dynamics[connection.name] = _dynamics(connection, kind, lengths, like)
    if isinstance(cell, Cell):
        neuron, parameters, rest = cell.floating_point(like, lengths[0])
        timed = {lengths[0]: parameters}
        timed |= {length: cell.floating_point(like, length)[1] for length in lengths[1:]}
        via = FloatingPoint(cell.surrogate, like.dtype)
        divisor = None
    else:
        neuron, divisor = cell.fixed, cell.scale
        via = Tensors(cell.surrogate, divisor, torch.float64)
        like = torch.zeros((), dtype=via.dtype, device=like.device)
        timed = dict.fromkeys(lengths, cell.integers(neuron, divisor, like))
        rest = _rest(neuron, like)
    bias, counted = layer.biases, cell.counted
    return Core(
        layer,
        neuron,
        timed,
        rest,
        via,
        via.dtype,
        divisor,
        weights,
        bias,
        dynamics,
        counted,
        layer.coupling,
        {connection.name: connection.receptor for connection in layer.incoming},
    )


def _dynamics(
    connection: Connection,
    kind: SynapseKind,
    lengths: Sequence[int | None],
    like: torch.Tensor,
) -> Dynamics:
    timed = {length: kind.resolve(length, like, connection.pooled) for length in lengths}
    gain = None if connection.gain_in_weights else kind.weight_gain(timed[lengths[0]])
    return Dynamics(connection, kind, timed, kind.rest(like, connection.pooled), gain)


def _integer_core(
    net: "SpikingNetwork", layer: Layer, integers: Quantization, length: int | None
) -> Core:
    scale = integers.scale(layer)
    biases = layer.biases
    bias = None if biases is None else rounded(biases, scale, -(2**31), 2**31 - 1)
    low, high = 0, 0
    weights = {}
    for connection in into(net, layer):
        low_weight, high_weight = integers.range(connection)
        times = 2 ** integers.shift(connection)
        weights[connection.name] = (
            rounded(
                connection.masked(length, integers=True), scale * times, low_weight, high_weight
            )
            * times
        )
        ends = [end * times for end in _ends(net, connection, integers)]
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
        {
            length: layer.cell.integers(
                neuron, scale, like, length, learned_decays(layer, neuron, length)
            )
        },
        _rest(neuron, like),
        Tensors(layer.cell.surrogate, scale, dtype),
        dtype,
        None,
        {name: values.to(dtype) for name, values in weights.items()},
        None if bias is None else bias.to(dtype),
        coupling=as_coupling("Coupling", integers.coupling(layer)),
        receptors=receptors_of(layer),
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
    learned = layer.cell.learned or any(link.learned for link in layer.incoming)
    if known is None or learned:
        neuron = integers.neuron(layer)
        known = neuron, _format(layer, neuron, low, high)
        net.known[1][key] = known
    return known


def _ends(net: "SpikingNetwork", connection: Connection, integers: Quantization) -> tuple[int, int]:
    """Return the range of the value of the events that pass a connection, in integers."""
    layer = net.layer.get(connection.source)
    if layer is not None:
        neuron = None if layer.cell.spiking else integers.neuron(layer)
        return (0, 1) if neuron is None else neuron.event_range or (0, 1)
    node = net.graph.nodes[connection.source]
    return node.low, node.high


def _fan_in(net: "SpikingNetwork", connection: Connection) -> int:
    if connection.mask is not None:
        return int(connection.mask.sum(1).max())
    return prod(connection.weights.shape[1:])  # of a convolution, all offsets of a window


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
