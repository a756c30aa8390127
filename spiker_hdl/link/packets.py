"""Beats of samples from payloads, and payloads of results."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import MOST
from spiker_hdl.link.protocol.payloads import LAST

from .window import Octet

__all__ = ["Packer", "Unpacker"]


class Unpacker(wiring.Component):
    """Make beats of payloads, and lead each to its input.

    A byte takes a cycle, and a beat one more. What is left of a payload behind its last whole beat
    is dropped, and so is what is for an input that is not there.

    Parameters
    ----------
    shapes : sequence of Layout
        Those of the beats of each input, the highest bit being ``last``.

    Members
    -------
    i : In(stream.Signature(Octet))
    oN : Out(stream.Signature(shape)), for the number of each input
    """

    i: Any

    def __init__(self, shapes: Sequence[data.Layout]):
        self.shapes = tuple(shapes)
        self.widths = [Shape.cast(one).width - 1 for one in self.shapes]
        super().__init__({
            "i": In(stream.Signature(Octet())),
            **{f"o{n}": Out(stream.Signature(one)) for n, one in enumerate(self.shapes)},
        })

    def elaborate(self, platform):
        m = Module()

        sizes = [-(-width // 8) for width in self.widths]
        beat = Signal(8 * max(sizes))
        count = Signal(range(max(sizes)))
        port = Signal(LAST.bit_length() - 1)
        last, over, full, taken = Signal(), Signal(), Signal(), Signal(init=1)
        with m.Switch(port):
            for n, size in enumerate(sizes):
                with m.Case(n):
                    sink = getattr(self, f"o{n}")
                    m.d.comb += [full.eq(count == size - 1), taken.eq(sink.ready)]
        for n, width in enumerate(self.widths):
            sink = getattr(self, f"o{n}")
            m.d.comb += Value.cast(sink.payload).eq(Cat(beat[:width], last & over))
        with m.FSM():
            with m.State("Head"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [Cat(port, last).eq(self.i.p.data), count.eq(0)]
                with m.If(self.i.valid & ~self.i.p.end):
                    m.next = "Beats"
            with m.State("Beats"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += beat.word_select(count, 8).eq(self.i.p.data)
                    m.d.sync += [count.eq(count + 1), over.eq(self.i.p.end)]
                    with m.If(full):
                        m.next = "Offer"
                    with m.Elif(self.i.p.end):
                        m.next = "Head"
            with m.State("Offer"):
                for n in range(len(sizes)):
                    m.d.comb += getattr(self, f"o{n}").valid.eq(port == n)
                m.d.sync += count.eq(0)
                with m.If(taken):
                    m.next = "Beats"
                    with m.If(over):
                        m.next = "Head"

        return m


class Packer(wiring.Component):
    """Cut what the accelerator says of a sample into payloads.

    Parameters
    ----------
    shape : ShapeLike
        Of a result.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(Octet))
        The lowest byte first; a packet for each payload, and a new one for each result.
    length : Out(range(MOST + 1))
        Bytes that are to come of the packet that is being offered.
    """

    i: Any
    o: Any
    length: Signal

    def __init__(self, shape):
        self.shape = shape
        self.size = -(-Shape.cast(shape).width // 8)
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(Octet())),
            "length": Out(range(MOST + 1)),
        })

    def elaborate(self, platform):
        m = Module()

        held = Signal(8 * self.size)
        left = Signal(range(self.size + 1))
        room = Signal(range(MOST), init=MOST - 1)
        m.d.comb += [
            self.i.ready.eq(left == 0),
            self.o.valid.eq(left != 0),
            self.o.p.data.eq(held[:8]),
            self.length.eq(Mux(left > room, room + 1, left)),
            self.o.p.end.eq(self.length == 1),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(Value.cast(self.i.payload)), left.eq(self.size)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [held.eq(held >> 8), left.eq(left - 1)]
            m.d.sync += room.eq(Mux(self.o.p.end, MOST - 1, room - 1))

        return m
