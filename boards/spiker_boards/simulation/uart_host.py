"""A model of a computer with a UART, for simulation."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.idle_detector import add_idle_detector
from spiker_hdl.link.uart import Uart

__all__ = ["UART_WIRES", "UartHost"]

UART_WIRES = wiring.Signature({"rx": Out(1), "tx": In(1)})
"""The two wires at a computer's side, with the names that the board gives them."""


class UartHost(wiring.Component):
    """A model of a computer with a UART.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to the board; ready once the board is up and the transmitter is free.
    o : Out(stream.Signature(8))
        Bytes from the board; valid once one was received.
    busy : In(1)
        Whether the board is going to send more without further input.
    idle : Out(1)
        High while nothing changes until the next byte in ``i``.
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
        # A board in reset would lose bytes: none is sent until it was idle once.
        ready = Signal()
        with m.If(~self.busy):
            m.d.sync += ready.eq(1)
        wiring.connect(m, uart.o, wiring.flipped(self.o))
        m.d.comb += [
            uart.i.payload.eq(self.i.payload),
            uart.i.valid.eq(self.i.valid & ready),
            self.i.ready.eq(uart.i.ready & ready),
            self.wires.rx.eq(uart.tx),
            uart.rx.eq(self.wires.tx),
        ]
        # Idle only after more cycles than a byte takes: one may be on either wire.
        busy = self.i.valid | self.busy | ~uart.idle | uart.o.valid
        add_idle_detector(m, busy, self.idle, 12 * self.divisor + 16)

        return m
