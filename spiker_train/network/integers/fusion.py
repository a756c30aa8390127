"""Dynamics of synapses in integers: they become part of the neurons that they reach."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spiker_hdl.model import CurrentLif, Decay, Lif, Neuron, WithSynapse, WithSynapses
from spiker_hdl.model.dynamics.base import Dynamics
from spiker_hdl.model.dynamics.kinds import FirstOrder as IntegerFirstOrder
from spiker_hdl.model.dynamics.kinds import SecondOrder as IntegerSecondOrder
from spiker_hdl.model.neurons.base import MAX_RECEPTORS
from spiker_train.network.synapse_kinds import (
    FirstOrder,
    SecondOrder,
    Summed,
    SynapseKind,
    Wire,
    is_decay,
    resolved_decay,
)
from spiker_train.network.time import Tau

if TYPE_CHECKING:
    from spiker_train.network.layers import Connection, Layer

__all__ = ["factor_of", "fuse", "fused_decays", "learned_decays", "receptors_of"]


def fuse(
    layer: "Layer",
    neuron: Neuron,
    scale: float,
    width: int,
    form: dict[str, Any],
    step: int | None,
) -> Neuron:
    """Return the integer neuron of a layer with the dynamics of the connections that reach it.

    With :class:`~.synapse_kinds.FirstOrder` or :class:`~.synapse_kinds.SecondOrder` dynamics, of
    one time constant for all connections, it is a :class:`~spiker_hdl.model.WithSynapse`; of first
    order into :class:`~spiker_hdl.model.Lif` neurons, a :class:`~spiker_hdl.model.CurrentLif`,
    which is the same. With several kinds, or with some connections without dynamics, or with a bias
    of the layer, which reaches the neurons behind the dynamics, it is a
    :class:`~spiker_hdl.model.WithSynapses`. The gain of the dynamics, and the integral over a step
    of ``FirstOrder`` with ``output="charge"``, are in the weights.

    Parameters
    ----------
    layer : Layer
        Layer of a network, which knows the connections that reach it.
    neuron : Neuron
        Integer neuron of its cell.
    scale : float
        Floating-point value of the integer potential 1.
    width : int
        Bits of the synaptic current.
    form : dict
        Keywords of :meth:`Decay.fit <spiker_hdl.model.Decay.fit>`.
    step : int or None
        Length of a step in picoseconds.

    Raises
    ------
    ValueError
        If the dynamics have no meaning in integers, with the reason.
    """
    kinds, _ = _grouped(layer)
    if not any(kinds):
        return neuron
    if neuron.receptors > 1:
        raise ValueError(
            f"Connections to {layer.name!r} must have no dynamics in integers, since its neurons "
            f"have {neuron.receptors} receptors of their own"
        )
    for connection in layer.incoming:
        name, kind = connection.name, _stateful(connection)
        if kind is None:
            continue
        if type(kind) not in {FirstOrder, SecondOrder}:
            raise ValueError(
                f"Dynamics of {name!r} must be FirstOrder or SecondOrder in integers, in which "
                f"their states become those of the neuron, not {type(kind).__name__}"
            )
        if isinstance(kind, SecondOrder) and kind.output == "charge":
            raise ValueError(
                f"Dynamics of {name!r} must have output='current' in integers: the integrals of "
                "its two exponentials are multiplied by two factors, and there is one weight"
            )
    for connection in layer.incoming:
        if connection.dynamics is not None and connection.dynamics.samples:
            raise ValueError(
                f"Dynamics of {connection.name!r} must have one set of parameters in integers, not "
                f"one for each of {max(connection.dynamics.samples)} samples"
            )
        if not connection.pooled:
            raise ValueError(
                f"Dynamics of {connection.name!r} must have one state for each target in integers, "
                "not one for each pair"
            )
    if len(kinds) > MAX_RECEPTORS:
        raise ValueError(
            f"Dynamics of the connections to {layer.name!r} must be of at most {MAX_RECEPTORS} "
            f"kinds in integers, those without any and the bias included, not {len(kinds)}"
        )
    synapses = [
        None if kind is None else _synapse(kind, scale, width, form, step) for kind in kinds
    ]
    if len(synapses) > 1:
        return WithSynapses(neuron=neuron, synapses=tuple(synapses))
    (synapse,) = synapses
    assert synapse is not None
    if type(neuron) is not Lif or not isinstance(synapse, IntegerFirstOrder):
        return WithSynapse(neuron=neuron, synapse=synapse)
    values = {member.name: getattr(neuron, member.name) for member in fields(neuron)}
    return CurrentLif(
        **values, current_decay=synapse.decay, current_width=synapse.width, i=synapse.i
    )


def receptors_of(layer: "Layer") -> dict[str, int]:
    """Return the receptor of the integer neurons that each connection to a layer reaches."""
    if layer.cell.receptors > 1:
        return {connection.name: connection.receptor for connection in layer.incoming}
    return _grouped(layer)[1]


def _grouped(layer: "Layer") -> tuple[list[SynapseKind | None], dict[str, int]]:
    """Return the kinds of dynamics that reach a layer, and by connection the number of its own.

    Connections without dynamics are of the kind None, and so is a bias beside dynamics, which
    reaches the neurons as it is.
    """
    kinds: list[SynapseKind | None] = []
    numbers: dict[str, int] = {}
    alone: set[int] = set()  # what is learned differs sooner or later, and has its own gradient
    for connection in layer.incoming:
        own = _stateful(connection)
        shared = [n for n in range(len(kinds)) if n not in alone and not connection.learned]
        number = next((n for n in shared if _alike(own, kinds[n])), len(kinds))
        numbers[connection.name] = number
        if number == len(kinds):
            kinds.append(own)
            alone |= {number} if connection.learned else set()
    if any(kinds) and layer.bias is not None and None not in kinds:
        kinds.append(None)
    return kinds, numbers


def _synapse(
    kind: SynapseKind, scale: float, width: int, form: dict[str, Any], step: int | None
) -> Dynamics:
    """Return dynamics in integers."""

    def start(value: Any) -> int | tuple[int, ...]:
        integers = np.rint(np.asarray(value, dtype=np.float64) / scale)
        return int(integers) if integers.ndim == 0 else tuple(int(n) for n in integers)

    def decay(value: Any) -> Decay:
        if isinstance(value, Decay):
            return value
        factor = factor_of(value, step)
        return Decay.fit(float(factor) if factor.ndim == 0 else factor, **form)

    if isinstance(kind, FirstOrder):
        return IntegerFirstOrder(decay=decay(kind.tau), width=width, i=start(kind.i))
    assert isinstance(kind, SecondOrder)
    return IntegerSecondOrder(
        decay=decay(kind.decay),
        rise=decay(kind.rise),
        width=width,
        slow=start(kind.slow),
        fast=start(kind.fast),
    )


def fused_decays(
    connection: "Connection", neuron: Neuron, receptor: int
) -> dict[str, tuple[Any, Decay]]:
    """Return the decays of dynamics that are part of a neuron in integers.

    Parameters
    ----------
    connection : Connection
    neuron : Neuron
    receptor : int
        Receptor of the neuron that the connection reaches.

    Returns
    -------
    dict of str to (Tau, Decay or factor, Decay)
        By field of the dynamics, its value, and its decay in integers.
    """
    kind = connection.dynamics
    if isinstance(kind, FirstOrder) and isinstance(neuron, CurrentLif):
        return {"tau": (kind.tau, neuron.current_decay)}
    synapse: Any = neuron.synapse if isinstance(neuron, WithSynapse) else None
    if isinstance(neuron, WithSynapses):
        synapse = neuron.synapses[receptor]
    if isinstance(kind, FirstOrder) and synapse is not None:
        return {"tau": (kind.tau, synapse.decay)}
    if isinstance(kind, SecondOrder) and synapse is not None:
        return {"decay": (kind.decay, synapse.decay), "rise": (kind.rise, synapse.rise)}
    return {}


def learned_decays(
    layer: "Layer", neuron: Neuron, step: int | None = None
) -> dict[str, tuple[torch.Tensor, Decay]]:
    """Return the decays of dynamics that are learned, by their names in the integer neuron.

    Parameters
    ----------
    layer : Layer
    neuron : Neuron
        Integer neuron of the layer, with the dynamics of its connections.
    step : int or None
        Length of a step in picoseconds.

    Returns
    -------
    dict of str to (tensor, Decay)
        Factor of a step in floating point, with its gradient, and the decay in integers.
    """
    results = {}
    receptors = receptors_of(layer)
    for connection in layer.incoming:
        kind = connection.dynamics_in_run
        if not connection.learned or kind is None:
            continue
        receptor = receptors[connection.name]
        for name, (_, decay) in fused_decays(connection, neuron, receptor).items():
            value = getattr(kind, name)
            if name not in kind.learn or isinstance(value, Decay | Tau):
                continue
            own = "current_decay" if isinstance(neuron, CurrentLif) else "decay"
            if isinstance(neuron, WithSynapse | WithSynapses):
                place = receptor if isinstance(neuron, WithSynapses) else 0
                own = neuron.outer(place, "decay" if name == "tau" else name)
            like = torch.zeros((), dtype=torch.float64)
            factor = resolved_decay("Time constant", value, step, like).factor
            results[own] = factor, decay
    return results


def factor_of(decay: Any, step: int | None) -> np.ndarray:
    """Return the factor of a decay of a synapse kind, float64."""
    like = torch.zeros((), dtype=torch.float64)
    return resolved_decay("Time constant", decay, step, like).factor.numpy()


def _stateful(connection: "Connection") -> SynapseKind | None:
    """Return the dynamics of a connection, None if they are those of a connection without any."""
    kind = connection.dynamics
    if isinstance(kind, Wire):
        if np.any(kind.bias):
            raise ValueError(
                f"Dynamics of {connection.name!r} must be a Wire without a bias in integers: give "
                f"the bias to the layer {connection.target!r}"
            )
        return None
    return None if isinstance(kind, Summed) and not kind.kinds else kind


def _alike(kind: SynapseKind | None, other: SynapseKind | None) -> bool:
    if kind is None or other is None:
        return kind is other
    return _same(kind, other)


def _same(kind: SynapseKind, other: SynapseKind) -> bool:
    """Tell whether two kinds have equal states, whatever their gains, which are in the weights."""
    if type(kind) is not type(other):
        return False
    for member in fields(kind):
        values = [getattr(x, member.name) for x in (kind, other)]
        if is_decay(member):
            tau, other_tau = (
                x if isinstance(x, Tau | Decay) else tuple(np.ravel(x).tolist()) for x in values
            )
            if tau != other_tau:
                return False
        elif member.metadata.get("role") == "state" and not np.array_equal(*values):
            return False
    return True
