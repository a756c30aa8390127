"""Packets on the wires of USB at full speed, for a model of a host.

By the Universal Serial Bus Specification 2.0: chapter 7.1 for levels and bits, 8 for packets.
"""

from enum import IntEnum
from importlib import import_module
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from usb_protocol.types import USBPacketID

from spiker_hdl.base.checks import check_int

__all__ = [
    "CYCLES",
    "DATA_CRC",
    "Octet",
    "PacketReceiver",
    "PacketSender",
    "Pid",
    "data_packet",
    "handshake",
    "token",
]

CYCLES = 4
"""Clock cycles of a bit: at 48 MHz, 12 Mbit/s."""

SE0, J, K = 0b00, 0b01, 0b10
"""Levels of both wires at full speed, D+ lowest (table 7-2)."""

SYNC = 0b1000_0000
STUFFED = 6
"""Ones in a row after which a zero is stuffed (7.1.9)."""


def _byte(pid: USBPacketID) -> int:
    """Return a packet identifier as it is sent: its complement is above it (8.3.1)."""
    return int(pid) | (~int(pid) & 0xF) << 4


class Pid(IntEnum):
    """Identifiers of packets, each with its complement (8.3.1)."""

    OUT = _byte(USBPacketID.OUT)
    IN = _byte(USBPacketID.IN)
    SOF = _byte(USBPacketID.SOF)
    SETUP = _byte(USBPacketID.SETUP)
    DATA0 = _byte(USBPacketID.DATA0)
    DATA1 = _byte(USBPacketID.DATA1)
    ACK = _byte(USBPacketID.ACK)
    NAK = _byte(USBPacketID.NAK)
    STALL = _byte(USBPacketID.STALL)


# Loaded by name, since amaranth-stubs leave it out.
_CRCS = import_module("amaranth.lib.crc").catalog
TOKEN_CRC = _CRCS.CRC5_USB(data_width=11)
"""CRC of the 11 bits of a token (8.3.5.1)."""

DATA_CRC = _CRCS.CRC16_USB(data_width=8)
"""CRC of the bytes of data (8.3.5.2)."""


def token(pid: Pid, address: int, endpoint: int = 0) -> bytes:
    """Return a token (8.4.1); for a start of frame, the address is the frame's number."""
    width = 11 if pid == Pid.SOF else 7
    address = check_int("Address", address, 0, 2**width - 1)
    endpoint = check_int("Endpoint", endpoint, 0, 2 ** (11 - width) - 1)
    field = address | endpoint << width
    return bytes([pid]) + (field | TOKEN_CRC.compute([field]) << 11).to_bytes(2, "little")


def data_packet(pid: Pid, payload: bytes) -> bytes:
    """Return a packet of data (8.4.4)."""
    return bytes([pid]) + payload + DATA_CRC.compute(payload).to_bytes(2, "little")


def handshake(pid: Pid) -> bytes:
    """Return a handshake (8.4.5)."""
    return bytes([pid])


class Octet(data.StructLayout):
    """A byte of a packet.

    Members
    -------
    octet : unsigned(8)
    last : unsigned(1)
    """

    def __init__(self):
        super().__init__({"octet": 8, "last": 1})


class PacketSender(wiring.Component):
    """Sender of packets: a sync pattern, the stuffed bits, and the end of the packet.

    Members
    -------
    i : In(stream.Signature(Octet))
        Bytes of packets; those of one must come without a pause, and each is taken as its
        predecessor's last bit goes out.
    levels : Out(2)
        Levels of D+ (lowest) and D-.
    driving : Out(1)
        Whether both wires are driven.
    """

    i: Any
    levels: Signal
    driving: Signal

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(Octet())),
            "levels": Out(2),
            "driving": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        phase = Signal(range(CYCLES))
        tick = phase == CYCLES - 1  # the next bit goes on the wires
        shift = Signal(8)  # bits of the byte behind the one on the wires
        left = Signal(range(9))  # number of these
        final = Signal()  # the byte is the last of its packet
        ones = Signal(range(STUFFED + 1))  # in a row
        ends = Signal(range(4))  # bits of the end of the packet
        toggled = Mux(self.levels == J, K, J)

        m.d.sync += phase.eq(phase + 1)
        with m.FSM():
            # Everything is prepared for the sync pattern, which is sent as if it were a byte.
            with m.State("Idle"):
                m.d.sync += self.levels.eq(J)
                m.d.sync += [shift.eq(SYNC), left.eq(8), final.eq(0), ones.eq(0), ends.eq(0)]
                with m.If(self.i.valid):
                    m.d.sync += phase.eq(0)
                    m.next = "Bits"
            # NRZI: a zero toggles the levels, and a one leaves them (7.1.8).
            with m.State("Bits"):
                with m.If(tick):
                    m.d.sync += self.driving.eq(1)
                    # A stuffed zero comes before whatever is next, even before the end (7.1.9).
                    with m.If(ones == STUFFED):
                        m.d.sync += [self.levels.eq(toggled), ones.eq(0)]
                    with m.Elif(left == 0):
                        m.d.sync += self.levels.eq(SE0)
                        m.next = "End"
                    with m.Else():
                        m.d.sync += [shift.eq(shift >> 1), left.eq(left - 1)]
                        with m.If(shift[0]):
                            m.d.sync += ones.eq(ones + 1)
                        with m.Else():
                            m.d.sync += [self.levels.eq(toggled), ones.eq(0)]
                        # The next byte is taken with the last bit of this one, without a pause.
                        with m.If((left == 1) & ~final):
                            m.d.comb += self.i.ready.eq(1)
                            m.d.sync += [shift.eq(self.i.p.octet), final.eq(self.i.p.last)]
                            m.d.sync += left.eq(8)
            # The end is two bits of SE0, then one of J (7.1.13.2).
            with m.State("End"):
                with m.If(tick):
                    m.d.sync += ends.eq(ends + 1)
                    with m.If(ends == 1):
                        m.d.sync += self.levels.eq(J)
                    with m.Elif(ends == 2):
                        m.d.sync += self.driving.eq(0)
                        m.next = "Idle"

        return m


class PacketReceiver(wiring.Component):
    """Receiver of packets, which samples both wires in the middle of bits.

    Members
    -------
    levels : In(2)
        Levels of D+ (lowest) and D-, sampled in every cycle.
    octet : Out(8)
        The byte that was received last.
    valid : Out(1)
        High for a cycle when the byte is complete.
    active : Out(1)
        High between the sync pattern and the end of a packet.
    end : Out(1)
        High for a cycle when a packet has ended.
    good : Out(1)
        Whether the packet had whole bytes, valid levels and stuffed zeros; valid with ``end``.
    """

    levels: Signal
    octet: Signal
    valid: Signal
    active: Signal
    end: Signal
    good: Signal

    def __init__(self):
        super().__init__({
            "levels": In(2),
            "octet": Out(8),
            "valid": Out(1),
            "active": Out(1),
            "end": Out(1),
            "good": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        past = Signal(2)  # levels of the cycle before
        phase = Signal(range(CYCLES))
        last = Signal(2)  # levels of the bit before
        zeros = Signal(range(6))  # in a row, of the sync pattern
        ones = Signal(range(STUFFED + 1))  # in a row
        count = Signal(range(8))  # bits of the byte
        sample = Signal()  # this cycle is the middle of a bit
        bit = Signal()
        m.d.sync += [past.eq(self.levels), self.valid.eq(0), self.end.eq(0)]
        # Each change of the levels is the edge of a bit, by which the phase is corrected.
        m.d.sync += phase.eq(Mux(self.levels == past, phase + 1, 1))
        m.d.comb += [sample.eq(phase == CYCLES // 2), bit.eq(self.levels == last)]
        with m.If(sample):
            m.d.sync += last.eq(self.levels)
        with m.If(sample & ~self.active):
            m.d.sync += [self.good.eq(1), ones.eq(1), count.eq(0)]
            with m.If(bit | (self.levels == SE0)):
                m.d.sync += zeros.eq(0)
                # The sync pattern ends with the first bit that leaves the levels.
                m.d.sync += self.active.eq((zeros == 5) & (self.levels == K))
            with m.Elif(zeros != 5):
                m.d.sync += zeros.eq(zeros + 1)
        # SE0 is the end of the packet, which must be at the end of a byte.
        with m.Elif(sample & (self.levels == SE0)):
            m.d.sync += [self.active.eq(0), self.end.eq(1), zeros.eq(0)]
            with m.If(count != 0):
                m.d.sync += self.good.eq(0)
        # The bit after six ones is stuffed, and must be a zero.
        with m.Elif(sample & (ones == STUFFED)):
            m.d.sync += ones.eq(0)
            with m.If(bit):
                m.d.sync += self.good.eq(0)
        with m.Elif(sample):
            m.d.sync += [ones.eq(Mux(bit, ones + 1, 0)), count.eq(count + 1)]
            m.d.sync += [self.octet.eq(Cat(self.octet[1:], bit)), self.valid.eq(count == 7)]
            # Both wires high is no level at all.
            with m.If(self.levels == J | K):
                m.d.sync += self.good.eq(0)

        return m
