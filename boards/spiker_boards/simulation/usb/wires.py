"""The wires of USB, as a computer has them."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["USB_WIRES"]

USB_WIRES = wiring.Signature({
    "levels": Out(2),  # of D+ (lowest) and D-, as both sides together drive them
    "driving": In(1),  # whether the device drives them
    "drive": In(2),  # the levels that it drives
    "pulled": In(1),  # whether its resistor pulls up D+: a device is attached
})
"""Wires as a computer has them."""
