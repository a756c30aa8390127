"""Shapes of signals for ranges of integers."""

from collections.abc import Sequence

from amaranth import *

from spiker_hdl.model.bounds import signed_width

__all__ = ["common_shape", "range_shape"]


def range_shape(low: int, high: int) -> Shape:
    """Return the narrowest shape that holds ``low..high``."""
    return unsigned(high.bit_length()) if low >= 0 else signed(signed_width(low, high))


def common_shape(shapes: Sequence[Shape]) -> Shape:
    """Return the narrowest shape that holds the values of all event shapes.

    A shape without width stands for the value 1 of binary events.
    """
    if not any(shape.width for shape in shapes):
        return unsigned(0)
    shapes = [shape if shape.width else unsigned(1) for shape in shapes]
    if not any(shape.signed for shape in shapes):
        return unsigned(max(shape.width for shape in shapes))
    # Unsigned values need one bit more, which is their sign.
    return signed(max(shape.width + (not shape.signed) for shape in shapes))
