"""What a board is: its device, clock, pins and link, for all that is built for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.tools.families import FAMILIES, Family

__all__ = ["USB_HZ", "Capacity", "Pin", "Target"]

USB_HZ = 48_000_000
"""What the wires of USB are sampled with at full speed: four times a bit."""

USB_BYTES = 19 * 64 * 1000
"""Bytes a second of bulk data at full speed: 19 packets of 64 in a millisecond (USB 2.0, 5.8.4)."""

TOLERANCE = 0.02
"""How far a UART's clock may be off, as a share: half of what ten bits bear."""

Pin = tuple[Any, ...]
"""A resource of the board's platform by name and number, and part of it."""


@dataclass(frozen=True)
class Capacity:
    """What a device has.

    Members
    -------
    luts : int
        Look-up tables: of 4 inputs, of 6 on the 7 series; of Cyclone V, adaptive logic modules.
    block_rams : int
        Of 4 kbit on iCE40, 10 kbit on Cyclone V, 18 kbit elsewhere.
    sprams : int
        Of 256 kbit, which nothing initialises: they hold weights that are loaded.
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
        That of the accelerator in Hz, of a PLL unless it is the same.
    link : str
        Where the link is on the board.
    lanes : int
        Recommended for what fits: most accumulators side by side in a population.
    document : str
        Where pins and capacity are from.
    uart : Pin, optional
        What carries the link: with parts ``rx`` and ``tx``.
    usb : Pin, optional
        Or else, a socket that is wired to the device: with parts ``d_p``, ``d_n`` and ``pullup``.
        The oscillator must have 48 MHz then.
    leds : tuple of Pin
        Two: busy, and a frame was damaged. Fewer show less.
    reset : Pin, optional
        A button.
    baud : int
        Bits a second of the UART.
    loader : tuple of str
        Arguments of openFPGALoader that name the board; none where it cannot load.
    dfu : tuple of (int, int), optional
        Vendor and product in the suffix that a DFU boot loader wants behind a bitstream.
    options : dict
        Overrides of Amaranth's templates.
    zynq : bool
        Whether there is an ARM beside the logic.
    touched : bool
        Whether anyone here has had the board in hand.
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
        found = self.uart if self.usb is None else self.usb
        assert found is not None  # as was checked
        return found

    @property
    def path(self) -> str:
        """What carries the link, and where it is, in words."""
        if self.zynq:
            return f"mailbox of the ARM; alone: {self.baud:,} baud, {self.link}"
        carrier = f"{self.baud:,} baud" if self.usb is None else "12 Mbit/s"
        return f"{carrier}, {self.link}"

    @property
    def bytes_per_second(self) -> int | None:
        """Bytes that the link carries each way in a second, at most.

        None for the mailbox of a Zynq, whose speed is that of the program on the ARM.
        """
        if self.zynq:
            return None
        # A UART sends ten bits for each byte.
        return self.baud // 10 if self.usb is None else USB_BYTES

    def check_clock(self, frequency: float) -> None:
        """Raise :exc:`ValueError` where the link cannot be had at a clock, in Hz."""
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
        off = abs(frequency / self.baud / divisor - 1) if divisor else 1.0
        if divisor < 4 or off > TOLERANCE:
            raise ValueError(
                f"Clock must be at least 4 times and nearly a multiple of the UART's "
                f"{self.baud:,} baud, not {frequency / 1e6:g} MHz"
            )
        return divisor
