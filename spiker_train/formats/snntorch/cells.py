"""Neurons of snnTorch, as cells."""

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
    """What neurons are here.

    Members
    -------
    cell : Cell or IntegerCell
    before : list of LinearMap
        What acts on the current first.
    delay : int
        Steps by which the current comes later.
    recurrent : LinearMap or None
        From their spikes to their current, a step later.
    bias : array of float or None
        What flows in every step beside the current, of the layer's shape.
    """

    cell: Cell | IntegerCell
    before: list[LinearMap]
    delay: int = 0
    recurrent: LinearMap | None = None
    bias: np.ndarray | None = None


def is_neuron(part: nn.Module) -> bool:
    """Tell whether these are neurons of snnTorch.

    Raises
    ------
    TypeError
        If they are, but of a kind that is not read.
    """
    if not type(part).__module__.startswith("snntorch."):
        return False
    from snntorch import LeakyParallel, SpikingNeuron

    return isinstance(part, SpikingNeuron | LeakyParallel)


def states(part: nn.Module) -> tuple[str, ...]:
    """Return what neurons take and return beside spikes."""
    return STATES[type(part).__name__]


def array(value: Any) -> np.ndarray:
    """Return a tensor as an array of float64."""
    return torch.as_tensor(value).detach().cpu().double().numpy()


def read_neurons(label: str, part: Any, shape: tuple[int, ...]) -> Neurons:
    """Return what neurons of snnTorch are here.

    Parameters
    ----------
    label : str
    part : nn.Module
    shape : tuple of int
        Of the layer.

    Raises
    ------
    TypeError, ValueError
        If they have an option with no meaning here.
    """
    kind = type(part).__name__
    what = f"{kind} {label!r}"
    if kind == "LeakyParallel":
        return _parallel(what, part, shape)
    reset = _reset(what, part)
    if part.state_quant and kind != "Leaky":
        raise ValueError(
            f"{what}: state_quant must be False, not given, of which integers are "
            "exact of Leaky alone; drop it and let quantize choose the bits"
        )
    for name, given, plain in (
        ("inhibition", bool(part.inhibition), False),
        ("graded_spikes_factor", _furthest(part.graded_spikes_factor, 1.0), 1.0),
    ):
        if given != plain:
            raise ValueError(f"{what}: {name} must be {plain}, not {given}")
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
    found = Neurons(cell=None, before=[])  # type: ignore[arg-type]
    if kind == "Lapicque":
        values["decay"] = _lapicque(what, part, shape, found)
        del names["decay"]
    elif kind == "Alpha":
        values |= _alpha(what, part, shape, reset, found)
        names = {"threshold": "threshold"}
    else:
        values["decay"] = per_neuron(f"{what}: beta", part.beta, shape).clip(0, 1)
    if kind in {"Synaptic", "RSynaptic"}:
        names["current_decay"] = "alpha"
        values["current_decay"] = per_neuron(f"{what}: alpha", part.alpha, shape).clip(0, 1)
    found.cell = Cell(
        CurrentLif if "current_decay" in values else Lif,
        reset=reset,
        reset_timing=timing,
        learn=[own for own, its in names.items() if isinstance(getattr(part, its), nn.Parameter)],
        surrogate=None if part.surrogate_disable else part.spike_grad,
        **values,
    )
    if kind in {"RLeaky", "RSynaptic"}:
        _recurrence(what, part, shape, found)
    return found


def _reset(what: str, part: Any) -> str:
    given = part.reset_mechanism
    # What snnTorch computes is chosen when a neuron is made, and does not follow the attribute.
    made = RESETS.get(getattr(part.state_function, "__name__", ""))
    if made != given:
        raise ValueError(f"{what}: reset_mechanism must be as it was made, {made!r}, not {given!r}")
    return given


def _furthest(value: Any, plain: float) -> float:
    found = array(value).reshape(-1)
    return float(found[np.abs(found - plain).argmax()])


def per_neuron(what: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return one number, or one for each neuron.

    Raises
    ------
    ValueError
        If there are others, or one is not finite.
    """
    found = array(value)
    if not np.isfinite(found).all():
        raise ValueError(f"{what} must be finite, not {found[~np.isfinite(found)].reshape(-1)[0]}")
    if found.size == 1:
        return found.reshape(())
    try:
        return np.broadcast_to(found, shape).reshape(-1).copy()
    except ValueError:
        pass
    size = int(np.prod(shape))
    if found.size == size:
        return found.reshape(-1)
    raise ValueError(f"{what} must be one or {size} values, not {found.size}")


def _reset_timing(kind: str, reset: str, delayed: bool) -> str:
    if reset == "none":
        return "immediate"
    if not delayed:
        return "snntorch_immediate" if reset == "subtract" else "immediate"
    # Leaky alone keeps the input of the step after the spike.
    return "next_step_keep_input" if kind == "Leaky" and reset == "zero" else "next_step"


def _lapicque(what: str, part: Any, shape: tuple[int, ...], found: Neurons) -> np.ndarray:
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
        found.before = [Scale(scale, name=f"{what} T/C")]
    return decay


def _alpha(what: str, part: Any, shape: tuple[int, ...], reset: str, found: Neurons) -> dict:
    """Return the decays; its potential is a second-order one, a step late and scaled."""
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
    found.before = [Scale(np.broadcast_to(scale, (size,)).reshape(shape), name=f"{what} kernel")]
    found.delay = 1
    return {"decay": beta, "current_decay": alpha}


def _recurrence(what: str, part: Any, shape: tuple[int, ...], found: Neurons) -> None:
    through, size = part.recurrent, int(np.prod(shape))
    if type(through) is nn.Linear:
        if through.out_features != shape[-1]:
            raise ValueError(
                f"{what}: linear_features must be {shape[-1]}, not {through.out_features}"
            )
        found.recurrent = Affine(array(through.weight), name=f"{what} recurrent")
        if through.bias is not None:
            found.bias = np.broadcast_to(array(through.bias), shape)
    elif type(through).__name__ == "RecurrentOneToOne":
        each = np.broadcast_to(per_neuron(f"{what}: V", through.V, shape), (size,))
        found.recurrent = Scale(each.reshape(shape), name=f"{what} V")
    elif type(through) is nn.Conv2d:
        found.recurrent = Conv(
            array(through.weight), padding=through.padding, name=f"{what} recurrent"
        )
        if through.out_channels != shape[0] or len(shape) != 3:
            raise ValueError(
                f"{what}: conv2d_channels must be {shape[0]} on three axes, not "
                f"{through.out_channels} on {len(shape)}"
            )
        if through.bias is not None:
            found.bias = np.broadcast_to(array(through.bias)[:, None, None], shape)
    else:
        raise TypeError(
            f"{what}: recurrence must be a Linear, a Conv2d or one to one, "
            f"not of type {type(through).__name__}"
        )


def _parallel(what: str, part: Any, shape: tuple[int, ...]) -> Neurons:
    """Return a leaky neuron without reset, whose potential is never below zero."""
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
