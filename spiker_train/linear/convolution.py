"""Linear maps over windows: convolutions and pooling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.conversions import plain

from .elementwise import LinearMap, Shape
from .sparse import Entries, float_array

__all__ = ["AvgPool", "Conv", "MaxPool", "SumPool"]


@dataclass(eq=False)
class Conv(LinearMap):
    """A convolution of one or two dimensions, as PyTorch and NIR define it.

    Parameters
    ----------
    weight : array of float, shape (outputs, inputs / groups, *kernel)
    bias : array of float, shape (outputs,), optional
    stride, dilation : int or tuple of int
    padding : int or tuple of int, "valid" or "same"
        Number of zeros on either side.
    groups : int
    """

    weight: Any
    bias: Any = None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    unrolls = True

    def __post_init__(self) -> None:
        self.weight = float_array(f"Weights of {self}", self.weight)
        if self.weight.ndim not in {3, 4}:
            raise ValueError(
                f"Weights of {self} must have 3 or 4 axes, not the shape {self.weight.shape}"
            )
        outputs, _, *kernel = self.weight.shape
        if self.bias is not None:
            self.bias = float_array(f"Bias of {self}", self.bias, (outputs,))
        self.groups = check_int(f"Groups of {self}", self.groups, 1)
        if outputs % self.groups:
            raise ValueError(f"Groups of {self} must divide {outputs}, not be {self.groups}")
        self.window = Window(str(self), kernel, self.stride, self.padding, self.dilation)

    def reach(self, shape: Shape, before: str) -> Shape:
        outputs, inputs = self.weight.shape[0], self.weight.shape[1] * self.groups
        if len(shape) != self.weight.ndim - 1 or shape[0] != inputs:
            expected = f"{inputs} channels and {self.weight.ndim - 2} more axes"
            raise self.refuse(expected, shape, before)
        return (outputs, *self._places(shape, before))

    def _places(self, shape: Shape, before: str) -> Shape:
        places = self.window.reach(shape[1:])
        if min(places) < 1:
            raise self.refuse(f"room for a kernel of {self.window.kernel}", shape, before)
        return places

    def count(self, shape: Shape) -> int:
        return self.weight.size * prod(self._places(shape, "before"))

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        outputs, fan_in = self.weight.shape[:2]
        inside, places = prod(shape[1:]), self._places(shape, "before")
        groups, size = np.arange(outputs) // (outputs // self.groups), prod(places)
        parts = []
        for offset, (here, there) in self.window.pairs(shape[1:], places):
            rows = (np.arange(outputs)[:, None, None] * size) + here
            channels = groups[:, None] * fan_in + np.arange(fan_in)
            columns = channels[:, :, None] * inside + there
            values = np.broadcast_to(self.weight[(..., *offset)][:, :, None], columns.shape)
            rows = np.broadcast_to(rows, columns.shape)
            parts.append((rows.reshape(-1), columns.reshape(-1), values.reshape(-1)))
        entries = Entries.of(parts, outputs * size, prod(shape))
        return entries, None if self.bias is None else np.repeat(self.bias, size)


@dataclass(eq=False)
class SumPool(LinearMap):
    """Sums over windows of each channel.

    Parameters
    ----------
    kernel : int or tuple of int
    stride : int or tuple of int, optional
        Where none is given, the size of the kernel.
    padding : int or tuple of int
    dimensions : int
        Number of axes that are pooled, where ``kernel`` is one number.
    """

    kernel: Any
    stride: Any = None
    padding: Any = 0
    dimensions: int = 2
    unrolls = True

    def __post_init__(self) -> None:
        kernel = plain(self.kernel)
        kernel = [kernel] * self.dimensions if isinstance(kernel, int) else list(kernel)
        stride = kernel if self.stride is None else self.stride
        self.window = Window(str(self), kernel, stride, self.padding, 1)

    def reach(self, shape: Shape, before: str) -> Shape:
        if len(shape) != len(self.window.kernel) + 1:
            expected = f"channels and {len(self.window.kernel)} more axes"
            raise self.refuse(expected, shape, before)
        places = self.window.reach(shape[1:])
        if min(places) < 1:
            raise self.refuse(f"room for a kernel of {self.window.kernel}", shape, before)
        return (shape[0], *places)

    def count(self, shape: Shape) -> int:
        return prod(self.reach(shape, "before")) * prod(self.window.kernel)

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        inside, places = prod(shape[1:]), self.reach(shape, "before")[1:]
        parts = [
            (here, there, np.ones(len(here)))
            for _, (here, there) in self.window.pairs(shape[1:], places)
        ]
        entries = Entries.of(parts, prod(places), inside)
        shares = self._shares(entries, places)
        return Entries(
            entries.rows, entries.columns, entries.values * shares[entries.rows], entries.shape
        ).repeated(shape[0]), None

    def _shares(self, entries: Entries, places: Shape) -> np.ndarray:
        return np.ones(prod(places))


@dataclass(eq=False)
class AvgPool(SumPool):
    """Averages over windows of each channel.

    Parameters
    ----------
    padded : bool
        Whether zeros beyond the edge count (PyTorch's ``count_include_pad``).
    """

    padded: bool = True

    def _shares(self, entries: Entries, places: Shape) -> np.ndarray:
        if self.padded:
            return np.full(prod(places), 1 / prod(self.window.kernel))
        return 1 / np.bincount(entries.rows, minlength=prod(places)).clip(1)


@dataclass(eq=False)
class MaxPool(LinearMap):
    """The greatest value of each window, which is not a linear map and so is always refused."""

    def reach(self, shape: Shape, before: str) -> Shape:
        raise ValueError(
            f"{self} must be an average pooling between currents: the greatest of several "
            f"currents is no linear map, and has no place in a projection from {before}"
        )


class Window:
    """The windows of a kernel on an input with one or two axes."""

    def __init__(self, what: str, kernel: Sequence[int], stride: Any, padding: Any, dilation: Any):
        self.kernel: Shape = tuple(int(size) for size in kernel)
        self.stride = self._each(f"Stride of {what}", stride, 1)
        self.dilation = self._each(f"Dilation of {what}", dilation, 1)
        spans = [d * (k - 1) for k, d in zip(self.kernel, self.dilation, strict=True)]
        if isinstance(padding, str):
            if padding not in {"valid", "same"}:
                raise ValueError(f"Padding of {what} must be 'valid' or 'same', not {padding!r}")
            if padding == "same" and max(self.stride) > 1:
                raise ValueError(f"Padding of {what} must be numbers with a stride, not 'same'")
            both = [(n // 2, n - n // 2) if padding == "same" else (0, 0) for n in spans]
        else:
            both = [(n, n) for n in self._each(f"Padding of {what}", padding, 0)]
        self.padding = both
        self.spans = spans

    def _each(self, what: str, value: Any, low: int) -> Shape:
        many = [value] * len(self.kernel) if np.ndim(value) == 0 else list(value)
        if len(many) != len(self.kernel) or any(int(n) != n or n < low for n in many):
            raise ValueError(
                f"{what} must be {len(self.kernel)} integers of at least {low}, not {value!r}"
            )
        return tuple(int(number) for number in many)

    def reach(self, shape: Shape) -> Shape:
        """Return the number of windows along each axis."""
        return tuple(
            (size + sum(pad) - span - 1) // step + 1
            for size, pad, span, step in zip(
                shape, self.padding, self.spans, self.stride, strict=True
            )
        )

    def pairs(
        self, shape: Shape, places: Shape
    ) -> Iterator[tuple[Shape, tuple[np.ndarray, np.ndarray]]]:
        """Yield, for each element of the kernel, flat indices of windows and of their inputs."""
        for offset in product(*(range(n) for n in self.kernel)):
            here, there = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
            for axis, at in enumerate(offset):
                window = np.arange(places[axis])
                source = window * self.stride[axis] - self.padding[axis][0]
                source = source + at * self.dilation[axis]
                inside = (source >= 0) & (source < shape[axis])
                here = (here[:, None] * places[axis] + window[inside]).reshape(-1)
                there = (there[:, None] * shape[axis] + source[inside]).reshape(-1)
            yield offset, (here, there)
