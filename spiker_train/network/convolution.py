"""Convolutions between layers: how a kernel slides over maps, and the maximum of its sums."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from spiker_hdl import model
from spiker_hdl.base.checks import check_int, check_kind, shown
from spiker_hdl.base.conversions import is_several
from spiker_hdl.base.frozen import set_fields

__all__ = ["MaxPool", "Window", "make_convolution", "make_pooling"]


@dataclass(frozen=True)
class Window:
    """The window of a convolution, and how it slides over the positions of the source.

    It has the meaning of PyTorch's ``Conv1d`` and ``Conv2d``. What remains beyond the last whole
    window belongs to none.

    Parameters
    ----------
    size : int or tuple of int, optional
        Positions of the window along each axis; needed where the weights are drawn.
    stride, dilation : int or tuple of int
        Distance of windows, and of the positions of a window, along each axis.
    padding : int, or tuple of int or of pairs of int
        Positions without events that are added before and after each axis.
    groups : int
        Number of groups into which channels are divided; as many as channels are a depthwise
        convolution.
    shape : tuple of int, optional
        Channels and positions of the source; those with which it was declared where none are given.

    Raises
    ------
    TypeError
        If a parameter is no integer and no sequence of integers.
    """

    size: Any = None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    shape: Any = None

    def __post_init__(self) -> None:
        for name in ("size", "stride", "padding", "dilation", "shape"):
            value = getattr(self, name)
            if value is not None or name not in {"size", "shape"}:
                set_fields(self, **{name: _integers(f"{name.capitalize()} of a window", value)})
        set_fields(self, groups=check_int("Groups of a window", self.groups, 1))


@dataclass(frozen=True)
class MaxPool:
    """The maximum of the sums of a convolution over windows, with the meaning of ``MaxPool2d``.

    The maximum, not the sums, reaches the neurons; other connections and the bias are added to it.

    Parameters
    ----------
    size : int or tuple of int
        Positions of a window along each axis.
    stride : int or tuple of int, optional
        Distance of windows; without it, their size.
    padding : int, or tuple of int or of pairs of int
        Positions that are added before and after each axis, and are never the maximum.
    dilation : int or tuple of int
        Distance of the positions of a window.

    Raises
    ------
    TypeError
        If a parameter is no integer and no sequence of integers.
    """

    size: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1

    def __post_init__(self) -> None:
        for name in ("size", "stride", "padding", "dilation"):
            value = getattr(self, name)
            if value is not None or name != "stride":
                set_fields(self, **{name: _integers(f"{name.capitalize()} of pooling", value)})


def _integers(what: str, value: Any) -> Any:
    """Return an integer, or nested tuples of integers; the model checks their range and number."""
    if is_several(value):
        return tuple(_integers(what, part) for part in value)
    return check_int(what, value)


def make_convolution(
    what: str, window: Window, shape: int | tuple[int, ...], outputs: int | None, kernel: Any
) -> model.Convolution:
    """Return a convolution of zeros: the geometry of a connection.

    Parameters
    ----------
    what : str
        Name of the connection in messages.
    window : Window
    shape : int or tuple of int
        Shape of the source as it was declared.
    outputs : int or None
        Number of output channels where the kernel has none; None if they are unknown.
    kernel : tuple of int or None
        Shape of the kernel; None where the weights are drawn.

    Raises
    ------
    ValueError
        If shapes do not meet, or one is unknown.
    """
    shape = shape if window.shape is None else window.shape
    if not isinstance(shape, tuple) or len(shape) not in {2, 3}:
        raise ValueError(
            f"Connection {what!r}: the source of a convolution must have the shape (channels, x) "
            f"or (channels, y, x), not {shown(shape)}"
        )
    axes = len(shape) - 1
    size = window.size
    if size is not None and not isinstance(size, tuple):
        size = (size,) * axes
    if kernel is None:
        if size is None:
            raise ValueError(
                f"Connection {what!r}: a convolution must have weights, or a Window with a size"
            )
        if outputs is None:
            raise ValueError(
                f"Connection {what!r}: the target of a convolution whose weights are drawn must "
                "have the shape (channels, x) or (channels, y, x)"
            )
        if shape[0] % window.groups:
            raise ValueError(
                f"Connection {what!r}: groups must divide the {shape[0]} channels of the source, "
                f"not be {window.groups}"
            )
        kernel = outputs, shape[0] // window.groups, *size
    elif size is not None and tuple(kernel[2:]) != size:
        raise ValueError(
            f"Connection {what!r}: weights must have the size {size} of their window, not "
            f"{tuple(kernel[2:])}"
        )
    if prod(kernel) > 2**26:
        raise ValueError(f"Connection {what!r}: a kernel must have at most {2**26} weights")
    try:
        return model.Convolution(
            np.zeros(kernel, dtype=np.int64),
            shape,
            window.stride,
            window.padding,
            window.dilation,
            window.groups,
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"Connection {what!r}: {error}") from None


def make_pooling(what: str, pooling: MaxPool, convolution: model.Convolution) -> model.MaxPooling:
    """Return the pooling of the sums of a convolution.

    Raises
    ------
    ValueError
        If a window does not fit.
    """
    check_kind(f"Pooling of {what!r}", pooling, MaxPool)
    try:
        return model.MaxPooling(
            convolution.target_shape,
            pooling.size,
            pooling.stride,
            pooling.padding,
            pooling.dilation,
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"Connection {what!r}: {error}") from None
