"""Chains of layers as text: an input, layers and an output, with hyphens between them.

``784``, ``28x28``, ``2x34x34``
    the input: values, height x width, or channels x height x width
``8c3``
    a layer of 8 channels, reached by a convolution with a 3x3 kernel, padded so that the size stays
``8c3v``, ``8c3/2``
    the same without padding, and with a stride of 2
``d3``
    a layer with as many channels as before, each with a 3x3 kernel of its own: a depthwise
    convolution, which takes ``v`` and ``/2`` too
``s2``, ``a2``
    a layer with as many channels as before, whose neurons get the sum or the average of the events
    in windows of 2x2, with weights that are not learned; ``a3/2`` has windows of 3x3 in a distance
    of 2
``p2``
    behind a convolution, the maximum of its currents in windows of 2x2, which its neurons get
``128``
    a layer of 128 neurons, fully connected; the last number is the output
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.conversions import plain

from .convolution import MaxPool, Window

__all__ = ["Chain", "ChainLayer", "chain_of"]

EXAMPLES = "'784-128-10' or '28x28-8c3-p2-16c3-p2-10'"

_CONVOLUTION = re.compile(r"(?:(\d{1,5})c|d)(\d{1,3})(v?)(?:/(\d{1,3}))?")
_POOL = re.compile(r"p(\d{1,3})")
_SHARE = re.compile(r"([as])(\d{1,3})(?:/(\d{1,3}))?")
_INPUT = re.compile(r"\d{1,7}(?:x\d{1,7}){0,2}")


@dataclass(frozen=True)
class ChainLayer:
    """A layer of a chain.

    Members
    -------
    shape : int or tuple of int
        Neurons, or their channels, rows and columns.
    window : Window or None
        Of the convolution that reaches it; None where it is fully connected.
    pooling : MaxPool or None
    weight : float or None
        Of all positions of the window, where it is not learned.
    """

    shape: int | tuple[int, ...]
    window: Window | None = None
    pooling: MaxPool | None = None
    weight: float | None = None

    @property
    def weights(self) -> np.ndarray | None:
        """The kernel of a window whose weights are not learned, or None."""
        if self.weight is None:
            return None
        assert self.window is not None
        return np.full((self.window.groups, 1, self.window.size, self.window.size), self.weight)

    def bias(self, learned: bool) -> bool | str:
        """Return the bias of its neurons, as :class:`~.layers.Layer` takes it, if there is one."""
        if not learned or self.weight is not None:
            return False
        return True if self.window is None else "channel"


@dataclass(frozen=True)
class Chain:
    """The input and the layers of a chain.

    Members
    -------
    shape : int or tuple of int
        The input as it was written, or with a single channel in front where a convolution
        follows.
    layers : tuple of ChainLayer
    """

    shape: int | tuple[int, ...]
    layers: tuple[ChainLayer, ...]

    @property
    def convolutional(self) -> bool:
        """Whether a layer is convolutional."""
        return any(layer.window is not None for layer in self.layers)

    @property
    def size(self) -> int:
        """Number of values of the input."""
        return prod(self.shape) if isinstance(self.shape, tuple) else self.shape

    @property
    def outputs(self) -> int:
        """Number of neurons of the last layer."""
        shape = self.layers[-1].shape
        return prod(shape) if isinstance(shape, tuple) else shape


def chain_of(layers: str | Sequence[int], picture: int | tuple[int, ...] | None = None) -> Chain:
    """Read a chain of layers.

    Parameters
    ----------
    layers : str or sequence of int
        As this module says, or the sizes of fully connected layers.
    picture : tuple of int, optional
        Height and width, or channels, height and width, of an input that is written as one number.

    Raises
    ------
    ValueError
        If it has another form, or a window does not fit.
    """
    if not isinstance(layers, str):
        sizes = plain(layers)
        if not isinstance(sizes, tuple) or len(sizes) < 2:
            raise ValueError(f"Layers must be an input and at least one layer, not {shown(layers)}")
        sizes = [check_int("Size of a layer", size, 1) for size in sizes]
        return Chain(sizes[0], tuple(map(ChainLayer, sizes[1:])))
    first, *parts = layers.split("-")
    numbers = [int(number) for number in first.split("x")] if _INPUT.fullmatch(first) else []
    if not parts or not numbers or 0 in numbers:
        raise ValueError(f"Layers must be such as {EXAMPLES}, not {layers!r}")
    shape = numbers[0] if len(numbers) == 1 else tuple(numbers)
    chain = Chain(shape, ())
    before = _maps(shape, picture)
    for n, part in enumerate(parts):
        chain, before = _extended(chain, before, part, n == len(parts) - 1, layers)
    if chain.convolutional:
        chain = replace(chain, shape=_maps(shape, picture))
    return chain


def _maps(
    shape: int | tuple[int, ...], picture: int | tuple[int, ...] | None
) -> int | tuple[int, ...]:
    """Return an input as channels, rows and columns, where these are known."""
    if isinstance(shape, int) and isinstance(picture, tuple) and len(picture) > 1:
        shape = picture if prod(picture) == shape else shape
    return (1, *shape) if isinstance(shape, tuple) and len(shape) == 2 else shape


def _extended(
    chain: Chain, before: int | tuple[int, ...], part: str, last: bool, text: str
) -> tuple[Chain, int | tuple[int, ...]]:
    """Return a chain with one part more, and the shape of its last layer."""
    if part.isascii() and part.isdecimal() and len(part) < 8 and int(part):
        return Chain(chain.shape, (*chain.layers, ChainLayer(int(part)))), int(part)
    convolution, pool = _CONVOLUTION.fullmatch(part), _POOL.fullmatch(part)
    share = _SHARE.fullmatch(part)
    if last and part.isascii() and (convolution or pool or share):
        raise ValueError(f"Last layer of {text!r} must be a number of neurons, not {part!r}")
    if not (convolution or pool or share) or not part.isascii():
        raise ValueError(f"Layers must be such as {EXAMPLES}, not {text!r}: see {part!r}")
    if pool:
        layer = chain.layers[-1] if chain.layers else None
        if layer is None or layer.window is None or layer.pooling is not None:
            raise ValueError(f"Maximum {part!r} must be behind a convolution in {text!r}")
        size = int(pool[1])
        assert isinstance(layer.shape, tuple)
        pooled = _pooled(layer.shape, size, size, part, text)
        layer = replace(layer, shape=pooled, pooling=MaxPool(size))
        return Chain(chain.shape, (*chain.layers[:-1], layer)), pooled
    if not isinstance(before, tuple):
        what = {"a": "Average", "s": "Sum"}[share[1]] if share else "Convolution"
        raise ValueError(
            f"{what} {part!r} must be behind an input such as 28x28 or another convolution "
            f"in {text!r}"
        )
    if share:
        size, stride = int(share[2]), int(share[3] or share[2])
        pooled = _pooled(before, size, stride, part, text)
        window = Window(size, stride, groups=before[0])
        layer = ChainLayer(pooled, window, weight=1.0 if share[1] == "s" else 1 / size**2)
        return Chain(chain.shape, (*chain.layers, layer)), pooled
    assert convolution is not None
    channels, size, valid, stride = convolution.groups()
    outputs = before[0] if channels is None else int(channels)
    size, stride = int(size), int(stride or 1)
    if not (outputs and size and stride):
        raise ValueError(f"Numbers of {part!r} must be at least 1 in {text!r}")
    # As much padding before as behind, and one more behind where the size is even.
    pair = (0, 0) if valid else ((size - 1) // 2, size // 2)
    groups = before[0] if channels is None else 1
    shape = outputs, *((side + sum(pair) - size) // stride + 1 for side in before[1:])
    if min(shape) < 1:
        raise ValueError(f"Kernel of {part!r} must fit into {_by(before[1:])} in {text!r}")
    window = Window(size, stride, (pair, pair), groups=groups)
    return Chain(chain.shape, (*chain.layers, ChainLayer(shape, window))), shape


def _pooled(
    shape: tuple[int, ...], size: int, stride: int, part: str, text: str
) -> tuple[int, ...]:
    """Return the shape of pooled maps."""
    channels, *sides = shape
    if not (size and stride):
        raise ValueError(f"Numbers of {part!r} must be at least 1 in {text!r}")
    if size > min(sides):
        raise ValueError(f"Windows of {part!r} must fit into {_by(sides)} in {text!r}")
    return channels, *((side - size) // stride + 1 for side in sides)


def _by(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides))
