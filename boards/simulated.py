"""The top of a board between pins that are signals, for simulation."""

from typing import Any

from amaranth import *
from amaranth.build.res import PortGroup
from amaranth.hdl import Fragment
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.link.bridge import Link
from spiker_hdl.link.uart import LEAST, UartReceiver, UartTransmitter
from spiker_hdl.model.check import check_kind

from .target import Pin, Target
from .top import BoardTop

__all__ = ["BoardOnWire", "BoardPins", "ModelClock", "ModelPins"]

LOCKING = 32
"""Cycles until a modelled PLL is steady."""


class ModelClock(wiring.Component):
    """Model of :class:`~.clocks.Clock`: the oscillator has the accelerator's frequency.

    Members
    -------
    clk, locked : Out(1)
    """

    clk: Signal
    locked: Signal

    def __init__(self, port: Any, *_: Any):
        self.port = port
        super().__init__({"clk": Out(1), "locked": Out(1)})

    def elaborate(self, platform):
        m = Module()

        m.domains.source = ClockDomain(reset_less=True, local=True)
        m.submodules.pin = pin = io.Buffer(io.Direction.Input, self.port)
        m.d.comb += [self.clk.eq(pin.i), ClockSignal("source").eq(pin.i)]
        count = Signal(range(LOCKING + 1))
        with m.If(count == LOCKING):
            m.d.source += self.locked.eq(1)
        with m.Else():
            m.d.source += count.eq(count + 1)

        return m


class _Ports:
    """Parts of a resource."""


class ModelPins:
    """A platform with the resources of a board's own, whose pins are signals."""

    def __init__(self, target: Target):
        self.board = target.platform()
        self.ports: dict[Pin, Any] = {}

    def request(self, name: str, number: int, *, dir: str) -> Any:
        return self._model((name, number), self.board.request(name, number, dir=dir))

    def _model(self, path: Any, real: Any) -> Any:
        if isinstance(real, PortGroup):
            found = _Ports()
            for name, part in vars(real).items():
                setattr(found, name, self._model((*path, name), part))
            return found
        name = "_".join(map(str, path))
        port = io.SimulationPort(real.direction, len(real), invert=real.invert, name=name)
        self.ports[path] = port
        return port


class BoardPins(wiring.Component):
    """A board from its pins: levels as they are on the wires, but for the button.

    Parameters
    ----------
    top : BoardTop
        With a :class:`ModelClock`.

    Members
    -------
    clk : In(1)
        The oscillator.
    pressed : In(1)
        Whether the button is that resets, if there is one.
    rx : In(1)
    tx : Out(1)
    leds : Out
        Levels of the lights.
    idle : Out(1)
        As that of the top.
    """

    clk: Signal
    pressed: Signal
    rx: Signal
    tx: Signal
    leds: Signal
    idle: Signal

    def __init__(self, top: BoardTop):
        check_kind("Top", top, BoardTop)
        self.top = top
        self.pins = ModelPins(top.target)
        super().__init__({
            "clk": In(1),
            "pressed": In(1),
            "rx": In(1),
            "tx": Out(1),
            "leds": Out(len(top.target.leds)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        target, ports = self.top.target, self.pins.ports
        # Its clock is its own, also where what is around it has one of the same name.
        m.submodules.top = DomainRenamer("board")(Fragment.get(self.top, self.pins))
        m.d.comb += [
            ports[target.clock].i.eq(self.clk),
            ports[*target.uart, "rx"].i.eq(self.rx),
            self.tx.eq(ports[*target.uart, "tx"].o),
            self.leds.eq(Cat(ports[pin].o for pin in target.leds)),
            self.idle.eq(self.top.idle),
        ]
        if target.reset is not None:
            button = ports[target.reset]
            m.d.comb += button.i.eq(self.pressed ^ button.invert[0])

        return m


class BoardOnWire(wiring.Component):
    """A board with what a host has before it: bytes, which a UART of its own sends and receives.

    Parameters
    ----------
    target : Target
    link : Link
        With the accelerator.
    divisor : int
        Clock cycles of a bit; the board's own wire is slower.

    Members
    -------
    i, o : stream.Signature(8)
        From and to the host; what comes before the board is there waits.
    idle : Out(1)
        Nothing happens until the next byte comes.
    """

    i: Any
    o: Any
    idle: Signal

    def __init__(self, target: Target, link: Link, *, divisor: int = LEAST):
        self.divisor = divisor
        self.board = BoardPins(BoardTop(target, link, clock=ModelClock, divisor=divisor))
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.board = board = self.board
        m.submodules.sender = sender = UartTransmitter(self.divisor)
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        there = Signal()
        with m.If(board.idle):
            m.d.sync += there.eq(1)
        wiring.connect(m, receiver.o, wiring.flipped(self.o))
        m.d.comb += [
            board.clk.eq(ClockSignal()),
            sender.i.payload.eq(self.i.payload),
            sender.i.valid.eq(self.i.valid & there),
            self.i.ready.eq(sender.i.ready & there),
            board.rx.eq(sender.tx),
            receiver.rx.eq(board.tx),
        ]
        # Longer than a byte takes, which may be on either wire.
        quiet = Signal(range(12 * self.divisor + 16))
        with m.If(self.i.valid | ~board.idle | ~sender.i.ready | receiver.o.valid):
            m.d.sync += quiet.eq(0)
        with m.Elif(~self.idle):
            m.d.sync += quiet.eq(quiet + 1)
        m.d.comb += self.idle.eq(quiet == 12 * self.divisor + 15)

        return m
