"""A UART with 8 data bits, no parity and one stop bit."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

__all__ = ["Uart", "UartReceiver", "UartTransmitter"]

BITS = 8
MIN_DIVISOR = 4
"""Minimum number of clock cycles of a bit, so that its middle can be sampled."""


class UartReceiver(wiring.Component):
    """The receiver of a UART.

    A byte is valid in the middle of its stop bit. It is lost if it is not taken before the next one
    is complete. A byte without a stop bit is dropped. Bytes keep their order. After reset the line
    is taken as idle.

    Parameters
    ----------
    divisor : int
        Number of clock cycles of a bit.

    Members
    -------
    rx : In(1)
        The line, 1 when idle. It may change at any time, and is synchronized here.
    o : Out(stream.Signature(8))
        Received bytes, from registers.
    """

    rx: Signal
    o: Any

    def __init__(self, divisor: int):
        divisor = check_int("Divisor", divisor, MIN_DIVISOR)
        self.divisor = divisor
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()

        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        wait = Signal(range(self.divisor))  # cycles until the next sample
        count = Signal(range(BITS))  # bits so far
        octet = Signal(BITS)
        # The last assignment wins, so a byte that comes as the one before is taken is not lost.
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            # Half a bit after the falling edge is the middle of the start bit.
            with m.State("Idle"):
                m.d.sync += wait.eq(self.divisor // 2 - 1)
                with m.If(~rx):
                    m.next = "Start"
            # A line that is 1 again in the middle of the start bit was disturbed.
            with m.State("Start"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += wait.eq(self.divisor - 1)
                    m.next = "Data"
                    with m.If(rx):
                        m.next = "Idle"
            # Every bit is sampled in its middle, the lowest first.
            with m.State("Data"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += [wait.eq(self.divisor - 1), octet.eq(Cat(octet[1:], rx))]
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == BITS - 1):
                        m.next = "Stop"
            # A line that is still 0 is not at a stop bit: the byte is dropped.
            with m.State("Stop"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    with m.If(rx):
                        m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(octet)]
                        m.next = "Idle"
                    with m.Else():
                        m.next = "Break"
            # Wait until the line is idle again, so that a break is not read as a start bit.
            with m.State("Break"):
                with m.If(rx):
                    m.next = "Idle"

        return m


class UartTransmitter(wiring.Component):
    """The transmitter of a UART.

    The start bit begins in the cycle after a byte was taken. A byte takes ten bits of time
    and one cycle. Bytes keep their order. After reset the line is idle.

    Parameters
    ----------
    divisor : int
        Number of clock cycles of a bit.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to be sent; ``ready`` when the byte before has left.
    tx : Out(1)
        The line, 1 when idle, from a register.
    """

    i: Any
    tx: Signal

    def __init__(self, divisor: int):
        divisor = check_int("Divisor", divisor, MIN_DIVISOR)
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform):
        m = Module()

        wait = Signal(range(self.divisor))
        level = Signal(init=1)
        shift = Signal(BITS + 1)  # bits behind the one on the line, the stop bit last
        left = Signal(range(BITS + 3))  # bits of time until the next byte may start
        # Ten bits, and one cycle of idle line, in which the next byte is taken.
        m.d.comb += [self.i.ready.eq(left == 0), self.tx.eq(level)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [level.eq(0), shift.eq(Cat(self.i.payload, 1)), left.eq(BITS + 2)]
            m.d.sync += wait.eq(self.divisor - 1)
        with m.Elif(left != 0):
            m.d.sync += wait.eq(wait - 1)
            with m.If(wait == 0):
                m.d.sync += [wait.eq(self.divisor - 1), left.eq(left - 1)]
                m.d.sync += [level.eq(shift[0]), shift.eq(Cat(shift[1:], 1))]

        return m


class Uart(wiring.Component):
    """A UART: a receiver and a transmitter.

    Order, latency and the state after reset are those of :class:`UartReceiver` and
    :class:`UartTransmitter`.

    Parameters
    ----------
    divisor : int
        Number of clock cycles of a bit.

    Members
    -------
    rx : In(1)
        The line from the other side, 1 when idle.
    tx : Out(1)
        The line to the other side, 1 when idle.
    i : In(stream.Signature(8))
        Bytes to be sent.
    o : Out(stream.Signature(8))
        Received bytes; must be taken before the next one is complete.
    idle : Out(1)
        The transmitter has sent all bytes.
    """

    rx: Signal
    tx: Signal
    i: Any
    o: Any
    idle: Signal

    def __init__(self, divisor: int):
        divisor = check_int("Divisor", divisor, MIN_DIVISOR)
        self.divisor = divisor
        super().__init__({
            "rx": In(1),
            "tx": Out(1),
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        wiring.connect(m, wiring.flipped(self.i), transmitter.i)
        wiring.connect(m, receiver.o, wiring.flipped(self.o))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.idle.eq(transmitter.i.ready),
        ]

        return m
