r"""Curves over conductance: measured tables, and the forms in which publications give them.

A curve is a function of the relative conductance :math:`g = G / G_\mathrm{high}`, which has no
unit. Its value has no unit either, or is a share of :math:`G_\mathrm{high}`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spiker_hdl.base.checks import shown
from spiker_hdl.base.frozen import set_fields

from .checks import check_increasing, check_number

__all__ = ["Curve", "Logarithm", "Polynomial", "Power", "Table", "check_curve", "value_of"]

Curve = float | Callable[[torch.Tensor], torch.Tensor]
"""A constant, or a function of relative conductances."""

LEAST = 1e-12
"""Relative conductance below which logarithms and powers keep their value."""


@dataclass(frozen=True)
class Polynomial:
    r"""A polynomial, :math:`\max(\sum_i c_i g^i, 0)`.

    Parameters
    ----------
    coefficients : sequence of float
        From the constant term on.
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = tuple(check_number("Coefficient", number) for number in self.coefficients)
        set_fields(self, coefficients=numbers)

    def __call__(self, g: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(g)
        for coefficient in reversed(self.coefficients):
            total = total * g + coefficient
        return total.clamp(min=0)


@dataclass(frozen=True)
class Logarithm:
    r"""A logarithm within limits, :math:`\min(\max(a \ln g + b, l), h)`.

    Parameters
    ----------
    slope, offset : float
        :math:`a` and :math:`b`.
    low, high : float
        Limits :math:`l` and :math:`h`.
    """

    slope: float
    offset: float
    low: float
    high: float

    def __call__(self, g: torch.Tensor) -> torch.Tensor:
        return (self.slope * g.clamp(min=LEAST).log() + self.offset).clamp(self.low, self.high)


@dataclass(frozen=True)
class Power:
    r"""A power within a limit, :math:`\min(a g^b, h)`.

    Parameters
    ----------
    factor, exponent : float
        :math:`a` and :math:`b`.
    high : float
        Limit :math:`h`.
    """

    factor: float
    exponent: float
    high: float

    def __call__(self, g: torch.Tensor) -> torch.Tensor:
        return (self.factor * g.clamp(min=LEAST) ** self.exponent).clamp(max=self.high)


@dataclass(frozen=True)
class Table:
    """A measured table with linear interpolation, constant beyond both ends.

    Parameters
    ----------
    points : sequence of float
        Relative conductances, which increase.
    values : sequence of float
        As many values of at least 0.
    """

    points: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        points = check_increasing("Conductances of a table", self.points, 0)
        values = tuple(check_number("Value of a table", value, 0) for value in self.values)
        if len(values) != len(points):
            raise ValueError(
                f"Values of a table must be {len(points)}, as its conductances, not {len(values)}"
            )
        set_fields(self, points=points, values=values)

    def __call__(self, g: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.asarray(np.interp(g.numpy(), self.points, self.values)))


def check_curve(what: str, curve: Any, low: float | None = 0) -> Curve:
    """Return a callable as it is, and a number of at least ``low`` as a float."""
    if not isinstance(curve, int | float) and callable(curve):
        function: Any = curve
        return function
    if isinstance(curve, list | tuple):
        raise TypeError(f"{what} must be a number or a curve, not {shown(curve)}")
    return check_number(what, curve, low)


def value_of(curve: Curve, g: torch.Tensor) -> torch.Tensor:
    """Return the value of a constant or a curve at relative conductances."""
    return curve(g) if callable(curve) else torch.full_like(g, curve)
