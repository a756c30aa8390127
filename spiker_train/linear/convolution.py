"""Maps over windows: convolutions and pooling."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.conversions import plain
from spiker_hdl.model.synapses.pooling import MaxPooling
from spiker_hdl.model.synapses.windows import Windows

from .elementwise import LinearMap, Shape
from .kernel import Kernel
from .sparse import Entries, float_array

__all__ = ["AvgPool", "Conv", "MaxPool", "Pad", "SumPool", "maxima_of_maxima"]


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
            raise self.too_small(f"a kernel of {self.window.kernel}", shape, before)
        return places

    def count(self, shape: Shape) -> int:
        return self.weight.size * prod(self._places(shape, ""))

    def kernel(self, shape: Shape) -> Kernel:
        self._places(shape, "")
        return Kernel(self.weight, self.window.over(shape[1:]), self.groups)

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        return self.kernel(shape).entries(), self.shift(shape)

    def shift(self, shape: Shape) -> np.ndarray | None:
        return None if self.bias is None else np.repeat(self.bias, prod(self._places(shape, "")))


@dataclass(eq=False)
class SumPool(LinearMap):
    """Sums over windows of each channel.

    Parameters
    ----------
    kernel_size : int or tuple of int
    stride : int or tuple of int, optional
        Where none is given, the size of the window.
    padding : int or tuple of int
    dimensions : int
        Number of axes that are pooled, where ``kernel_size`` is one number.
    """

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    dimensions: int = 2
    unrolls = True

    def __post_init__(self) -> None:
        kernel = plain(self.kernel_size)
        kernel = [kernel] * self.dimensions if isinstance(kernel, int) else list(kernel)
        stride = kernel if self.stride is None else self.stride
        self.window = Window(str(self), kernel, stride, self.padding, 1)

    def reach(self, shape: Shape, before: str) -> Shape:
        if len(shape) != len(self.window.kernel) + 1:
            expected = f"channels and {len(self.window.kernel)} more axes"
            raise self.refuse(expected, shape, before)
        places = self.window.reach(shape[1:])
        if min(places) < 1:
            raise self.too_small(f"a kernel of {self.window.kernel}", shape, before)
        return (shape[0], *places)

    def count(self, shape: Shape) -> int:
        return prod(self.reach(shape, "")) * prod(self.window.kernel)

    def kernel(self, shape: Shape) -> Kernel | None:
        self.reach(shape, "")
        share = self._share()
        if share is None:
            return None
        weights = np.full((shape[0], 1, *self.window.kernel), share)
        return Kernel(weights, self.window.over(shape[1:]), shape[0])

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        self.reach(shape, "")
        weights = np.ones((1, 1, *self.window.kernel))
        entries = Kernel(weights, self.window.over(shape[1:])).entries()
        share = self._share()
        counts = np.bincount(entries.rows, minlength=entries.shape[0])
        shares = 1 / counts.clip(1) if share is None else np.full(entries.shape[0], share)
        return Entries(
            entries.rows, entries.columns, entries.values * shares[entries.rows], entries.shape
        ).repeated(shape[0]), None

    def _share(self) -> float | None:
        """Return the weight of a value in its window, or None where windows have different ones."""
        return 1.0


@dataclass(eq=False)
class AvgPool(SumPool):
    """Averages over windows of each channel.

    Parameters
    ----------
    padded : bool
        Whether zeros beyond the edge count (PyTorch's ``count_include_pad``).
    """

    padded: bool = True

    def _share(self) -> float | None:
        if self.padded or not any(sum(pad) for pad in self.window.padding):
            return 1 / prod(self.window.kernel)
        return None


@dataclass(eq=False)
class Pad(LinearMap):
    """Zeros around each channel.

    Parameters
    ----------
    padding : sequence of (int, int)
        Number of zeros before and after each axis of positions.
    """

    padding: Any

    def reach(self, shape: Shape, before: str) -> Shape:
        if len(shape) != len(self.padding) + 1:
            raise self.refuse(f"channels and {len(self.padding)} more axes", shape, before)
        positions = (size + sum(ends) for size, ends in zip(shape[1:], self.padding, strict=True))
        return (shape[0], *positions)

    def count(self, shape: Shape) -> int:
        return prod(shape)

    def kernel(self, shape: Shape) -> Kernel:
        self.reach(shape, "")
        windows = Windows(shape[1:], 1, 1, tuple(self.padding))
        return Kernel(np.ones((shape[0], 1, *windows.size)), windows, shape[0])

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        return self.kernel(shape).entries(), None


@dataclass(eq=False)
class MaxPool(LinearMap):
    """The maximum of each window of each channel, which is not linear.

    It may be the last of several maps, behind a convolution; factors that are not negative may
    follow, and a maximum of the maxima.

    Parameters
    ----------
    kernel_size : int or tuple of int
    stride : int or tuple of int, optional
        Where none is given, the size of the window.
    padding, dilation : int or tuple of int
    dimensions : int
        Number of axes that are pooled, where ``kernel_size`` is one number.
    ceil : bool
        Whether a remainder at the end of an axis is a window too.
    """

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    dimensions: int = 2
    ceil: bool = False

    def __post_init__(self) -> None:
        size = plain(self.kernel_size)
        size = [size] * self.dimensions if isinstance(size, int) else list(size)
        stride = size if self.stride is None else self.stride
        self.window = Window(str(self), size, stride, self.padding, self.dilation)

    def pooling(self, shape: Shape, before: str) -> MaxPooling:
        """Return the pooling of maps of a shape."""
        window = self.window
        if len(shape) != len(window.kernel) + 1:
            expected = f"channels and {len(window.kernel)} more axes"
            raise self.refuse(expected, shape, before)
        padding = list(window.padding)
        for axis, (size, (front, back), span, step) in enumerate(
            zip(shape[1:], window.padding, window.spans, window.stride, strict=True)
        ):
            remainder = (size + front + back - span - 1) % step
            # A further window begins within the map or the padding before it.
            if self.ceil and remainder and size + back - remainder + step - span - 1 < size:
                padding[axis] = front, back + step - remainder
        if min(window.reach(shape[1:], padding)) < 1:
            raise self.too_small(f"a window of {window.kernel}", shape, before)
        try:
            return MaxPooling(shape, window.kernel, window.stride, tuple(padding), window.dilation)
        except ValueError as error:
            raise ValueError(f"{self}: {error}") from None

    def reach(self, shape: Shape, before: str) -> Shape:
        return self.pooling(shape, before).target_shape


def maxima_of_maxima(first: MaxPooling, second: MaxPooling) -> MaxPooling | None:
    """Return one maximum that is the same as two in a row, or None where no window is.

    Parameters
    ----------
    first, second : MaxPooling
        The first to act, and the one that takes the maxima of its maxima.
    """
    size, stride, padding = [], [], []
    for axis, positions in enumerate(first.shape[1:]):
        step, back = first.stride[axis], second.padding[axis][0]
        span = (second.size[axis] - 1) * second.dilation[axis] * step
        size.append(span + (first.size[axis] - 1) * first.dilation[axis] + 1)
        stride.append(step * second.stride[axis])
        front = first.padding[axis][0] + back * step
        end = (second.windows.counts[axis] - 1) * stride[axis] + size[axis]
        padding.append((front, max(0, end - front - positions)))
    try:
        one = MaxPooling(first.shape, tuple(size), tuple(stride), tuple(padding))
    except ValueError:  # one window is larger than a window may be
        return None
    for axis in range(len(size)):
        inner = _positions(first.windows, axis)
        both = [
            set().union(*(inner[n] for n in maxima)) for maxima in _positions(second.windows, axis)
        ]
        if both != _positions(one.windows, axis):
            return None
    return one


def _positions(windows: Windows, axis: int) -> list[set[int]]:
    """Return the positions of each window along an axis, without padding."""
    positions: list[set[int]] = [set() for _ in range(windows.counts[axis])]
    for position, pairs in enumerate(windows.pairs(axis)):
        for window, _ in pairs:
            positions[window].add(position)
    return positions


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

    def reach(self, shape: Shape, padding: Sequence[tuple[int, int]] | None = None) -> Shape:
        """Return the number of windows along each axis."""
        padding = self.padding if padding is None else padding
        return tuple(
            (size + sum(pad) - span - 1) // step + 1
            for size, pad, span, step in zip(shape, padding, self.spans, self.stride, strict=True)
        )

    def remainders(self, shape: Shape) -> bool:
        """Tell whether positions remain beyond the last whole window of an axis."""
        return any(
            (size + sum(pad) - span - 1) % step
            for size, pad, span, step in zip(
                shape, self.padding, self.spans, self.stride, strict=True
            )
        )

    def over(self, shape: Shape) -> Windows:
        """Return the windows on positions of a shape, at least one of which must fit."""
        return Windows(shape, self.kernel, self.stride, tuple(self.padding), self.dilation)
