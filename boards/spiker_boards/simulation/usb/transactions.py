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
"""Cycles behind which no answer is to be expected (7.1.19)."""

ACKNOWLEDGE = handshake(Pid.ACK)


class Order(data.StructLayout):
    """A transaction: where its token is and the data behind that, if it gives any, or asks."""

    def __init__(self, places: range):
        super().__init__({"token": places, "data": places, "gives": 1, "asks": 1, "bulk": 1})


class Transactions(wiring.Component):
    """Transactions, one behind the other (8.5), after a reset.

    Parameters
    ----------
    packets : collection of bytes
        Those that never change.

    Attributes
    ----------
    at : dict of bytes to int
        Where each is, for orders.

    Members
    -------
    order : In(stream.Signature(Order))
        With ``bulk`` the data are those of the streams, else they are among the packets.
    acknowledged, stalled, refused, kept : Out(1)
        How the last one has ended, each for a cycle: none of these where there was no answer, or
        a damaged one.
    full : Out(1)
        What is kept may be continued.
    waiting : Out(1)
        Bytes wait for a transaction that gives them.
    i, o : stream.Signature(8)
        Bytes to and from the device.
    levels, driving, drive
        As those of :data:`~.wires.USB_WIRES`.
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
            with m.State("Attached"):
                m.d.comb += reset.eq(wait >= ATTACHED)
                with m.If(wait == ATTACHED + RESET):
                    m.d.sync += wait.eq(0)
                    m.next = "Pause"
            with m.State("Pause"):
                with m.If(own | incoming.o.valid):
                    m.d.sync += wait.eq(0)
                with m.Elif(wait >= GAP):
                    m.d.comb += self.order.ready.eq(1)
                    m.d.sync += now.eq(self.order.p)
                    m.next = "Token"
            with m.State("Token"):
                send(packets.o)
                with m.If(last):
                    m.next = "Pause"
                    with m.If(now.gives):
                        m.next = "Gap"
                    with m.If(now.asks):
                        m.next = "Listen"
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
                        # With the other number, it is the one before, whose answer was lost (8.6).
                        m.d.comb += self.kept.eq((incoming.pid == Pid.DATA1) == toggle)
            with m.State("Acknowledge"):
                with m.If(wait >= GAP):
                    m.d.comb += packets.start.eq(self.at[ACKNOWLEDGE])
                    send(packets.o)
                with m.If(last):
                    m.next = "Pause"

        return m

    def _wire(self, m, own, sender, receiver, incoming) -> None:
        """Join what is on the wires of what both sides drive."""
        m.d.comb += [
            # Both at once are no good; and where neither drives, the pull-up does.
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
        """Say how a transaction ends, and count the packets that are kept."""
        m.d.comb += [
            self.acknowledged.eq(heard & (pid == Pid.ACK) & now.gives),
            self.refused.eq(heard & (pid == Pid.NAK)),
            self.stalled.eq(heard & (pid == Pid.STALL)),
        ]
        # What goes to the endpoint for control is answered by a packet of data 1 (8.5.3).
        with m.If(self.acknowledged & ~now.bulk):
            m.d.sync += toggle.eq(1)
        with m.Elif(self.order.ready & self.order.p.bulk & ~now.bulk):
            m.d.sync += toggle.eq(0)
        with m.Elif(self.kept):
            m.d.sync += toggle.eq(~toggle)
