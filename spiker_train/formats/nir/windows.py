"""Convolutions of NIR: of a kernel, or recognised in the matrix into which it was unrolled."""

from itertools import product
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.model import Convolution
from spiker_train.linear.compose import Conv

__all__ = ["convolution", "kernel"]

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
        ``dilation``, each of these three with a number for each axis, and ``groups``.
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
            options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 1}
            return {"weight": weight, **options}
    return None


def kernel(weights: np.ndarray, geometry: Convolution) -> dict[str, Any] | None:
    """Return a convolution with the same padding on either side, or None if there is none.

    Where the padding of an axis differs, zeros are added to the kernel.

    Parameters
    ----------
    weights : array of float, shape (target channels, source channels / groups, *size)
    geometry : Convolution

    Returns
    -------
    dict or None
        As that of :func:`convolution`.
    """
    zeros, padding = [(0, 0), (0, 0)], []
    for (before, after), dilation in zip(geometry.padding, geometry.dilation, strict=True):
        more = abs(before - after)
        if more % dilation:
            return None
        at_start = before < after
        zeros.append((more // dilation, 0) if at_start else (0, more // dilation))
        padding.append(max(before, after))
    options = {"stride": geometry.stride, "padding": tuple(padding), "dilation": geometry.dilation}
    return {"weight": np.pad(weights, zeros), **options, "groups": geometry.groups}


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
