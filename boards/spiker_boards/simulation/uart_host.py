"""A model of a computer with a UART, for simulation."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.quiet import add_rest
from spiker_hdl.link.uart import Uart

__all__ = ["UART_WIRES", "UartHost"]

UART_WIRES = wiring.Signature({"rx": Out(1), "tx": In(1)})
"""Two wires, as a computer has them and by the names of the board."""


class UartHost(wiring.Component):
    """A model of a computer with a UART.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    i, o : stream.Signature(8)
        To and from the board; what comes before that is there waits.
    busy : In(1)
        Whether the board has more to say without being told more.
    idle : Out(1)
        Nothing happens until the next byte comes.
    wires : Out(UART_WIRES)
    """

    i: Any
    o: Any
    busy: Signal
    idle: Signal
    wires: Any

    def __init__(self, divisor: int):
        self.divisor = divisor
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "busy": In(1),
            "idle": Out(1),
            "wires": Out(UART_WIRES),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.uart = uart = Uart(self.divisor)
        there = Signal()
        with m.If(~self.busy):
            m.d.sync += there.eq(1)
        wiring.connect(m, uart.o, wiring.flipped(self.o))
        m.d.comb += [
            uart.i.payload.eq(self.i.payload),
            uart.i.valid.eq(self.i.valid & there),
            self.i.ready.eq(uart.i.ready & there),
            self.wires.rx.eq(uart.tx),
            uart.rx.eq(self.wires.tx),
        ]
        # Longer than a byte takes, which may be on either wire.
        busy = self.i.valid | self.busy | ~uart.idle | uart.o.valid
        add_rest(m, busy, self.idle, 12 * self.divisor + 16)

        return m
