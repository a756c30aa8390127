"""Weights that are the same at every position: convolutions of one or two axes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np

from spiker_hdl.base.checks import check_int, check_shape, shown
from spiker_hdl.base.conversions import frozen_integers
from spiker_hdl.base.frozen import set_fields

from .base import MATRIX_LIMIT, Synapses, extremes, sum_type
from .windows import Windows

__all__ = ["Convolution"]

_BLOCK = 2**19
"""Entries of the table of windows that is multiplied at once, so that it stays in cache."""


@dataclass(frozen=True, eq=False, repr=False)
class Convolution(Synapses):
    """A convolution of one or two axes, with the meaning of PyTorch's ``Conv1d`` and ``Conv2d``.

    A target ``(output channel, y, x)`` has one weight from each channel and position of its window,
    the same weights at every position. Sources and targets are numbered in C order: by channel,
    then row, then column.

    Parameters
    ----------
    kernel : array of int, shape (output channels, channels / groups, *size)
        Weights, with one or two axes of positions.
    shape : tuple of int
        Channels and positions of the source: ``(channels, x)`` or ``(channels, y, x)``.
    stride, dilation : int or tuple of int
        Distance of windows, and of the positions of a window, along each axis.
    padding : int, or tuple of int or of pairs of int
        Positions without events that are added before and after each axis.
    groups : int
        Number of groups into which channels and output channels are divided; an output channel has
        weights from the channels of its group alone. As many groups as channels are a depthwise
        convolution.

    Raises
    ------
    TypeError, ValueError
        If shapes do not meet, the window does not fit, or a weight has more than 32 bits.
    """

    kind: ClassVar[str] = "convolution"
    kernel: Any
    shape: Any
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    def __post_init__(self) -> None:
        kernel = frozen_integers("Kernel", self.kernel)
        if kernel.ndim not in {3, 4} or not kernel.size:
            raise ValueError(
                "Kernel must have the shape (output channels, channels / groups, *size) with one "
                f"or two axes of positions, not {kernel.shape}"
            )
        outputs, inputs, *size = kernel.shape
        shape = check_shape("Source of a convolution", self.shape, 2**20)
        if not isinstance(shape, tuple) or len(shape) != kernel.ndim - 1:
            raise ValueError(
                f"Source of a convolution must have channels and {kernel.ndim - 2} axes of "
                f"positions, as its kernel, not the shape {shown(self.shape)}"
            )
        groups = check_int("Groups", self.groups, 1, 2**20)
        if shape[0] != inputs * groups:
            raise ValueError(
                f"Source of a convolution must have {inputs * groups} channels, which its kernel "
                f"and groups have, not {shape[0]}"
            )
        if outputs % groups:
            raise ValueError(f"Groups must divide the {outputs} output channels, not be {groups}")
        windows = Windows(shape[1:], tuple(size), self.stride, self.padding, self.dilation)
        check_shape("Target of a convolution", (outputs, *windows.counts), 2**20)
        set_fields(
            self,
            kernel=kernel,
            shape=shape,
            stride=windows.stride,
            padding=windows.padding,
            dilation=windows.dilation,
            groups=groups,
        )
        self._check_weights(kernel)

    @cached_property
    def windows(self) -> Windows:
        """The windows of the targets' positions."""
        return Windows(
            self.shape[1:], self.kernel.shape[2:], self.stride, self.padding, self.dilation
        )

    @cached_property
    def target_shape(self) -> tuple[int, ...]:
        """Channels and positions of the target."""
        return (self.kernel.shape[0], *self.windows.counts)

    @property
    def source_size(self) -> int:  # type: ignore[override]
        return prod(self.shape)

    @property
    def target_size(self) -> int:  # type: ignore[override]
        return prod(self.target_shape)

    @property
    def values(self) -> np.ndarray:
        return self.kernel

    def with_values(self, values: np.ndarray) -> "Convolution":
        return Convolution(
            values, self.shape, self.stride, self.padding, self.dilation, self.groups
        )

    def _pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield for each offset within a window the synapses that have it.

        Returns
        -------
        targets, sources : array of int, shape (output channels, channels / groups, positions)
        weights : array of int, shape (output channels, channels / groups, 1)
        """
        outputs, inputs = self.kernel.shape[:2]
        group = np.arange(outputs) // (outputs // self.groups)
        channels = group[:, None] * inputs + np.arange(inputs)
        shapes = self.shape[1:], self.windows.counts
        for tap in self.windows.taps():
            sources, targets = (
                np.arange(prod(shape)).reshape(shape)[slices].ravel()
                for shape, slices in zip(shapes, (tap.sources, tap.targets), strict=True)
            )
            sources = channels[:, :, None] * prod(shapes[0]) + sources
            targets = np.arange(outputs)[:, None, None] * prod(shapes[1]) + targets
            weights = self.kernel[(slice(None), slice(None), *tap.offset)][:, :, None]
            yield np.broadcast_to(targets, sources.shape), sources, weights

    def matrix(self) -> np.ndarray:
        size = self.source_size * self.target_size
        if size > MATRIX_LIMIT:
            raise ValueError(
                f"Convolution must join at most {MATRIX_LIMIT} pairs for a matrix, not {size}"
            )
        matrix = np.zeros((self.target_size, self.source_size), dtype=np.int64)
        for targets, sources, weights in self._pairs():
            matrix[targets, sources] = weights
        return matrix

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts = [
            [part[np.broadcast_to(weights != 0, sources.shape)] for part in whole]
            for targets, sources, weights in self._pairs()
            for whole in [(sources, targets, np.broadcast_to(weights, sources.shape))]
        ]
        sources, targets, weights = (
            np.concatenate([part[n] for part in parts]) if parts else np.zeros(0, np.int64)
            for n in range(3)
        )
        order = np.lexsort((targets, sources))
        return sources[order], targets[order], weights[order]

    def fan_out(self) -> np.ndarray:
        counts = np.zeros(self.shape, dtype=np.int64)
        some = self.kernel != 0
        for tap in self.windows.taps():
            weights = some[(slice(None), slice(None), *tap.offset)]
            # A channel has weights to the output channels of its group.
            per_channel = weights.reshape(self.groups, -1, weights.shape[1]).sum(axis=1).ravel()
            counts[(slice(None), *tap.sources)] += per_channel.reshape(-1, *[1] * len(tap.offset))
        return counts.ravel()

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        totals = []
        for ends in extremes(self.kernel, low, high):
            kind = sum_type(ends, self.kernel[0].size)
            total = np.zeros(self.target_shape, dtype=kind)
            for tap in self.windows.taps():
                own = ends[(slice(None), slice(None), *tap.offset)].sum(axis=1, dtype=kind)
                total[(slice(None), *tap.targets)] += own.reshape(-1, *[1] * len(tap.offset))
            totals.append(total.ravel())
        return totals[0], totals[1]

    def sums(self, events: np.ndarray) -> np.ndarray:
        inputs, places = self.shape[0] // self.groups, prod(self.windows.counts)
        taps = [*self.windows.taps()]
        # Only offsets that some position has; they are all of them unless most of it is padding.
        offsets = tuple(
            np.array([tap.offset for tap in taps], dtype=np.intp).reshape(-1, len(self.stride)).T
        )
        kernel = self.kernel[(slice(None), slice(None), *offsets)]
        kernel = kernel.reshape(
            self.groups, len(self.kernel) // self.groups, inputs * len(taps)
        ).astype(events.dtype)
        samples = events.reshape(-1, *self.shape)
        out = np.empty((len(samples), self.groups, kernel.shape[1], places), dtype=events.dtype)
        block = max(1, _BLOCK // max(1, self.shape[0] * len(taps) * places))
        shape = self.shape[0], len(taps), *self.windows.counts
        # Zeros where a window lies on padding stay, since every block writes the same places.
        table = np.zeros((min(block, len(samples)), *shape), dtype=events.dtype)
        for start in range(0, len(samples), block):
            part = samples[start : start + block]
            for n, tap in enumerate(taps):
                at = (slice(None), slice(None))
                table[: len(part)][(*at, n, *tap.targets)] = part[(*at, *tap.sources)]
            rows = table[: len(part)].reshape(len(part), self.groups, kernel.shape[2], places)
            np.matmul(kernel, rows, out=out[start : start + len(part)])
        return out.reshape(*events.shape[:-1], self.target_size)

    def __eq__(self, other: object) -> bool:
        return (
            super().__eq__(other)
            and isinstance(other, Convolution)
            and (self.shape, self.windows, self.groups)
            == (other.shape, other.windows, other.groups)
        )

    __hash__ = Synapses.__hash__

    def __repr__(self) -> str:
        size = "x".join(map(str, self.kernel.shape[2:]))
        ends = ["x".join(map(str, shape)) for shape in (self.target_shape, self.shape)]
        return f"Convolution({ends[0]} from {ends[1]}, kernel {size})"
