"""The top of a board with signals as its pins, for simulation."""

from typing import Any

from amaranth import *
from amaranth.build.res import PortGroup
from amaranth.hdl import Fragment
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_boards.gateware.top import BoardTop
from spiker_boards.simulation.usb.wires import USB_WIRES
from spiker_boards.target import Pin, Target
from spiker_hdl.base.checks import check_kind
from spiker_hdl.link.bridge import Link
from spiker_hdl.link.uart import MIN_DIVISOR

from .uart_host import UART_WIRES, UartHost

__all__ = ["BoardOnWire", "BoardPins", "ModelClock", "ModelPins"]

LOCKING = 32
"""Cycles until the model of a PLL has locked."""


class ModelClock(wiring.Component):
    """Model of :class:`~.pll.Clock`: the oscillator has the accelerator's frequency.

    Members
    -------
    clk, locked, source : Out(1)
    """

    clk: Signal
    locked: Signal
    source: Signal

    def __init__(self, port: Any, *_: Any):
        self.port = port
        super().__init__({"clk": Out(1), "locked": Out(1), "source": Out(1)})

    def elaborate(self, platform):
        m = Module()

        m.domains.source = ClockDomain(reset_less=True, local=True)
        m.submodules.pin = pin = io.Buffer(io.Direction.Input, self.port)
        m.d.comb += [self.clk.eq(pin.i), self.source.eq(pin.i), ClockSignal("source").eq(pin.i)]
        # A PLL locks some time after configuration: the reset of the board must wait for it.
        count = Signal(range(LOCKING + 1))
        with m.If(count == LOCKING):
            m.d.source += self.locked.eq(1)
        with m.Else():
            m.d.source += count.eq(count + 1)

        return m


class _Ports:
    """The parts of a resource."""


class ModelPins:
    """A platform with the resources of a board's, whose pins are signals."""

    def __init__(self, target: Target):
        self.board = target.platform()
        self.device = getattr(self.board, "device", None)  # LUNA asks for it
        self.ports: dict[Pin, Any] = {}

    def request(self, name: str, number: int, *, dir: str) -> Any:
        return self._model((name, number), self.board.request(name, number, dir=dir))

    def _model(self, path: Any, real: Any) -> Any:
        if isinstance(real, PortGroup):
            ports = _Ports()
            for name, part in vars(real).items():
                setattr(ports, name, self._model((*path, name), part))
            return ports
        name = "_".join(map(str, path))
        port = io.SimulationPort(real.direction, len(real), invert=real.invert, name=name)
        self.ports[path] = port
        return port


class BoardPins(wiring.Component):
    """A board, seen at its pins: with the levels of the wires, except for the button.

    Parameters
    ----------
    top : BoardTop
        With a :class:`ModelClock`.

    Members
    -------
    clk : In(1)
        The oscillator.
    pressed : In(1)
        Whether the reset button, if there is one, is pressed.
    wires : In(UART_WIRES) or In(USB_WIRES)
        The computer's wires, seen from the board.
    leds : Out
        Levels of the lights.
    idle : Out(1)
        ``idle`` of the board's top level.
    """

    clk: Signal
    pressed: Signal
    wires: Any
    leds: Signal
    idle: Signal

    def __init__(self, top: BoardTop):
        check_kind("Top", top, BoardTop)
        self.top = top
        self.pins = ModelPins(top.target)
        super().__init__({
            "clk": In(1),
            "pressed": In(1),
            "wires": In(UART_WIRES if top.target.usb is None else USB_WIRES),
            "leds": Out(len(top.target.leds)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        target, ports = self.top.target, self.pins.ports
        # The board has a clock of its own, even where the surrounding design has one of that name.
        m.submodules.top = DomainRenamer("board")(Fragment.get(self.top, self.pins))
        m.d.comb += [
            ports[target.clock].i.eq(self.clk),
            self.leds.eq(Cat(ports[pin].o for pin in target.leds)),
            self.idle.eq(self.top.idle),
        ]
        if target.usb is None:
            rx, tx = (ports[*target.port, name] for name in ("rx", "tx"))
            m.d.comb += [rx.i.eq(self.wires.rx), self.wires.tx.eq(tx.o)]
        else:
            d_p, d_n, pullup = (ports[*target.port, name] for name in ("d_p", "d_n", "pullup"))
            m.d.comb += [
                Cat(d_p.i, d_n.i).eq(self.wires.levels),
                self.wires.driving.eq(d_p.oe | d_n.oe),
                self.wires.drive.eq(Cat(d_p.o & d_p.oe, d_n.o & d_n.oe)),
                self.wires.pulled.eq(pullup.o),
            ]
        if target.reset is not None:
            button = ports[target.reset]
            m.d.comb += button.i.eq(self.pressed ^ button.invert[0])

        return m


class BoardOnWire(wiring.Component):
    """A board behind a model of a computer, with bytes that the computer's UART or USB exchanges.

    Parameters
    ----------
    target : Target
    link : Link
        With the accelerator.
    divisor : int
        Clock cycles of a bit of the UART; the board's real baud rate is lower.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes from the host; ready once the board is up and the transmitter is free.
    o : Out(stream.Signature(8))
        Bytes to the host; valid once one was received.
    idle : Out(1)
        High while nothing changes until the next byte of the host.
    """

    i: Any
    o: Any
    idle: Signal

    def __init__(self, target: Target, link: Link, *, divisor: int = MIN_DIVISOR):
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
        m.submodules.host = host = self._host(board.top.target)
        wiring.connect(m, host.wires, board.wires)
        wiring.connect(m, wiring.flipped(self.i), host.i)
        wiring.connect(m, host.o, wiring.flipped(self.o))
        m.d.comb += [
            board.clk.eq(ClockSignal()),
            host.busy.eq(~board.idle),
            self.idle.eq(host.idle),
        ]

        return m

    def _host(self, target: Target) -> Any:
        """Return the model of a computer with the other end of the board's link."""
        if target.usb is None:
            return UartHost(self.divisor)
        # Loaded when it is needed, for it takes a library that only boards with USB need.
        from .usb.host import UsbHost

        return UsbHost()
