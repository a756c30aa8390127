"""The receive window: it puts data frames in order, and passes commands at once."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.protocol.frames import (
    CRC_BYTES,
    DATA,
    HEADER_BYTES,
    MAX_FRAME,
    MAX_PAYLOAD,
    SEQUENCES,
    SESSIONS,
    WINDOW,
)

from .reader import FrameOctet

__all__ = ["Command", "Octet", "ReceiveWindow"]

SLOT_BITS = (WINDOW - 1).bit_length()
"""Bits of the number of a slot in the window."""


class Octet(data.StructLayout):
    """A byte of a packet.

    Members
    -------
    data : unsigned(8)
        The byte.
    end : unsigned(1)
        Whether it is the last byte of the packet.
    """

    def __init__(self):
        super().__init__({"data": 8, "end": 1})


class Command(data.StructLayout):
    """A command of the host.

    Members
    -------
    valid : unsigned(1)
        1 if there is a command in this cycle; the other fields are then valid.
    code, sequence, session : unsigned
        Fields of the frame's header.
    tag, mask : unsigned(8)
        First and second byte of the frame's payload.
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
    """Receive window, which puts data frames in order and drops repeated and damaged ones.

    A data frame is stored in a slot until all earlier frames have left, so data frames leave in the
    order of their sequence numbers. If a received frame is next in order, its first byte is valid
    two cycles after its end was received. Each byte takes two cycles at the output. A frame without
    a free slot is dropped, so the input never stalls. After a reset all slots are empty, and frame
    0 is expected.

    Members
    -------
    i : In(stream.Signature(FrameOctet))
        Bytes and tokens of received frames; always ready.
    session : In(range(SESSIONS))
        Current session, sampled at the end of each frame; data frames of other sessions are
        dropped.
    command : Out(Command)
        An undamaged frame that is not a data frame; valid in the cycle of the frame's end.
    base : Out(range(SEQUENCES))
        Sequence number of the first data frame that has not left completely.
    received : Out(WINDOW)
        For each slot (the sequence number modulo ``WINDOW``): whether a complete frame is there.
    o : Out(stream.Signature(Octet))
        Payloads of the data frames, one packet each.
    """

    i: Any
    session: Signal
    command: Any
    base: Signal
    received: Signal
    o: Any

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(FrameOctet())),
            "session": In(range(SESSIONS)),
            "command": Out(Command()),
            "base": Out(range(SEQUENCES)),
            "received": Out(WINDOW),
            "o": Out(stream.Signature(Octet())),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.memory = memory = Memory(shape=8, depth=WINDOW * MAX_FRAME, init=[])
        finals = Signal(data.ArrayLayout(range(MAX_PAYLOAD), WINDOW))  # last byte of each payload
        self._enter(m, memory.write_port(), finals)
        self._leave(m, memory.read_port(), finals)

        return m

    def _enter(self, m, write, finals) -> None:
        """Write the bytes of each frame to its slot, and mark the slot at the end of the frame."""
        octet, frame = self.i.p, Signal(Command())
        # WINDOW is a power of two, so consecutive frames have different slots.
        slot = frame.sequence[:SLOT_BITS]
        free = ~self.received.bit_select(slot, 1)
        part = self.i.valid & ~octet.end  # a byte of a frame
        end = self.i.valid & octet.end & octet.good  # an undamaged frame ends
        size = Signal(range(MAX_PAYLOAD + 1))
        m.d.comb += [
            self.i.ready.eq(1),
            size.eq(octet.index - HEADER_BYTES - CRC_BYTES),
            write.addr.eq(Cat((octet.index - HEADER_BYTES)[: (MAX_FRAME - 1).bit_length()], slot)),
            write.data.eq(octet.data),
            write.en.eq(part & (octet.index >= HEADER_BYTES) & free),
            self.command.eq(frame),
            self.command.valid.eq(end & (frame.code != DATA.code)),
        ]
        # Header fields, and the first bytes of a command's payload, by their place in the frame.
        # The length (byte 0) has been checked by the reader.
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
        # The bytes of a frame are written before its checksum is known. If the frame is damaged or
        # repeated, its slot is not marked, so these bytes are never read.
        # The difference is modulo SEQUENCES: frames that have left are far ahead, and dropped.
        ahead = (frame.sequence - self.base)[: (SEQUENCES - 1).bit_length()]
        mine = (frame.code == DATA.code) & (frame.session == self.session)
        with m.If(end & mine & (ahead < WINDOW) & (size != 0) & free):
            m.d.sync += [self.received.bit_select(slot, 1).eq(1), finals[slot].eq(size - 1)]

    def _leave(self, m, read, finals) -> None:
        """Send the frame that is next in order, byte by byte."""
        position = Signal(range(MAX_PAYLOAD))
        first = self.base[:SLOT_BITS]
        m.d.comb += [
            read.addr.eq(Cat(position, C(0, len(self.i.p.index) - len(position)), first)),
            self.o.p.data.eq(read.data),
            self.o.p.end.eq(position == finals[first]),
        ]
        with m.FSM():
            # The memory gives the byte a cycle after its address: one state to read it, one to
            # offer it.
            with m.State("Fetch"):
                m.d.comb += read.en.eq(1)
                with m.If(self.received.bit_select(first, 1)):
                    m.next = "Offer"
            # The port is off, so that the byte stays on offer until it is taken.
            with m.State("Offer"):
                m.d.comb += [read.en.eq(0), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += position.eq(position + 1)
                    m.next = "Fetch"
                    # The slot is free, and the next frame in order may be there already.
                    with m.If(self.o.p.end):
                        m.d.sync += [position.eq(0), self.base.eq(self.base + 1)]
                        m.d.sync += self.received.bit_select(first, 1).eq(0)
