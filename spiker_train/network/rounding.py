"""Rounding of weights to integers: the same function in training and for the hardware."""

from typing import Any

import torch

from spiker_hdl.base.checks import shown
from spiker_hdl.base.conversions import plain

from .arithmetic import through

__all__ = ["check_bits", "nearest", "rounded", "weight_range"]


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


def nearest(weights: torch.Tensor, bits: int | str, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the nearest numbers that integers of ``bits`` can be at some scale, without gradient.

    Each entry of the first axis has a scale of its own. What is beyond so many standard deviations
    as a weight has binary digits is clipped, so that the others are rounded more finely.

    Parameters
    ----------
    weights : tensor, shape (scales, weights)
    bits : int or "ternary"
    mask : tensor, shape (scales, weights), or None
        Which weights exist.
    """
    high = weight_range(bits)[1]
    weights = weights.detach()
    count = weights.shape[1] if mask is None else mask.sum(1, keepdim=True).clamp(min=1)
    deviation = (weights.square().sum(1, keepdim=True) / count).sqrt()
    reach = torch.minimum(weights.abs().amax(1, keepdim=True), deviation * high.bit_length())
    scale = (reach / high).clamp(min=torch.finfo(weights.dtype).tiny)
    return (weights / scale).round().clamp(-high, high) * scale
