"""Tests of the layouts of what moves between components."""

import pytest
from amaranth import *

from spiker_hdl.model import Accumulator, Input, Population
from spiker_hdl.rtl import AddressEvent, Word
from spiker_hdl.rtl.streams.events import value_shape


@pytest.mark.parametrize(
    "node, shape",
    [
        (Input("x", 3), unsigned(0)),
        (Input("x", 3, 0, 2), unsigned(2)),
        (Input("x", 3, 0, 255), unsigned(8)),
        (Input("x", 3, 0, 256), unsigned(9)),
        (Input("x", 3, -1, 1), signed(2)),
        (Input("x", 3, -8, 1), signed(4)),
        (Input("x", 3, -1, 8), signed(5)),
        (Population("p", 3, Accumulator(width=4)), unsigned(0)),
    ],
)
def test_value_shape_holds_the_range(node, shape):
    assert value_shape(node) == shape


@pytest.mark.parametrize("size, bits", [(1, 0), (2, 1), (3, 2), (256, 8), (257, 9)])
def test_addresses_are_as_wide_as_need_be(size, bits):
    layout = AddressEvent(size, signed(3))
    assert Shape.cast(layout["address"].shape).width == bits
    assert layout.size == bits + 3 + 2
    assert [name for name, _ in layout] == ["address", "value", "end", "last"]


def test_the_lowest_channel_is_in_the_lowest_bits():
    word = Word(4, unsigned(2)).const({"values": [1, 2, 3, 0], "last": 1})
    assert word.as_value().value == 0b1_00_11_10_01
