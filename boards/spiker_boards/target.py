"""The description of a board: its device, clock, pins and link."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.tools.families import FAMILIES, Family

__all__ = ["USB_HZ", "Capacity", "Pin", "Target"]

USB_HZ = 48_000_000
"""Frequency at which the wires of USB are sampled at full speed: four times a bit."""

USB_BYTES = 19 * 64 * 1000
"""Bytes a second of bulk data at full speed: 19 packets of 64 in a millisecond (USB 2.0, 5.8.4)."""

TOLERANCE = 0.02
"""Relative error of a UART's clock that is accepted: half of what ten bits tolerate."""

Pin = tuple[Any, ...]
"""A resource of the board's platform by name and number, and part of it."""


@dataclass(frozen=True)
class Capacity:
    """The resources of a device.

    Members
    -------
    luts : int
        Look-up tables: of 4 inputs, of 6 on the 7 series; of Cyclone V, adaptive logic modules.
    block_rams : int
        Of 4 kbit on iCE40, 10 kbit on Cyclone V, 18 kbit elsewhere.
    sprams : int
        Of 256 kbit, which configuration does not initialise: they hold weights that are loaded.
    """

    luts: int
    block_rams: int
    sprams: int = 0


@dataclass(frozen=True)
class Target:
    """A board that accelerators are built for.

    Members
    -------
    name, title : str
    device : str
    family : str
        One of :data:`~spiker_hdl.tools.families.FAMILIES`.
    capacity : Capacity
    platform : callable
        Makes the Amaranth platform with the board's resources; loads what it needs.
    clock : Pin
        Input of the oscillator.
    oscillator : int
        Its frequency in Hz.
    frequency : int
        Frequency of the accelerator in Hz; a PLL makes it unless it is the oscillator's.
    link : str
        Place of the link's socket on the board.
    lanes : int
        Recommended largest number of lanes of a population.
    document : str
        Source of pins and capacity.
    uart : Pin, optional
        UART of the link, with parts ``rx`` and ``tx``.
    usb : Pin, optional
        Or else, a USB socket that is wired to the device, with parts ``d_p``, ``d_n`` and
        ``pullup``. The oscillator must have 48 MHz then.
    leds : tuple of Pin
        Two lights at most: the board is busy, and a frame was damaged.
    reset : Pin, optional
        A button.
    baud : int
        Bits a second of the UART.
    loader : tuple of str
        Arguments of openFPGALoader that name the board; empty where it does not know the board.
    dfu : tuple of (int, int), optional
        Vendor and product in the suffix of a bitstream that a DFU boot loader takes.
    options : dict
        Overrides of Amaranth's templates.
    zynq : bool
        Whether there is an ARM beside the logic.
    touched : bool
        Whether it has been tested on physical hardware.
    """

    name: str
    title: str
    device: str
    family: str
    capacity: Capacity
    platform: Callable[[], Any]
    clock: Pin
    oscillator: int
    frequency: int
    link: str
    lanes: int
    document: str
    uart: Pin | None = None
    usb: Pin | None = None
    leds: tuple[Pin, ...] = ()
    reset: Pin | None = None
    baud: int = 1_000_000
    loader: tuple[str, ...] = ()
    dfu: tuple[int, int] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    zynq: bool = False
    touched: bool = False

    def __post_init__(self) -> None:
        check_choice("Family", self.family, sorted(FAMILIES))
        set_fields(self, lanes=check_int("Lanes", self.lanes, 1))
        if (self.uart is None) == (self.usb is None):
            raise ValueError(
                f"Link must be a UART or USB, and {self.title} has "
                f"{'neither' if self.uart is None else 'both'}"
            )
        if self.usb is not None and self.oscillator != USB_HZ:
            raise ValueError(
                f"Oscillator must have {USB_HZ / 1e6:g} MHz for USB, not "
                f"{self.oscillator / 1e6:g} MHz"
            )
        self.check_clock(self.frequency)

    @property
    def kind(self) -> Family:
        """The family of the device."""
        return FAMILIES[self.family]

    @property
    def built(self) -> bool:
        """Whether a bitstream can be made without the vendor's tools."""
        return bool(self.kind.tools)

    @property
    def port(self) -> Pin:
        """The pins of the link."""
        port = self.uart if self.usb is None else self.usb
        assert port is not None  # as was checked
        return port

    @property
    def path(self) -> str:
        """The carrier of the link and its place on the board, in words."""
        if self.zynq:
            return f"mailbox of the ARM; alone: {self.baud:,} baud, {self.link}"
        carrier = f"{self.baud:,} baud" if self.usb is None else "12 Mbit/s"
        return f"{carrier}, {self.link}"

    @property
    def bytes_per_second(self) -> int | None:
        """Largest number of bytes that the link carries in a second, in each direction.

        None for the mailbox of a Zynq, whose speed depends on the program on the ARM.
        """
        if self.zynq:
            return None
        # A UART sends ten bits for each byte.
        return self.baud // 10 if self.usb is None else USB_BYTES

    def check_clock(self, frequency: float) -> None:
        """Raise :exc:`ValueError` if the link cannot work at a clock, in Hz."""
        if self.usb is None:
            self.divisor(frequency)

    def divisor(self, frequency: float) -> int:
        """Return the clock cycles of a bit of the UART.

        Raises
        ------
        ValueError
            If the clock, in Hz, is too slow for the UART, or too far from a multiple.
        """
        divisor = round(frequency / self.baud)
        error = abs(frequency / self.baud / divisor - 1) if divisor else 1.0
        if divisor < 4 or error > TOLERANCE:
            raise ValueError(
                f"Clock must be at least 4 times and nearly a multiple of the UART's "
                f"{self.baud:,} baud, not {frequency / 1e6:g} MHz"
            )
        return divisor
