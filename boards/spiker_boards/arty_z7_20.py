"""The Arty Z7-20."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform():
    from amaranth.build import Attrs
    from amaranth_boards.arty_z7 import ArtyZ720Platform
    from amaranth_boards.resources import UARTResource

    board = ArtyZ720Platform()
    # The ARM has the UART of the USB socket; here is one for a Pmod USBUART, its RXD on pin 2.
    board.add_resources([
        UARTResource(0, rx="3", tx="2", conn=("pmod", 0), attrs=Attrs(IOSTANDARD="LVCMOS33"))
    ])
    return board


TARGETS = (
    Target(
        name="arty_z7_20",
        title="Arty Z7-20",
        device="XC7Z020-1CLG400",
        family="xc7",
        capacity=Capacity(luts=53_200, block_rams=280),
        platform=_platform,
        clock=("clk125", 0),
        oscillator=125_000_000,
        frequency=100_000_000,
        uart=("uart", 0),
        link="Pmod USBUART, upper row of JA",
        lanes=128,
        document="https://digilent.com/reference/programmable-logic/arty-z7/reference-manual",
        leds=(("led", 0), ("led", 1)),
        reset=("button", 0),
        loader=("-b", "arty_z7_20"),
        zynq=True,
    ),
)
