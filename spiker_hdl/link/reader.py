"""The receiver of frames: decoding of COBS, and check of length and CRC."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import CRC_BYTES, HEADER_BYTES, MAX_FRAME

__all__ = ["FrameOctet", "FrameReader"]

MAX_DECODED = MAX_FRAME - 2
"""Maximum bytes of a frame without those of COBS and of the delimiter."""


class FrameOctet(data.StructLayout):
    """A byte of a frame, or the token that ends it.

    Members
    -------
    data : unsigned(8)
        The byte, decoded.
    index : unsigned
        Number of the byte in the frame; with ``end``, the number of bytes in the frame.
    end : unsigned(1)
        Whether this is the token that ends a frame; it has no byte.
    good : unsigned(1)
        With ``end``: whether the frame is undamaged, by its length and CRC.
    """

    def __init__(self):
        super().__init__({"data": 8, "index": range(MAX_DECODED + 1), "end": 1, "good": 1})


class FrameReader(wiring.Component):
    """Decode COBS, and check the length and the CRC of each frame.

    A byte passes in the cycle in which it is offered, one in each cycle, in order. The bytes of a
    frame pass before it is known whether the frame is undamaged; the token at its end tells. After
    reset a frame begins, so what was cut off by the reset is seen as a damaged frame.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes as they are received.
    o : Out(stream.Signature(FrameOctet))
        Bytes of each frame, then its token.
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
        left = Signal(8)  # bytes before the next code byte of COBS
        fresh = Signal(init=1)  # the next byte is the first of a frame
        long = Signal()  # the frame has more bytes than a frame may have
        count = Signal(range(MAX_DECODED + 1))  # decoded bytes so far
        length = Signal(8)  # of the payload, by the header

        # A zero ends the frame wherever it comes. A code byte tells the distance to the next one,
        # and stands for a zero in the frame, except for the first.
        zero, code, output = Signal(), Signal(), Signal()
        whole = count == length + HEADER_BYTES + CRC_BYTES  # as many bytes as the header says
        m.d.comb += [
            zero.eq(self.i.payload == 0),
            code.eq(~zero & (left == 0)),
            # The first code byte of a frame is no part of it; everything else is, or ends it.
            output.eq(~code | ~fresh),
            self.o.p.data.eq(Mux(code, 0, self.i.payload)),
            self.o.p.index.eq(count),
            self.o.p.end.eq(zero),
            # ``left`` is not 0 if the frame ended before the place of its next zero.
            self.o.p.good.eq(crc.match_detected & (left == 0) & ~fresh & ~long & whole),
            self.o.valid.eq(self.i.valid & output),
            self.i.ready.eq(self.o.ready | ~output),
        ]
        advance = self.i.valid & self.i.ready
        # The CRC runs over the frame's own CRC too, after which it has a known value (a match).
        m.d.comb += [
            crc.data.eq(self.o.p.data),
            crc.valid.eq(advance & output & ~zero),
            crc.start.eq(advance & zero),
        ]
        with m.If(advance & zero):
            m.d.sync += [left.eq(0), fresh.eq(1), long.eq(0), count.eq(0)]
        with m.Elif(advance):
            # A code byte counts itself, as each byte behind it is counted when it comes.
            m.d.sync += [left.eq(Mux(code, self.i.payload, left) - 1), fresh.eq(0)]
            with m.If(output & (count == MAX_DECODED)):
                m.d.sync += long.eq(1)
            with m.Elif(output):
                m.d.sync += count.eq(count + 1)
                # The length is the first byte of the header.
                with m.If(count == 0):
                    m.d.sync += length.eq(self.o.p.data)

        return m
