"""Bytes over two wires: a UART with 8 data bits, no parity, one stop bit."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

__all__ = ["Uart", "UartReceiver", "UartTransmitter"]

BITS = 8
LEAST = 4
"""Fewest clock cycles of a bit."""


class UartReceiver(wiring.Component):
    """Bytes from a wire.

    A byte is offered in the middle of its stop bit, and lost if it is not taken before the next
    one is there. A byte without stop bit is dropped.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    rx : In(1)
        1 when idle; of any clock.
    o : Out(stream.Signature(8))
    """

    rx: Signal
    o: Any

    def __init__(self, divisor: int):
        divisor = check_int("Divisor", divisor, LEAST)
        self.divisor = divisor
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()

        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        wait = Signal(range(self.divisor))
        count = Signal(range(BITS))
        octet = Signal(BITS)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += wait.eq(self.divisor // 2 - 1)
                with m.If(~rx):
                    m.next = "Start"
            with m.State("Start"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += wait.eq(self.divisor - 1)
                    m.next = "Data"
                    with m.If(rx):  # too short to be a start bit
                        m.next = "Idle"
            with m.State("Data"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += [wait.eq(self.divisor - 1), octet.eq(Cat(octet[1:], rx))]
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == BITS - 1):
                        m.next = "Stop"
            with m.State("Stop"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    with m.If(rx):
                        m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(octet)]
                        m.next = "Idle"
                    with m.Else():
                        m.next = "Break"
            with m.State("Break"):
                with m.If(rx):
                    m.next = "Idle"

        return m


class UartTransmitter(wiring.Component):
    """Bytes onto a wire.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    i : In(stream.Signature(8))
    tx : Out(1)
        1 when idle, from a register.
    """

    i: Any
    tx: Signal

    def __init__(self, divisor: int):
        divisor = check_int("Divisor", divisor, LEAST)
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform):
        m = Module()

        wait = Signal(range(self.divisor))
        level = Signal(init=1)
        shift = Signal(BITS + 1)  # what follows that on the wire, the stop bit last
        left = Signal(range(BITS + 3))
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
    """Bytes over two wires, both ways.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    rx : In(1)
    tx : Out(1)
    i, o : stream.Signature(8)
        What is sent, and what has come.
    idle : Out(1)
        All bytes have left.
    """

    rx: Signal
    tx: Signal
    i: Any
    o: Any
    idle: Signal

    def __init__(self, divisor: int):
        divisor = check_int("Divisor", divisor, LEAST)
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
