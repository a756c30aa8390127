"""Exact integer operations in which a neuron's equations are written.

A neuron's ``step`` uses ``+``, ``-``, ``*``, comparisons and an :class:`Arithmetic`, and does not
look at what its operands are. Each reading brings its own: :data:`INTEGERS` and :class:`Arrays`
compute the reference, :class:`~spiker_hdl.model.neurons.intervals.Ranges` proves widths,
``spiker_train.Tensors`` trains and ``spiker_hdl.rtl.Gates`` makes hardware.
"""

from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, check_ints

__all__ = ["ARRAYS", "INTEGERS", "Arithmetic", "Arrays", "Decay"]


class Decay:
    """A loss of a fixed share in each time step: ``x - floor(x * numerator / 2**bits)``.

    One exact form for all that hardware offers: a shift (``numerator`` 1), a sum of shifts
    (``numerator`` with few bits set) and a multiplier (any ``numerator``). The product is rounded
    once, toward minus infinity; so a value in ``0..2**bits // numerator`` may stay as it is, and a
    negative one always comes back to zero.

    Parameters
    ----------
    numerator : int or tuple of int
        What is lost, in units of ``2**-bits``: one value, or one per neuron. 0 loses nothing.
    bits : int
        Binary digits of the loss, 0 to 24.

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
        """Make a decay whose numerator is an operand of some arithmetic, unchecked."""
        decay = cls(0, bits)
        decay.numerator = numerator
        return decay

    @classmethod
    def shift(cls, bits: int) -> "Decay":
        """Lose ``x >> bits``: a factor of ``1 - 2**-bits``."""
        return cls(1, check_int("Shift", bits, 0, 24))

    @classmethod
    def shifts(cls, *each: int) -> "Decay":
        """Lose a sum of shifts: a factor of ``1 - sum(2**-k for k in each)``."""
        terms = [check_int("Shift", k, 0, 24) for k in each]
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
        """Find the decay of a form that is nearest to a wished factor; of two, what loses less.

        Parameters
        ----------
        factor : float or array of float
            What should remain of a value after a step, in 0..1; one, or one per neuron.
        form : {"shift", "shifts", "multiplier"}
            A single shift (or none), a sum of at most ``terms`` shifts, or any numerator.
        terms : int
            Most shifts in a sum.
        bits : int
            Binary digits to search in.
        error : float, optional
            With ``"shifts"``: take the fewest terms that come this near, at most ``terms``.

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
        one = 2**bits
        wished = (1 - factors) * one
        found, worst = wished, 0.0
        for limit in limits:
            choices = np.array(
                [m for m in range(one + 1) if m.bit_count() <= limit]
                if limit < 25
                else np.arange(one + 1)
            )
            at = np.searchsorted(choices, wished).clip(1, len(choices) - 1)
            low, high = choices[at - 1], choices[at]
            found = np.where(wished - low <= high - wished, low, high)
            worst = float(np.abs(found - wished).max()) / one
            # The bound that a refusal names is rounded, and shall do.
            if error is None or worst <= error * (1 + 1e-5):
                break
        else:
            means = {"shift": "one term", "shifts": f"{terms} terms", "multiplier": "a multiplier"}
            raise ValueError(
                f"Decay error must be at least {worst:.6g} with {means[form]} of {bits} bits, "
                f"not {error:.6g}"
            )
        numerators = [int(m) for m in found]
        spare = min((_trailing_zeros(m, bits) for m in numerators), default=bits)
        numerators = [m >> spare for m in numerators]
        scalar = np.ndim(factor) == 0 or len(set(numerators)) == 1
        return cls(numerators[0] if scalar else tuple(numerators), bits - spare)

    @property
    def factor(self) -> float | tuple[float, ...]:
        """What remains of a value after a step, before rounding."""
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


def _trailing_zeros(m: int, most: int) -> int:
    return most if m == 0 else min(most, (m & -m).bit_length() - 1)


class Arithmetic:
    """Exact operations on Python integers; a subclass offers them for another kind of operand."""

    def shift(self, x, bits: int):
        """Divide ``x`` by ``2**bits``, rounding toward minus infinity."""
        return x >> bits

    def decay(self, x, decay: Decay):
        """Take the share ``decay`` from ``x``, rounding what is taken toward minus infinity."""
        return x - self.shift(x * decay.numerator, decay.bits)

    def above(self, x, limit):
        """Tell whether ``x`` is strictly greater than ``limit``; a spike, if trained."""
        return x > limit

    def reaches(self, x, limit):
        """Tell whether ``x`` is at least ``limit``; a spike, if trained."""
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
        """Choose ``yes`` where ``test`` holds and ``no`` elsewhere."""
        return yes if test else no

    def maximum(self, x, y):
        """Choose the greater of two values."""
        return self.select(x > y, x, y)

    def clamp(self, x, low, high):
        """Move ``x`` to the nearest value in ``low..high``."""
        return self.select(x > high, high, self.select(x < low, low, x))

    def saturate(self, x, low: int, high: int):
        """Move ``x`` to the nearest value that a field of the range ``low..high`` can hold.

        The same as :meth:`clamp` on integers, but real numbers know no saturation.
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
