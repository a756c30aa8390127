"""The OrangeCrab r0.2 with an LFE5U-25F."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform():
    from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform

    return OrangeCrabR0_2_25FPlatform()


TARGETS = (
    Target(
        name="orangecrab",
        title="OrangeCrab r0.2, 25F",
        device="LFE5U-25F-8MG285C",
        family="ecp5",
        capacity=Capacity(luts=24_288, block_rams=56),
        platform=_platform,
        clock=("clk", 0),
        oscillator=48_000_000,
        frequency=48_000_000,
        link="USB, the board's own socket",
        lanes=32,
        document="https://github.com/orangecrab-fpga/orangecrab-hardware",
        usb=("usb", 0),
        leds=(("rgb_led", 0, "g"), ("rgb_led", 0, "r")),
        reset=("button", 0),
        loader=("-b", "orangeCrab"),
        dfu=(0x1209, 0x5AF0),
        options={"ecppack_opts": "--compress --freq 38.8"},
    ),
)
