"""Neuron models with floating-point parameters: the cells of the layers of a network."""

from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base.checks import shown
from spiker_hdl.base.conversions import is_several, number_array
from spiker_hdl.base.frozen import make_unchecked
from spiker_hdl.model import Decay, Neuron
from spiker_hdl.model.neurons.base import check_declared

from .arithmetic import FloatingPointDecay, Surrogate, through

__all__ = ["Cell", "IntegerCell"]


def _is_width(declared: Field) -> bool:
    return declared.name == "width" or declared.name.endswith("_width")


def _role(declared: Field) -> str:
    if declared.type is Decay or declared.type in {"Decay", "arithmetic.Decay", "model.Decay"}:
        return "decay"
    if declared.metadata.get("scales") and "role" not in declared.metadata:
        return "scaled setting"
    if declared.metadata.get("counts"):
        return "count"
    return declared.metadata.get("role", "setting")


class Cell(nn.Module):
    """A neuron model with its settings and its floating-point parameters.

    Fields that the model declares to scale with the potential, such as a threshold, are given in
    floating-point units. A decay is given by its factor, the share of a value that remains after a
    step, and a refractory period by its number of steps. Widths are left to quantisation.

    Parameters
    ----------
    kind : type
        A subclass of :class:`~spiker_hdl.model.Neuron`.
    learn : sequence of str
        Parameters and decays to be learned.
    surrogate : callable, optional
        Step function of the distance from the threshold, in floating-point units, with a gradient,
        such as those of ``snntorch.surrogate``; :class:`~.surrogate.FastSigmoid` where none is
        given.
    unit : float, optional
        Typical potential, for which weights are initialised; where none is given, the greatest
        threshold, or 1 for neurons without one.
    **values
        Fields of ``kind``: numbers, or arrays with one value per neuron. A decay is a factor in
        0..1, or a :class:`~spiker_hdl.model.Decay` that is kept as it is.

    Raises
    ------
    TypeError
        If ``kind`` is no neuron model, or a value has a wrong type.
    ValueError
        If a field is unknown or missing, or a value is no finite number or out of range.
    """

    def __init__(
        self,
        kind: type[Neuron],
        *,
        learn: Sequence[str] = (),
        surrogate: Surrogate | None = None,
        unit: float | None = None,
        **values: Any,
    ):
        super().__init__()
        if not (isinstance(kind, type) and issubclass(kind, Neuron)):
            raise TypeError(f"Cell must be of a Neuron class, not {kind!r}")
        check_declared(kind)
        self.kind = kind
        self.surrogate = surrogate
        self.roles = {declared.name: _role(declared) for declared in fields(kind) if declared.init}
        self.widths = tuple(declared.name for declared in fields(kind) if _is_width(declared))
        self.settings: dict[str, Any] = {}
        self.exact: dict[str, Decay] = {}
        for name in values:
            if name not in self.roles:
                known = ", ".join(self.roles)
                raise ValueError(f"Fields of {kind.__name__} must be of {known}, not {name!r}")
        self.learned = self._check_learned(learn)
        for declared in fields(kind):
            if declared.name in values:
                self._take(declared, values[declared.name])
            elif declared.name in self.widths and declared.default is MISSING:
                continue
            elif declared.default is MISSING and declared.default_factory is MISSING:
                raise ValueError(f"Cell of {kind.__name__} must have a value for {declared.name!r}")
            elif declared.init:
                default = declared.default
                if declared.default_factory is not MISSING:
                    default = declared.default_factory()
                self._take(declared, default)
        for name in self.learned:
            value = getattr(self, f"float_{name}")
            delattr(self, f"float_{name}")
            setattr(self, f"float_{name}", nn.Parameter(value.float()))
        self.unit = self._unit() if unit is None else float(unit)

    def _check_learned(self, learn: Sequence[str]) -> tuple[str, ...]:
        can = [name for name, role in self.roles.items() if role in {"parameter", "decay"}]
        for name in learn:
            if name not in can:
                raise ValueError(
                    f"What {self.kind.__name__} learns must be of {', '.join(can)}, not {name!r}"
                )
        return tuple(learn)

    def _take(self, declared: Field, value: Any) -> None:
        name, role = declared.name, self.roles[declared.name]
        what = f"{self.kind.__name__} {name.replace('_', ' ')}"
        if role == "setting" or (role == "scaled setting" and value is None):
            self.settings[name] = value
            return
        if role == "count" and not is_several(value):
            self.settings[name] = value  # as files have it
            return
        if role == "decay" and isinstance(value, Decay):
            if name not in self.learned:
                self.exact[name] = value
            value = value.factor
        number = _number(what, value)
        if role == "decay" and not bool(((number >= 0) & (number <= 1)).all()):
            raise ValueError(f"{what} factor must be in 0..1, not {shown(value)}")
        if role == "scaled setting" and number.ndim:
            raise ValueError(f"{what} must be one number, not {shown(value)}")
        self.register_buffer(f"float_{name}", number)

    def _unit(self) -> float:
        threshold = getattr(self, "float_threshold", None)
        greatest = 0.0 if threshold is None else float(threshold.detach().max())
        return greatest if greatest > 0 else 1.0

    @property
    def spiking(self) -> bool:
        """Whether neurons fire."""
        return self.kind.spiking

    @property
    def potential(self) -> str:
        """Name of the state that readouts of potentials compare."""
        return self.kind.potential

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return tuple(name for name, role in self.roles.items() if role == "state")

    @property
    def sizes(self) -> set[int]:
        """Lengths of the parameters that have one value per neuron."""
        values = [*self.parameters(), *self.buffers()]
        return {len(value) for value in values if value.ndim}

    def value(self, name: str) -> np.ndarray:
        """Return the floating-point value of a field, shape () or (neurons,); a decay's factor."""
        if self.roles[name] == "count" and name in self.settings:
            return np.asarray(self.settings[name], dtype=np.float64)
        value = getattr(self, f"float_{name}").detach().cpu().double().numpy()
        return value.clip(0, 1) if self.roles[name] == "decay" else value

    def neuron(self, scale: float, width: int, form: dict[str, Any]) -> Neuron:
        """Return the integer neuron of this cell at a scale.

        Parameters
        ----------
        scale : float
            Floating-point value of the integer potential 1.
        width : int
            Bits of all widths that the cell does not set itself.
        form : dict
            Keywords of :meth:`Decay.fit <spiker_hdl.model.Decay.fit>`.
        """
        values = dict(self.settings)
        for name in self.widths:
            values.setdefault(name, width)
        declared = {member.name: member for member in fields(self.kind)}
        for name, role in self.roles.items():
            if name in self.exact:
                values[name] = self.exact[name]
            elif role == "decay":
                factor = self.value(name)
                values[name] = Decay.fit(float(factor) if factor.ndim == 0 else factor, **form)
            elif f"float_{name}" in self._buffers or f"float_{name}" in self._parameters:
                unit = scale if declared[name].metadata["scales"] else 1.0
                values[name] = _integers(self.value(name) / unit)
        return self.kind(**values)

    def integers(self, neuron: Neuron, scale: float, like: torch.Tensor) -> SimpleNamespace:
        """Return the integer parameters of ``neuron`` as tensors, learned ones with gradients."""
        operands = {}
        for name, parameter in neuron.parameters.items():
            value = torch.as_tensor(parameter.value, dtype=like.dtype, device=like.device)
            if name in self.learned:
                unrounded = getattr(self, f"float_{name}").to(like.dtype)
                if self.roles[name] == "decay":
                    unrounded = (1 - unrounded) * 2 ** getattr(neuron, name).bits
                elif parameter.scales:
                    unrounded = unrounded / scale
                value = through(*torch.broadcast_tensors(unrounded, value))
            operands[name] = value
        return neuron.bind(operands)

    def floating_point(
        self, like: torch.Tensor
    ) -> tuple[Neuron, SimpleNamespace, dict[str, torch.Tensor]]:
        """Return a neuron for floating-point arithmetic, its parameters and its rest state."""
        values, rest = dict.fromkeys(self.widths, 32) | self.settings, {}
        bound: dict[str, Any] = {"time_step": 1}
        for name, role in self.roles.items():
            if name in values:
                if role == "count":
                    bound[name] = values[name]
                continue
            value = getattr(self, f"float_{name}").to(like.dtype).to(like.device)
            if role == "decay":
                values[name] = bound[name] = FloatingPointDecay(value.clamp(0, 1))
            elif role in {"parameter", "count"}:
                values[name] = bound[name] = value
            elif role == "state":
                values[name] = rest[name] = value
            else:
                values[name] = value
        neuron = make_unchecked(self.kind, **values)
        return neuron, SimpleNamespace(**bound), rest

    def extra_repr(self) -> str:
        return self.kind.__name__


class IntegerCell(nn.Module):
    """A neuron whose parameters are integers, and which computes in integers in every run.

    It is for models that have no meaning in floating point. The input current is divided by
    ``scale`` and rounded.

    Parameters
    ----------
    neuron : Neuron
    scale : float
        Value of the integer 1 in the floating-point units of the weights.
    surrogate : callable, optional
        As for :class:`Cell`.
    unit : float, optional
        As for :class:`Cell`; where none is given, the threshold, or a quarter of the potential's
        range.
    """

    learned = ()

    def __init__(
        self,
        neuron: Neuron,
        *,
        scale: float,
        surrogate: Surrogate | None = None,
        unit: float | None = None,
    ):
        super().__init__()
        if not isinstance(neuron, Neuron):
            raise TypeError(f"IntegerCell must have a Neuron, not {neuron!r}")
        if not (isinstance(scale, int | float) and 0 < scale < float("inf")):
            raise ValueError(f"IntegerCell scale must be a positive number, not {scale!r}")
        self.fixed = neuron
        self.scale = float(scale)
        self.surrogate = surrogate
        self.kind = type(neuron)
        self.spiking = neuron.spiking
        self.potential = neuron.potential
        self.states = tuple(neuron.states)
        self.sizes = neuron.sizes
        self.unit = self._unit() if unit is None else float(unit)

    def _unit(self) -> float:
        greatest = np.max(getattr(self.fixed, "threshold", 0))
        if greatest <= 0 and self.potential in self.fixed.states:
            greatest = (self.fixed.states[self.potential].high + 1) / 4
        return max(float(greatest), 1.0) * self.scale

    def neuron(self, scale: float, width: int, form: dict[str, Any]) -> Neuron:
        """Return the neuron, which keeps its own scale and widths."""
        return self.fixed

    def integers(self, neuron: Neuron, scale: float, like: torch.Tensor) -> SimpleNamespace:
        """Return the neuron's parameters as tensors."""
        return neuron.bind({
            name: torch.as_tensor(parameter.value, dtype=like.dtype, device=like.device)
            for name, parameter in neuron.parameters.items()
        })

    def extra_repr(self) -> str:
        return repr(self.fixed)


def _number(what: str, value: Any) -> torch.Tensor:
    number = torch.from_numpy(np.array(number_array(what, value, np.float64)))
    if number.ndim > 1 or not number.numel():
        raise ValueError(f"{what} must be one number or one per neuron, not {tuple(number.shape)}")
    if not bool(torch.isfinite(number).all()):
        raise ValueError(f"{what} must be finite, not {shown(value)}")
    return number


def _integers(values: np.ndarray) -> int | tuple[int, ...]:
    integers = np.rint(values)
    return int(integers) if integers.ndim == 0 else tuple(int(integer) for integer in integers)
