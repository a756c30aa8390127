"""The iCEBreaker, revision 1.0e."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform():
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


TARGETS = (
    Target(
        name="icebreaker",
        title="iCEBreaker",
        device="iCE40UP5K-SG48",
        family="ice40",
        capacity=Capacity(luts=5280, block_rams=30, sprams=4),
        platform=_platform,
        clock=("clk12", 0),
        oscillator=12_000_000,
        frequency=18_000_000,
        uart=("uart", 0),
        link="USB, second channel of the FT2232",
        lanes=4,
        document="https://github.com/icebreaker-fpga/icebreaker",
        leds=(("led_g", 0), ("led_r", 0)),
        reset=("button", 0),
        loader=("-b", "ice40_generic"),
    ),
)
