"""Rounding of weights to integers: the same function in training and for the hardware."""

from typing import Any

import torch

from spiker_hdl.base.checks import shown
from spiker_hdl.base.conversions import plain

from .arithmetic import through

__all__ = ["check_bits", "rounded", "weight_range"]


def check_bits(what: str, bits: Any) -> int | str:
    """Return ``bits`` plain if they are ``"ternary"`` or an integer in 2..16."""
    if isinstance(bits, str) and bits == "ternary":
        return "ternary"
    number = plain(bits)
    if type(number) is not int:
        raise TypeError(f"{what} must be an int or 'ternary', not {shown(bits)}")
    if not 2 <= number <= 16:
        raise ValueError(f"{what} must be in 2..16, not {shown(number)}")
    return number


def weight_range(bits: int | str) -> tuple[int, int]:
    """Return the smallest and the greatest weight of ``bits`` in two's complement, or ternary."""
    if bits == "ternary":
        return -1, 1
    assert isinstance(bits, int)
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def rounded(values: torch.Tensor, scale: float, low: int, high: int) -> torch.Tensor:
    """Return ``values / scale``, rounded to nearest, ties to even, and clipped to ``low..high``.

    The division is in double precision on every device. The gradient passes through unchanged.
    """
    divisor = torch.full((), scale, dtype=torch.float64, device=values.device)
    with torch.no_grad():
        value = (values.double() / divisor).round().clamp(low, high).to(values.dtype)
    return through(values / scale, value)
