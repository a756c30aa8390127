"""Dynamics of synapses in integers: they become part of the neurons that they reach."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spiker_hdl.model import CurrentLif, Decay, Lif, Neuron

from .cell import Cell
from .synapse_kinds import FirstOrder, Summed, SynapseKind, Wire, resolved_decay
from .time import Tau

if TYPE_CHECKING:
    from .layers import Connection, Layer

__all__ = ["decay_in_integers", "factor_of", "fuse"]


def fuse(
    layer: "Layer",
    neuron: Neuron,
    scale: float,
    width: int,
    form: dict[str, Any],
    step: int | None,
) -> Neuron:
    """Return the integer neuron of a layer with the dynamics of the connections that reach it.

    Connections with :class:`~.synapse_kinds.FirstOrder` dynamics of one time constant into
    :class:`~spiker_hdl.model.Lif` neurons are :class:`~spiker_hdl.model.CurrentLif` neurons. The
    gain of the dynamics, and the integral over a step with ``output="charge"``, are in the weights.

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
        if type(kind) is not FirstOrder:
            raise ValueError(
                f"Dynamics of {name!r} must be FirstOrder in integers, in which its state becomes "
                f"part of the neuron, not {type(kind).__name__}"
            )
        if not _same(kind, first):
            raise ValueError(
                f"Dynamics of all connections to {layer.name!r} must have one time constant and "
                f"start in integers, since its neurons have one synaptic current; those of "
                f"{name!r} differ"
            )
    for connection in layer.incoming:
        if not connection.pooled:
            raise ValueError(
                f"Dynamics of {connection.name!r} must have one state for each target in integers, "
                "not one for each pair"
            )
    if type(neuron) is not Lif or not isinstance(layer.cell, Cell):
        raise ValueError(
            f"Neurons of {layer.name!r} must be Lif to have FirstOrder dynamics in integers, in "
            f"which they become CurrentLif, not {type(neuron).__name__}"
        )
    if layer.bias is not None:
        raise ValueError(
            f"Layer {layer.name!r} must have no bias to have FirstOrder dynamics in integers: the "
            "bias would be part of the synaptic current"
        )
    assert isinstance(first, FirstOrder)
    start = np.rint(np.asarray(first.i, dtype=np.float64) / scale)
    values = {member.name: getattr(neuron, member.name) for member in fields(neuron)}
    return CurrentLif(
        **values,
        current_decay=decay_in_integers(first.tau, form, step),
        current_width=width,
        i=int(start) if start.ndim == 0 else tuple(int(value) for value in start),
    )


def factor_of(decay: Any, step: int | None) -> np.ndarray:
    """Return the factor of a decay of a synapse kind, float64."""
    like = torch.zeros((), dtype=torch.float64)
    return resolved_decay("Time constant", decay, step, like).factor.numpy()


def decay_in_integers(decay: Any, form: dict[str, Any], step: int | None) -> Decay:
    """Return a decay of a synapse kind in integers."""
    if isinstance(decay, Decay):
        return decay
    factor = factor_of(decay, step)
    return Decay.fit(float(factor) if factor.ndim == 0 else factor, **form)


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
    assert isinstance(kind, FirstOrder)
    assert isinstance(other, FirstOrder)
    tau, other_tau = (
        value if isinstance(value, Tau | Decay) else tuple(np.ravel(value).tolist())
        for value in (kind.tau, other.tau)
    )
    return tau == other_tau and np.array_equal(kind.i, other.i)
