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
        state = _State(self.order.p.shape(), sender)
        self._wire(m, state, sender, receiver, incoming)
        self._tell(m, state, incoming.pid)
        m.d.comb += [
            state.sent.eq(sender.i.valid & sender.i.ready & sender.i.p.last),
            incoming.keep.eq(self.kept & state.now.bulk),
            outgoing.taken.eq(self.acknowledged & state.now.bulk),
            self.waiting.eq(outgoing.o.valid),
            self.full.eq(incoming.size == MOST),
            packets.start.eq(state.now.token),
        ]

        # Each state sets the timer back while something else must end first.
        m.d.sync += state.wait.eq(state.wait + 1)
        with m.FSM():
            self._begin(m, state, incoming)
            self._give(m, state, sender.i, outgoing)
            self._receive(m, state, receiver, incoming)
            # Data that were received without damage are acknowledged, after some bits of rest.
            with m.State("Acknowledge"):
                with m.If(state.wait >= GAP):
                    m.d.comb += packets.start.eq(self.at[ACKNOWLEDGE])
                    _send(m, packets.o, sender.i)
                with m.If(state.sent):
                    m.next = "Pause"

        return m

    def _begin(self, m, state: "_State", incoming: IncomingPacket) -> None:
        """Add the states before a transaction: the reset of the bus, and the pause."""
        # A new device is reset before anything else (7.1.7.3).
        with m.State("Attached"):
            m.d.comb += state.reset.eq(state.wait >= ATTACHED)
            with m.If(state.wait == ATTACHED + RESET):
                m.d.sync += state.wait.eq(0)
                m.next = "Pause"
        # Between transactions the wires rest, and accepted bytes must have gone out.
        with m.State("Pause"):
            with m.If(state.own | incoming.o.valid):
                m.d.sync += state.wait.eq(0)
            with m.Elif(state.wait >= GAP):
                m.d.comb += self.order.ready.eq(1)
                m.d.sync += state.now.eq(self.order.p)
                m.next = "Token"

    def _give(self, m, state: "_State", sink: stream.Interface, outgoing: OutgoingPacket) -> None:
        """Add the states in which the host sends: the token, and data if there are any."""
        # A start of frame is a token alone; otherwise data follow in one direction.
        with m.State("Token"):
            _send(m, self.packets.o, sink)
            with m.If(state.sent):
                m.next = "Pause"
                with m.If(state.now.gives):
                    m.next = "Gap"
                with m.If(state.now.asks):
                    m.next = "Listen"
        # The device needs some bits of rest between token and data (7.1.18).
        with m.State("Gap"):
            with m.If(state.own):
                m.d.sync += state.wait.eq(0)
            with m.Elif(state.wait >= GAP):
                m.next = "Data"
        # The bytes of the streams, or a packet of the enumeration.
        with m.State("Data"):
            m.d.comb += self.packets.start.eq(state.now.data)
            with m.If(state.now.bulk):
                _send(m, outgoing.o, sink)
            with m.Else():
                _send(m, self.packets.o, sink)
            with m.If(state.sent):
                m.next = "Listen"

    def _receive(
        self, m, state: "_State", receiver: PacketReceiver, incoming: IncomingPacket
    ) -> None:
        """Add the state in which the device answers: with data, a handshake, or not at all."""
        answer = (incoming.pid == Pid.DATA0) | (incoming.pid == Pid.DATA1)
        with m.State("Listen"):
            # The time without an answer counts from the last change of the wires.
            with m.If(state.own | (self.levels != J)):
                m.d.sync += state.wait.eq(0)
            with m.Elif(state.wait >= TIMEOUT):
                m.next = "Pause"
            with m.If(receiver.end):
                m.d.comb += state.heard.eq(receiver.good)
                m.next = "Pause"
                with m.If(state.heard & state.now.asks & answer & incoming.sound):
                    m.next = "Acknowledge"
                    # With the other identifier, it is the packet before once more, whose
                    # acknowledgement was lost (8.6).
                    m.d.comb += self.kept.eq((incoming.pid == Pid.DATA1) == state.toggle)

    def _wire(self, m, state: "_State", sender, receiver, incoming) -> None:
        """Connect the wires, which both sides drive."""
        m.d.comb += [
            # If both drive at once, levels collide; if neither does, the pull-up makes a J.
            self.levels.eq(
                Mux(sender.driving, sender.levels, SE0)
                | Mux(self.driving, self.drive, SE0)
                | Mux(state.own | self.driving, SE0, J)
            ),
            receiver.levels.eq(Mux(state.own, J, self.levels)),
            incoming.octet.eq(receiver.octet),
            incoming.valid.eq(receiver.valid),
            incoming.active.eq(receiver.active),
        ]

    def _tell(self, m, state: "_State", pid) -> None:
        """Tell the outcome of a transaction, and expect the next packet's identifier."""
        m.d.comb += [
            self.acknowledged.eq(state.heard & (pid == Pid.ACK) & state.now.gives),
            self.refused.eq(state.heard & (pid == Pid.NAK)),
            self.stalled.eq(state.heard & (pid == Pid.STALL)),
        ]
        # The data after a setup packet, and the status, begin with DATA1 (8.5.3).
        with m.If(self.acknowledged & ~state.now.bulk):
            m.d.sync += state.toggle.eq(1)
        with m.Elif(self.order.ready & self.order.p.bulk & ~state.now.bulk):
            m.d.sync += state.toggle.eq(0)
        with m.Elif(self.kept):
            m.d.sync += state.toggle.eq(~state.toggle)


class _State:
    """Signals that the states of :class:`Transactions` share."""

    def __init__(self, order: Order, sender: PacketSender):
        self.now: Any = Signal(order)  # the transaction
        self.reset = Signal()  # the bus is being reset
        self.own = sender.driving | self.reset  # the host drives the wires
        self.sent = Signal()  # the last byte of a packet is sent
        self.heard = Signal()  # an undamaged packet of the device ends
        self.toggle = Signal()  # whether its next data must have the identifier DATA1
        self.wait = Signal(range(ATTACHED + RESET + 1))  # cycles in this state


def _send(m, source: stream.Interface, sink: stream.Interface) -> None:
    """Send the bytes of a packet, each as the sender takes it."""
    m.d.comb += [sink.p.eq(source.p), sink.valid.eq(1), source.ready.eq(sink.ready)]
