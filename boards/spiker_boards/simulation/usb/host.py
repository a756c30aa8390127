"""A model of a computer with a board's USB plugged in, for simulation.

By the Universal Serial Bus Specification 2.0, chapters 7.1.7 (attaching and reset), 8.5
(transactions) and 9.4 (requests), and by the class CDC's subclass for PSTN devices 1.2, 6.3. It has
less patience than computers: a reset takes 50 us, and nothing waits behind it.
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
"""What the device is called, and its endpoint of bytes."""

FRAME = 48_000
"""Cycles of a frame, which is a millisecond."""

COUNT = 8
"""Numbers of frames that come in turn, of 2048."""

SILENT = 2
"""Polls without an answer behind which there is none."""


@dataclass(frozen=True)
class Transaction:
    """One step of the enumeration, repeated until the device is done with it.

    Members
    -------
    token : bytes
    data : bytes
        That go to the device; none where they come from it.
    """

    token: bytes
    data: bytes = b""

    @property
    def incoming(self) -> bool:
        return not self.data


def _control(address: int, setup: str, sent: str = "") -> list[Transaction]:
    """Return a control transfer (8.5.3), of bytes in hexadecimal."""
    request = bytes.fromhex(setup)
    found = [Transaction(token(Pid.SETUP, address), data_packet(Pid.DATA0, request))]
    ask = Transaction(token(Pid.IN, address))
    if request[0] & 0x80:
        return [*found, ask, Transaction(token(Pid.OUT, address), data_packet(Pid.DATA1, b""))]
    if sent:
        payload = data_packet(Pid.DATA1, bytes.fromhex(sent))
        found.append(Transaction(token(Pid.OUT, address), payload))
    return [*found, ask]


SCRIPT = (
    *_control(0, "80 06 00 01 00 00 40 00"),  # descriptor of the device
    *_control(0, "00 05 05 00 00 00 00 00"),  # its address
    *_control(ADDRESS, "80 06 00 01 00 00 12 00"),
    *_control(ADDRESS, "80 06 00 02 00 00 ff 00"),  # descriptor of the configuration
    *_control(ADDRESS, "00 09 01 00 00 00 00 00"),  # which is to be
    *_control(ADDRESS, "21 20 00 00 00 00 07 00", "40 42 0f 00 00 00 08"),  # line coding
    *_control(ADDRESS, "21 22 03 00 00 00 00 00"),  # lines of a modem, which a device may not have
)
"""What a computer asks before bytes flow."""

FRAMES = tuple(token(Pid.SOF, n) for n in range(COUNT))
GIVE, ASK = token(Pid.OUT, ADDRESS, DATA), token(Pid.IN, ADDRESS, DATA)


class UsbHost(wiring.Component):
    """Bytes to and from a device of the class CDC-ACM.

    The device is reset and enumerated; then the bytes that are there go out as a packet, and in
    between the device is asked for others. What is not acknowledged is sent again, and what comes
    damaged or twice is dropped.

    Members
    -------
    i, o : stream.Signature(8)
        To and from the device; what comes before it is configured waits.
    busy : In(1)
        Whether the device has more to say without being told more.
    idle : Out(1)
        Nothing happens until the next byte comes.
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

        steps = [one for step in SCRIPT for one in (step.token, step.data) if one]
        m.submodules.transactions = done = Transactions([*steps, *FRAMES, GIVE, ASK])
        step, there = Signal(range(len(SCRIPT) + 1)), Signal()
        clock, due, frame = Signal(range(FRAME)), Signal(), Signal(range(COUNT))
        turn, silent = Signal(), Signal(range(SILENT + 1))
        wiring.connect(m, done.o, wiring.flipped(self.o))
        m.d.comb += [
            there.eq(step == len(SCRIPT)),
            done.i.payload.eq(self.i.payload),
            done.i.valid.eq(self.i.valid & there),
            self.i.ready.eq(done.i.ready & there),
            self.wires.levels.eq(done.levels),
            done.driving.eq(self.wires.driving),
            done.drive.eq(self.wires.drive),
            self.idle.eq((silent == SILENT) & ~self.i.valid & ~self.busy),
        ]

        self._choose(m, done, step, due, frame, turn)
        with m.If(done.order.ready & ~due):
            m.d.sync += turn.eq(~turn)

        m.d.sync += clock.eq(Mux(clock == FRAME - 1, 0, clock + 1))
        with m.If(clock == FRAME - 1):
            m.d.sync += due.eq(1)
        with m.Elif(done.order.ready & due):
            m.d.sync += [due.eq(0), frame.eq(frame + 1)]
        with m.If(~there & (done.acknowledged | done.stalled | (done.kept & ~done.full))):
            m.d.sync += step.eq(step + 1)
        with m.If(self.busy | self.i.valid | done.waiting | done.kept):
            m.d.sync += silent.eq(0)
        with m.Elif(there & done.refused & (silent != SILENT)):
            m.d.sync += silent.eq(silent + 1)

        # Where nothing is plugged in, nothing is known of it.
        return ResetInserter(~self.wires.pulled)(m)

    def _choose(self, m, done, step, due, frame, turn) -> None:
        """Order the next transaction: frames go first, then what is asked once, then bytes."""
        order, at = done.order.p, done.at
        there = step == len(SCRIPT)
        m.d.comb += [done.order.valid.eq(1), order.bulk.eq(there)]
        with m.If(due):
            m.d.comb += order.token.eq(Array(at[one] for one in FRAMES)[frame])
        # Packets that go out and polls take turns.
        with m.Elif(there & done.waiting & turn):
            m.d.comb += [order.token.eq(at[GIVE]), order.gives.eq(1)]
        with m.Elif(there):
            m.d.comb += [order.token.eq(at[ASK]), order.asks.eq(1)]
        with m.Else():
            with m.Switch(step):
                for n, one in enumerate(SCRIPT):
                    with m.Case(n):
                        m.d.comb += [
                            order.token.eq(at[one.token]),
                            order.data.eq(at.get(one.data, 0)),
                            order.gives.eq(not one.incoming),
                            order.asks.eq(one.incoming),
                        ]
