"""The board's own USB as a serial port, for sockets that are wired to the device itself.

LUNA, https://github.com/greatscottgadgets/luna, implements USB itself: a device of the class
CDC-ACM at full speed, and the bits on the wires.
"""

import warnings
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import io, stream, wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from spiker_boards.target import USB_HZ
from spiker_hdl.base.checks import check_kind
from spiker_hdl.tools.programs import BUILD_EXTRAS, ToolError, pip_remedy

__all__ = ["PRODUCT", "VENDOR", "UsbCarrier"]

VENDOR, PRODUCT = 0x1209, 0x0001
"""Identifiers of pid.codes for tests: whoever gives boards away needs a product number."""

DEPTH = 8
"""Bytes of the FIFOs between the two clocks, one for each direction."""

LOW = 60
"""Cycles at 12 MHz, or 5 us, after which both wires low mean a reset."""

TIMEOUT = 16
"""Cycles at 12 MHz that a packet which is not full waits for its next byte."""


class UsbCarrier(wiring.Component):
    """Bytes over USB, by which a host sees a serial port.

    There are three clock domains: ``sync``; ``oscillator``, which must have 48 MHz; and one of
    12 MHz, which is divided from ``oscillator`` and constrained here.

    Parameters
    ----------
    port
        With parts ``d_p``, ``d_n`` and ``pullup``.
    product, serial : str
        Product and serial number in the device's descriptor.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to the host; ready while the FIFO to the USB clock has space.
    o : Out(stream.Signature(8))
        Bytes from the host; valid while the FIFO from the USB clock holds one.
    idle : Out(1)
        High while no byte is between the two clocks, as far as ``sync`` can see.

    Raises
    ------
    ToolError
        If LUNA is missing.
    """

    i: Any
    o: Any
    idle: Signal

    def __init__(self, port: Any, *, product: str, serial: str):
        check_kind("Product", product, str)
        check_kind("Serial", serial, str)
        if find_spec("luna") is None:
            remedy = pip_remedy(*BUILD_EXTRAS)
            raise ToolError(f"LUNA must be installed for USB, and is missing: {remedy}")
        self.port = port
        self.product = product
        self.serial = serial
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        self._clocks(m, platform)
        m.submodules.d_p = d_p = io.Buffer(io.Direction.Bidir, self.port.d_p)
        m.submodules.d_n = d_n = io.Buffer(io.Direction.Bidir, self.port.d_n)
        m.submodules.pullup = pullup = io.Buffer(io.Direction.Output, self.port.pullup)
        device, fragment = self._device(SimpleNamespace(d_p=d_p, d_n=d_n, pullup=pullup), platform)
        # At a reset of the bus LUNA forgets its address only; numbers of packets restart here, too
        # (9.1.1.5).
        m.submodules.device = ResetInserter({"usb": self._bus_reset(m, d_p, d_n)})(fragment)
        # During a reset of the board, the host sees a plug that is pulled.
        connected = Signal()
        # The register is 0 while the domain ``usb`` is reset, and 1 from the first cycle after it.
        m.d.usb += connected.eq(1)
        m.d.comb += device.connect.eq(connected)

        self._receive(m, device.rx)
        self._send(m, device.tx)

        return m

    def _receive(self, m, rx) -> None:
        """Move bytes of the host from the clock domain of USB to the accelerator's."""
        m.submodules.received = received = AsyncFIFO(
            width=8, depth=DEPTH, w_domain="usb", r_domain="sync"
        )
        m.d.comb += [
            received.w_data.eq(rx.payload),
            received.w_en.eq(rx.valid),
            # Without room, LUNA's endpoint refuses packets, and the host sends them again.
            rx.ready.eq(received.w_rdy),
            self.o.payload.eq(received.r_data),
            self.o.valid.eq(received.r_rdy),
            received.r_en.eq(self.o.ready),
        ]

    def _send(self, m, tx) -> None:
        """Move bytes to the host to the clock of USB, and decide where packets end."""
        m.submodules.sent = sent = AsyncFIFO(width=8, depth=DEPTH, w_domain="sync", r_domain="usb")
        # A byte without a successor waits until the timeout, and then is the last of its packet.
        wait = Signal(range(TIMEOUT + 1))
        timed_out = wait == TIMEOUT
        m.d.comb += [
            sent.w_data.eq(self.i.payload),
            sent.w_en.eq(self.i.valid),
            self.i.ready.eq(sent.w_rdy),
            tx.payload.eq(sent.r_data),
            # Whether a byte is the last of its packet must be known as it is given away.
            tx.valid.eq(sent.r_rdy & ((sent.r_level > 1) | timed_out)),
            tx.last.eq(timed_out),
            sent.r_en.eq(tx.valid & tx.ready),
            self.idle.eq(~self.i.valid & (sent.w_level == 0) & ~self.o.valid),
        ]
        with m.If(sent.r_en):
            m.d.usb += wait.eq(0)
        with m.Elif((sent.r_level == 1) & ~timed_out):
            m.d.usb += wait.eq(wait + 1)

    def _clocks(self, m, platform) -> None:
        """Make the domains of LUNA: ``usb_io`` for the wires, and ``usb`` for everything else."""
        m.domains.usb_io = ClockDomain(local=True)
        m.domains.usb = ClockDomain(local=True)
        # Two toggling registers divide 48 MHz by four.
        count, clk = Signal(), Signal()
        m.d.oscillator += count.eq(~count)
        with m.If(count):
            m.d.oscillator += clk.eq(~clk)
        m.d.comb += [
            ClockSignal("usb_io").eq(ClockSignal("oscillator")),
            ClockSignal("usb").eq(clk),
        ]
        # The reset of the board ends in each domain with an edge of its own clock.
        for domain in ("usb_io", "usb"):
            m.submodules[f"{domain}_reset"] = ResetSynchronizer(ResetSignal(), domain=domain)
        if hasattr(platform, "add_clock_constraint"):
            platform.add_clock_constraint(clk, USB_HZ // 4)

    def _bus_reset(self, m, d_p, d_n) -> Signal:
        """Return whether both wires have been low for so long that it is a reset (7.1.7.5)."""
        low, reset, count = Signal(), Signal(), Signal(range(LOW + 1))
        # Both are also low for two bits at the end of each packet: hence the count.
        m.submodules.low = FFSynchronizer(~(d_p.i | d_n.i), low, o_domain="usb")
        m.d.usb += reset.eq(count == LOW)
        with m.If(~low):
            m.d.usb += count.eq(0)
        with m.Elif(count != LOW):
            m.d.usb += count.eq(count + 1)
        return reset

    def _device(self, bus, platform) -> tuple[Any, Fragment]:
        """Return LUNA's device with its streams, and its fragment."""
        with warnings.catch_warnings():
            # LUNA uses records of Amaranth 0.4, which 0.5 deprecates and 0.6 will not have.
            warnings.simplefilter("ignore", DeprecationWarning)
            from luna.gateware.usb.devices.acm import USBSerialDevice

            device = USBSerialDevice(
                bus=bus,
                idVendor=VENDOR,
                idProduct=PRODUCT,
                manufacturer_string="spiker-hdl",
                product_string=self.product,
                serial_number=self.serial,
            )
            return device, Fragment.get(device, platform)
