"""Windows that slide over one or two axes: the geometry of convolution and pooling."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from spiker_hdl.base.checks import check_int, check_ints, shown
from spiker_hdl.base.conversions import is_several
from spiker_hdl.base.frozen import set_fields

__all__ = ["Tap", "Windows", "per_axis"]

MAX_STEP = 2**10
"""Limit of strides, dilations and padding."""

Pairs = tuple[tuple[int, int], ...]


def per_axis(name: str, value: Any, count: int, least: int, most: int) -> tuple[int, ...]:
    """Return one integer for each of so many axes, from one for all or one for each."""
    values = check_ints(name, value, least, most)
    if not isinstance(values, tuple):
        return (values,) * count
    if len(values) != count:
        raise ValueError(f"{name} must have a value for each of {count} axes, not {shown(values)}")
    return values


@dataclass(frozen=True)
class Tap:
    """The pairs of a position and a window in which the position is at one offset.

    Members
    -------
    offset : tuple of int
        Place within the window, along each axis.
    sources, targets : tuple of slice
        The positions, and the windows in the same order, along each axis.
    """

    offset: tuple[int, ...]
    sources: tuple[slice, ...]
    targets: tuple[slice, ...]


@dataclass(frozen=True)
class Windows:
    """Windows that slide over one or two axes.

    Window ``t`` has the positions ``t * stride - before + n * dilation`` for ``n`` from 0 to
    ``size - 1`` along each axis, as the windows of PyTorch's convolutions. Those outside the axis
    are padding. What remains beyond the last whole window belongs to none.

    Parameters
    ----------
    shape : tuple of int
        Positions along each axis.
    size : int or tuple of int
        Positions of a window along each axis.
    stride, dilation : int or tuple of int
        Distance of windows, and of the positions of a window.
    padding : int, or tuple of int or of pairs of int
        Positions that are added before and after each axis.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range, or no window fits.
    """

    shape: tuple[int, ...]
    size: Any
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1

    def __post_init__(self) -> None:
        shape = check_ints("Shape of windows", self.shape, 1, 2**20)
        if not isinstance(shape, tuple) or len(shape) not in {1, 2}:
            raise ValueError(f"Windows must slide over one or two axes, not {shown(self.shape)}")
        count = len(shape)
        set_fields(
            self,
            shape=shape,
            size=per_axis("Size of a window", self.size, count, 1, MAX_STEP),
            stride=per_axis("Stride", self.stride, count, 1, MAX_STEP),
            dilation=per_axis("Dilation", self.dilation, count, 1, MAX_STEP),
            padding=_padding(self.padding, count),
        )
        for n, windows in enumerate(self.counts):
            if windows < 1:
                raise ValueError(
                    f"Window must fit into its axis of {self.shape[n]} positions with "
                    f"{sum(self.padding[n])} of padding, not have "
                    f"{(self.size[n] - 1) * self.dilation[n] + 1}: use a smaller one, or padding"
                )

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of windows along each axis."""
        return tuple(
            (positions + sum(padding) - (size - 1) * dilation - 1) // stride + 1
            for positions, size, stride, padding, dilation in zip(
                self.shape, self.size, self.stride, self.padding, self.dilation, strict=True
            )
        )

    def taps(self) -> Iterator[Tap]:
        """Yield the offsets within a window, each with the pairs of position and window it joins.

        Offsets at which every position is padding are left out.
        """
        axes = [[*self._axis(n)] for n in range(len(self.shape))]
        for parts in product(*axes):
            offset, sources, targets = zip(*parts, strict=True)
            yield Tap(offset, sources, targets)

    def _axis(self, n: int) -> Iterator[tuple[int, slice, slice]]:
        positions, stride, before = self.shape[n], self.stride[n], self.padding[n][0]
        for offset in range(self.size[n]):
            # Window t has the position t * stride - shift at this offset.
            shift = before - offset * self.dilation[n]
            first = max(0, -(-shift // stride))
            last = min(self.counts[n] - 1, (positions - 1 + shift) // stride)
            if first <= last:
                start = first * stride - shift
                sources = slice(start, start + (last - first) * stride + 1, stride)
                yield offset, sources, slice(first, last + 1)

    def pairs(self, n: int) -> list[list[tuple[int, int]]]:
        """Return for each position of an axis its windows and its offset in each, ascending."""
        pairs: list[list[tuple[int, int]]] = [[] for _ in range(self.shape[n])]
        for offset, sources, targets in self._axis(n):
            for source, target in zip(
                range(sources.start, sources.stop, sources.step),
                range(targets.start, targets.stop),
                strict=True,
            ):
                pairs[source].append((target, offset))
        return [sorted(windows) for windows in pairs]


def _padding(value: Any, count: int) -> Pairs:
    if is_several(value) and len(value) == count and all(is_several(pair) for pair in value):
        return tuple(
            (
                check_int("Padding before an axis", before, 0, MAX_STEP),
                check_int("Padding after an axis", after, 0, MAX_STEP),
            )
            for before, after in (_pair(pair) for pair in value)
        )
    return tuple((n, n) for n in per_axis("Padding", value, count, 0, MAX_STEP))


def _pair(value: Any) -> Any:
    if len(value) != 2:
        raise ValueError(f"Padding of an axis must be before and after it, not {shown(value)}")
    return value
