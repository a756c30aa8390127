"""The top of every board: clock, reset, link, accelerator and lights."""

from collections.abc import Callable, Iterable
from typing import Any

from amaranth import *
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import Out

from spiker_boards.target import Pin, Target
from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.link.bridge import Link

from .pll import Clock
from .uart import UartCarrier
from .usb import UsbCarrier

__all__ = ["BoardTop", "add_clock", "request"]

DIGITS = 16
"""Digits of the network's digest that are the serial number of a board on USB."""

LIGHT = 0.1
"""Seconds for which a damaged frame switches its light on."""


def request(platform: Any, pins: Iterable[Pin]) -> list[Any]:
    """Return the ports of a board's pins, without buffers; each resource is requested once."""
    resources: dict[Pin, Any] = {}
    ports = []
    for name, number, *parts in pins:
        if (name, number) not in resources:
            resources[name, number] = platform.request(name, number, dir="-")
        port = resources[name, number]
        for part in parts:
            port = getattr(port, part)
        ports.append(port)
    return ports


def add_clock(
    m: Module,
    target: Target,
    frequency: int,
    clock: Callable[..., Any],
    oscillator: Any,
    buttons: Iterable[Any],
) -> None:
    """Add to a module the domain ``sync`` and a local one, ``oscillator``, which has no reset.

    The reset is active while a button is pressed, and until clock and memories can be used.

    Parameters
    ----------
    m : Module
    target : Target
    frequency : int
        In Hz.
    clock : callable
        Makes the clock from a port: see :class:`BoardTop`.
    oscillator : io.PortLike
    buttons : iterable of io.PortLike
        One button, or none.
    """
    m.submodules.clock = generator = clock(
        oscillator, target.family, target.device, target.oscillator, frequency
    )
    m.domains.sync = ClockDomain()
    # It has no reset, so that what it clocks, such as USB's own clock, runs during a reset too.
    m.domains.oscillator = ClockDomain(reset_less=True, local=True)
    m.d.comb += [ClockSignal().eq(generator.clk), ClockSignal("oscillator").eq(generator.source)]
    pressed = Const(0)
    for port in buttons:
        m.submodules.button = button = io.Buffer(io.Direction.Input, port)
        pressed = button.i
    # This domain has no reset: the timer starts at the initial value that configuration gives it.
    m.domains.power = ClockDomain(reset_less=True, local=True)
    m.d.comb += ClockSignal("power").eq(generator.clk)
    startup = max(15, int(target.kind.startup * frequency))
    timer, ready = Signal(range(startup + 1)), Signal()
    # Block RAMs can be read once the time is over, and the clock is steady once the PLL has locked.
    with m.If(timer == startup):
        m.d.power += ready.eq(generator.locked)
    with m.Else():
        m.d.power += timer.eq(timer + 1)
    # The reset begins at once and ends with a clock edge, so that all registers leave it together.
    m.submodules.reset = ResetSynchronizer(~ready | pressed)


class BoardTop(wiring.Component):
    """An accelerator on a board, from clock generator to lights.

    Simulation and bitstream share this top; only the clock and the buffers of pins differ.

    Parameters
    ----------
    target : Target
    link : Link
        With the accelerator.
    frequency : int, optional
        Clock frequency of the accelerator in Hz; by default, the board's.
    clock : callable
        Makes the clock from a port, family, device, and two frequencies: see :class:`~.pll.Clock`.
    divisor : int, optional
        Clock cycles of a bit of the UART; by default, those of the board's baud rate.

    Members
    -------
    idle : Out(1)
        High while nothing changes until the host sends a byte.
    """

    idle: Signal

    def __init__(
        self,
        target: Target,
        link: Link,
        *,
        frequency: int | None = None,
        clock: Callable[..., Any] = Clock,
        divisor: int | None = None,
    ):
        check_kind("Target", target, Target)
        check_kind("Link", link, Link)
        if frequency is not None:
            frequency = check_int("Frequency", frequency, 1)
        self.target = target
        self.link = link
        self.frequency = target.frequency if frequency is None else frequency
        self.clock = clock
        if target.usb is not None:
            divisor = None
        elif divisor is None:
            divisor = target.divisor(self.frequency)
        self.divisor = divisor
        super().__init__({"idle": Out(1)})

    def elaborate(self, platform):
        m = Module()

        target = self.target
        reset = () if target.reset is None else (target.reset,)
        pins = (target.clock, target.port, *reset, *target.leds)
        # Requested at once, since several pins may be parts of one resource.
        oscillator, port, *others = request(platform, pins)
        add_clock(m, target, self.frequency, self.clock, oscillator, others[: len(reset)])

        m.submodules.link = link = self.link
        m.submodules.carrier = carrier = self._carrier(port)
        wiring.connect(m, carrier.o, link.i)
        wiring.connect(m, link.o, carrier.i)
        m.d.comb += self.idle.eq(link.idle & carrier.idle)

        # A damaged frame is noticed for one cycle, which nobody would see: a timer makes it longer.
        light = Signal(range(int(LIGHT * self.frequency) + 1))
        with m.If(link.damaged):
            m.d.sync += light.eq(int(LIGHT * self.frequency))
        with m.Elif(light != 0):
            m.d.sync += light.eq(light - 1)
        # A board may have fewer lights than there are meanings, or none.
        leds = zip(others[len(reset) :], (~self.idle, light != 0), strict=False)
        for n, (port, on) in enumerate(leds):
            m.submodules[f"led_{n}"] = led = io.Buffer(io.Direction.Output, port)
            m.d.comb += led.o.eq(on)

        return m

    def _carrier(self, port) -> UartCarrier | UsbCarrier:
        """Return the UART or USB that carries the bytes of the link."""
        if self.divisor is not None:
            return UartCarrier(port, self.divisor)
        digest = self.link.accelerator.network.digest
        return UsbCarrier(port, product=self.target.title, serial=digest[:DIGITS])
