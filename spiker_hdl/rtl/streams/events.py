"""Payloads of the streams between components: address events and words of spike vectors."""

from typing import Any

from amaranth import *
from amaranth.lib import data

from spiker_hdl.model import Input, Population
from spiker_hdl.model.bounds import signed_width

__all__ = ["NO_VALUE", "SPIKE", "AddressEvent", "Word", "into_slots", "slots", "value_shape"]

NO_VALUE = unsigned(0)
"""Shape of the value of a binary event, which is always 1."""

SPIKE = unsigned(1)
"""Shape of a channel of a spike vector."""


def value_shape(node: Input | Population) -> Shape:
    """Return the shape of the value of a node's events; without width where every value is 1."""
    if not node.graded:
        return unsigned(0)
    # A range from 0 needs no sign, which saves a bit in every queue.
    if node.low == 0:
        return unsigned(node.high.bit_length())
    return signed(signed_width(node.low, node.high))


class AddressEvent(data.StructLayout):
    """An event of a time step, or the token that ends the step.

    The events of a step come in ascending order of their addresses, then its token. With several
    banks, one payload carries at most one event of each bank, and the order holds within each bank.

    Parameters
    ----------
    size : int
        Number of addresses.
    value : Shape
        Shape of an event's value, without width for binary events.
    banks : int
        Number of events in one payload, a power of two; address ``a`` is in bank ``a % banks``.

    Members
    -------
    address : unsigned, if there is one bank
        Number of the neuron or channel that fires.
    value : Shape, if there is one bank
        Factor of the weight, where events are graded.
    slots : ArrayLayout(StructLayout, banks), if there are several
        For each bank: whether there is an event (``present``), its ``row`` (the address is ``row *
        banks + bank``) and its ``value``.
    end : unsigned(1)
        Whether this is the token that ends a step; it carries no address and no value.
    last : unsigned(1)
        With ``end``: whether the step is the last of its sample.
    """

    def __init__(self, size: int, value: Shape = NO_VALUE, banks: int = 1):
        self.addresses = size
        self.value_shape = value
        self.banks = banks
        event = {"address": range(size), "value": value}
        if banks > 1:
            slot = {"present": 1, "row": range(-(-size // banks)), "value": value}
            event = {"slots": data.ArrayLayout(data.StructLayout(slot), banks)}
        super().__init__({**event, "end": 1, "last": 1})


def slots(item) -> list[tuple[Value, Value, Value | int]]:
    """Return for each bank of a payload: whether it has an event, the row, and the value or 1."""
    layout = item.shape()
    if layout.banks == 1:
        return [(~item.end, item.address, item.value if layout.value_shape.width else 1)]
    return [
        (slot.present, slot.row, slot.value if layout.value_shape.width else 1)
        for slot in item.slots
    ]


def into_slots(item, bank: int, present, row, value: Any = 0) -> list:
    """Return the assignments that put an event into one bank of a payload.

    With a single bank there is no ``present``: a payload that is no token is an event.
    """
    if item.shape().banks == 1:
        return [item.address.eq(row), item.value.eq(value)]
    slot = item.slots[bank]
    return [slot.present.eq(present), slot.row.eq(row), slot.value.eq(value)]


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
        The channels in ascending order; 0 where there is no event.
    last : unsigned(1)
        Whether the step is the last of its sample; sampled with the final word of a step.

    For a static input, the first step of a sample has all its words, and each later step is one
    word whose values are not used.
    """

    def __init__(self, width: int, value: Shape = SPIKE):
        super().__init__({"values": data.ArrayLayout(value, width), "last": 1})
