"""Packets of a model of a USB host: fixed ones, and one of bytes in each direction."""

from collections.abc import Collection
from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .line import DATA_CRC, Octet, Pid

__all__ = ["MOST", "FixedPackets", "IncomingPacket", "OutgoingPacket"]

MOST = 64
"""Bytes of data in a packet at full speed (5.8.3)."""


class FixedPackets(wiring.Component):
    """Packets that never change, each as a stream.

    Parameters
    ----------
    packets : collection of bytes

    Attributes
    ----------
    at : dict of bytes to int
        Address of each packet's first byte.

    Members
    -------
    start : In
        Address of the packet that is sent, stable until its last byte is taken.
    o : Out(stream.Signature(Octet))
        Bytes of the packet, always valid.
    """

    start: Signal
    o: Any

    def __init__(self, packets: Collection[bytes]):
        self.at: dict[bytes, int] = {}
        self.words: list[Any] = []
        for packet in packets:
            if packet not in self.at:
                self.at[packet] = len(self.words)
                last = len(packet) - 1
                self.words += [
                    {"octet": octet, "last": n == last} for n, octet in enumerate(packet)
                ]
        super().__init__({
            "start": In(range(len(self.words))),
            "o": Out(stream.Signature(Octet())),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.memory = memory = Memory(shape=Octet(), depth=len(self.words), init=self.words)
        read = memory.read_port(domain="comb")
        count = Signal(range(len(self.words)))
        m.d.comb += [
            read.addr.eq(self.start + count),
            self.o.p.eq(read.data),
            self.o.valid.eq(1),
        ]
        with m.If(self.o.ready):
            m.d.sync += count.eq(Mux(read.data.last, 0, count + 1))

        return m


class OutgoingPacket(wiring.Component):
    """The bytes to the device, as a packet that is sent until the device acknowledges it.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes; those that follow each other without a pause are in one packet, as far as it has
        space. Not ready while a packet waits to be acknowledged.
    o : Out(stream.Signature(Octet))
        The packet, valid once it is complete, and repeated until it is acknowledged.
    taken : In(1)
        High for a cycle when the device has acknowledged it; then the next one is collected.
    """

    i: Any
    o: Any
    taken: Signal

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(Octet())),
            "taken": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.memory = memory = Memory(shape=8, depth=MOST, init=[])
        read, write = memory.read_port(domain="comb"), memory.write_port()
        count = Signal(range(MOST + 1))  # bytes of data
        n = Signal(range(MOST + 3))  # number of the byte on offer, with identifier and CRC
        m.submodules.crc = crc = DATA_CRC.create()
        whole = Signal()  # the packet is complete, and waits to be acknowledged
        toggle = Signal()
        m.d.comb += [
            crc.start.eq(self.taken),
            crc.data.eq(self.i.payload),
            crc.valid.eq(write.en),
            self.i.ready.eq(~whole & (count != MOST)),
            write.addr.eq(count),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & self.i.ready),
            read.addr.eq(n - 1),
            self.o.valid.eq(whole),
            self.o.p.last.eq(n == count + 2),
        ]
        with m.If(write.en):
            m.d.sync += count.eq(count + 1)
        # A cycle without a byte completes the packet; so does a full memory, which takes none.
        with m.Elif(count != 0):
            m.d.sync += whole.eq(1)
        # The identifier comes first, then the data, and then both bytes of the CRC. Two identifiers
        # alternate, so that the device can tell a new packet from a repeated one (8.6).
        with m.If(n == 0):
            m.d.comb += self.o.p.octet.eq(Mux(toggle, Pid.DATA1, Pid.DATA0))
        with m.Elif(n <= count):
            m.d.comb += self.o.p.octet.eq(read.data)
        with m.Else():
            m.d.comb += self.o.p.octet.eq(Mux(self.o.p.last, crc.crc[8:], crc.crc[:8]))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += n.eq(Mux(self.o.p.last, 0, n + 1))
        with m.If(self.taken):
            m.d.sync += [count.eq(0), whole.eq(0), toggle.eq(~toggle)]

        return m


class IncomingPacket(wiring.Component):
    """The packet that was received last, and the bytes in it.

    Members
    -------
    octet : In(8)
    valid, active : In(1)
        Those of a :class:`~.line.PacketReceiver`.
    pid : Out(8)
        Its identifier, valid once the first byte was received.
    size : Out
        Number of bytes of data, valid when the packet has ended.
    sound : Out(1)
        Whether the data match their CRC, valid when the packet has ended.
    keep : In(1)
        High for a cycle when the data are accepted: they go out before the next packet comes.
    o : Out(stream.Signature(8))
        Accepted bytes of data.
    """

    octet: Signal
    valid: Signal
    active: Signal
    pid: Signal
    size: Signal
    sound: Signal
    keep: Signal
    o: Any

    def __init__(self):
        super().__init__({
            "octet": In(8),
            "valid": In(1),
            "active": In(1),
            "pid": Out(8),
            "size": Out(range(MOST + 1)),
            "sound": Out(1),
            "keep": In(1),
            "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()

        capacity = MOST + 4  # identifier, data and CRC, and one byte that is too many
        m.submodules.memory = memory = Memory(shape=8, depth=capacity, init=[])
        read, write = memory.read_port(domain="comb"), memory.write_port()
        m.submodules.crc = crc = DATA_CRC.create()
        count = Signal(range(capacity))  # bytes that were received
        n = Signal(range(capacity))  # number of the byte on offer
        was_active = Signal()
        begins = Signal()  # a packet begins in this cycle
        m.d.sync += was_active.eq(self.active)
        m.d.comb += [
            begins.eq(self.active & ~was_active),
            # Neither the identifier nor bytes beyond the memory are data.
            crc.start.eq(begins),
            crc.data.eq(self.octet),
            crc.valid.eq(self.valid & ~begins & (count != 0) & (count != capacity - 1)),
            write.addr.eq(count),
            write.data.eq(self.octet),
            write.en.eq(self.valid),
            # Identifier and CRC are three bytes. Their number is checked in ``sound``.
            self.size.eq(count - 3),
            self.sound.eq((count >= 3) & (count <= MOST + 3) & crc.match_detected),
            read.addr.eq(n),
            self.o.payload.eq(read.data),
        ]
        with m.If(begins):
            m.d.sync += count.eq(0)
        with m.Elif(self.valid & (count == 0)):
            m.d.sync += [count.eq(1), self.pid.eq(self.octet)]
        with m.Elif(self.valid & (count != capacity - 1)):
            m.d.sync += count.eq(count + 1)
        # The data begin behind the identifier, which is byte 0.
        with m.If(self.keep):
            m.d.sync += [n.eq(1), self.o.valid.eq(self.size != 0)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [n.eq(n + 1), self.o.valid.eq(n != self.size)]

        return m
