"""The Tang Nano 9K."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform():
    from amaranth_boards.tang_nano_9k import TangNano9kPlatform

    return TangNano9kPlatform(toolchain="Apicula")


TARGETS = (
    Target(
        name="tang_nano_9k",
        title="Tang Nano 9K",
        device="GW1N-9C",
        family="gowin",
        capacity=Capacity(luts=8640, block_rams=26),
        platform=_platform,
        clock=("clk27", 0),
        oscillator=27_000_000,
        frequency=27_000_000,
        uart=("uart", 0),
        link="USB, the BL702",
        lanes=8,
        document="https://wiki.sipeed.com/hardware/en/tang/Tang-Nano-9K/Nano-9K.html",
        leds=(("led", 0), ("led", 1)),
        reset=("button", 0),
        loader=("-b", "tangnano9k"),
    ),
)
