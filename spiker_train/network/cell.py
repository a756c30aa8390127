"""Neuron models with floating-point parameters: the cells of the layers of a network."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from spiker_hdl.base.checks import shown
from spiker_hdl.base.conversions import is_several, number_array
from spiker_hdl.base.frozen import make_unchecked
from spiker_hdl.model import Decay, Neuron, WithSynapse, WithSynapses
from spiker_hdl.model.neurons.base import check_declared

from .arithmetic import FloatingPointDecay, Surrogate, through
from .synapse_kinds import decay_of_seconds, is_decay, resolved_decay
from .time import Duration, Tau, whole_steps

__all__ = ["Cell", "IntegerCell"]


def _is_width(declared: Field) -> bool:
    return declared.name == "width" or declared.name.endswith("_width")


def _role(declared: Field) -> str:
    if is_decay(declared):
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
    step, or by its time constant; a refractory period by its number of steps, or its time. Widths
    are left to quantisation.

    Parameters
    ----------
    kind : type
        A subclass of :class:`~spiker_hdl.model.Neuron`.
    learn : sequence of str
        Parameters and decays to be learned; of a time constant, its logarithm is learned.
    surrogate : callable, optional
        Step function of the distance from the threshold, in floating-point units, with a gradient,
        such as those of ``snntorch.surrogate``; :class:`~.surrogate.FastSigmoid` where none is
        given.
    unit : float, optional
        Typical potential, for which weights are initialised; where none is given, the greatest
        threshold, or 1 for neurons without one.
    **values
        Fields of ``kind``: numbers; arrays of shape (neurons,), or (samples, neurons) for other
        values in each sample of a run; or callables ``(rng, shape)`` that draw values of the shape
        (neurons,) when the network is made, ``rng`` being a :class:`numpy.random.Generator` that
        depends on the seed of the network and the name of the layer alone. A decay is a factor in
        0..1, a :class:`~.time.Tau` in seconds, or a :class:`~spiker_hdl.model.Decay` that is kept
        as it is. A refractory period is a number of steps, or a :class:`~.time.Duration`.

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
        self.powers_of_two = tuple(
            declared.name for declared in fields(kind) if declared.metadata.get("power_of_two")
        )
        self._spread: tuple[int, int] | None = None  # channels, and positions of each
        self.settings: dict[str, Any] = {}
        self.exact: dict[str, Decay] = {}
        self.taus: dict[str, Tau] = {}
        self.durations: dict[str, Duration] = {}
        self.draws: dict[str, Any] = {}
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
        self._check_settings()
        for name in self.learned:
            self._learn(name)
        self._has_unit = unit is not None
        self.unit = self._unit() if unit is None else float(unit)

    def _check_settings(self) -> None:
        """Check the settings as the model does in integers, which does not see this cell's."""
        values = dict.fromkeys(self.widths, 32) | self.settings
        for name, role in self.roles.items():
            if role == "scaled setting" and name not in values:
                values[name] = float(self.value(name))
        make_unchecked(self.kind, **values).check_settings()

    def arrange(self, channels: int, size: int) -> None:
        """Let values of one per channel be those of all neurons of the channel.

        Parameters
        ----------
        channels, size : int
            Numbers of channels and of neurons of the layer.
        """
        self._spread = None if channels == size else (channels, size // channels)

    def _by_neuron(self, values: Any) -> Any:
        """Return an array or tensor with a value per neuron, where it has one per channel."""
        if self._spread is None or not values.ndim or values.shape[-1] != self._spread[0]:
            return values
        positions = self._spread[1]
        if isinstance(values, torch.Tensor):
            return values.repeat_interleave(positions, -1)
        return np.repeat(values, positions, -1)

    def _decay_by_neuron(self, decay: Decay) -> Decay:
        if self._spread is None or not isinstance(decay.numerator, tuple):
            return decay
        return Decay(tuple(self._by_neuron(np.array(decay.numerator)).tolist()), decay.bits)

    def _learn(self, name: str) -> None:
        if name in self.draws:
            return
        value = getattr(self, f"float_{name}")
        delattr(self, f"float_{name}")
        setattr(self, f"float_{name}", nn.Parameter(value.float()))

    def build(self, rng: np.random.Generator, size: int) -> None:
        """Draw the values that are drawn, for a number of neurons."""
        declared = {member.name: member for member in fields(self.kind)}
        draws, self.draws = self.draws, {}
        for name, draw in draws.items():
            if isinstance(draw, Tau | Duration):
                self._take(declared[name], draw.drawn(rng, (size,)))
            else:
                self._take(declared[name], draw(rng, (size,)))
            if name in self.learned:
                self._learn(name)
        if draws and not self._has_unit:
            self.unit = self._unit()

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
            if isinstance(value, Tau | Duration):
                raise TypeError(f"{what} must not be a time, not {shown(value)}")
            self.settings[name] = value
            return
        if callable(value) or (isinstance(value, Tau | Duration) and value.draw is not None):
            self.draws[name] = value
            return
        if isinstance(value, Tau | Duration):
            self._take_time(name, what, value)
            return
        if role == "count":
            steps = number_array(what, value, np.float64)
            if not ((steps >= 0) & (steps == np.rint(steps))).all():
                raise ValueError(
                    f"{what} must be a whole number of steps, at least 0, or a Duration, not "
                    f"{shown(value)}"
                )
        if role == "count" and not is_several(value):
            self.settings[name] = int(value)  # as files have it
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
        if name in self.powers_of_two and not float(number) > 0:
            raise ValueError(f"{what} must be greater than 0, not {shown(value)}")
        self.register_buffer(f"float_{name}", number)

    def _take_time(self, name: str, what: str, value: Tau | Duration) -> None:
        role = self.roles[name]
        if isinstance(value, Tau):
            if role != "decay":
                raise TypeError(f"{what} must be no Tau, which is for decays, not {shown(value)}")
            self.taus[name] = value
            if name in self.learned:
                seconds = torch.as_tensor(np.array(value.seconds, dtype=np.float64))
                self.register_buffer(f"float_{name}", seconds.log())
        elif role != "count":
            raise TypeError(
                f"{what} must be no Duration, which is for refractory periods, not {shown(value)}"
            )
        else:
            self.durations[name] = value
        if np.ndim(value.picoseconds) > 2:
            raise ValueError(f"{what} must have at most two axes, not {np.ndim(value.picoseconds)}")

    def _unit(self) -> float:
        threshold = getattr(self, "float_threshold", None)
        greatest = 0.0 if threshold is None else float(threshold.detach().max())
        resolution = getattr(self, "float_resolution", None)
        if resolution is not None and self.event_range is not None:
            greatest = float(resolution) * max(map(abs, self.event_range)) / 2
        return greatest if greatest > 0 else 1.0

    @property
    def spiking(self) -> bool:
        """Whether neurons fire."""
        return self.kind.spiking

    @property
    def emits(self) -> bool:
        """Whether neurons emit events, which are spikes or values."""
        return self.kind.spiking or self.kind.output is not None

    @property
    def event_range(self) -> tuple[int, int] | None:
        """Range of the value of an event, as far as settings say; None if none are emitted.

        Where it depends on the width of a state, it is that of 32 bits.
        """
        if self.kind.output is None:
            return (0, 1) if self.kind.spiking else None
        values = dict.fromkeys(self.widths, 32) | self.settings
        return make_unchecked(self.kind, **values).event_range

    @property
    def receptors(self) -> int:
        """Number of receptors that the neurons have by themselves."""
        return self.kind.receptors

    @property
    def potential(self) -> str:
        """Name of the state that readouts of potentials compare."""
        return self.kind.potential

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return tuple(name for name, role in self.roles.items() if role == "state")

    def _shapes(self) -> list[tuple[int, ...]]:
        times = [*self.taus.values(), *self.durations.values()]
        values = [*self.parameters(), *self.buffers()]
        return [tuple(value.shape) for value in values] + [np.shape(t.picoseconds) for t in times]

    @property
    def sizes(self) -> set[int]:
        """Numbers of neurons for which there are values per neuron."""
        return {shape[-1] for shape in self._shapes() if shape}

    @property
    def samples(self) -> set[int]:
        """Numbers of samples for which there are values per sample."""
        return {shape[0] for shape in self._shapes() if len(shape) == 2}

    @property
    def has_seconds(self) -> bool:
        """Whether a value is in seconds, so that runs need the length of their steps."""
        return bool(self.taus or self.durations)

    @property
    def counted(self) -> frozenset[str]:
        """Names of the states that count down times: in whole picoseconds, as float64."""
        if not self.durations:
            return frozenset()
        return frozenset(
            member.name
            for member in fields(self.kind)
            if self.roles.get(member.name) == "state" and not member.metadata["scales"]
        )

    def value(self, name: str, step: int | None = None) -> np.ndarray:
        """Return the floating-point value of a field, shape (), (neurons,) or (samples, neurons).

        Parameters
        ----------
        name : str
            Of a decay, the value is the factor of a step; of a refractory period, the number of
            steps, which may be no whole one.
        step : int, optional
            Length of a step in picoseconds, which values in seconds need.
        """
        if name in self.durations:
            return self._by_neuron(self.durations[name].steps(self._length(name, step)))
        if name in self.taus:
            return self._by_neuron(self._factor(name, step))
        if self.roles[name] == "count" and name in self.settings:
            return np.asarray(self.settings[name], dtype=np.float64)
        return self._by_neuron(self._factor(name, step))

    def _factor(self, name: str, step: int | None) -> np.ndarray:
        """Return the value of a field as it was given, of one per neuron or per channel."""
        if name in self.taus:
            like = torch.zeros((), dtype=torch.float64)
            return self._tau(name, step, like).factor.detach().numpy()
        value = getattr(self, f"float_{name}").detach().cpu().double().numpy()
        return value.clip(0, 1) if self.roles[name] == "decay" else value

    def seconds(self, name: str) -> np.ndarray:
        """Return the time of a field that is given in seconds, shape () or (neurons,)."""
        if name in self.durations:
            return self._by_neuron(np.asarray(self.durations[name].seconds, dtype=np.float64))
        if name in self.learned:
            logarithm = getattr(self, f"float_{name}").detach().cpu().double()
            return self._by_neuron(logarithm.exp().numpy())
        return self._by_neuron(np.asarray(self.taus[name].seconds, dtype=np.float64))

    def _length(self, name: str, step: int | None) -> int:
        if step is None:
            what = f"{self.kind.__name__} {name.replace('_', ' ')}"
            raise ValueError(f"{what} is in seconds, and so dt must be given, such as dt=1e-3")
        return step

    def _tau(self, name: str, step: int | None, like: torch.Tensor) -> FloatingPointDecay:
        """Return a decay that is in seconds, for steps of a length."""
        step, tau = self._length(name, step), self.taus[name]
        what = f"{self.kind.__name__} {name.replace('_', ' ')}"
        if name not in self.learned:
            return resolved_decay(what, tau, step, like)
        seconds = getattr(self, f"float_{name}").to(like.device, like.dtype).exp()
        return decay_of_seconds(seconds, tau.method, step)

    def neuron(
        self,
        scale: float,
        width: int,
        form: dict[str, Any],
        step: int | None = None,
        *,
        nearest: bool = False,
    ) -> Neuron:
        """Return the integer neuron of this cell at a scale.

        Parameters
        ----------
        scale : float
            Floating-point value of the integer potential 1.
        width : int
            Bits of all widths that the cell does not set itself.
        form : dict
            Keywords of :meth:`Decay.fit <spiker_hdl.model.Decay.fit>`.
        step : int, optional
            Length of a step in picoseconds, which values in seconds need.
        nearest : bool
            Whether a time that is no whole number of steps is rounded to the nearest.
        """
        if self.samples:
            raise ValueError(
                f"{self.kind.__name__} must have one set of parameters in integers, not one for "
                f"each of {max(self.samples)} samples"
            )
        values = dict(self.settings)
        for name in self.widths:
            values.setdefault(name, width)
        declared = {member.name: member for member in fields(self.kind)}
        for name, role in self.roles.items():
            if name in self.exact:
                values[name] = self._decay_by_neuron(self.exact[name])
            elif name in self.durations:
                what = f"{self.kind.__name__} {name.replace('_', ' ')}"
                length = self._length(name, step)
                steps = whole_steps(what, self.durations[name], length, nearest)
                if isinstance(steps, tuple):
                    steps = tuple(self._by_neuron(np.array(steps)).tolist())
                values[name] = steps
            elif role == "decay":
                factor = self._factor(name, step)
                decay = Decay.fit(float(factor) if factor.ndim == 0 else factor, **form)
                values[name] = self._decay_by_neuron(decay)
            elif f"float_{name}" in self._buffers or f"float_{name}" in self._parameters:
                unit = scale if declared[name].metadata["scales"] else 1.0
                values[name] = _integers(self.value(name) / unit)
        return self.kind(**values)

    def integers(
        self,
        neuron: Neuron,
        scale: float,
        like: torch.Tensor,
        step: int | None = None,
        factors: Mapping[str, tuple[torch.Tensor, Decay]] | None = None,
    ) -> SimpleNamespace:
        """Return the integer parameters of ``neuron`` as tensors, learned ones with gradients.

        Parameters
        ----------
        neuron : Neuron
            Result of :meth:`neuron`, or a neuron that has all of its parameters.
        scale : float
        like : tensor
            Tensor of the format and on the device of the results.
        step : int, optional
            As for :meth:`neuron`.
        factors : mapping of str to (tensor, Decay), optional
            By name, decays of the neuron that are learned elsewhere: their factor in floating
            point, and what became of it.
        """
        operands = {}
        own: Any = neuron.neuron if isinstance(neuron, WithSynapse | WithSynapses) else neuron
        for name, parameter in neuron.parameters.items():
            value = torch.as_tensor(parameter.value, dtype=like.dtype, device=like.device)
            if name in self.learned:
                unrounded = getattr(self, f"float_{name}").to(like.dtype)
                if name in self.taus:
                    unrounded = self._tau(name, step, like).factor
                if self.roles[name] == "decay":
                    unrounded = (1 - unrounded) * 2 ** getattr(own, name).bits
                elif parameter.scales:
                    unrounded = unrounded / scale
                unrounded = self._by_neuron(unrounded)
                value = through(*torch.broadcast_tensors(unrounded, value))
            elif name in (factors or {}):
                factor, decay = (factors or {})[name]
                unrounded = (1 - factor.to(like.dtype)) * 2**decay.bits
                value = through(*torch.broadcast_tensors(unrounded, value))
            operands[name] = value
        return neuron.bind(operands)

    def floating_point(
        self, like: torch.Tensor, step: int | None = None
    ) -> tuple[Neuron, SimpleNamespace, dict[str, torch.Tensor]]:
        """Return a neuron for floating-point arithmetic, its parameters and its rest state.

        Parameters
        ----------
        like : tensor
            Tensor of the format and on the device of the results.
        step : int, optional
            Length of a step in picoseconds, which values in seconds need.
        """
        values, rest = dict.fromkeys(self.widths, 32) | self.settings, {}
        # Times are counted in whole picoseconds, and numbers of steps in steps.
        bound: dict[str, Any] = {"time_step": 1}
        for name, duration in self.durations.items():
            bound["time_step"] = self._length(name, step)
            left = torch.as_tensor(np.array(duration.picoseconds, dtype=np.float64))
            values[name] = bound[name] = self._by_neuron(left.to(like.device))
        counted = self.counted
        for name, role in self.roles.items():
            if name in self.durations:
                continue
            if name in values:
                if role == "count":
                    bound[name] = values[name]
                continue
            if name in self.taus:
                values[name] = bound[name] = self._tau(name, step, like).map(self._by_neuron)
                continue
            value = self._by_neuron(getattr(self, f"float_{name}"))
            value = value.to(like.device, torch.float64 if name in counted else like.dtype)
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
    samples: frozenset[int] = frozenset()
    counted: frozenset[str] = frozenset()
    has_seconds = False

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
        self.emits = neuron.emits
        self.event_range = neuron.event_range
        self.potential = neuron.potential
        self.receptors = neuron.receptors
        self.states = tuple(neuron.states)
        self.sizes = neuron.sizes
        self.unit = self._unit() if unit is None else float(unit)

    def _unit(self) -> float:
        greatest = np.max(getattr(self.fixed, "threshold", 0))
        if greatest <= 0 and self.potential in self.fixed.states:
            greatest = (self.fixed.states[self.potential].high + 1) / 4
        return max(float(greatest), 1.0) * self.scale

    def build(self, rng: np.random.Generator, size: int) -> None:
        """Do nothing, since no value is drawn."""

    def neuron(
        self,
        scale: float,
        width: int,
        form: dict[str, Any],
        step: int | None = None,
        *,
        nearest: bool = False,
    ) -> Neuron:
        """Return the neuron, which keeps its own scale and widths."""
        return self.fixed

    def integers(
        self,
        neuron: Neuron,
        scale: float,
        like: torch.Tensor,
        step: int | None = None,
        factors: Any = None,
    ) -> SimpleNamespace:
        """Return the neuron's parameters as tensors."""
        return neuron.bind({
            name: torch.as_tensor(parameter.value, dtype=like.dtype, device=like.device)
            for name, parameter in neuron.parameters.items()
        })

    def extra_repr(self) -> str:
        return repr(self.fixed)


def _number(what: str, value: Any) -> torch.Tensor:
    number = torch.from_numpy(np.array(number_array(what, value, np.float64)))
    if number.ndim > 2 or not number.numel():
        raise ValueError(
            f"{what} must be one number, one per neuron, or one per sample and neuron, "
            f"not {tuple(number.shape)}"
        )
    if not bool(torch.isfinite(number).all()):
        raise ValueError(f"{what} must be finite, not {shown(value)}")
    return number


def _integers(values: np.ndarray) -> int | tuple[int, ...]:
    integers = np.rint(values)
    return int(integers) if integers.ndim == 0 else tuple(int(integer) for integer in integers)
