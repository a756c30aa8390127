"""Synapses with a step of their own: what weighted events become before they reach a neuron."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch

from spiker_hdl.base.checks import check_choice, check_kind, shown
from spiker_hdl.base.conversions import number_array
from spiker_hdl.model import Arithmetic, Decay, parameter, state
from spiker_hdl.model.dynamics.kinds import first_order, second_order
from spiker_hdl.model.neurons.base import check_declared

from .arithmetic import FloatingPointDecay
from .time import PICOSECOND, Duration, Tau

__all__ = [
    "SYNAPSE_KINDS",
    "FirstOrder",
    "LearnedTau",
    "SecondOrder",
    "Summed",
    "SynapseKind",
    "Wire",
    "decay_of_seconds",
    "is_decay",
    "resolved_decay",
]

OUTPUTS = ("current", "charge")


def is_decay(declared: Any) -> bool:
    """Tell whether a field of a neuron or synapse kind is annotated as a decay."""
    return declared.type is Decay or declared.type in {
        "Decay",
        "arithmetic.Decay",
        "model.Decay",
    }


@dataclass(frozen=True)
class SynapseKind:
    """How the weighted events of a connection become the current of its target.

    A subclass is a frozen dataclass with one ``step``, as a neuron model is: fields annotated as
    :class:`~spiker_hdl.model.Decay` are decays, fields made by :func:`~spiker_hdl.model.parameter`
    are parameters, those made by :func:`~spiker_hdl.model.state` are states, which hold their
    value at the start, and all others are settings. In floating point the ranges that these
    functions take mean nothing.

    A decay is a :class:`~.time.Tau`, a factor, or a :class:`~spiker_hdl.model.Decay`. A decay in
    seconds and a parameter are numbers or arrays of shape

    - (target size,): one value for each target;
    - (target size, source size): one for each pair;
    - (samples, target size, 1) or (samples, target size, source size): others in each sample;

    or callables ``(rng, shape)`` that draw them, of shape (target size,), or (target size, source
    size) with ``per_pair=True``.

    Parameters
    ----------
    per_pair : bool
        Whether the state is kept for each pair of source and target even where it would be enough
        to keep it for each target.
    learn : sequence of str
        Decays and parameters to be learned, such as ``["tau", "gain"]``; of a time constant, its
        logarithm is learned. Each connection has values of its own, which are parameters of it.

    Attributes
    ----------
    linear : bool
        Whether the sum of the outputs for several inputs is the output for their sum. The state of
        a linear kind without parameters for pairs is kept for each target, of the sum over all
        sources; that of all others for each pair, which takes ``source size`` times the memory.
    """

    linear: ClassVar[bool] = False

    per_pair: bool = field(default=False, kw_only=True)
    learn: Sequence[str] = field(default=(), kw_only=True, repr=False, metadata={"optional": True})

    def __new__(cls, *_: Any, **__: Any):
        check_declared(cls)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        name = type(self).__name__
        for declared in fields(self):
            value = getattr(self, declared.name)
            what = f"{name} {declared.name.replace('_', ' ')}"
            role = declared.metadata.get("role")
            if is_decay(declared):
                _check_decay(what, value)
            elif role in {"parameter", "state"} and not callable(value):
                _check_number(what, value)
        self._check_learned()

    def _check_learned(self) -> None:
        name = type(self).__name__
        can = [
            declared.name
            for declared in fields(self)
            if is_decay(declared) or declared.metadata.get("role") == "parameter"
        ]
        if isinstance(self.learn, str) or not isinstance(self.learn, Sequence):
            raise TypeError(
                f"What {name} learns must be a sequence of names, not {shown(self.learn)}"
            )
        for learned in self.learn:
            if learned not in can:
                raise ValueError(
                    f"What {name} learns must be of {', '.join(can)}, not {shown(learned)}"
                )
            if dict(self._shapes()).get(learned, ())[2:]:
                raise ValueError(
                    f"{name} {learned} must be of all samples to be learned, not of single ones"
                )
        object.__setattr__(self, "learn", tuple(dict.fromkeys(self.learn)))

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic) -> tuple[Any, dict]:
        """Advance one time step.

        Parameters
        ----------
        p : namespace
            Decays and parameters, by name. The integral over the step of what begins at 1 and
            decays is ``p.name.integral`` of a decay: in seconds of a ``Tau``, else in steps.
        s : namespace
            States before the step, by name.
        x : operand
            Events that arrive in this step, times their weights.
        via : Arithmetic
            Operations on such operands.

        Returns
        -------
        current : operand
            What reaches the neuron in this step.
        after : dict
            States after the step, by name.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step(p, s, x, via)")

    def weight_gain(self, p: Any) -> Any:
        """Return the factor by which weights are multiplied before the step.

        It is part of the weights: quantisation rounds their product.

        Parameters
        ----------
        p : namespace
            As for :meth:`step`.
        """
        return getattr(p, "gain", 1.0)

    def resolve(self, step: int | None, like: torch.Tensor, pooled: bool) -> SimpleNamespace:
        """Return the decays and parameters for steps of a length.

        Parameters
        ----------
        step : int or None
            Length in picoseconds.
        like : tensor
            Tensor of the format and on the device of the results.
        pooled : bool
            Whether states have the shape (samples, target size), else (samples, target size, source
            size).
        """
        values: dict[str, Any] = {"pooled": pooled}
        for declared in fields(self):
            value = getattr(self, declared.name)
            if is_decay(declared):
                what = f"{type(self).__name__} {declared.name.replace('_', ' ')}"
                decay = resolved_decay(what, value, step, like)
                values[declared.name] = decay.map(lambda tensor: _arranged(tensor, pooled))
            elif declared.metadata.get("role") == "parameter":
                values[declared.name] = _arranged(_tensor(value, like), pooled)
        return SimpleNamespace(**values)

    def rest(self, like: torch.Tensor, pooled: bool) -> dict[str, torch.Tensor]:
        """Return the states at the start, arranged as by :meth:`resolve`."""
        return {
            declared.name: _arranged(_tensor(getattr(self, declared.name), like), pooled)
            for declared in fields(self)
            if declared.metadata.get("role") == "state"
        }

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return tuple(f.name for f in fields(self) if f.metadata.get("role") == "state")

    @property
    def has_seconds(self) -> bool:
        """Whether a decay is given in seconds."""
        return any(isinstance(getattr(self, f.name), Tau) for f in fields(self))

    @property
    def pooled(self) -> bool:
        """Whether the state is kept for each target, and not for each pair."""
        if not self.linear or self.per_pair:
            return False
        shapes = [shape for _, shape in self._shapes()]
        return all(len(shape) < 2 or (len(shape) == 3 and shape[2] == 1) for shape in shapes)

    @property
    def samples(self) -> set[int]:
        """Numbers of samples for which there are values."""
        return {shape[0] for _, shape in self._shapes() if len(shape) == 3}

    def drawn(self, rng: np.random.Generator, targets: int, sources: int) -> "SynapseKind":
        """Return the kind with the values that its callables draw."""
        shape = (targets, sources) if self.per_pair else (targets,)
        values: dict[str, Any] = {}
        for declared in fields(self):
            value = getattr(self, declared.name)
            if isinstance(value, Tau) and value.draw is not None:
                values[declared.name] = value.drawn(rng, shape)
            elif declared.metadata.get("role") in {"parameter", "state"} and callable(value):
                values[declared.name] = value(rng, shape)
        return replace(self, **values) if values else self

    def check_shapes(self, what: str, targets: int, sources: int) -> None:
        """Raise :exc:`ValueError` unless all values suit the sizes of the target and source."""
        for name, shape in self._shapes():
            fits = {1: shape == (targets,), 2: shape == (targets, sources)}.get(
                len(shape), len(shape) == 3 and shape[1:] in {(targets, 1), (targets, sources)}
            )
            if shape and not fits:
                raise ValueError(
                    f"{what}: {type(self).__name__} {name.replace('_', ' ')} must be one value, "
                    f"({targets},), ({targets}, {sources}) or (samples, {targets}, 1) of them, "
                    f"not {shape}"
                )

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        results = []
        for declared in fields(self):
            value = getattr(self, declared.name)
            if isinstance(value, Tau):
                if value.draw is None:
                    results.append((declared.name, np.shape(value.picoseconds)))
            elif isinstance(value, Decay):
                results.append((declared.name, np.shape(value.numerator)))
            elif is_decay(declared) or declared.metadata.get("role") in {"parameter", "state"}:
                if not callable(value):
                    results.append((declared.name, np.shape(value)))
        return results


@dataclass(frozen=True)
class LearnedTau:
    """A time constant in seconds that is learned, in a run.

    Members
    -------
    seconds : tensor
        With a gradient.
    method : str
        As of a :class:`~.time.Tau`.
    """

    seconds: torch.Tensor
    method: str


def decay_of_seconds(seconds: torch.Tensor, method: str, step: int) -> FloatingPointDecay:
    """Return the decay of a time constant that is learned, for steps of a length.

    Parameters
    ----------
    seconds : tensor
    method : str
        As of a :class:`~.time.Tau`. A factor of the Euler method is at least 0.
    step : int
        Length of the step in picoseconds.
    """
    ratio = step * PICOSECOND / seconds
    if method == "euler":
        return FloatingPointDecay((1 - ratio).clamp(0, 1), torch.full_like(ratio, step / 1e12))
    return FloatingPointDecay((-ratio).exp(), -seconds * (-ratio).expm1())


def resolved_decay(
    what: str, value: Any, step: int | None, like: torch.Tensor
) -> FloatingPointDecay:
    """Return a decay for steps of a length.

    Parameters
    ----------
    what : str
        Name in messages.
    value : Tau, Decay, number or array
    step : int or None
        Length of the step in picoseconds.
    like : tensor

    Raises
    ------
    ValueError
        If it is in seconds and there is no length, or the step is too long for it.
    """
    if isinstance(value, Tau | LearnedTau):
        if step is None:
            raise ValueError(
                f"{what} is in seconds, and so the run must have dt, such as net(x, dt=1e-3)"
            )
        if isinstance(value, LearnedTau):
            seconds = value.seconds.to(like.device, like.dtype)
            return decay_of_seconds(seconds, value.method, step)
        return FloatingPointDecay(
            _tensor(value.factor(step, what), like), _tensor(value.integral(step), like)
        )
    return FloatingPointDecay(_tensor(value.factor if isinstance(value, Decay) else value, like))


def _tensor(value: Any, like: torch.Tensor) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.to(like.device, like.dtype)
    return torch.as_tensor(np.array(value, dtype=np.float64)).to(like.device, like.dtype)


def _arranged(values: torch.Tensor, pooled: bool) -> torch.Tensor:
    """Return values so that they broadcast to states for targets, or for pairs."""
    if pooled:
        return values.squeeze(-1) if values.ndim == 3 else values
    return values.unsqueeze(-1) if values.ndim == 1 else values


def _check_decay(what: str, value: Any) -> None:
    if isinstance(value, Decay | Tau):
        return
    if isinstance(value, Duration):
        raise TypeError(f"{what} must be a Tau, a factor or a Decay, not {shown(value)}")
    factor = _check_number(f"{what} factor", value)
    if not ((factor >= 0) & (factor <= 1)).all():
        raise ValueError(f"{what} factor must be in 0..1, not {shown(value)}")


def _check_number(what: str, value: Any) -> np.ndarray:
    values = number_array(what, value, np.float64)
    if values.ndim > 3 or not values.size:
        raise ValueError(f"{what} must have at most three axes and a value, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{what} must be finite, not {shown(value)}")
    return values


@dataclass(frozen=True)
class Wire(SynapseKind):
    r"""A plain wire with a bias: the weighted events, and a constant, reach the neuron at once.

    .. math:: I_t = x_t + b

    :math:`x_t`
        weighted events of step :math:`t`
    :math:`b`
        ``bias``, once for each target

    Parameters
    ----------
    bias : float or array of float, shape (target size,)
    gain : float or array of float
        Factor of the weights.
    """

    linear: ClassVar[bool] = True

    bias: Any = parameter(32, default=0.0)
    gain: Any = parameter(32, default=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.per_pair or (not callable(self.bias) and np.ndim(self.bias) == 2):
            raise ValueError("Wire bias must be one value or one per target, not one per pair")

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic) -> tuple[Any, dict]:
        return x + p.bias, {}


@dataclass(frozen=True)
class FirstOrder(SynapseKind):
    r"""A synapse of first order: its current jumps with each event and decays exponentially.

    With ``output="current"``, the current at the end of the step reaches the neuron, as in
    :class:`~spiker_hdl.model.CurrentLif`:

    .. math:: I_t = i_t = e^{-\Delta t / \tau} \, i_{t-1} + x_t

    With ``output="charge"``, events arrive at the beginning of the step, and what reaches the
    neuron is the exact integral of the current over the step:

    .. math::

        q_t &= \int_0^{\Delta t} (i_{t-1} + x_t) \, e^{-s / \tau} \, ds
             = (i_{t-1} + x_t) \, \tau \, (1 - e^{-\Delta t / \tau}) \\
        i_t &= (i_{t-1} + x_t) \, e^{-\Delta t / \tau}

    :math:`x_t`
        weighted events of step :math:`t`
    :math:`i_t`
        current after step :math:`t`, the state ``i``
    :math:`\tau, \Delta t`
        time constant and length of the step; where ``tau`` is a factor :math:`\beta`, the integral
        is in steps, with :math:`\tau = -1 / \ln \beta`
    :math:`I_t, q_t`
        what reaches the neuron in step :math:`t`

    Parameters
    ----------
    tau : Tau, Decay, or factor
        Decay of the current.
    gain : float or array of float
        Factor of the weights.
    output : {"current", "charge"}
        What reaches the neuron.
    i : float or array of float
        Current at the start.
    """

    linear: ClassVar[bool] = True

    tau: Decay
    gain: Any = parameter(32, default=1.0)
    output: str = field(default="current", kw_only=True)
    i: Any = state(32)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("FirstOrder output", self.output, OUTPUTS)

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic) -> tuple[Any, dict]:
        if self.output == "charge":
            i = s.i + x
            return i * p.tau.integral, {"i": via.decay(i, p.tau)}
        i = first_order(s.i, x, p.tau, via)
        return i, {"i": i}


@dataclass(frozen=True)
class SecondOrder(SynapseKind):
    r"""A synapse of second order: the difference of two exponentials.

    The response to an event of weight 1 is

    .. math:: g(t) = a \left( e^{-t / \tau_d} - e^{-t / \tau_r} \right)

    with :math:`a = 1`, or, ``normalised``, the :math:`a` that makes the peak of :math:`g` equal to
    1 (Roth and van Rossum 2009, "Modeling synapses"). In steps,

    .. math::

        s_t &= e^{-\Delta t / \tau_d} \, s_{t-1} + a x_t \\
        f_t &= e^{-\Delta t / \tau_r} \, f_{t-1} + a x_t \\
        I_t &= s_t - f_t

    and with ``output="charge"`` the exact integral over the step reaches the neuron, as with
    :class:`FirstOrder`.

    :math:`x_t`
        weighted events of step :math:`t`
    :math:`s_t, f_t`
        the two exponentials after step :math:`t`, the states ``slow`` and ``fast``
    :math:`\tau_r, \tau_d`
        time constants ``rise`` and ``decay``; the first is shorter
    :math:`I_t`
        what reaches the neuron in step :math:`t`

    Parameters
    ----------
    rise, decay : Tau, Decay, or factor
        Both of one sort.
    normalised : bool
        Whether the peak of the response is 1 for a weight of 1.
    gain : float or array of float
        Factor of the weights.
    output : {"current", "charge"}
        What reaches the neuron.
    slow, fast : float or array of float
        States at the start.
    """

    linear: ClassVar[bool] = True

    rise: Decay
    decay: Decay
    normalised: bool = field(default=False, kw_only=True)
    gain: Any = parameter(32, default=1.0)
    output: str = field(default="current", kw_only=True)
    slow: Any = state(32)
    fast: Any = state(32)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("SecondOrder output", self.output, OUTPUTS)
        if isinstance(self.rise, Tau) != isinstance(self.decay, Tau):
            raise TypeError(
                f"SecondOrder rise and decay must both be in seconds, or neither, not "
                f"{shown(self.rise)} and {shown(self.decay)}"
            )
        rise, decay = _rate(self.rise), _rate(self.decay)
        if rise is not None and decay is not None and not bool(np.all(rise > decay)):
            raise ValueError(
                f"SecondOrder rise must be shorter than its decay, not {shown(self.rise)} with "
                f"{shown(self.decay)}"
            )

    def weight_gain(self, p: Any) -> Any:
        if not self.normalised:
            return p.gain
        # The time constants alone decide the peak, whatever the step: see the docstring.
        rise, decay = (
            _arranged(torch.as_tensor(_rate(value)), p.pooled) for value in (self.rise, self.decay)
        )
        peak = torch.log(rise / decay) / (rise - decay)
        height = torch.exp(-decay * peak) - torch.exp(-rise * peak)
        return p.gain / height.to(p.gain.device, p.gain.dtype)

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic) -> tuple[Any, dict]:
        if self.output == "charge":
            slow, fast = s.slow + x, s.fast + x
            charge = slow * p.decay.integral - fast * p.rise.integral
            return charge, {"slow": via.decay(slow, p.decay), "fast": via.decay(fast, p.rise)}
        slow, fast = second_order(s.slow, s.fast, x, p.decay, p.rise, via)
        return slow - fast, {"slow": slow, "fast": fast}


def _rate(value: Any) -> Any:
    """Return how fast a decay is, in a unit that depends on its sort; None if not drawn yet.

    Of a learned decay it is a tensor with a gradient, of all others an array.
    """
    if isinstance(value, LearnedTau):
        return 1 / value.seconds
    if isinstance(value, torch.Tensor):
        return -value.log()
    if isinstance(value, Tau):
        return None if value.draw is not None else 1 / np.asarray(value.seconds, dtype=np.float64)
    factor = np.asarray(value.factor if isinstance(value, Decay) else value, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return -np.log(factor)


@dataclass(frozen=True, init=False)
class Summed(SynapseKind):
    r"""The sum of several kinds, which get the same weighted events, such as a fast and a slow one.

    .. math:: I_t = \sum_k I^{(k)}_t

    Without a kind, it is the sum of the weighted events, which is what a connection without
    dynamics has. A ``gain`` of a kind is its share.

    Parameters
    ----------
    *kinds : SynapseKind

    Examples
    --------
    >>> from spiker_train import FirstOrder, Summed, Tau
    >>> Summed(FirstOrder(Tau(5e-3)), FirstOrder(Tau(100e-3), gain=0.2)).states
    ('i_0', 'i_1')
    """

    kinds: tuple[SynapseKind, ...] = ()

    def __init__(self, *kinds: SynapseKind, per_pair: bool = False):
        for kind in kinds:
            check_kind("Summed kind", kind, SynapseKind)
        object.__setattr__(self, "kinds", tuple(kinds))
        object.__setattr__(self, "per_pair", bool(per_pair))
        object.__setattr__(self, "learn", ())  # the kinds say what they learn

    def resolve(self, step: int | None, like: torch.Tensor, pooled: bool) -> SimpleNamespace:
        kinds = [kind.resolve(step, like, pooled) for kind in self.kinds]
        gains = [kind.weight_gain(bound) for kind, bound in zip(self.kinds, kinds, strict=True)]
        return SimpleNamespace(kinds=kinds, gains=gains)

    def rest(self, like: torch.Tensor, pooled: bool) -> dict[str, torch.Tensor]:
        return {
            f"{name}_{n}": value
            for n, kind in enumerate(self.kinds)
            for name, value in kind.rest(like, pooled).items()
        }

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic) -> tuple[Any, dict]:
        if not self.kinds:
            return x, {}
        total, after = 0, {}
        parts = zip(self.kinds, p.kinds, p.gains, strict=True)
        for n, (kind, bound, gain) in enumerate(parts):
            before = {name: getattr(s, f"{name}_{n}") for name in kind.states}
            current, states = kind.step(bound, SimpleNamespace(**before), x * gain, via)
            total = total + current
            after |= {f"{name}_{n}": value for name, value in states.items()}
        return total, after

    def weight_gain(self, p: Any) -> Any:
        return 1.0

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(f"{name}_{n}" for n, kind in enumerate(self.kinds) for name in kind.states)

    @property
    def has_seconds(self) -> bool:
        return any(kind.has_seconds for kind in self.kinds)

    @property
    def pooled(self) -> bool:
        return not self.per_pair and all(kind.pooled for kind in self.kinds)

    def drawn(self, rng: np.random.Generator, targets: int, sources: int) -> "Summed":
        return Summed(
            *(kind.drawn(rng, targets, sources) for kind in self.kinds), per_pair=self.per_pair
        )

    def _shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return [
            (f"{name} of kind {n}", shape)
            for n, kind in enumerate(self.kinds)
            for name, shape in kind._shapes()
        ]


SYNAPSE_KINDS: dict[str, type[SynapseKind]] = {
    kind.__name__: kind for kind in (FirstOrder, SecondOrder, Summed, Wire)
}
