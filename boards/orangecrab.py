"""The OrangeCrab r0.2 with an LFE5U-25F."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform():
    from amaranth.build import Attrs
    from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
    from amaranth_boards.resources import UARTResource

    board = OrangeCrabR0_2_25FPlatform()
    # Pins 0 and 1 of the Feather's header, which are its UART; an adapter goes there.
    board.add_resources([
        UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33"))
    ])
    return board


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
        uart=("uart", 0),
        link="header: RX on pin 0, TX on pin 1, 3.3 V",
        lanes=32,
        document="https://github.com/orangecrab-fpga/orangecrab-hardware",
        leds=(("rgb_led", 0, "g"), ("rgb_led", 0, "r")),
        reset=("button", 0),
        loader=("-b", "orangeCrab"),
        usb=(0x1209, 0x5AF0),
        options={"ecppack_opts": "--compress --freq 38.8"},
    ),
)
