"""Exact integer operations in which a neuron's equations are written.

A neuron's ``step`` uses ``+``, ``-``, ``*``, comparisons and an :class:`Arithmetic`, and does not
depend on the type of its operands. The same ``step`` is evaluated with several arithmetics:
:data:`INTEGERS` and :class:`Arrays` compute the reference, ``Ranges`` of :mod:`.intervals` proves
widths, ``spiker_train.Tensors`` trains, and ``spiker_hdl.rtl.neurons`` makes hardware.
"""

from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, check_ints

__all__ = ["ARRAYS", "INTEGERS", "Arithmetic", "Arrays", "Decay"]


class Decay:
    r"""An exponential decay in integers: the leak of a state in each time step.

    .. math::

        \operatorname{leak}(x) = x - \left\lfloor \frac{x \, m}{2^b} \right\rfloor
        \approx \beta x, \qquad \beta = 1 - \frac{m}{2^b}

    :math:`x`
        value before the step
    :math:`m`
        ``numerator``
    :math:`b`
        ``bits``
    :math:`\beta`
        ``factor``: the share of the value that remains, without rounding

    The form covers what hardware computes cheaply: a shift (``numerator`` is 1), a sum of shifts
    (few bits of ``numerator`` are set) and a multiplier (any ``numerator``). The product is rounded
    once, toward minus infinity. A value from 0 to below ``2**bits / numerator`` therefore does not
    leak at all, whereas a negative value always decays to zero.

    Parameters
    ----------
    numerator : int or tuple of int
        Leaked share in units of ``2**-bits``: one value, or one per neuron. 0 is no leak.
    bits : int
        Fractional bits of the leaked share, 0 to 24.

    Raises
    ------
    TypeError
        If a parameter is no integer.
    ValueError
        If ``bits`` is not in ``0..24`` or ``numerator`` not in ``0..2**bits``.
    """

    __match_args__ = ("numerator", "bits")

    def __init__(self, numerator: int | tuple[int, ...], bits: int):
        self.bits = check_int("Decay bits", bits, 0, 24)
        self.numerator: Any = check_ints("Decay numerator", numerator, 0, 2**self.bits)

    @classmethod
    def of(cls, numerator: Any, bits: int) -> "Decay":
        """Make a decay whose numerator is an operand of some arithmetic, without checks."""
        decay = cls(0, bits)
        decay.numerator = numerator
        return decay

    @classmethod
    def shift(cls, bits: int) -> "Decay":
        """Return the decay by a factor of ``1 - 2**-bits``, which subtracts ``x >> bits``."""
        return cls(1, check_int("Shift", bits, 0, 24))

    @classmethod
    def shifts(cls, *amounts: int) -> "Decay":
        """Return the decay by a factor of ``1 - sum(2**-k for k in amounts)``."""
        terms = [check_int("Shift", k, 0, 24) for k in amounts]
        bits = max(terms, default=0)
        return cls(sum(2 ** (bits - k) for k in terms), bits)

    @classmethod
    def fit(
        cls,
        factor: float | list[float] | np.ndarray,
        form: str = "shift",
        *,
        terms: int = 2,
        bits: int = 8,
        error: float | None = None,
    ) -> "Decay":
        """Return the decay of a form that is nearest to a target factor; of two, the slower one.

        Parameters
        ----------
        factor : float or array of float
            Share of a value that should remain after a step, 0 to 1: one, or one per neuron.
        form : {"shift", "shifts", "multiplier"}
            A single shift (or none), a sum of at most ``terms`` shifts, or any numerator.
        terms : int
            Maximum number of shifts in a sum.
        bits : int
            Fractional bits to search in.
        error : float, optional
            Maximum error of the factor, with ``"shifts"``: the fewest terms that meet it are taken.

        Raises
        ------
        ValueError
            If ``factor`` is not in 0..1, ``form`` is unknown, or no choice is within ``error``.
        """
        bits = check_int("Decay bits", bits, 0, 24)
        terms = check_int("Decay terms", terms, 1, 24)
        factors = np.atleast_1d(np.asarray(factor, dtype=float))
        if not np.all((factors >= 0) & (factors <= 1)):
            bad = factors[~((factors >= 0) & (factors <= 1))][0]
            raise ValueError(f"Decay factor must be in 0..1, not {bad}")
        form = check_choice("Decay form", form, ("shift", "shifts", "multiplier"))
        limits = {"shift": [1], "shifts": [*range(1, terms + 1)], "multiplier": [25]}[form]
        if error is None:
            limits = limits[-1:]
        unit = 2**bits
        target = (1 - factors) * unit
        nearest, worst = target, 0.0
        for limit in limits:
            nearest = _nearest(target, unit, limit)
            worst = float(np.abs(nearest - target).max()) / unit
            # The bound in the message of a refusal is rounded, and must be accepted when given.
            if error is None or worst <= error * (1 + 1e-5):
                break
        else:
            means = {"shift": "one term", "shifts": f"{terms} terms", "multiplier": "a multiplier"}
            raise ValueError(
                f"Decay error must be at least {worst:.6g} with {means[form]} of {bits} bits, "
                f"not {error:.6g}"
            )
        numerators = [int(m) for m in nearest]
        spare = min((_trailing_zeros(m, bits) for m in numerators), default=bits)
        numerators = [m >> spare for m in numerators]
        scalar = np.ndim(factor) == 0 or len(set(numerators)) == 1
        return cls(numerators[0] if scalar else tuple(numerators), bits - spare)

    @property
    def factor(self) -> float | tuple[float, ...]:
        """Share of a value that remains after a step, before rounding."""
        if isinstance(self.numerator, tuple):
            return tuple(1 - m / 2**self.bits for m in self.numerator)
        return 1 - self.numerator / 2**self.bits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decay) and (self.numerator, self.bits) == (
            other.numerator,
            other.bits,
        )

    def __hash__(self) -> int:
        return hash((Decay, self.numerator, self.bits))

    def __repr__(self) -> str:
        return f"Decay({self.numerator!r}, {self.bits!r})"


def _nearest(target: np.ndarray, unit: int, limit: int) -> np.ndarray:
    """Return the numerators of at most ``limit`` set bits in ``0..unit`` that are nearest."""
    numerators = np.arange(unit + 1)
    if limit < 25:
        numerators = np.array([m for m in range(unit + 1) if m.bit_count() <= limit])
    at = np.searchsorted(numerators, target).clip(1, len(numerators) - 1)
    low, high = numerators[at - 1], numerators[at]
    return np.where(target - low <= high - target, low, high)


def _trailing_zeros(m: int, most: int) -> int:
    return most if m == 0 else min(most, (m & -m).bit_length() - 1)


class Arithmetic:
    """Exact operations on Python integers; subclasses have them for other kinds of operands."""

    def shift(self, x, bits: int):
        """Divide ``x`` by ``2**bits``, rounding toward minus infinity."""
        return x >> bits

    def decay(self, x, decay: Decay):
        """Apply a leak to ``x``: subtract the leaked share, rounded toward minus infinity."""
        return x - self.shift(x * decay.numerator, decay.bits)

    def vanish(self, x, decay: Decay):
        """Apply a decay that subtracts at least 1 until ``x`` is 0, from either side.

        The lost share is rounded away from zero. In floating point, it is not rounded.
        """
        lost = x * decay.numerator
        up = self.shift(lost + (2**decay.bits - 1), decay.bits)
        return x - self.select(x > 0, up, self.shift(lost, decay.bits))

    def divide(self, x, divisor: int):
        """Divide ``x`` by a power of two, rounding to the nearest integer, and halves up.

        In floating point, it divides by any number, and does not round.
        """
        bits = divisor.bit_length() - 1
        return self.shift(x + (divisor >> 1), bits) if bits else x

    def above(self, x, limit):
        """Tell whether ``x`` is greater than ``limit``; a spike with a gradient in training."""
        return x > limit

    def reaches(self, x, limit):
        """Tell whether ``x`` is at least ``limit``; a spike with a gradient in training."""
        return x >= limit

    def both(self, a, b):
        """Tell whether two tests hold."""
        return a and b

    def either(self, a, b):
        """Tell whether at least one of two tests holds."""
        return a or b

    def invert(self, test):
        """Tell whether ``test`` does not hold."""
        return not test

    def select(self, test, yes, no):
        """Return ``yes`` where ``test`` holds and ``no`` elsewhere."""
        return yes if test else no

    def maximum(self, x, y):
        """Return the greater of two values."""
        return self.select(x > y, x, y)

    def clamp(self, x, low, high):
        """Return the value of ``low..high`` that is nearest to ``x``."""
        return self.select(x > high, high, self.select(x < low, low, x))

    def saturate(self, x, low: int, high: int):
        """Saturate ``x`` to the range ``low..high`` in which it is stored.

        It is the same as :meth:`clamp` on integers; in floating point it does nothing.
        """
        return self.clamp(x, low, high)


INTEGERS = Arithmetic()


class Arrays(Arithmetic):
    """The same operations on whole NumPy integer arrays."""

    def both(self, a, b):
        return np.logical_and(a, b)

    def either(self, a, b):
        return np.logical_or(a, b)

    def invert(self, test):
        return np.logical_not(test)

    def select(self, test, yes, no):
        return np.where(test, yes, no)

    def maximum(self, x, y):
        return np.maximum(x, y)

    def clamp(self, x, low, high):
        return np.clip(x, low, high)


ARRAYS = Arrays()
