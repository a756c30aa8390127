"""Convolutions as operators: one kernel between flattened maps, and products and sums of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from math import gcd, prod

import numpy as np

from spiker_hdl.model.synapses.windows import Windows

from .sparse import Entries

__all__ = ["Kernel"]

Shape = tuple[int, ...]
WEIGHTS = 2**26
"""Greatest number of weights of a kernel that a product or sum may make."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution of one or two axes, between maps that are flattened in C order.

    Members
    -------
    weights : array of float, shape (output channels, input channels / groups, *size)
    windows : Windows
        Windows of the output positions on the input positions.
    groups : int
    """

    weights: np.ndarray
    windows: Windows
    groups: int = 1

    @classmethod
    def pointwise(cls, factors: np.ndarray, positions: Shape) -> "Kernel":
        """Return the multiplication of each channel by a factor."""
        weights = factors.reshape(-1, 1, *[1] * len(positions))
        return cls(weights, Windows(positions, 1), len(factors))

    @property
    def source_shape(self) -> Shape:
        """Channels and positions of the input."""
        return (self.weights.shape[1] * self.groups, *self.windows.shape)

    @property
    def target_shape(self) -> Shape:
        """Channels and positions of the output."""
        return (self.weights.shape[0], *self.windows.counts)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of outputs, and of inputs."""
        return prod(self.target_shape), prod(self.source_shape)

    @property
    def values(self) -> np.ndarray:
        """All weights."""
        return self.weights.reshape(-1)

    @property
    def unrolled_count(self) -> int:
        """Upper bound of the number of entries of :meth:`entries`."""
        return self.weights.size * prod(self.windows.counts)

    def scaled(self, outputs: np.ndarray, inputs: np.ndarray | None = None) -> "Kernel":
        """Return the kernel with a factor for each output channel, and for each input channel."""
        axes = [1] * len(self.windows.shape)
        weights = self.weights * outputs.reshape(-1, 1, *axes)
        if inputs is not None:
            own = inputs.reshape(self.groups, -1)[self._groups_of_outputs]
            weights = weights * own.reshape(*own.shape, *axes)
        return replace(self, weights=weights)

    @property
    def _groups_of_outputs(self) -> np.ndarray:
        outputs = len(self.weights)
        return np.arange(outputs) // (outputs // self.groups)

    def entries(self) -> Entries:
        """Return all weights at all positions, as a sparse matrix."""
        outputs, inputs = self.weights.shape[:2]
        channels = self._groups_of_outputs[:, None] * inputs + np.arange(inputs)
        shapes = self.windows.shape, self.windows.counts
        parts: list[tuple] = [(np.zeros(0, np.int64),) * 2 + (np.zeros(0),)]
        for tap in self.windows.taps():
            there, here = (
                np.arange(prod(shape)).reshape(shape)[slices].ravel()
                for shape, slices in zip(shapes, (tap.sources, tap.targets), strict=True)
            )
            columns = channels[:, :, None] * prod(shapes[0]) + there
            rows = np.arange(outputs)[:, None, None] * prod(shapes[1]) + here
            values = self.weights[(slice(None), slice(None), *tap.offset)][:, :, None]
            parts.append(
                tuple(
                    np.broadcast_to(part, columns.shape).reshape(-1)
                    for part in (rows, columns, values)
                )
            )
        return Entries.of(parts, *self.shape)

    def times(self, vector: np.ndarray) -> np.ndarray:
        """Return the product with a vector."""
        inputs = self.weights.shape[1]
        maps = vector.reshape(self.groups, inputs, *self.windows.shape)
        grouped = self.weights.reshape(self.groups, -1, *self.weights.shape[1:])
        out = np.zeros((*grouped.shape[:2], *self.windows.counts))
        for tap in self.windows.taps():
            weights = grouped[(..., *tap.offset)]
            part = maps[(slice(None), slice(None), *tap.sources)]
            out[(slice(None), slice(None), *tap.targets)] += np.einsum(
                "goi,gi...->go...", weights, part
            )
        return out.reshape(-1)

    def by_channel(self, values: np.ndarray) -> np.ndarray | None:
        """Return one value for each output channel; None where positions have different ones."""
        return by_channel(values, self.target_shape)

    # -- products --

    def after(self, first: "Kernel") -> "Kernel | None":
        """Return the product ``self @ first`` as one kernel; None where there is no such kernel.

        There is none where padding of this kernel lies on positions at which ``first``, had it more
        windows, would read inputs: a remainder that it drops, or padding that it has itself.
        """
        if first.target_shape != self.source_shape:
            return None
        axes = [self._joined(first, axis) for axis in range(len(self.windows.shape))]
        joined = [axis for axis in axes if axis is not None]
        if len(joined) < len(axes):
            return None
        sizes, strides, padding, dilations = zip(*joined, strict=True)
        windows = Windows(first.windows.shape, sizes, strides, padding, dilations)
        outputs, inputs = len(self.weights), first.source_shape[0]
        if windows.counts != self.windows.counts or outputs * inputs * prod(sizes) > WEIGHTS:
            return None
        behind, before = self._all_channels(), first._all_channels()
        weights = np.zeros((outputs, inputs, *sizes))
        steps = [
            (own.dilation[n] * its.stride[n] // dilations[n], its.dilation[n] // dilations[n])
            for n in range(len(sizes))
            for own, its in [(self.windows, first.windows)]
        ]
        for offset in product(*map(range, self.windows.size)):
            for inner in product(*map(range, first.windows.size)):
                at = tuple(
                    n * far + m * near
                    for n, m, (far, near) in zip(offset, inner, steps, strict=True)
                )
                weights[(..., *at)] += behind[(..., *offset)] @ before[(..., *inner)]
        return Kernel(weights, windows).grouped(self._connects() @ first._connects() > 0)

    def _joined(self, first: "Kernel", axis: int) -> tuple | None:
        """Return size, stride, padding and dilation of a product along an axis, or None."""
        own, its = _Axis.of(self.windows, axis), _Axis.of(first.windows, axis)
        # The dilation of a window of size 1 does not matter.
        far, near = own.dilation * its.stride, its.dilation
        steps = [step for step, size in ((far, own.size), (near, its.size)) if size > 1]
        dilation = reduce(gcd, steps, 0) or 1
        span = (own.size - 1) * far + (its.size - 1) * near
        stride, before = own.stride * its.stride, own.before * its.stride + its.before
        size = span // dilation + 1
        places = np.arange(own.count)[:, None] * own.stride - own.before
        places = places + np.arange(own.size) * own.dilation
        padded = places[(places < 0) | (places >= own.positions)]
        inputs = padded[:, None] * its.stride - its.before + np.arange(its.size) * its.dilation
        if ((inputs >= 0) & (inputs < its.positions)).any():
            return None
        least = max(0, (own.count - 1) * stride + span + 1 - its.positions - before)
        # The same padding on either side, where it makes no further window.
        same = (its.positions + 2 * before - span - 1) // stride + 1 == own.count
        after = before if before >= least and same else least
        if max(size, stride, dilation, before, after) > 2**10:
            return None
        return size, stride, (before, after), dilation

    def _all_channels(self) -> np.ndarray:
        """Return the weights from all input channels, those of other groups being 0."""
        if self.groups == 1:
            return self.weights
        outputs, inputs, *size = self.weights.shape
        weights = np.zeros((outputs, self.groups, inputs, *size))
        weights[np.arange(outputs), self._groups_of_outputs] = self.weights
        return weights.reshape(outputs, -1, *size)

    def _connects(self) -> np.ndarray:
        """Return 1 for each pair of an output channel and an input channel of its group."""
        pairs = np.zeros((len(self.weights), self.groups, self.weights.shape[1]), dtype=np.int64)
        pairs[np.arange(len(self.weights)), self._groups_of_outputs] = 1
        return pairs.reshape(len(self.weights), -1)

    def grouped(self, joined: np.ndarray) -> "Kernel":
        """Return a kernel of one group with as many groups as the pairs of channels allow."""
        outputs, inputs = joined.shape
        for groups in range(gcd(outputs, inputs), 1, -1):
            if outputs % groups or inputs % groups:
                continue
            own = np.repeat(np.arange(groups), outputs // groups)[:, None]
            inside = own == np.repeat(np.arange(groups), inputs // groups)
            if not (joined & ~inside).any():
                shape = outputs, inputs // groups, *self.weights.shape[2:]
                weights = self.weights.transpose(*range(2, self.weights.ndim), 0, 1)[..., inside]
                weights = np.moveaxis(weights, -1, 0).reshape(shape)
                return Kernel(weights, self.windows, groups)
        return self

    # -- sums --

    @staticmethod
    def sum(kernels: Sequence["Kernel"]) -> "Kernel | None":
        """Return the sum of kernels as one, or None where their windows do not fit together."""
        first = kernels[0]
        ends = {(kernel.source_shape, kernel.target_shape) for kernel in kernels}
        axes = range(len(first.windows.shape))
        joined = [_fitted([_Axis.of(kernel.windows, n) for kernel in kernels]) for n in axes]
        fitted = [axis for axis in joined if axis is not None]
        if len(ends) > 1 or len(fitted) < len(joined):
            return None
        sizes, strides, padding, dilations = zip(*fitted, strict=True)
        windows = Windows(first.windows.shape, sizes, strides, padding, dilations)
        outputs, inputs = len(first.weights), first.source_shape[0]
        if windows.counts != first.windows.counts or outputs * inputs * prod(sizes) > WEIGHTS:
            return None
        weights = np.zeros((outputs, inputs, *sizes))
        for kernel in kernels:
            own = kernel.windows
            at = tuple(
                slice(start, start + (size - 1) * step + 1, step)
                for start, size, step in (
                    (
                        (padding[n][0] - own.padding[n][0]) // dilations[n],
                        own.size[n],
                        max(1, own.dilation[n] // dilations[n]),
                    )
                    for n in axes
                )
            )
            weights[(slice(None), slice(None), *at)] += kernel._all_channels()
        pairs = sum((kernel._connects() for kernel in kernels[1:]), kernels[0]._connects())
        return Kernel(weights, windows).grouped(pairs > 0)

    def __str__(self) -> str:
        ends = ["x".join(map(str, shape)) for shape in (self.source_shape, self.target_shape)]
        size = "x".join(map(str, self.windows.size))
        return f"convolution of {ends[0]} to {ends[1]} with a kernel of {size}"


@dataclass(frozen=True)
class _Axis:
    """The windows along one axis."""

    positions: int
    count: int
    size: int
    stride: int
    dilation: int
    before: int

    @classmethod
    def of(cls, windows: Windows, axis: int) -> "_Axis":
        return cls(
            windows.shape[axis],
            windows.counts[axis],
            windows.size[axis],
            windows.stride[axis],
            windows.dilation[axis],
            windows.padding[axis][0],
        )


def _fitted(axes: list[_Axis]) -> tuple | None:
    """Return size, stride, padding and dilation of a window that contains several, or None."""
    count, positions = axes[0].count, axes[0].positions
    strides = {axis.stride for axis in axes if axis.count > 1}
    if len(strides) > 1:
        return None
    stride = strides.pop() if strides else max(axis.stride for axis in axes)
    before = max(axis.before for axis in axes)
    last = max((axis.size - 1) * axis.dilation - axis.before for axis in axes)
    steps = [axis.dilation for axis in axes if axis.size > 1]
    dilation = reduce(gcd, [*steps, *(before - axis.before for axis in axes)], 0) or 1
    span = last + before
    after = max(0, (count - 1) * stride + span + 1 - positions - before)
    if (positions + 2 * before - span - 1) // stride + 1 == count and before >= after:
        after = before
    if max(span // dilation + 1, stride, dilation, before, after) > 2**10:
        return None
    return span // dilation + 1, stride, (before, after), dilation


def by_channel(values: np.ndarray, shape: Shape) -> np.ndarray | None:
    """Return one value for each channel of a map; None where its positions have different ones."""
    rows = values.reshape(shape[0], -1)
    return rows[:, 0] if (rows == rows[:, :1]).all() else None
