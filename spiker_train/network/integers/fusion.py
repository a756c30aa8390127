"""Dynamics of synapses in integers: they become part of the neurons that they reach."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spiker_hdl.model import CurrentLif, Decay, Lif, Neuron, WithSynapse
from spiker_hdl.model.dynamics.base import Dynamics
from spiker_hdl.model.dynamics.kinds import FirstOrder as IntegerFirstOrder
from spiker_hdl.model.dynamics.kinds import SecondOrder as IntegerSecondOrder
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

__all__ = ["factor_of", "fuse", "fused_decays"]


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
    which is the same. The gain of the dynamics, and the integral over a step of ``FirstOrder`` with
    ``output="charge"``, are in the weights.

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
    kinds = {connection.name: _stateful(connection) for connection in layer.incoming}
    if not any(kinds.values()):
        return neuron
    first = next(kind for kind in kinds.values() if kind is not None)
    for name, kind in kinds.items():
        if kind is None:
            raise ValueError(
                f"All connections to {layer.name!r} must have dynamics in integers, or none, since "
                f"its neurons have one synaptic current; {name!r} has none"
            )
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
        if not _same(kind, first):
            raise ValueError(
                f"Dynamics of all connections to {layer.name!r} must have one time constant and "
                f"start in integers, since its neurons have one synaptic current; those of "
                f"{name!r} differ"
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
    if layer.bias is not None:
        raise ValueError(
            f"Layer {layer.name!r} must have no bias to have dynamics in integers: the bias would "
            "be part of the synaptic current"
        )
    synapse = _synapse(first, scale, width, form, step)
    if type(neuron) is not Lif or not isinstance(synapse, IntegerFirstOrder):
        return WithSynapse(neuron=neuron, synapse=synapse)
    values = {member.name: getattr(neuron, member.name) for member in fields(neuron)}
    return CurrentLif(
        **values, current_decay=synapse.decay, current_width=synapse.width, i=synapse.i
    )


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


def fused_decays(connection: "Connection", neuron: Neuron) -> dict[str, tuple[Any, Decay]]:
    """Return the decays of dynamics that are part of a neuron in integers.

    Returns
    -------
    dict of str to (Tau, Decay or factor, Decay)
        By field of the dynamics, its value, and its decay in integers.
    """
    kind = connection.dynamics
    if isinstance(kind, FirstOrder) and isinstance(neuron, CurrentLif):
        return {"tau": (kind.tau, neuron.current_decay)}
    synapse: Any = neuron.synapse if isinstance(neuron, WithSynapse) else None
    if isinstance(kind, FirstOrder) and synapse is not None:
        return {"tau": (kind.tau, synapse.decay)}
    if isinstance(kind, SecondOrder) and synapse is not None:
        return {"decay": (kind.decay, synapse.decay), "rise": (kind.rise, synapse.rise)}
    return {}


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
