"""The transmitter of frames: frames in slots of a memory, which can be sent several times."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.link.protocol.frames import CRC_BYTES, MAX_FRAME

from .window import Octet

__all__ = ["FrameWriter"]


class FrameWriter(wiring.Component):
    """Add CRC and COBS to frames, store them in slots, and send the slots on request.

    A byte takes one cycle on its way in and two on its way out; the CRC and the delimiter take six
    more cycles on the way in. Slots are sent in the order of the requests. The first byte after a
    reset is a delimiter, which ends a frame that the reset may have cut off.

    Parameters
    ----------
    slots : int
        Number of slots.

    Members
    -------
    i : In(stream.Signature(Octet))
        Header and payload of a frame; not ready while its CRC is added.
    slot : In(range(slots))
        Slot in which the frame is stored; must be stable from its first byte until ``written``.
    written : Out(1)
        1 in the last cycle of storing a frame; it can be sent from the next cycle on.
    send : In(stream.Signature(range(slots)))
        Slot to be sent; taken in the cycle in which its last byte is.
    o : Out(stream.Signature(8))
        Bytes of the frames.
    """

    i: Any
    slot: Signal
    written: Signal
    send: Any
    o: Any

    def __init__(self, slots: int):
        slots = check_int("Slots", slots, 1)
        self.slots = slots
        super().__init__({
            "i": In(stream.Signature(Octet())),
            "slot": In(range(slots)),
            "written": Out(1),
            "send": In(stream.Signature(range(slots))),
            "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.memory = memory = Memory(shape=8, depth=self.slots * MAX_FRAME, init=[])
        self._write(m, memory.write_port())
        self._send(m, memory.read_port())

        return m

    def _write(self, m, port) -> None:
        """Store a frame, encoded by COBS.

        The place of each zero is left open, and filled when the distance to the next one is known.
        """
        crc: Any = CRC32_ISO_HDLC().create()
        m.submodules.crc = crc
        # A frame begins with the distance to its first zero, so its own bytes begin at place 1.
        index = Signal(range(MAX_FRAME), init=1)
        mark = Signal(range(MAX_FRAME))  # place for the distance to the next zero
        check = Signal(range(CRC_BYTES))  # of the byte of the CRC
        octet, put, close = Signal(8), Signal(), Signal()
        zero = Signal()  # write the distance to its place, and not the byte
        m.d.comb += [
            zero.eq(close | (put & (octet == 0))),
            port.addr.eq(Cat(Mux(zero, mark, index), self.slot)),
            port.data.eq(Mux(zero, index - mark, octet)),
            crc.data.eq(self.i.p.data),
            crc.valid.eq(self.i.valid & self.i.ready),
            # Between two frames, so that the next one begins with a CRC of nothing.
            crc.start.eq(self.written),
        ]
        with m.If(put):
            m.d.sync += index.eq(index + 1)
            with m.If(zero):
                m.d.sync += mark.eq(index)
        with m.FSM():
            # Header and payload, a byte in each cycle.
            with m.State("Body"):
                m.d.comb += [
                    self.i.ready.eq(1),
                    octet.eq(self.i.p.data),
                    put.eq(self.i.valid),
                    port.en.eq(self.i.valid),
                ]
                with m.If(self.i.valid & self.i.p.end):
                    m.next = "Check"
            # The CRC, the lowest byte first.
            with m.State("Check"):
                m.d.comb += [octet.eq(crc.crc.word_select(check, 8)), put.eq(1), port.en.eq(1)]
                m.d.sync += check.eq(check + 1)
                with m.If(check == CRC_BYTES - 1):
                    m.next = "Close"
            # The distance from the last zero to the end of the frame.
            with m.State("Close"):
                m.d.comb += [close.eq(1), port.en.eq(1)]
                m.next = "Delimiter"
            # The zero that ends the frame, in clear.
            with m.State("Delimiter"):
                m.d.comb += [octet.eq(0), port.en.eq(1), self.written.eq(1)]
                m.d.sync += [index.eq(1), mark.eq(0)]
                m.next = "Body"

    def _send(self, m, port) -> None:
        """Send a slot, up to the zero that ends its frame."""
        position = Signal(range(MAX_FRAME))
        # The request stays on offer until its last byte is taken, so it can be the address.
        m.d.comb += port.addr.eq(Cat(position, self.send.payload))
        with m.FSM():
            # A lone delimiter after a reset: the payload is 0 by default.
            with m.State("Begin"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "Fetch"
            # One state to read a byte, one to offer it, since the memory takes a cycle.
            with m.State("Fetch"):
                m.d.comb += port.en.eq(1)
                with m.If(self.send.valid):
                    m.next = "Offer"
            with m.State("Offer"):
                m.d.comb += [port.en.eq(0), self.o.valid.eq(1), self.o.payload.eq(port.data)]
                with m.If(self.o.ready):
                    m.d.sync += position.eq(position + 1)
                    m.next = "Fetch"
                    with m.If(port.data == 0):
                        m.d.comb += self.send.ready.eq(1)
                        m.d.sync += position.eq(0)
