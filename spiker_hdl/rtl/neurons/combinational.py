"""A neuron's operations as combinational logic."""

from amaranth import *

from spiker_hdl.model import Arithmetic, Decay, signed_range
from spiker_hdl.model.bounds import signed_width

__all__ = ["CombinationalArithmetic"]


class CombinationalArithmetic(Arithmetic):
    """Operations on Amaranth values, which widen as needed and so stay exact until they are stored.

    Parameters
    ----------
    m : Module, optional
        Module in which values that are used several times become signals, so that their logic is
        not repeated at each use.
    """

    def __init__(self, m: Module | None = None):
        self.m = m

    def shared(self, x, name: str) -> Value:
        """Return ``x`` as a signal, if there is a module to which it can be added."""
        x = Value.cast(x)
        if self.m is None or isinstance(x, Const | Signal):
            return x
        signal = Signal(x.shape(), name=name)
        self.m.d.comb += signal.eq(x)
        return signal

    def decay(self, x, decay: Decay):
        # The product with a known numerator is a sum of shifts; only a signal needs a multiplier.
        if isinstance(decay.numerator, int):
            terms = [x << k for k in range(decay.bits + 1) if decay.numerator >> k & 1]
            leaked = sum(terms[1:], terms[0]) if terms else C(0, 1)
        else:
            leaked = x * decay.numerator
        return x - self.shift(leaked, decay.bits)

    def both(self, a, b):
        return Value.cast(a) & b

    def either(self, a, b):
        return Value.cast(a) | b

    def invert(self, test):
        return Value.cast(test) == 0

    def select(self, test, yes, no):
        return self.shared(Mux(test, yes, no), "chosen")

    def above(self, x, limit):
        return self.shared(x > limit, "above")

    def reaches(self, x, limit):
        return self.shared(x >= limit, "reached")

    def maximum(self, x, y):
        # Both the comparison and the choice read ``x``.
        return super().maximum(self.shared(x, "unfloored"), y)

    def clamp(self, x, low, high):
        if isinstance(low, int) and isinstance(high, int):
            return self.saturate(Value.cast(x), low, high)
        return super().clamp(self.shared(x, "unclamped"), low, high)

    def saturate(self, x, low: int, high: int):
        return self.shared(self._saturated(self.shared(x, "exact"), low, high), "saturated")

    def _saturated(self, x, low: int, high: int):
        width = signed_width(low, high)
        # Bounds that are not those of a width need comparators.
        if (low, high) != signed_range(width) or not x.shape().signed:
            shape = Shape(width, signed=True) if low < 0 else Shape(width - 1)
            return _narrow(super().clamp(x, low, high), shape)
        if len(x) <= width:
            return x
        # A value is out of range if the bits from the sign's place on differ: no comparator needed.
        beyond, negative = x[width - 1 :], x[-1]
        # The highest number is 011...1, the lowest 100...0: the sign, behind copies of its inverse.
        limit = Cat((~negative).replicate(width - 1), negative)
        return Mux(beyond.all() | ~beyond.any(), x[:width], limit).as_signed()


def _narrow(x, shape):
    """Return a value that is known to fit a shape with the bits of that shape alone."""
    x = Value.cast(x)[: shape.width]
    return x.as_signed() if shape.signed else x
