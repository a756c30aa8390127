"""Frames in slots of a memory, written once and sent as often as they are wanted."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.link.protocol.frames import CRC_BYTES, FRAME

from .window import Octet

__all__ = ["FrameWriter"]


class FrameWriter(wiring.Component):
    """Add CRC and COBS to frames, keep them in slots, and send these.

    A byte takes a cycle on its way in, and two on its way out. The first byte that is sent after a
    reset is a delimiter, which ends what may have been cut off.

    Parameters
    ----------
    slots : int

    Members
    -------
    i : In(stream.Signature(Octet))
        Header and payload of each frame.
    slot : In(range(slots))
        Where the frame is kept: to be held until it is.
    written : Out(1)
        The frame is kept, from the next cycle on.
    send : In(stream.Signature(range(slots)))
        Which slot to send; taken when all of it has been.
    o : Out(stream.Signature(8))
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

        m.submodules.memory = memory = Memory(shape=8, depth=self.slots * FRAME, init=[])
        self._write(m, memory.write_port())
        self._send(m, memory.read_port())

        return m

    def _write(self, m, port) -> None:
        crc: Any = CRC32_ISO_HDLC().create()
        m.submodules.crc = crc
        index = Signal(range(FRAME), init=1)
        mark = Signal(range(FRAME))  # where the way to the next zero is to be written
        check = Signal(range(CRC_BYTES))
        octet, put, close = Signal(8), Signal(), Signal()
        zero = Signal()
        m.d.comb += [
            zero.eq(close | (put & (octet == 0))),
            port.addr.eq(Cat(Mux(zero, mark, index), self.slot)),
            port.data.eq(Mux(zero, index - mark, octet)),
            crc.data.eq(self.i.p.data),
            crc.valid.eq(self.i.valid & self.i.ready),
            crc.start.eq(self.written),
        ]
        with m.If(put):
            m.d.sync += index.eq(index + 1)
            with m.If(zero):
                m.d.sync += mark.eq(index)
        with m.FSM():
            with m.State("Body"):
                m.d.comb += [
                    self.i.ready.eq(1),
                    octet.eq(self.i.p.data),
                    put.eq(self.i.valid),
                    port.en.eq(self.i.valid),
                ]
                with m.If(self.i.valid & self.i.p.end):
                    m.next = "Check"
            with m.State("Check"):
                m.d.comb += [octet.eq(crc.crc.word_select(check, 8)), put.eq(1), port.en.eq(1)]
                m.d.sync += check.eq(check + 1)
                with m.If(check == CRC_BYTES - 1):
                    m.next = "Close"
            with m.State("Close"):
                m.d.comb += [close.eq(1), port.en.eq(1)]
                m.next = "Delimiter"
            with m.State("Delimiter"):
                m.d.comb += [octet.eq(0), port.en.eq(1), self.written.eq(1)]
                m.d.sync += [index.eq(1), mark.eq(0)]
                m.next = "Body"

    def _send(self, m, port) -> None:
        position = Signal(range(FRAME))
        m.d.comb += port.addr.eq(Cat(position, self.send.payload))
        with m.FSM():
            with m.State("Begin"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "Fetch"
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
