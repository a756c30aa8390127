"""What moves between components: address events and words of spike vectors."""

from amaranth import *
from amaranth.lib import data

from ..model import Input, Population
from ..model.bounds import signed_width

__all__ = ["NO_VALUE", "SPIKE", "AddressEvent", "Word", "value_shape"]

NO_VALUE = unsigned(0)
"""Shape of the value of a binary event, which is always 1."""

SPIKE = unsigned(1)
"""Shape of a channel of a spike vector."""


def value_shape(node: Input | Population) -> Shape:
    """Return the shape of an event's value, of no width where all are 1."""
    if not node.graded:
        return unsigned(0)
    if node.low == 0:
        return unsigned(node.high.bit_length())
    return signed(signed_width(node.low, node.high))


class AddressEvent(data.StructLayout):
    """An event of a time step, or the token that ends the step.

    The events of a step come in ascending order of their addresses.

    Parameters
    ----------
    size : int
        Number of addresses.
    value : Shape
        Shape of the value, of no width for binary events.

    Members
    -------
    address : unsigned
        Who fires.
    value : Shape
        By what the weight is multiplied, where the event is graded.
    end : unsigned(1)
        Whether this is the token that ends a step; it carries no address and no value.
    last : unsigned(1)
        With ``end``: whether the step is the last of its sample.
    """

    def __init__(self, size: int, value: Shape = NO_VALUE):
        self.addresses = size
        self.value_shape = value
        super().__init__({"address": range(size), "value": value, "end": 1, "last": 1})


class Word(data.StructLayout):
    """Neighbouring channels of a spike vector.

    Parameters
    ----------
    width : int
        Number of channels.
    value : Shape
        Shape of a channel: one bit for spikes.

    Members
    -------
    values : ArrayLayout(value, width)
        The channels, the lowest first; 0 where there is no event.
    last : unsigned(1)
        Whether the step is the last of its sample; counts in a step's final word.

    Of a held input, the first step of a sample has all its words, and each step behind it one word
    without values.
    """

    def __init__(self, width: int, value: Shape = SPIKE):
        super().__init__({"values": data.ArrayLayout(value, width), "last": 1})
