"""Conversion of payloads of frames into beats of samples, and of results into payloads."""

from collections.abc import Sequence
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import MAX_PAYLOAD
from spiker_hdl.link.protocol.payloads import LAST

from .window import Octet

__all__ = ["Packer", "Unpacker"]


class Unpacker(wiring.Component):
    """Unpack payloads into beats, and send each beat to its input.

    Beats keep their order. A byte takes one cycle, and each beat one more; a beat is valid in the
    cycle after its last byte. Bytes of a payload behind its last whole beat are dropped, and so are
    payloads for inputs that do not exist. After reset a payload begins.

    Parameters
    ----------
    shapes : sequence of Layout
        Shape of the beats of each input; the highest bit is ``last``.

    Members
    -------
    i : In(stream.Signature(Octet))
        Payloads of data frames, byte by byte; waits while a beat is on offer.
    oN : Out(stream.Signature(shape)), for the number N of each input
        Beats of the input, with ``last`` in the final beat of a sample.
    """

    i: Any

    def __init__(self, shapes: Sequence[data.Layout]):
        self.shapes = tuple(shapes)
        self.widths = [Shape.cast(shape).width - 1 for shape in self.shapes]
        super().__init__({
            "i": In(stream.Signature(Octet())),
            **{f"o{n}": Out(stream.Signature(shape)) for n, shape in enumerate(self.shapes)},
        })

    def elaborate(self, platform):
        m = Module()

        sizes = [-(-width // 8) for width in self.widths]
        beat = Signal(8 * max(sizes))
        count = Signal(range(max(sizes)))
        port = Signal(LAST.bit_length() - 1)  # number of the input
        last = Signal()  # the sample ends with this payload
        over = Signal()  # the payload ends with this beat
        full = Signal()  # the beat is complete with this byte
        taken = Signal(init=1)  # an input that does not exist takes every beat
        with m.Switch(port):
            for n, size in enumerate(sizes):
                with m.Case(n):
                    sink = getattr(self, f"o{n}")
                    m.d.comb += [full.eq(count == size - 1), taken.eq(sink.ready)]
        # All inputs see the same bytes; ``valid`` goes to the one that they are for.
        for n, width in enumerate(self.widths):
            sink = getattr(self, f"o{n}")
            m.d.comb += Value.cast(sink.payload).eq(Cat(beat[:width], last & over))
        with m.FSM():
            # The first byte of a payload has the number of the input, and whether the sample ends.
            with m.State("Head"):
                # A payload of this byte alone has no beat, and another payload follows it.
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [Cat(port, last).eq(self.i.p.data), count.eq(0)]
                with m.If(self.i.valid & ~self.i.p.end):
                    m.next = "Beats"
            # Collect the bytes of a beat. A payload that ends within a beat is not to be trusted.
            with m.State("Beats"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += beat.word_select(count, 8).eq(self.i.p.data)
                    m.d.sync += [count.eq(count + 1), over.eq(self.i.p.end)]
                    with m.If(full):
                        m.next = "Offer"
                    with m.Elif(self.i.p.end):
                        m.next = "Head"
            # A whole beat waits for its input; ``last`` belongs to the final beat alone.
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
    """Split results into payloads of at most :data:`~.frames.MAX_PAYLOAD` bytes.

    Results keep their order. The first byte of a result is valid in the cycle after it was taken,
    and one byte leaves in each cycle. After reset no result is stored.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a result.

    Members
    -------
    i : In(stream.Signature(shape))
        Results; ``ready`` when the result before has left.
    o : Out(stream.Signature(Octet))
        Bytes of the result, the lowest first; one packet for each payload, and each result begins
        a new one.
    length : Out(range(MAX_PAYLOAD + 1))
        Number of bytes that are left of the packet, including the one on offer; valid with
        ``o.valid``.
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
            "length": Out(range(MAX_PAYLOAD + 1)),
        })

    def elaborate(self, platform):
        m = Module()

        result = Signal(8 * self.size)  # shifted down byte by byte
        left = Signal(range(self.size + 1))  # bytes of the result
        room = Signal(range(MAX_PAYLOAD), init=MAX_PAYLOAD - 1)  # in the payload, behind this byte
        m.d.comb += [
            self.i.ready.eq(left == 0),
            self.o.valid.eq(left != 0),
            self.o.p.data.eq(result[:8]),
            self.length.eq(Mux(left > room, room + 1, left)),
            self.o.p.end.eq(self.length == 1),
        ]
        # A new result is taken only once the one before has left, so the two never coincide.
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [result.eq(Value.cast(self.i.payload)), left.eq(self.size)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [result.eq(result >> 8), left.eq(left - 1)]
            m.d.sync += room.eq(Mux(self.o.p.end, MAX_PAYLOAD - 1, room - 1))

        return m
