"""Levels of conductance that a device can be programmed to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.frozen import set_fields

from .checks import check_increasing

__all__ = ["MeasuredLevels", "UniformLevels", "check_levels"]


@dataclass(frozen=True)
class UniformLevels:
    r"""Equally spaced levels, both ends of the range included.

    .. math:: G \leftarrow l + \Delta \operatorname{round}((G - l) / \Delta), \quad
        \Delta = (h - l) / (n - 1)

    with the range :math:`l..h` of the device in siemens and the number of levels :math:`n`.

    Parameters
    ----------
    count : int
        Number of levels, at least 2.
    """

    count: int

    def __post_init__(self) -> None:
        set_fields(self, count=check_int("Number of levels", self.count, 2))

    def nearest(self, target: torch.Tensor, low: float, high: float) -> torch.Tensor:
        """Return the nearest level of each target conductance, in siemens."""
        step = (high - low) / (self.count - 1)
        return low + ((target - low) / step).round().clamp(0, self.count - 1) * step


@dataclass(frozen=True)
class MeasuredLevels:
    """Levels that were measured.

    Parameters
    ----------
    values : sequence of float
        At least two conductances in siemens, which increase.
    """

    values: Any

    def __post_init__(self) -> None:
        values = check_increasing("Levels", self.values, 0)
        if len(values) < 2:
            raise ValueError(f"Number of levels must be at least 2, not {len(values)}")
        set_fields(self, values=values)

    def nearest(self, target: torch.Tensor, low: float, high: float) -> torch.Tensor:
        """Return the nearest level of each target conductance, in siemens."""
        values = torch.tensor(self.values, dtype=target.dtype)
        middles = (values[1:] + values[:-1]) / 2
        return values[torch.bucketize(target.contiguous(), middles)]


def check_levels(levels: Any) -> Any:
    """Return levels as they are, and a number as that of uniform levels."""
    if levels is None or hasattr(levels, "nearest"):
        return levels
    if isinstance(levels, list | tuple | np.ndarray | torch.Tensor):
        return MeasuredLevels(levels)
    if isinstance(levels, str | float):
        raise TypeError(f"Levels must be an int, conductances or None, not {shown(levels)}")
    return UniformLevels(levels)
