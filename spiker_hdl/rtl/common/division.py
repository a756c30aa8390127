"""Division by constants, with adders alone."""

from amaranth import *

__all__ = ["by_constant", "divided", "reciprocal"]


def reciprocal(divisor: int, limit: int) -> tuple[int, int]:
    """Return ``(factor, shift)`` so that ``value * factor >> shift`` is ``value // divisor``.

    It is exact for all values below ``limit``.
    """
    # With factor * divisor = 2**shift + excess, the product is too large by value * excess, which
    # does no harm as long as it is less than the step of 2**shift between two quotients.
    shift = 0
    while True:
        factor = -(-(1 << shift) // divisor)
        excess = factor * divisor - (1 << shift)
        if (limit - 1) * excess < 1 << shift:
            return factor, shift
        shift += 1


def by_constant(value, factor: int):
    """Multiply an unsigned value by a constant, by adding and subtracting shifted copies of it."""
    terms, shift = [], 0
    while factor:
        if factor & 1:
            # A run of ones is one subtraction and one addition.
            digit = -1 if factor & 2 else 1
            terms.append((digit, value << shift))
            factor -= digit
        factor >>= 1
        shift += 1
    total = sum((term for digit, term in terms if digit > 0), C(0))
    for digit, term in terms:
        if digit < 0:
            total -= term
    return total


def divided(value, divisor: int, limit: int) -> tuple:
    """Return quotient and remainder of an unsigned value below ``limit`` by a constant."""
    if divisor == 1:
        return value, C(0, 0)
    if limit <= divisor:
        return C(0, 0), value
    bits = (divisor - 1).bit_length()
    if divisor == 1 << bits:
        return value[bits:], value[:bits]
    factor, shift = reciprocal(divisor, limit)
    width = ((limit - 1) // divisor).bit_length()
    quotient = by_constant(value, factor)[shift : shift + width]
    # The remainder is less than the divisor, so that its low bits are all of it.
    return quotient, (value - by_constant(quotient, divisor))[:bits]
