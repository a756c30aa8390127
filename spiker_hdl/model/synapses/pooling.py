"""Maximum of the sums of a projection over windows of positions."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_shape, shown
from spiker_hdl.base.frozen import set_fields

from .windows import Windows, per_axis

__all__ = ["MaxPooling"]


@dataclass(frozen=True)
class MaxPooling:
    """The maximum over windows of each channel, with the meaning of PyTorch's ``MaxPool2d``.

    Padding never is the maximum, so every window must have a position that is no padding.

    Parameters
    ----------
    shape : tuple of int
        Channels and positions of the sums: ``(channels, x)`` or ``(channels, y, x)``.
    size : int or tuple of int
        Positions of a window along each axis.
    stride : int or tuple of int, optional
        Distance of windows; without it, their size.
    padding : int, or tuple of int or of pairs of int
        Positions that are added before and after each axis.
    dilation : int or tuple of int
        Distance of the positions of a window.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range, a window does not fit, or all of one is padding.
    """

    shape: Any
    size: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1

    def __post_init__(self) -> None:
        shape = check_shape("Sums that are pooled", self.shape, 2**20)
        if not isinstance(shape, tuple) or len(shape) not in {2, 3}:
            raise ValueError(
                "Sums that are pooled must have channels and one or two axes of positions, not "
                f"the shape {shown(self.shape)}"
            )
        size = per_axis("Size of a window", self.size, len(shape) - 1, 1, 2**10)
        stride = size if self.stride is None else self.stride
        windows = Windows(shape[1:], size, stride, self.padding, self.dilation)
        set_fields(
            self,
            shape=shape,
            size=size,
            stride=windows.stride,
            padding=windows.padding,
            dilation=windows.dilation,
        )
        covered = np.zeros(windows.counts, dtype=bool)
        for tap in windows.taps():
            covered[tap.targets] = True
        if not covered.all():
            raise ValueError(
                f"Padding of a window of {shown(size)} must leave each window a position, not be "
                f"{shown(windows.padding)}"
            )

    @cached_property
    def windows(self) -> Windows:
        """The windows of the pooled positions."""
        return Windows(self.shape[1:], self.size, self.stride, self.padding, self.dilation)

    @cached_property
    def target_shape(self) -> tuple[int, ...]:
        """Channels and pooled positions."""
        return (self.shape[0], *self.windows.counts)

    @property
    def source_size(self) -> int:
        """Number of sums."""
        return prod(self.shape)

    @property
    def target_size(self) -> int:
        """Number of maxima."""
        return prod(self.target_shape)

    def maxima(self, sums: np.ndarray) -> np.ndarray:
        """Return the maximum of each window.

        Parameters
        ----------
        sums : array, shape (..., sums)

        Returns
        -------
        array, shape (..., maxima)
        """
        shape = sums.shape[:-1]
        maps = sums.reshape(*shape, *self.shape)
        taps = [*self.windows.taps()]
        filled = np.zeros(self.windows.counts, dtype=bool)
        pooled = np.zeros((*shape, *self.target_shape), dtype=sums.dtype)
        for tap in taps:
            values, before = maps[(..., *tap.sources)], pooled[(..., *tap.targets)]
            # The first position of a window is its maximum so far, whatever its value.
            pooled[(..., *tap.targets)] = np.where(
                filled[tap.targets], np.maximum(values, before), values
            )
            filled[tap.targets] = True
        return pooled.reshape(*shape, self.target_size)
