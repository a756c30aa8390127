"""A model of a computer with a board's USB plugged in, for simulation.

By the Universal Serial Bus Specification 2.0, chapters 7.1.7 (attaching and reset), 8.5
(transactions) and 9.4 (requests), and by the class CDC's subclass for PSTN devices 1.2, 6.3. Its
times are shorter than those of computers: a reset takes 50 us, and no pause follows it.
"""

from dataclasses import dataclass
from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .line import Pid, data_packet, token
from .transactions import Transactions
from .wires import USB_WIRES

__all__ = ["SCRIPT", "Transaction", "UsbHost"]

ADDRESS, DATA = 5, 4
"""Address of the device, and its endpoint for bytes."""

FRAME = 48_000
"""Cycles of a frame, which is a millisecond."""

COUNT = 8
"""Frame numbers that are used in turn, of 2048."""

SILENT = 2
"""Refused polls after which the device has nothing to send."""


@dataclass(frozen=True)
class Transaction:
    """One step of the enumeration, repeated until the device has completed it.

    Members
    -------
    token : bytes
    data : bytes
        Packet of data to the device; empty where the data come from it.
    """

    token: bytes
    data: bytes = b""

    @property
    def incoming(self) -> bool:
        return not self.data


def _control(address: int, setup: str, sent: str = "") -> list[Transaction]:
    """Return a control transfer (8.5.3), from bytes in hexadecimal."""
    request = bytes.fromhex(setup)
    steps = [Transaction(token(Pid.SETUP, address), data_packet(Pid.DATA0, request))]
    ask = Transaction(token(Pid.IN, address))
    if request[0] & 0x80:
        return [*steps, ask, Transaction(token(Pid.OUT, address), data_packet(Pid.DATA1, b""))]
    if sent:
        payload = data_packet(Pid.DATA1, bytes.fromhex(sent))
        steps.append(Transaction(token(Pid.OUT, address), payload))
    return [*steps, ask]


SCRIPT = (
    *_control(0, "80 06 00 01 00 00 40 00"),  # descriptor of the device
    *_control(0, "00 05 05 00 00 00 00 00"),  # its address
    *_control(ADDRESS, "80 06 00 01 00 00 12 00"),
    *_control(ADDRESS, "80 06 00 02 00 00 ff 00"),  # descriptor of the configuration
    *_control(ADDRESS, "00 09 01 00 00 00 00 00"),  # which it selects
    *_control(ADDRESS, "21 20 00 00 00 00 07 00", "40 42 0f 00 00 00 08"),  # line coding
    *_control(ADDRESS, "21 22 03 00 00 00 00 00"),  # control lines, which a device may lack
)
"""The requests of a computer before bytes flow."""

FRAMES = tuple(token(Pid.SOF, n) for n in range(COUNT))
GIVE, ASK = token(Pid.OUT, ADDRESS, DATA), token(Pid.IN, ADDRESS, DATA)


class UsbHost(wiring.Component):
    """Bytes to and from a device of the class CDC-ACM.

    The device is reset and enumerated. Then packets of waiting bytes go out, and in between the
    host polls the device for its own. A packet that is not acknowledged is sent again, and one that
    arrives damaged or twice is dropped.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to the device; ready once it is configured and a packet has space.
    o : Out(stream.Signature(8))
        Bytes from the device; valid once a packet was received without damage.
    busy : In(1)
        Whether the device is going to send more without further input.
    idle : Out(1)
        High while nothing changes until the next byte in ``i``.
    wires : Out(USB_WIRES)
    """

    i: Any
    o: Any
    busy: Signal
    idle: Signal
    wires: Any

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "busy": In(1),
            "idle": Out(1),
            "wires": Out(USB_WIRES),
        })

    def elaborate(self, platform):
        m = Module()

        steps = [packet for step in SCRIPT for packet in (step.token, step.data) if packet]
        m.submodules.transactions = done = Transactions([*steps, *FRAMES, GIVE, ASK])
        step, configured = Signal(range(len(SCRIPT) + 1)), Signal()
        clock, due, frame = Signal(range(FRAME)), Signal(), Signal(range(COUNT))
        turn, silent = Signal(), Signal(range(SILENT + 1))
        wiring.connect(m, done.o, wiring.flipped(self.o))
        m.d.comb += [
            configured.eq(step == len(SCRIPT)),
            done.i.payload.eq(self.i.payload),
            done.i.valid.eq(self.i.valid & configured),
            self.i.ready.eq(done.i.ready & configured),
            self.wires.levels.eq(done.levels),
            done.driving.eq(self.wires.driving),
            done.drive.eq(self.wires.drive),
            self.idle.eq((silent == SILENT) & ~self.i.valid & ~self.busy),
        ]

        self._choose(m, done, step, due, frame, turn)
        with m.If(done.order.ready & ~due):
            m.d.sync += turn.eq(~turn)

        # A start of frame is due each millisecond, and waits for the transaction that is under way.
        m.d.sync += clock.eq(Mux(clock == FRAME - 1, 0, clock + 1))
        with m.If(clock == FRAME - 1):
            m.d.sync += due.eq(1)
        with m.Elif(done.order.ready & due):
            m.d.sync += [due.eq(0), frame.eq(frame + 1)]
        # A step is complete once the device has acknowledged it, has refused it for good, or has
        # sent a packet that is not full.
        with m.If(~configured & (done.acknowledged | done.stalled | (done.kept & ~done.full))):
            m.d.sync += step.eq(step + 1)
        # The device has nothing to send only if it refuses polls while nothing else happens.
        with m.If(self.busy | self.i.valid | done.waiting | done.kept):
            m.d.sync += silent.eq(0)
        with m.Elif(configured & done.refused & (silent != SILENT)):
            m.d.sync += silent.eq(silent + 1)

        # While no device is attached, the host forgets everything about it.
        return ResetInserter(~self.wires.pulled)(m)

    def _choose(self, m, done, step, due, frame, turn) -> None:
        """Choose the next transaction: starts of frames first, then the enumeration, then bytes."""
        order, at = done.order.p, done.at
        configured = step == len(SCRIPT)
        m.d.comb += [done.order.valid.eq(1), order.bulk.eq(configured)]
        with m.If(due):
            m.d.comb += order.token.eq(Array(at[packet] for packet in FRAMES)[frame])
        # Outgoing packets and polls take turns.
        with m.Elif(configured & done.waiting & turn):
            m.d.comb += [order.token.eq(at[GIVE]), order.gives.eq(1)]
        with m.Elif(configured):
            m.d.comb += [order.token.eq(at[ASK]), order.asks.eq(1)]
        with m.Else():
            with m.Switch(step):
                for n, entry in enumerate(SCRIPT):
                    with m.Case(n):
                        m.d.comb += [
                            order.token.eq(at[entry.token]),
                            order.data.eq(at.get(entry.data, 0)),
                            order.gives.eq(not entry.incoming),
                            order.asks.eq(entry.incoming),
                        ]
