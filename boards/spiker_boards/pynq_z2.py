"""The PYNQ-Z2."""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Pins, Resource, Subsignal
from amaranth.vendor import XilinxPlatform

from .target import Capacity, Target

__all__ = ["TARGETS"]

DOCUMENT = "https://www.tulembedded.com/FPGA/ProductsPYNQ-Z2.html"


class _Platform(XilinxPlatform):
    """Pins by the master constraints, `pynq-z2_v1.0.xdc`, that the document links to."""

    device = "xc7z020"
    package = "clg400"
    speed = "1"
    default_clk = "clk125"
    resources: ClassVar = [
        Resource("clk125", 0, Pins("H16", dir="i"), Clock(125e6), Attrs(IOSTANDARD="LVCMOS33")),
        *(
            Resource("led", n, Pins(pin, dir="o"), Attrs(IOSTANDARD="LVCMOS33"))
            for n, pin in enumerate("R14 P14 N16 M14".split())
        ),
        *(
            Resource("button", n, Pins(pin, dir="i"), Attrs(IOSTANDARD="LVCMOS33"))
            for n, pin in enumerate("D19 D20 L20 L19".split())
        ),
        # The ARM has the UART of the USB socket; here is one for a Pmod USBUART on Pmod A.
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("Y16", dir="i")),
            Subsignal("tx", Pins("Y19", dir="o")),
            Attrs(IOSTANDARD="LVCMOS33"),
        ),
    ]
    connectors: ClassVar = []


TARGETS = (
    Target(
        name="pynq_z2",
        title="PYNQ-Z2",
        device="XC7Z020-1CLG400",
        family="xc7",
        capacity=Capacity(luts=53_200, block_rams=280),
        platform=_Platform,
        clock=("clk125", 0),
        oscillator=125_000_000,
        frequency=100_000_000,
        uart=("uart", 0),
        link="Pmod USBUART, upper row of Pmod A",
        lanes=128,
        document=DOCUMENT,
        leds=(("led", 0), ("led", 1)),
        reset=("button", 0),
        loader=("-b", "pynq_z2"),
        zynq=True,
    ),
)
