"""Packets on the wires of USB at full speed, for a model of a host.

By the Universal Serial Bus Specification 2.0: chapter 7.1 for levels and bits, 8 for packets.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

__all__ = [
    "CYCLES",
    "Octet",
    "PacketReceiver",
    "PacketSender",
    "Pid",
    "crc16_next",
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
"""Ones in a row behind which a zero is put in (7.1.9)."""

CRC5, CRC16 = (0, 0, 1, 0, 1), (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1)
"""Polynomials of tokens and data, the highest power first, but for that of the width (8.3.5)."""


class Pid(IntEnum):
    """Identifiers of packets, each behind its complement (8.3.1)."""

    OUT = 0xE1
    IN = 0x69
    SOF = 0xA5
    SETUP = 0x2D
    DATA0 = 0xC3
    DATA1 = 0x4B
    ACK = 0xD2
    NAK = 0x5A
    STALL = 0x1E


def _crc_next(register: list[Any], bits: Iterable[Any], taps: tuple[int, ...]) -> list[Any]:
    """Take bits, integers or values alike, into a register with the highest power first."""
    for bit in bits:
        feed = register[0] ^ bit
        shifted = [*register[1:], 0]
        register = [one ^ feed if tap else one for one, tap in zip(shifted, taps, strict=True)]
    return register


def _crc(bits: Iterable[int], taps: tuple[int, ...]) -> int:
    """Return what is sent behind bits, the first bit lowest."""
    register = _crc_next([1] * len(taps), bits, taps)
    return sum((1 ^ bit) << n for n, bit in enumerate(register))


def crc16_next(register: Value, octet: Value) -> Value:
    """Return the CRC of data, all ones at first, with one byte more.

    Inverted it is what is sent behind the data; behind data and their CRC it is 0xB001.
    """
    bits = _crc_next(list(register), list(octet), CRC16)
    return Cat(*bits)


def _bits(number: int, count: int) -> list[int]:
    return [number >> n & 1 for n in range(count)]


def token(pid: Pid, address: int, endpoint: int = 0) -> bytes:
    """Return a token (8.4.1); for a start of frame, the address is the frame's number."""
    wide = 11 if pid == Pid.SOF else 7
    address = check_int("Address", address, 0, 2**wide - 1)
    endpoint = check_int("Endpoint", endpoint, 0, 2 ** (11 - wide) - 1)
    field = address | endpoint << wide
    return bytes([pid]) + (field | _crc(_bits(field, 11), CRC5) << 11).to_bytes(2, "little")


def data_packet(pid: Pid, payload: bytes) -> bytes:
    """Return a packet of data (8.4.4)."""
    bits = [bit for octet in payload for bit in _bits(octet, 8)]
    return bytes([pid]) + payload + _crc(bits, CRC16).to_bytes(2, "little")


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
    """Packets onto both wires: in front of each a sync pattern, behind it an end.

    Members
    -------
    i : In(stream.Signature(Octet))
        A packet's bytes must come without a pause.
    levels : Out(2)
        Of D+ and D-.
    driving : Out(1)
        Whether they are driven.
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
        tick = phase == CYCLES - 1
        shift, left, final = Signal(8), Signal(range(9)), Signal()
        ones = Signal(range(STUFFED + 1))
        ends = Signal(range(4))
        toggled = Mux(self.levels == J, K, J)

        m.d.sync += phase.eq(phase + 1)
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += self.levels.eq(J)
                m.d.sync += [shift.eq(SYNC), left.eq(8), final.eq(0), ones.eq(0), ends.eq(0)]
                with m.If(self.i.valid):
                    m.d.sync += phase.eq(0)
                    m.next = "Bits"
            with m.State("Bits"):
                with m.If(tick):
                    m.d.sync += self.driving.eq(1)
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
                        with m.If((left == 1) & ~final):
                            m.d.comb += self.i.ready.eq(1)
                            m.d.sync += [shift.eq(self.i.p.octet), final.eq(self.i.p.last)]
                            m.d.sync += left.eq(8)
            # Two bits without difference, then one of J (7.1.13.2).
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
    """Packets from both wires, sampled in the middle of bits.

    Members
    -------
    levels : In(2)
        Of D+ and D-.
    octet : Out(8)
    valid : Out(1)
        In this cycle, the byte is one more of the packet.
    active : Out(1)
        Behind the sync pattern, and not at the end.
    end : Out(1)
        In this cycle, a packet has ended.
    good : Out(1)
        Whether it was of whole bytes and of levels that there are, zeros put in as they must be.
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

        past, phase, last = Signal(2), Signal(range(CYCLES)), Signal(2)
        zeros, ones = Signal(range(6)), Signal(range(STUFFED + 1))
        count = Signal(range(8))
        sample, bit = Signal(), Signal()
        m.d.sync += [past.eq(self.levels), self.valid.eq(0), self.end.eq(0)]
        m.d.sync += phase.eq(Mux(self.levels == past, phase + 1, 1))
        m.d.comb += [sample.eq(phase == CYCLES // 2), bit.eq(self.levels == last)]
        with m.If(sample):
            m.d.sync += last.eq(self.levels)
        with m.If(sample & ~self.active):
            m.d.sync += [self.good.eq(1), ones.eq(1), count.eq(0)]
            with m.If(bit | (self.levels == SE0)):
                m.d.sync += zeros.eq(0)
                # The last two bits of the sync pattern are alike.
                m.d.sync += self.active.eq((zeros == 5) & (self.levels == K))
            with m.Elif(zeros != 5):
                m.d.sync += zeros.eq(zeros + 1)
        with m.Elif(sample & (self.levels == SE0)):
            m.d.sync += [self.active.eq(0), self.end.eq(1), zeros.eq(0)]
            with m.If(count != 0):
                m.d.sync += self.good.eq(0)
        with m.Elif(sample & (ones == STUFFED)):
            m.d.sync += ones.eq(0)
            with m.If(bit):
                m.d.sync += self.good.eq(0)
        with m.Elif(sample):
            m.d.sync += [ones.eq(Mux(bit, ones + 1, 0)), count.eq(count + 1)]
            m.d.sync += [self.octet.eq(Cat(self.octet[1:], bit)), self.valid.eq(count == 7)]
            with m.If(self.levels == J | K):
                m.d.sync += self.good.eq(0)

        return m
