"""What is built for every board: clock, reset, link, accelerator, and lights."""

from collections.abc import Callable
from typing import Any

from amaranth import *
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import Out

from spiker_hdl.link.bridge import Link
from spiker_hdl.link.uart import SerialLink
from spiker_hdl.model.check import check_int, check_kind

from .clocks import Clock
from .target import Pin, Target

__all__ = ["BoardTop", "request"]

LIGHT = 0.1
"""Seconds for which the light of a damaged frame is on."""


def request(platform: Any, pin: Pin, *, part: str = "") -> Any:
    """Return the port of a pin of a board, without a buffer."""
    name, number, *parts = pin
    port = platform.request(name, number, dir="-")
    for one in (*parts, *([part] if part else [])):
        port = getattr(port, one)
    return port


class BoardTop(wiring.Component):
    """An accelerator on a board, from clock generator to lights.

    Simulation and bitstream have the very same; only the clock and the buffers of pins differ.

    Parameters
    ----------
    target : Target
    link : Link
        With the accelerator.
    frequency : int, optional
        Of the accelerator in Hz; the board's where none is given.
    clock : callable
        Makes the clock of a port, of family, device, and two frequencies: see :class:`Clock`.
    divisor : int, optional
        Clock cycles of a bit, where it is not the board's.

    Members
    -------
    idle : Out(1)
        Nothing happens until the next byte comes.
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
            check_int("Frequency", frequency, 1)
        self.target = target
        self.link = link
        self.frequency = target.frequency if frequency is None else frequency
        self.clock = clock
        self.divisor = target.divisor(self.frequency) if divisor is None else divisor
        super().__init__({"idle": Out(1)})

    def elaborate(self, platform):
        m = Module()

        target = self.target
        clock = self.clock(
            request(platform, target.clock),
            target.family,
            target.device,
            target.oscillator,
            self.frequency,
        )
        m.submodules.clock = clock
        m.submodules.serial = serial = SerialLink(self.link, self.divisor)
        m.domains.sync = ClockDomain()
        m.d.comb += ClockSignal().eq(clock.clk)
        self._reset(m, platform, clock)

        uart = request(platform, target.uart)
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        m.d.comb += [serial.rx.eq(rx.i), tx.o.eq(serial.tx), self.idle.eq(serial.idle)]

        light = Signal(range(int(LIGHT * self.frequency) + 1))
        with m.If(serial.damaged):
            m.d.sync += light.eq(int(LIGHT * self.frequency))
        with m.Elif(light != 0):
            m.d.sync += light.eq(light - 1)
        for n, (pin, on) in enumerate(zip(target.leds, (~serial.idle, light != 0), strict=False)):
            m.submodules[f"led_{n}"] = led = io.Buffer(io.Direction.Output, request(platform, pin))
            m.d.comb += led.o.eq(on)

        return m

    def _reset(self, m, platform, clock) -> None:
        """Hold the reset while the button is pressed, and until clock and memories can be used."""
        target = self.target
        pressed = Const(0)
        if target.reset is not None:
            m.submodules.button = button = io.Buffer(
                io.Direction.Input, request(platform, target.reset)
            )
            pressed = button.i
        # The timer begins where configuration, or the simulation, has put it.
        m.domains.power = ClockDomain(reset_less=True, local=True)
        m.d.comb += ClockSignal("power").eq(clock.clk)
        rest = max(15, int(target.kind.rest * self.frequency))
        timer, ready = Signal(range(rest + 1)), Signal()
        with m.If(timer == rest):
            m.d.power += ready.eq(clock.locked)
        with m.Else():
            m.d.power += timer.eq(timer + 1)
        m.submodules.reset = ResetSynchronizer(~ready | pressed)
