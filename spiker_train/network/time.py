"""Times in seconds: time constants, durations, and the steps of a run.

All times are whole picoseconds inside, so that 2 ms at steps of 0.1 ms are 20 steps and never 21.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, shown
from spiker_hdl.base.conversions import is_several, number_array

__all__ = [
    "METHODS",
    "PICOSECOND",
    "Duration",
    "Steps",
    "Tau",
    "in_whole_units",
    "lengths_of_plan",
    "make_steps",
    "picoseconds",
    "step_length",
    "whole_steps",
]

PICOSECOND = 1e-12
"""Seconds of a picosecond."""

LONGEST = 9000
"""Greatest time in seconds: its picoseconds are exact as a float64 too."""

METHODS = ("exact", "euler")
"""How a time constant becomes the factor of a step."""

Draw = Callable[[np.random.Generator, tuple[int, ...]], Any]


def picoseconds(what: str, seconds: Any, *, zero: bool = False) -> int | np.ndarray:
    """Return a time in whole picoseconds, rounded to nearest.

    Parameters
    ----------
    what : str
        Name of the time in messages.
    seconds : float or array of float
    zero : bool
        Whether the time may be 0.

    Returns
    -------
    int, or array of int64 of the same shape

    Raises
    ------
    TypeError
        If it is no number and no array of numbers.
    ValueError
        If a time is negative, not finite, shorter than a picosecond or longer than 9000 s; or if it
        is 0 and must not be.
    """
    several = is_several(seconds)
    if not several and (isinstance(seconds, bool | str) or callable(seconds)):
        raise TypeError(f"{what} must be a number of seconds, not {shown(seconds)}")
    values = np.asarray(number_array(what, seconds, np.float64))
    if not values.size:
        raise ValueError(f"{what} must have at least one value, not none")
    for bad, need in (
        (~np.isfinite(values), "a finite number of seconds"),
        (values < 0, "at least 0 s" if zero else "a positive number of seconds"),
        ((values == 0) & (not zero), "a positive number of seconds"),
        (values > LONGEST, f"at most {LONGEST} s"),
        ((values > 0) & (values < PICOSECOND / 2), "at least a picosecond"),
    ):
        if bad.any():
            raise ValueError(f"{what} must be {need}, not {float(values[bad].flat[0])!r}")
    whole = np.rint(values * 1e12).astype(np.int64)
    if whole.ndim:
        whole.flags.writeable = False
        return whole
    return int(whole)


def step_length(dt: Any, what: str = "Step dt") -> int:
    """Return the length of a step in whole picoseconds.

    Raises
    ------
    TypeError
        If it is not one number.
    ValueError
        As for :func:`picoseconds`.
    """
    length = picoseconds(what, dt)
    if not isinstance(length, int):
        raise TypeError(f"{what} must be one number of seconds, not {shown(dt)}")
    return length


class _Time:
    """A time, or one per neuron, in whole picoseconds."""

    what = "Time"
    zero = False

    def __init__(self, seconds: Any):
        self.draw: Draw | None = seconds if callable(seconds) else None
        self._picoseconds = None if self.draw else picoseconds(self.what, seconds, zero=self.zero)

    @property
    def picoseconds(self) -> int | np.ndarray:
        """Whole picoseconds: an int, or an array of int64."""
        if self._picoseconds is None:
            raise ValueError(f"{self.what} must be drawn before it has a value")
        return self._picoseconds

    @property
    def seconds(self) -> float | np.ndarray:
        """The time in seconds, of whole picoseconds."""
        return self.picoseconds / 1e12

    def drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> "Any":
        """Return the time with the values that its callable draws, or the time itself."""
        if self.draw is None:
            return self
        return self._with(self.draw(rng, shape))

    def _with(self, seconds: Any) -> "Any":
        return type(self)(seconds)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, _Time):
            return False
        if self.draw or other.draw:
            return self.draw is other.draw
        return np.array_equal(self.picoseconds, other.picoseconds)

    def __hash__(self) -> int:
        value = self._picoseconds
        return hash((
            type(self),
            self.draw,
            value.tobytes() if isinstance(value, np.ndarray) else value,
        ))

    def _shown(self) -> str:
        if self.draw is not None:
            return repr(self.draw)
        seconds = self.seconds
        return repr(seconds.tolist() if isinstance(seconds, np.ndarray) else seconds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown()})"


class Tau(_Time):
    r"""A time constant in seconds, which stands in the place of a decay.

    A run resolves it to the factor of a step of length :math:`\Delta t`:

    .. math:: \beta = e^{-\Delta t / \tau}

    or :math:`\beta = 1 - \Delta t / \tau` with ``method="euler"``, for models whose equations are
    written for the explicit Euler method. Quantisation fits a
    :class:`~spiker_hdl.model.Decay` to the factor.

    Parameters
    ----------
    seconds : float, array of float, or callable
        Time constant, one or one per neuron; or a function ``(rng, shape)`` that draws it, where
        ``rng`` is a :class:`numpy.random.Generator`. It is rounded to whole picoseconds.
    method : {"exact", "euler"}
        How the factor follows from the length of a step.

    Raises
    ------
    TypeError
        If it is no number and no array of numbers.
    ValueError
        If a value is negative, zero, not finite, shorter than a picosecond or longer than 9000 s,
        or the method is unknown.
    """

    what = "Time constant"

    def __init__(self, seconds: Any, method: str = "exact"):
        super().__init__(seconds)
        self.method = check_choice("Method of a time constant", method, METHODS)

    def _with(self, seconds: Any) -> "Tau":
        return Tau(seconds, self.method)

    def factor(self, step: int, what: str = "Time constant") -> np.ndarray:
        """Return the share of a value that remains after a step, float64 of the shape of the time.

        Parameters
        ----------
        step : int
            Length of the step in picoseconds.
        what : str
            Name in messages.

        Raises
        ------
        ValueError
            If the method is ``"euler"`` and the step is longer than the time constant.
        """
        ratio = step / np.asarray(self.picoseconds, dtype=np.float64)
        if self.method == "exact":
            return np.exp(-ratio)
        if (ratio > 1).any():
            raise ValueError(
                f"{what} must be at least as long as the step of {step * PICOSECOND:g} s with "
                f"method='euler', not {float(np.min(self.picoseconds)) * PICOSECOND:g} s"
            )
        return 1 - ratio

    def integral(self, step: int) -> np.ndarray:
        """Return the integral over a step of what begins at 1 and decays, in seconds."""
        if self.method == "euler":
            return np.full(np.shape(self.picoseconds), step * PICOSECOND)
        tau = np.asarray(self.seconds)
        return -tau * np.expm1(-step / np.asarray(self.picoseconds, dtype=np.float64))

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and getattr(other, "method", None) == self.method

    def __hash__(self) -> int:
        return hash((super().__hash__(), self.method))

    def __repr__(self) -> str:
        method = "" if self.method == "exact" else f", method={self.method!r}"
        return f"Tau({self._shown()}{method})"


class Duration(_Time):
    """A time in seconds, which stands in the place of a number of time steps.

    In floating point it ends in the first step that begins at or after its end. Quantisation turns
    it into a whole number of steps.

    Parameters
    ----------
    seconds : float, array of float, or callable
        As for :class:`Tau`; 0 is possible.

    Raises
    ------
    TypeError
        If it is no number and no array of numbers.
    ValueError
        If a value is negative, not finite, shorter than a picosecond or longer than 9000 s.
    """

    what = "Duration"
    zero = True

    def steps(self, step: int) -> np.ndarray:
        """Return the number of steps of ``step`` picoseconds that it takes, float64, not rounded.

        A time that is a whole number of steps is exactly that number.
        """
        whole, rest = np.divmod(self.picoseconds, step)
        return np.asarray(whole, dtype=np.float64) + np.asarray(rest, dtype=np.float64) / step


def in_whole_units(picoseconds: int) -> str:
    """Return a time as a whole number of the largest unit that has one, such as ``"50 us"``."""
    for unit, name in ((10**12, "s"), (10**9, "ms"), (10**6, "us"), (10**3, "ns")):
        if picoseconds % unit == 0:
            return f"{picoseconds // unit} {name}"
    return f"{picoseconds} ps"


def whole_steps(what: str, duration: Duration, step: int, nearest: bool) -> int | tuple[int, ...]:
    """Return a duration as a whole number of steps, one or one per neuron.

    Parameters
    ----------
    what : str
        Name in messages.
    duration : Duration
    step : int
        Length of a step in picoseconds.
    nearest : bool
        Whether to round to the nearest whole number, of two the even one.

    Raises
    ------
    ValueError
        If it is no whole number of steps and is not to be rounded.
    """
    steps = duration.steps(step)
    whole = np.rint(steps)
    off = whole != steps
    if off.any() and not nearest:
        bad = float(np.atleast_1d(steps)[np.atleast_1d(off)][0])
        raise ValueError(
            f"{what} must be a whole number of steps of {step * PICOSECOND:g} s, not {bad:g} of "
            "them: choose another dt, or rounding='nearest'"
        )
    return int(whole) if whole.ndim == 0 else tuple(int(n) for n in whole)


@dataclass(frozen=True)
class Steps:
    """The time steps of a run.

    Members
    -------
    lengths : tuple of int, or None
        Length of each step in picoseconds; None in a run without seconds, whose steps have the
        length 1.
    count : int
        Number of steps.
    clock : int
        Time at which the first step begins: in picoseconds, or in steps without seconds.
    """

    lengths: tuple[int, ...] | None
    count: int
    clock: int = 0

    def __post_init__(self) -> None:
        if self.end >= 2**62:
            raise ValueError(f"Time of a run must be below {2**62} ps in all, not {self.end} ps")

    @property
    def end(self) -> int:
        """Time at which the last step ends, as :attr:`clock`."""
        return self.clock + (self.count if self.lengths is None else sum(self.lengths))

    @cached_property
    def begins(self) -> np.ndarray:
        """Times at which the steps begin, int64 of shape (steps,), as :attr:`clock`."""
        lengths = np.ones(self.count, np.int64) if self.lengths is None else self.lengths
        ends = self.clock + np.cumsum(np.asarray(lengths, dtype=np.int64))
        return np.concatenate([[self.clock], ends[:-1]]).astype(np.int64)

    @cached_property
    def distinct(self) -> tuple[int | None, ...]:
        """The lengths that occur, in order of their first occurrence; (None,) without seconds."""
        return (None,) if self.lengths is None else tuple(dict.fromkeys(self.lengths))

    def length(self, n: int) -> int | None:
        """Return the length of a step in picoseconds, None without seconds."""
        return None if self.lengths is None else self.lengths[n]


def make_steps(dt: Any, plan: Any, count: int, clock: int = 0) -> Steps:
    """Return the steps of a run from its arguments.

    Parameters
    ----------
    dt : float, optional
        Length of every step, in seconds.
    plan : sequence of (float, int), optional
        Lengths in seconds, each with the number of steps that have it, in order.
    count : int
        Number of steps of the samples.
    clock : int
        Time at which the run begins.

    Raises
    ------
    TypeError
        If an argument has a wrong form.
    ValueError
        If both are given, a length is no valid time, or the steps of the plan are not as many as
        those of the samples.
    """
    if plan is None:
        if dt is None:
            return Steps(None, count, clock)
        return Steps((step_length(dt),) * count, count, clock)
    if dt is not None:
        raise ValueError("A run must have dt or plan, not both")
    lengths = lengths_of_plan(plan)
    if len(lengths) != count:
        raise ValueError(
            f"Plan must have as many steps as the samples, which is {count}, not {len(lengths)}"
        )
    return Steps(tuple(lengths), count, clock)


def lengths_of_plan(plan: Any) -> list[int]:
    """Return the length of each step of a plan, in picoseconds.

    Raises
    ------
    TypeError
        If the plan has a wrong form.
    ValueError
        If a length is no valid time, or a number of steps is below 1.
    """
    lengths: list[int] = []
    form = "Plan must be a sequence of (seconds, steps), such as [(1e-4, 50), (1e-3, 10)]"
    if not isinstance(plan, Sequence) or isinstance(plan, str):
        raise TypeError(f"{form}, not {shown(plan)}")
    for part in plan:
        if not isinstance(part, Sequence) or isinstance(part, str) or len(part) != 2:
            raise TypeError(f"{form}, not with {shown(part)}")
        length = step_length(part[0], "Step of a plan")
        lengths += [length] * check_int("Steps of a plan", part[1], 1)
    return lengths
