"""The Colorlight i5 v7.0 on the extension board of Muse Lab."""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import LatticeECP5Platform

from .target import Capacity, Target

__all__ = ["TARGETS"]

DOCUMENT = "https://github.com/wuxx/Colorlight-FPGA-Projects"


class _Platform(LatticeECP5Platform):
    """Pins by the schematic and the drawing of the extension board in the document."""

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources: ClassVar = [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
        Resource("led", 0, PinsN("U16", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
        Resource("button", 0, PinsN("K18", dir="i"), Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("H18", dir="i")),
            Subsignal("tx", Pins("J17", dir="o")),
            Attrs(IO_TYPE="LVCMOS33"),
        ),
    ]
    connectors: ClassVar = []


TARGETS = (
    Target(
        name="colorlight_i5",
        title="Colorlight i5 v7.0",
        device="LFE5U-25F-6BG381C",
        family="ecp5",
        capacity=Capacity(luts=24_288, block_rams=56),
        platform=_Platform,
        clock=("clk25", 0),
        oscillator=25_000_000,
        frequency=40_000_000,
        uart=("uart", 0),
        link="USB, the extension board's DAPLink",
        lanes=32,
        document=DOCUMENT,
        leds=(("led", 0),),
        reset=("button", 0),
        loader=("-b", "colorlight-i5"),
        options={"ecppack_opts": "--compress"},
    ),
)
