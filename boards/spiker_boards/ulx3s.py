"""The ULX3S with three of its devices."""

from .target import Capacity, Target

__all__ = ["TARGETS"]


def _platform(size: str):
    from amaranth_boards import ulx3s

    return getattr(ulx3s, f"ULX3S_{size}_Platform")()


def _target(size: str, capacity: Capacity, lanes: int) -> Target:
    return Target(
        name=f"ulx3s_{size.lower()}",
        title=f"ULX3S {size}",
        device=f"LFE5U-{size}-6BG381C",
        family="ecp5",
        capacity=capacity,
        platform=lambda: _platform(size),
        clock=("clk25", 0),
        oscillator=25_000_000,
        frequency=40_000_000,
        uart=("uart", 0),
        link="USB, the FT231X",
        lanes=lanes,
        document="https://github.com/emard/ulx3s/blob/master/doc/constraints/ulx3s_v20.lpf",
        leds=(("led", 0), ("led", 1)),
        reset=("button_fire", 0),
        loader=("-b", "ulx3s"),
        options={"ecppack_opts": "--compress"},
    )


TARGETS = (
    _target("25F", Capacity(luts=24_288, block_rams=56), 32),
    _target("45F", Capacity(luts=43_848, block_rams=108), 128),
    _target("85F", Capacity(luts=83_640, block_rams=208), 128),
)
