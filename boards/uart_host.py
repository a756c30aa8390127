"""A model of a computer with a UART, for simulation."""

from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.uart import UartReceiver, UartTransmitter

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

        m.submodules.sender = sender = UartTransmitter(self.divisor)
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        there = Signal()
        with m.If(~self.busy):
            m.d.sync += there.eq(1)
        wiring.connect(m, receiver.o, wiring.flipped(self.o))
        m.d.comb += [
            sender.i.payload.eq(self.i.payload),
            sender.i.valid.eq(self.i.valid & there),
            self.i.ready.eq(sender.i.ready & there),
            self.wires.rx.eq(sender.tx),
            receiver.rx.eq(self.wires.tx),
        ]
        # Longer than a byte takes, which may be on either wire.
        quiet = Signal(range(12 * self.divisor + 16))
        with m.If(self.i.valid | self.busy | ~sender.i.ready | receiver.o.valid):
            m.d.sync += quiet.eq(0)
        with m.Elif(~self.idle):
            m.d.sync += quiet.eq(quiet + 1)
        m.d.comb += self.idle.eq(quiet == 12 * self.divisor + 15)

        return m
