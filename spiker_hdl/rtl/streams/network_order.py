"""Addresses of a map by position, as the network numbers them."""

from math import prod

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.rtl.common.division import by_constant, divided

from .events import AddressEvent

__all__ = ["NetworkOrder"]


class NetworkOrder(wiring.Component):
    """Replace addresses ``y, x, channel`` by ``channel, y, x``, without a cycle of its own.

    The events of a step stay in ascending order by position, so that their addresses ascend no
    longer: the reader must take them in any order. Nothing is stored.

    Parameters
    ----------
    shape : tuple of int
        Channels, and the size of each axis of positions.
    value : Shape
        Shape of an event's value.

    Members
    -------
    i, o : In, Out(stream.Signature(AddressEvent(size, value)))
        Events and tokens.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: tuple[int, ...], value: Shape):
        self.shape = shape
        event = AddressEvent(prod(shape), value)
        super().__init__({"i": In(stream.Signature(event)), "o": Out(stream.Signature(event))})

    def elaborate(self, platform):
        m = Module()

        wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
        position, channel = divided(self.i.p.address, self.shape[0], prod(self.shape))
        # Stands behind the connection of the whole payload, and overrides its address.
        address = by_constant(channel, prod(self.shape[1:])) + position
        m.d.comb += self.o.p.address.eq(address)

        return m
