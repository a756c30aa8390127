"""What has come from the host: data in order, each frame once, and commands at once."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import (
    CRC_BYTES,
    DATA,
    FRAME,
    HEADER_BYTES,
    MOST,
    SEQUENCES,
    SESSIONS,
    WINDOW,
)

from .reader import FrameOctet

__all__ = ["Heard", "Octet", "ReceiveWindow"]


SLOT_BITS = (WINDOW - 1).bit_length()
"""Bits of a frame's place in the window."""


class Octet(data.StructLayout):
    """A byte of a packet.

    Members
    -------
    data : unsigned(8)
    end : unsigned(1)
        Whether the packet ends with it.
    """

    def __init__(self):
        super().__init__({"data": 8, "end": 1})


class Heard(data.StructLayout):
    """A command of the host.

    Members
    -------
    valid : unsigned(1)
        There is one in this cycle.
    code, sequence, session : unsigned
        Of the frame.
    tag, mask : unsigned(8)
        First and second byte of its payload.
    """

    def __init__(self):
        super().__init__({
            "valid": 1,
            "code": 8,
            "sequence": range(SEQUENCES),
            "session": range(SESSIONS),
            "tag": 8,
            "mask": 8,
        })


class ReceiveWindow(wiring.Component):
    """Keep frames of data until all before them are there; drop what came twice or is damaged.

    A byte of payload takes two cycles on its way out. Frames always find room, or are dropped.

    Members
    -------
    i : In(stream.Signature(FrameOctet))
        Always taken.
    session : In(range(SESSIONS))
        Data of others is dropped.
    heard : Out(Heard)
        Good frames but those of data, in the cycle of their end.
    base : Out(range(SEQUENCES))
        Number of the first frame that has not left whole.
    held : Out(WINDOW)
        Whether frames wait, by their number modulo the window.
    o : Out(stream.Signature(Octet))
        Payloads of the frames of data, a packet each.
    """

    i: Any
    session: Signal
    heard: Any
    base: Signal
    held: Signal
    o: Any

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(FrameOctet())),
            "session": In(range(SESSIONS)),
            "heard": Out(Heard()),
            "base": Out(range(SEQUENCES)),
            "held": Out(WINDOW),
            "o": Out(stream.Signature(Octet())),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.memory = memory = Memory(shape=8, depth=WINDOW * FRAME, init=[])
        finals = Signal(data.ArrayLayout(range(MOST), WINDOW))  # where each payload ends
        self._enter(m, memory.write_port(), finals)
        self._leave(m, memory.read_port(), finals)

        return m

    def _enter(self, m, write, finals) -> None:
        octet, frame = self.i.p, Signal(Heard())
        slot = frame.sequence[:SLOT_BITS]
        free = ~self.held.bit_select(slot, 1)
        part = self.i.valid & ~octet.end
        end = self.i.valid & octet.end & octet.good
        size = Signal(range(MOST + 1))
        m.d.comb += [
            self.i.ready.eq(1),
            size.eq(octet.index - HEADER_BYTES - CRC_BYTES),
            write.addr.eq(Cat((octet.index - HEADER_BYTES)[: (FRAME - 1).bit_length()], slot)),
            write.data.eq(octet.data),
            write.en.eq(part & (octet.index >= HEADER_BYTES) & free),
            self.heard.eq(frame),
            self.heard.valid.eq(end & (frame.code != DATA.code)),
        ]
        places = {
            1: frame.code,
            2: frame.sequence,
            3: frame.session[:8],
            4: frame.session[8:],
            5: frame.tag,
            6: frame.mask,
        }
        with m.If(part), m.Switch(octet.index):
            for n, place in places.items():
                with m.Case(n):
                    m.d.sync += place.eq(octet.data)
        ahead = (frame.sequence - self.base)[: (SEQUENCES - 1).bit_length()]
        mine = (frame.code == DATA.code) & (frame.session == self.session)
        with m.If(end & mine & (ahead < WINDOW) & (size != 0) & free):
            m.d.sync += [self.held.bit_select(slot, 1).eq(1), finals[slot].eq(size - 1)]

    def _leave(self, m, read, finals) -> None:
        position = Signal(range(MOST))
        first = self.base[:SLOT_BITS]
        m.d.comb += [
            read.addr.eq(Cat(position, C(0, len(self.i.p.index) - len(position)), first)),
            self.o.p.data.eq(read.data),
            self.o.p.end.eq(position == finals[first]),
        ]
        with m.FSM():
            with m.State("Fetch"):
                m.d.comb += read.en.eq(1)
                with m.If(self.held.bit_select(first, 1)):
                    m.next = "Offer"
            with m.State("Offer"):
                m.d.comb += [read.en.eq(0), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += position.eq(position + 1)
                    m.next = "Fetch"
                    with m.If(self.o.p.end):
                        m.d.sync += [position.eq(0), self.base.eq(self.base + 1)]
                        m.d.sync += self.held.bit_select(first, 1).eq(0)
