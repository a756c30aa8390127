"""The UART of a board, between the link and its pins."""

from typing import Any

from amaranth import *
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.uart import Uart

__all__ = ["UartCarrier"]


class UartCarrier(wiring.Component):
    """Bytes over the pins of a UART.

    Parameters
    ----------
    port
        With parts ``rx`` and ``tx``.
    divisor : int
        Clock cycles of a bit.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to the host; ready when the transmitter takes one.
    o : Out(stream.Signature(8))
        Bytes from the host, as they are received.
    idle : Out(1)
        High while no byte is being transmitted.
    """

    i: Any
    o: Any
    idle: Signal

    def __init__(self, port: Any, divisor: int):
        self.port = port
        self.divisor = divisor
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # The receiver synchronizes the line itself, so the buffers need no registers.
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, self.port.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, self.port.tx)
        m.submodules.uart = uart = Uart(self.divisor)
        wiring.connect(m, wiring.flipped(self.i), uart.i)
        wiring.connect(m, uart.o, wiring.flipped(self.o))
        m.d.comb += [uart.rx.eq(rx.i), tx.o.eq(uart.tx), self.idle.eq(uart.idle)]

        return m
