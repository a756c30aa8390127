"""Cells of snnTorch's neurons."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.model import CurrentLif, Lif
from spiker_train.linear.compose import Affine, Conv, LinearMap, Scale
from spiker_train.network.cell import Cell, IntegerCell

from .levels import read_levels

__all__ = ["NAMES", "Neurons", "array", "is_neuron", "read_neurons", "states"]

RESETS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}
STATES = {
    "Leaky": ("mem",),
    "Lapicque": ("mem",),
    "Synaptic": ("syn", "mem"),
    "RLeaky": ("spk", "mem"),
    "RSynaptic": ("spk", "syn", "mem"),
    "Alpha": ("syn_exc", "syn_inh", "mem"),
    "LeakyParallel": (),
}
NAMES = ", ".join(STATES)


@dataclass
class Neurons:
    """The representation of snnTorch's neurons.

    Members
    -------
    cell : Cell or IntegerCell
    before : list of LinearMap
        Linear maps that act on the current.
    delay : int
        Steps by which the current is delayed.
    recurrent : LinearMap or None
        Linear map from the spikes to the current of the next step.
    bias : array of float or None
        Constant current of every step, of the layer's shape.
    """

    cell: Cell | IntegerCell
    before: list[LinearMap]
    delay: int = 0
    recurrent: LinearMap | None = None
    bias: np.ndarray | None = None


def is_neuron(part: nn.Module) -> bool:
    """Tell whether a module is one of snnTorch's neurons.

    Raises
    ------
    TypeError
        If it is, but of a kind that is not supported.
    """
    if not type(part).__module__.startswith("snntorch."):
        return False
    from snntorch import LeakyParallel, SpikingNeuron

    return isinstance(part, SpikingNeuron | LeakyParallel)


def states(part: nn.Module) -> tuple[str, ...]:
    """Return the names of the states that neurons take and return."""
    return STATES[type(part).__name__]


def array(value: Any) -> np.ndarray:
    """Return a tensor as an array of float64."""
    return torch.as_tensor(value).detach().cpu().double().numpy()


def read_neurons(label: str, part: Any, shape: tuple[int, ...]) -> Neurons:
    """Return the representation of snnTorch's neurons.

    Parameters
    ----------
    label : str
    part : nn.Module
    shape : tuple of int
        Shape of the layer.

    Raises
    ------
    TypeError, ValueError
        If they have an option that is not supported.
    """
    kind = type(part).__name__
    what = f"{kind} {label!r}"
    if kind == "LeakyParallel":
        return _parallel(what, part, shape)
    reset = _reset(what, part)
    if part.state_quant and kind != "Leaky":
        raise ValueError(
            f"{what}: state_quant must be False, not given, since integers reproduce it exactly "
            "only for Leaky; remove it and let quantize choose the bits"
        )
    for name, setting, plain in (
        ("inhibition", bool(part.inhibition), False),
        ("graded_spikes_factor", _furthest(part.graded_spikes_factor, 1.0), 1.0),
    ):
        if setting != plain:
            raise ValueError(f"{what}: {name} must be {plain}, not {setting}")
    delayed = kind in {"Lapicque", "Alpha"} or bool(part.reset_delay)
    if kind == "RSynaptic" and not delayed:
        raise ValueError(
            f"{what}: reset_delay must be True, not False, which in snnTorch 1.0 "
            "either fails or resets in the next step all the same"
        )
    timing = _reset_timing(kind, reset, delayed)
    threshold = per_neuron(f"{what}: threshold", part.threshold, shape)
    if reset != "none" and threshold.min() < 0:
        raise ValueError(f"{what}: threshold must be at least 0 to be reset, not {threshold.min()}")
    if part.state_quant:
        decay = per_neuron(f"{what}: beta", part.beta, shape).clip(0, 1)
        return Neurons(read_levels(what, part, threshold, decay, reset, timing), before=[])
    names = {"threshold": "threshold", "decay": "beta"}
    values: dict[str, Any] = {"threshold": threshold}
    neurons = Neurons(cell=None, before=[])  # type: ignore[arg-type]
    if kind == "Lapicque":
        values["decay"] = _lapicque(what, part, shape, neurons)
        del names["decay"]
    elif kind == "Alpha":
        values |= _alpha(what, part, shape, reset, neurons)
        names = {"threshold": "threshold"}
    else:
        values["decay"] = per_neuron(f"{what}: beta", part.beta, shape).clip(0, 1)
    if kind in {"Synaptic", "RSynaptic"}:
        names["current_decay"] = "alpha"
        values["current_decay"] = per_neuron(f"{what}: alpha", part.alpha, shape).clip(0, 1)
    neurons.cell = Cell(
        CurrentLif if "current_decay" in values else Lif,
        reset=reset,
        reset_timing=timing,
        learn=[own for own, its in names.items() if isinstance(getattr(part, its), nn.Parameter)],
        surrogate=None if part.surrogate_disable else part.spike_grad,
        **values,
    )
    if kind in {"RLeaky", "RSynaptic"}:
        _recurrence(what, part, shape, neurons)
    return neurons


def _reset(what: str, part: Any) -> str:
    mechanism = part.reset_mechanism
    # snnTorch chooses the reset when a neuron is made; a later change of the attribute is ignored.
    reset = RESETS.get(getattr(part.state_function, "__name__", ""))
    if reset != mechanism:
        raise ValueError(
            f"{what}: reset_mechanism must be as it was made, {reset!r}, not {mechanism!r}"
        )
    return mechanism


def _furthest(value: Any, plain: float) -> float:
    values = array(value).reshape(-1)
    return float(values[np.abs(values - plain).argmax()])


def per_neuron(what: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return one number, shape (), or one per neuron, shape (neurons,).

    Raises
    ------
    ValueError
        If there is another number of values, or one is not finite.
    """
    values = array(value)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{what} must be finite, not {values[~np.isfinite(values)].reshape(-1)[0]}"
        )
    if values.size == 1:
        return values.reshape(())
    try:
        return np.broadcast_to(values, shape).reshape(-1).copy()
    except ValueError:
        pass
    size = int(np.prod(shape))
    if values.size == size:
        return values.reshape(-1)
    raise ValueError(f"{what} must be one or {size} values, not {values.size}")


def _reset_timing(kind: str, reset: str, delayed: bool) -> str:
    if reset == "none":
        return "immediate"
    if not delayed:
        return "snntorch_immediate" if reset == "subtract" else "immediate"
    # Leaky alone keeps the input of the step after the spike.
    return "next_step_keep_input" if kind == "Leaky" and reset == "zero" else "next_step"


def _lapicque(what: str, part: Any, shape: tuple[int, ...], neurons: Neurons) -> np.ndarray:
    """Return the decay ``1 - dt / RC``, and scale the current by ``dt / C``."""
    step, resistance, capacity = (
        per_neuron(f"{what}: {name}", getattr(part, name), shape)
        for name in ("time_step", "R", "C")
    )
    decay = 1 - step / (resistance * capacity)
    if decay.min() < 0 or decay.max() > 1:
        off = float(decay.min() if decay.min() < 0 else decay.max())
        raise ValueError(f"{what}: 1 - time_step / (R * C) must be in 0..1, not {off:.6g}")
    scale = np.broadcast_to(step / capacity, (int(np.prod(shape)),)).reshape(shape)
    if (scale != 1).any():
        neurons.before = [Scale(scale, name=f"{what} T/C")]
    return decay


def _alpha(what: str, part: Any, shape: tuple[int, ...], reset: str, neurons: Neurons) -> dict:
    """Return the decays of ``Alpha``, whose potential is a multiple of a second-order neuron's."""
    if reset != "none":
        raise ValueError(
            f"{what}: reset_mechanism must be 'none', not {reset!r}, which changes two currents "
            "that have no place here; take Synaptic"
        )
    alpha, beta = (
        per_neuron(f"{what}: {name}", getattr(part, name), shape) for name in ("alpha", "beta")
    )
    if alpha.min() <= 0 or beta.min() <= 0 or alpha.max() >= 1:
        raise ValueError(f"{what}: alpha and beta must be above 0 and below 1")
    scale = (np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1) * (alpha - beta)
    size = int(np.prod(shape))
    neurons.before = [Scale(np.broadcast_to(scale, (size,)).reshape(shape), name=f"{what} kernel")]
    neurons.delay = 1
    return {"decay": beta, "current_decay": alpha}


def _recurrence(what: str, part: Any, shape: tuple[int, ...], neurons: Neurons) -> None:
    through, size = part.recurrent, int(np.prod(shape))
    if type(through) is nn.Linear:
        if through.out_features != shape[-1]:
            raise ValueError(
                f"{what}: linear_features must be {shape[-1]}, not {through.out_features}"
            )
        neurons.recurrent = Affine(array(through.weight), name=f"{what} recurrent")
        if through.bias is not None:
            neurons.bias = np.broadcast_to(array(through.bias), shape)
    elif type(through).__name__ == "RecurrentOneToOne":
        weights = np.broadcast_to(per_neuron(f"{what}: V", through.V, shape), (size,))
        neurons.recurrent = Scale(weights.reshape(shape), name=f"{what} V")
    elif type(through) is nn.Conv2d:
        neurons.recurrent = Conv(
            array(through.weight), padding=through.padding, name=f"{what} recurrent"
        )
        if through.out_channels != shape[0] or len(shape) != 3:
            raise ValueError(
                f"{what}: conv2d_channels must be {shape[0]} on three axes, not "
                f"{through.out_channels} on {len(shape)}"
            )
        if through.bias is not None:
            neurons.bias = np.broadcast_to(array(through.bias)[:, None, None], shape)
    else:
        raise TypeError(
            f"{what}: recurrence must be a Linear, a Conv2d or one to one, "
            f"not of type {type(through).__name__}"
        )


def _parallel(what: str, part: Any, shape: tuple[int, ...]) -> Neurons:
    """Return the cell of a leaky neuron without reset, with a lower bound of 0."""
    size = int(np.prod(shape))
    through = array(part.rnn.weight_hh_l0)
    if (through != np.diag(np.diag(through))).any():
        raise ValueError(
            f"{what}: weight_hh_enable must be False, not True: potentials that leak into those of "
            "other neurons have no place here"
        )
    decay = np.diag(through).copy()
    if decay.min() < 0 or decay.max() > 1:
        off = float(decay.min() if decay.min() < 0 else decay.max())
        raise ValueError(f"{what}: decays must be in 0..1, not {off:.6g}; give it a beta")
    graded = _furthest(part.graded_spikes_factor, 1.0)
    if graded != 1.0:
        raise ValueError(f"{what}: graded_spikes_factor must be 1.0, not {graded}")
    threshold = per_neuron(f"{what}: threshold", part.threshold, shape)
    bias = None
    if part.rnn.bias:
        bias = array(part.rnn.bias_ih_l0) + array(part.rnn.bias_hh_l0)
    learn = ["threshold"] if isinstance(part.threshold, nn.Parameter) else []
    cell = Cell(Lif, reset="none", floor=0.0, threshold=threshold, decay=decay, learn=learn)
    before: list[LinearMap] = [Affine(array(part.rnn.weight_ih_l0), name=what)]
    assert before[0].reach((part.rnn.input_size,), what) == (size,)
    return Neurons(cell, before, bias=bias)
