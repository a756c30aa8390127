"""The DE10-Nano."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform():
    from amaranth_boards.de10_nano import DE10NanoPlatform

    return DE10NanoPlatform()


TARGETS = (
    Target(
        name="de10_nano",
        title="DE10-Nano",
        device="5CSEBA6U23I7",
        family="cyclonev",
        capacity=Capacity(luts=41_910, block_rams=557),
        platform=_platform,
        clock=("clk50", 0),
        oscillator=50_000_000,
        frequency=50_000_000,
        uart=("uart", 0),
        link="Arduino header: RX on pin 0, TX on pin 1, 3.3 V",
        lanes=128,
        document="https://www.terasic.com.tw/cgi-bin/page/archive.pl?No=1046",
        leds=(("led", 0), ("led", 1)),
        reset=("button", 0),
        loader=("-b", "de10nano"),
    ),
)
