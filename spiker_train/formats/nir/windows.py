"""Convolutions of NIR: of a kernel, or recognised in the matrix into which it was unrolled."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.model import Convolution
from spiker_train.linear.compose import Conv

__all__ = ["Pool", "convolution", "kernel", "pool"]

STRIDES = 8


def convolution(
    matrix: np.ndarray, source: tuple[int, ...], target: tuple[int, ...]
) -> dict[str, Any] | None:
    """Return the convolution that is bit for bit equal to a matrix, or None if there is none.

    Parameters
    ----------
    matrix : array of float, shape (target size, source size)
    source, target : tuple of int
        Shapes, channels first.

    Returns
    -------
    dict or None
        ``weight`` of shape (target channels, source channels, *kernel), ``stride``, ``padding``,
        ``dilation``, each of the last three with a number for each axis.
    """
    whole = matrix.reshape(*target, *source)
    axes = len(source) - 1
    used = np.count_nonzero(matrix)
    choices = []
    for axis in range(axes):
        rest = tuple(n for n in range(whole.ndim) if n not in {1 + axis, 2 + axes + axis})
        choices.append(_windows((whole != 0).any(axis=rest)))
    for choice in product(*choices):
        kernel, stride, padding = (tuple(values) for values in zip(*choice, strict=True))
        if (
            2 * prod(kernel) * source[0] * target[0] > used
        ):  # there is no kernel that many windows share
            continue
        weight = _kernel(whole, kernel, stride, padding)
        conv = Conv(weight, stride=stride, padding=padding)
        if conv.reach(source, "the source") != target:
            continue
        if np.array_equal(conv.unroll(source)[0].dense().astype(matrix.dtype), matrix):
            dilation = (1,) * axes
            return {"weight": weight, "stride": stride, "padding": padding, "dilation": dilation}
    return None


def kernel(weights: np.ndarray, geometry: Convolution) -> dict[str, Any] | None:
    """Return a convolution as a node of NIR has it, or None if there is none.

    A node has the same padding on either side and, for nir 1.0.8 to infer its shape, a square
    kernel and one group. Zeros are added to the kernel where that makes it so.

    Parameters
    ----------
    weights : array of float, shape (target channels, source channels / groups, *size)
    geometry : Convolution

    Returns
    -------
    dict or None
        As that of :func:`convolution`.
    """
    largest = max(weights.shape[2:])
    for size in range(largest, largest + 8):
        axes = [_zeros(geometry, axis, size) for axis in range(len(geometry.stride))]
        fitted = [axis for axis in axes if axis is not None]
        if len(fitted) == len(axes):
            zeros, padding = zip(*fitted, strict=True)
            weights = np.pad(_all_channels(weights, geometry.groups), ((0, 0), (0, 0), *zeros))
            options = {"stride": geometry.stride, "padding": padding}
            return {"weight": weights, **options, "dilation": geometry.dilation}
    return None


def _zeros(geometry: Convolution, axis: int, size: int) -> tuple[tuple[int, int], int] | None:
    """Return zeros before and after a kernel that make it larger, and its padding, or None."""
    more = size - geometry.kernel.shape[2 + axis]
    positions, count = geometry.shape[1 + axis], geometry.windows.counts[axis]
    stride, dilation = geometry.stride[axis], geometry.dilation[axis]
    for before in range(more + 1):
        padding = geometry.padding[axis][0] + before * dilation
        if (positions + 2 * padding - (size - 1) * dilation - 1) // stride + 1 == count:
            return (before, more - before), padding
    return None


def _all_channels(weights: np.ndarray, groups: int) -> np.ndarray:
    """Return weights from all source channels, those of other groups being 0."""
    outputs, inputs, *size = weights.shape
    whole = np.zeros((outputs, groups, inputs, *size), dtype=weights.dtype)
    whole[np.arange(outputs), np.arange(outputs) // (outputs // groups)] = weights
    return whole.reshape(outputs, groups * inputs, *size)


@dataclass(frozen=True)
class Pool:
    """A convolution that pools: it sums or averages over windows of each channel.

    Members
    -------
    averages : bool
        Whether it averages.
    windows : tuple of array of int
        Size, stride and padding of its windows, each with a number for each axis.
    factors : array of float, shape (channels,), or None
        By which the sums of each channel are multiplied; None where they stay as they are.
    """

    averages: bool
    windows: tuple[np.ndarray, ...]
    factors: np.ndarray | None = None


def pool(weights: np.ndarray, geometry: Convolution) -> Pool | None:
    """Return the pooling that a convolution is, or None for another one.

    Parameters
    ----------
    weights : array of float, shape (target channels, source channels / groups, *size)
    geometry : Convolution
    """
    size = weights.shape[2:]
    each = weights.shape[1] == 1 and geometry.groups == len(weights)
    even = all(before == after for before, after in geometry.padding)
    if len(size) != 2 or prod(size) == 1 or not each or not even or set(geometry.dilation) != {1}:
        return None
    padding = [before for before, _ in geometry.padding]
    windows = tuple(map(np.array, (size, geometry.stride, padding)))
    for averages, share in ((False, 1.0), (True, 1 / prod(size))):
        if (weights == weights.dtype.type(share)).all():
            return Pool(averages, windows)
    rows = weights.reshape(len(weights), -1)
    alike = (rows == rows[:, :1]).all() and (rows[:, 0] > 0).all()
    return Pool(False, windows, rows[:, 0]) if alike else None


def _windows(joined: np.ndarray) -> list[tuple[int, int, int]]:
    """Return the kernels, strides and paddings that are possible along an axis."""
    outputs, inputs = joined.shape
    at, of = np.nonzero(joined)
    if not len(at):
        return []
    windows = []
    for stride in range(1, min(STRIDES, inputs) + 1):
        offsets = of - at * stride
        padding = max(0, -int(offsets.min()))
        smallest = int(offsets.max()) + padding + 1
        for more, kernel in product(range(3), range(smallest, smallest + 5)):
            wide = padding + more
            if kernel + more <= inputs + 2 * wide and wide < kernel + more and (
                (inputs + 2 * wide - kernel - more) // stride + 1 == outputs
            ):  # fmt: skip
                windows.append((kernel + more, stride, wide))
    return sorted(set(windows), key=lambda window: (window[0], window[2]))


def _kernel(
    whole: np.ndarray, kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...]
) -> np.ndarray:
    """Return the kernel, from the first window that lies inside the input."""
    axes = len(kernel)
    outputs, inputs = whole.shape[0], whole.shape[1 + axes]
    weight = np.zeros((outputs, inputs, *kernel), dtype=whole.dtype)
    for offset in product(*(range(n) for n in kernel)):
        places = []
        for axis, along in enumerate(offset):
            windows = np.arange(whole.shape[1 + axis])
            taken = windows * stride[axis] - padding[axis] + along
            inside = np.flatnonzero((taken >= 0) & (taken < whole.shape[2 + axes + axis]))
            if not len(inside):
                break
            places.append((int(inside[0]), int(taken[inside[0]])))
        if len(places) == axes:
            here, there = ([place[n] for place in places] for n in (0, 1))
            weight[(slice(None), slice(None), *offset)] = whole[
                (slice(None), *here, slice(None), *there)
            ]
    return weight
