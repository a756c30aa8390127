"""Transactions of a model of a USB host, on the wires."""

from collections.abc import Collection
from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .line import CYCLES, SE0, J, PacketReceiver, PacketSender, Pid, handshake
from .packets import MOST, FixedPackets, IncomingPacket, OutgoingPacket

__all__ = ["Order", "Transactions"]

ATTACHED, RESET, GAP = 64, 2400, 4 * CYCLES
"""Cycles from the pull-up to the reset, of the reset, and between packets."""

TIMEOUT = 18 * CYCLES
"""Cycles after which an answer can no longer be expected (7.1.19)."""

ACKNOWLEDGE = handshake(Pid.ACK)


class Order(data.StructLayout):
    """A transaction.

    Members
    -------
    token, data : unsigned
        Addresses of its token, and of the packet of data that follows it.
    gives, asks : unsigned(1)
        Whether it sends data, or receives them.
    bulk : unsigned(1)
        Whether the data are those of the streams.
    """

    def __init__(self, places: range):
        super().__init__({"token": places, "data": places, "gives": 1, "asks": 1, "bulk": 1})


class Transactions(wiring.Component):
    """Transactions, one after the other (8.5), after a reset of the bus.

    Parameters
    ----------
    packets : collection of bytes
        Packets that never change.

    Attributes
    ----------
    at : dict of bytes to int
        Address of each, for orders.

    Members
    -------
    order : In(stream.Signature(Order))
        The next transaction, taken when the one before has ended.
    acknowledged, stalled, refused, kept : Out(1)
        Outcome of the last transaction, high for a cycle: sent data were taken, the device cannot
        do it, the device has no data now, received data were accepted. None where there was no
        answer, or a damaged one.
    full : Out(1)
        Whether the received data fill a packet, so that more may follow; valid with ``kept``.
    waiting : Out(1)
        Whether bytes wait for a transaction that sends them.
    i, o : stream.Signature(8)
        Bytes to and from the device.
    levels, driving, drive
        Those of :data:`~.wires.USB_WIRES`.
    """

    order: Any
    acknowledged: Signal
    stalled: Signal
    refused: Signal
    kept: Signal
    full: Signal
    waiting: Signal
    i: Any
    o: Any
    levels: Signal
    driving: Signal
    drive: Signal

    def __init__(self, packets: Collection[bytes]):
        self.packets = FixedPackets([*packets, ACKNOWLEDGE])
        self.at = self.packets.at
        super().__init__({
            "order": In(stream.Signature(Order(range(len(self.packets.words))))),
            "acknowledged": Out(1),
            "stalled": Out(1),
            "refused": Out(1),
            "kept": Out(1),
            "full": Out(1),
            "waiting": Out(1),
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "levels": Out(2),
            "driving": In(1),
            "drive": In(2),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.packets = packets = self.packets
        m.submodules.sender = sender = PacketSender()
        m.submodules.receiver = receiver = PacketReceiver()
        m.submodules.outgoing = outgoing = OutgoingPacket()
        m.submodules.incoming = incoming = IncomingPacket()
        wiring.connect(m, wiring.flipped(self.i), outgoing.i)
        wiring.connect(m, incoming.o, wiring.flipped(self.o))
        now: Any = Signal(self.order.p.shape())
        reset, heard, last = Signal(), Signal(), Signal()
        toggle, wait = Signal(), Signal(range(ATTACHED + RESET + 1))
        own = sender.driving | reset
        self._wire(m, own, sender, receiver, incoming)
        self._tell(m, now, heard, toggle, incoming.pid)
        answer = (incoming.pid == Pid.DATA0) | (incoming.pid == Pid.DATA1)
        m.d.comb += [
            incoming.keep.eq(self.kept & now.bulk),
            outgoing.taken.eq(self.acknowledged & now.bulk),
            self.waiting.eq(outgoing.o.valid),
            self.full.eq(incoming.size == MOST),
            packets.start.eq(now.token),
            last.eq(sender.i.valid & sender.i.ready & sender.i.p.last),
        ]

        def send(stream):
            m.d.comb += [sender.i.p.eq(stream.p), sender.i.valid.eq(1)]
            m.d.comb += stream.ready.eq(sender.i.ready)

        m.d.sync += wait.eq(wait + 1)
        with m.FSM():
            # A new device is reset before anything else (7.1.7.3).
            with m.State("Attached"):
                m.d.comb += reset.eq(wait >= ATTACHED)
                with m.If(wait == ATTACHED + RESET):
                    m.d.sync += wait.eq(0)
                    m.next = "Pause"
            # Between transactions the wires rest, and accepted bytes must have gone out.
            with m.State("Pause"):
                with m.If(own | incoming.o.valid):
                    m.d.sync += wait.eq(0)
                with m.Elif(wait >= GAP):
                    m.d.comb += self.order.ready.eq(1)
                    m.d.sync += now.eq(self.order.p)
                    m.next = "Token"
            # A start of frame is a token alone; otherwise data follow in one direction.
            with m.State("Token"):
                send(packets.o)
                with m.If(last):
                    m.next = "Pause"
                    with m.If(now.gives):
                        m.next = "Gap"
                    with m.If(now.asks):
                        m.next = "Listen"
            # The device needs some bits of rest between token and data (7.1.18).
            with m.State("Gap"):
                with m.If(own):
                    m.d.sync += wait.eq(0)
                with m.Elif(wait >= GAP):
                    m.next = "Data"
            with m.State("Data"):
                m.d.comb += packets.start.eq(now.data)
                with m.If(now.bulk):
                    send(outgoing.o)
                with m.Else():
                    send(packets.o)
                with m.If(last):
                    m.next = "Listen"
            # The device answers with data or a handshake, or not at all.
            with m.State("Listen"):
                with m.If(own | (self.levels != J)):
                    m.d.sync += wait.eq(0)
                with m.Elif(wait >= TIMEOUT):
                    m.next = "Pause"
                with m.If(receiver.end):
                    m.d.comb += heard.eq(receiver.good)
                    m.next = "Pause"
                    with m.If(heard & now.asks & answer & incoming.sound):
                        m.next = "Acknowledge"
                        # With the other identifier, it is the packet before once more, whose
                        # acknowledgement was lost (8.6).
                        m.d.comb += self.kept.eq((incoming.pid == Pid.DATA1) == toggle)
            with m.State("Acknowledge"):
                with m.If(wait >= GAP):
                    m.d.comb += packets.start.eq(self.at[ACKNOWLEDGE])
                    send(packets.o)
                with m.If(last):
                    m.next = "Pause"

        return m

    def _wire(self, m, own, sender, receiver, incoming) -> None:
        """Connect the wires, which both sides drive."""
        m.d.comb += [
            # If both drive at once, levels collide; if neither does, the pull-up makes a J.
            self.levels.eq(
                Mux(sender.driving, sender.levels, SE0)
                | Mux(self.driving, self.drive, SE0)
                | Mux(own | self.driving, SE0, J)
            ),
            receiver.levels.eq(Mux(own, J, self.levels)),
            incoming.octet.eq(receiver.octet),
            incoming.valid.eq(receiver.valid),
            incoming.active.eq(receiver.active),
        ]

    def _tell(self, m, now, heard, toggle, pid) -> None:
        """Tell the outcome of a transaction, and expect the next packet's identifier."""
        m.d.comb += [
            self.acknowledged.eq(heard & (pid == Pid.ACK) & now.gives),
            self.refused.eq(heard & (pid == Pid.NAK)),
            self.stalled.eq(heard & (pid == Pid.STALL)),
        ]
        # The data after a setup packet, and the status, begin with DATA1 (8.5.3).
        with m.If(self.acknowledged & ~now.bulk):
            m.d.sync += toggle.eq(1)
        with m.Elif(self.order.ready & self.order.p.bulk & ~now.bulk):
            m.d.sync += toggle.eq(0)
        with m.Elif(self.kept):
            m.d.sync += toggle.eq(~toggle)
