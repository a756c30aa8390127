"""Bytes from a wire as bytes of frames, and whether each frame is whole."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import CRC_BYTES, FRAME, HEADER_BYTES

__all__ = ["FrameOctet", "FrameReader"]

LONGEST = FRAME - 2
"""Bytes of the longest frame: COBS and the delimiter take a byte each."""


class FrameOctet(data.StructLayout):
    """A byte of a frame, or the token that ends it.

    Members
    -------
    data : unsigned(8)
    index : unsigned
        Which byte of the frame it is; with ``end``, how many there were.
    end : unsigned(1)
        Whether this is the token that ends a frame; it carries no byte.
    good : unsigned(1)
        With ``end``: whether length and CRC say that the frame is whole.
    """

    def __init__(self):
        super().__init__({"data": 8, "index": range(LONGEST + 1), "end": 1, "good": 1})


class FrameReader(wiring.Component):
    """Undo COBS, and check length and CRC.

    A byte passes in each cycle, at once. Bytes of a frame are told before it is known whether the
    frame is good.

    Members
    -------
    i : In(stream.Signature(8))
    o : Out(stream.Signature(FrameOctet))
    """

    i: Any
    o: Any

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(FrameOctet())),
        })

    def elaborate(self, platform):
        m = Module()

        crc: Any = CRC32_ISO_HDLC().create()
        m.submodules.crc = crc
        left = Signal(8)  # bytes before the next zero, or the end
        fresh = Signal(init=1)
        long = Signal()
        count = Signal(range(LONGEST + 1))
        length = Signal(8)

        zero, code, told = Signal(), Signal(), Signal()
        whole = count == length + HEADER_BYTES + CRC_BYTES
        m.d.comb += [
            zero.eq(self.i.payload == 0),
            code.eq(~zero & (left == 0)),
            told.eq(~code | ~fresh),
            self.o.p.data.eq(Mux(code, 0, self.i.payload)),
            self.o.p.index.eq(count),
            self.o.p.end.eq(zero),
            self.o.p.good.eq(crc.match_detected & (left == 0) & ~fresh & ~long & whole),
            self.o.valid.eq(self.i.valid & told),
            self.i.ready.eq(self.o.ready | ~told),
        ]
        advance = self.i.valid & self.i.ready
        m.d.comb += [
            crc.data.eq(self.o.p.data),
            crc.valid.eq(advance & told & ~zero),
            crc.start.eq(advance & zero),
        ]
        with m.If(advance & zero):
            m.d.sync += [left.eq(0), fresh.eq(1), long.eq(0), count.eq(0)]
        with m.Elif(advance):
            m.d.sync += [left.eq(Mux(code, self.i.payload, left) - 1), fresh.eq(0)]
            with m.If(told & (count == LONGEST)):
                m.d.sync += long.eq(1)
            with m.Elif(told):
                m.d.sync += count.eq(count + 1)
                with m.If(count == 0):
                    m.d.sync += length.eq(self.o.p.data)

        return m
