"""The Tang Nano 20K."""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import GowinPlatform

from .target import Capacity, Target

__all__ = ["TARGETS"]

DOCUMENT = "https://wiki.sipeed.com/hardware/en/tang/tang-nano-20k/nano-20k.html"


class _Platform(GowinPlatform):
    """Pins by the schematic that the document links to."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"
    resources: ClassVar = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        *(
            Resource("led", n, PinsN(str(15 + n), dir="o"), Attrs(IO_TYPE="LVCMOS33"))
            for n in range(6)
        ),
        Resource("button", 0, Pins("88", dir="i"), Attrs(IO_TYPE="LVCMOS33")),
        Resource("button", 1, Pins("87", dir="i"), Attrs(IO_TYPE="LVCMOS33")),
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("70", dir="i")),
            Subsignal("tx", Pins("69", dir="o")),
            Attrs(IO_TYPE="LVCMOS33"),
        ),
    ]
    connectors: ClassVar = []


TARGETS = (
    Target(
        name="tang_nano_20k",
        title="Tang Nano 20K",
        device="GW2A-18C",
        family="gowin",
        capacity=Capacity(luts=20_736, block_rams=46),
        platform=lambda: _Platform(toolchain="Apicula"),
        clock=("clk27", 0),
        oscillator=27_000_000,
        frequency=27_000_000,
        uart=("uart", 0),
        link="USB, the BL616",
        lanes=32,
        document=DOCUMENT,
        leds=(("led", 0), ("led", 1)),
        reset=("button", 0),
        loader=("-b", "tangnano20k"),
    ),
)
