"""The Arty A7 with an XC7A35T."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform():
    from amaranth_boards.arty_a7 import ArtyA7_35Platform

    return ArtyA7_35Platform()


TARGETS = (
    Target(
        name="arty_a7_35",
        title="Arty A7-35T",
        device="XC7A35T-1CSG324",
        family="xc7",
        capacity=Capacity(luts=20_800, block_rams=100),
        platform=_platform,
        clock=("clk100", 0),
        oscillator=100_000_000,
        frequency=100_000_000,
        uart=("uart", 0),
        link="USB, second channel of the FT2232",
        lanes=128,
        document="https://digilent.com/reference/programmable-logic/arty-a7/reference-manual",
        leds=(("led", 0), ("led", 1)),
        reset=("rst", 0),
        loader=("-b", "arty_a7_35t"),
    ),
)
