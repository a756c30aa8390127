"""Convolutions of events with a kernel, and the maximum of their sums, with gradients."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from spiker_hdl.model import Convolution, MaxPooling

if TYPE_CHECKING:
    from spiker_train.network.layers import Connection

__all__ = ["MOST_PAIRS", "convolved", "convolved_ends", "matrix_of"]

Pairs = tuple[tuple[int, int], ...]

MOST_PAIRS = 2**20
"""Most pairs of a source and a target of a convolution that generated code runs as a matrix."""


def convolved(
    connection: "Connection",
    weights: torch.Tensor,
    events: torch.Tensor,
    shared: bool = False,
    exact: bool = False,
) -> torch.Tensor:
    """Return the currents of events through a convolution, and its pooling if it has one.

    Parameters
    ----------
    connection : Connection
    weights : tensor
        Shape of the kernel; several stacked draws have one axis more in front.
    events : tensor, shape (rows, ..., sources)
    shared : bool
        Whether all draws of the weights have the same events; each has rows of its own otherwise.
    exact : bool
        Whether sums of integers have to be exact.

    Returns
    -------
    tensor, shape (rows, ..., targets), or (draws * rows, ..., targets) where ``shared``
    """
    convolution = connection.convolution
    assert convolution is not None
    events = events.to(weights.dtype)
    if weights.ndim == convolution.kernel.ndim:
        return _currents(convolution, connection.maxima, weights, events, exact)
    parts = [events] * len(weights) if shared else events.unflatten(0, (len(weights), -1))
    return torch.cat([
        _currents(convolution, connection.maxima, kernel, part, exact)
        for kernel, part in zip(weights, parts, strict=True)
    ])


def convolved_ends(
    connection: "Connection",
    weights: tuple[torch.Tensor, torch.Tensor],
    smallest: float,
    greatest: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least and the greatest current of each target, for events of a range.

    Parameters
    ----------
    connection : Connection
    weights : (tensor, tensor)
        The kernel with 0 in place of its negative weights, and of its positive ones.
    smallest, greatest : float
        Range of the value of an event.
    """
    convolution = connection.convolution
    assert convolution is not None
    up, down = (
        _sums(convolution, own, torch.ones(1, *convolution.shape, dtype=own.dtype), True)
        for own in weights
    )
    ends = up * smallest + down * greatest, up * greatest + down * smallest
    low, high = (_pooled(connection.maxima, end).flatten() for end in ends)
    return low, high


def matrix_of(convolution: Convolution, weights: torch.Tensor) -> torch.Tensor:
    """Return the weights of all pairs, shape (targets, sources), with gradients to the kernel.

    Parameters
    ----------
    convolution : Convolution
    weights : tensor
        Shape of the kernel; several stacked draws have one axis more in front, also in the result.
    """
    # At each pair the number of its weight in the kernel, counted from 1; 0 where there is none.
    numbers = np.arange(1, convolution.kernel.size + 1).reshape(convolution.kernel.shape)
    index = torch.from_numpy(convolution.with_values(numbers).matrix()).to(weights.device)
    flat = weights.flatten(-convolution.kernel.ndim)
    return functional.pad(flat, (1, 0))[..., index]


def _currents(
    convolution: Convolution,
    pooling: MaxPooling | None,
    kernel: torch.Tensor,
    events: torch.Tensor,
    exact: bool,
) -> torch.Tensor:
    maps = events.reshape(-1, *convolution.shape)
    sums = _pooled(pooling, _sums(convolution, kernel, maps, exact))
    return sums.reshape(*events.shape[:-1], -1)


def _sums(
    convolution: Convolution, kernel: torch.Tensor, maps: torch.Tensor, exact: bool
) -> torch.Tensor:
    maps, padding = _padded(maps, convolution.padding, 0.0)
    if exact and maps.is_cuda:
        return _product(convolution, kernel, maps, padding)
    apply = functional.conv1d if len(padding) == 1 else functional.conv2d
    return apply(
        maps,
        kernel,
        stride=convolution.stride,
        padding=padding,
        dilation=convolution.dilation,
        groups=convolution.groups,
    )


def _product(
    convolution: Convolution, kernel: torch.Tensor, maps: torch.Tensor, padding: tuple[int, ...]
) -> torch.Tensor:
    """Return the sums as a matrix product.

    The convolutions of GPU libraries transform their operands (Winograd, FFT), and so their sums
    of integers are not exact.
    """
    counts, groups = convolution.windows.counts, convolution.groups
    lines = len(padding) == 1
    options: dict[str, Any] = {
        name: (1, *values) if lines else values
        for name, values in (("stride", convolution.stride), ("dilation", convolution.dilation))
    }
    columns = functional.unfold(
        maps.unsqueeze(2) if lines else maps,
        (1, *kernel.shape[2:]) if lines else tuple(kernel.shape[2:]),
        padding=(0, *padding) if lines else padding,
        **options,
    )
    columns = columns.unflatten(1, (groups, -1))
    sums = kernel.reshape(groups, len(kernel) // groups, -1) @ columns
    return sums.reshape(len(maps), len(kernel), *counts)


def _pooled(pooling: MaxPooling | None, sums: torch.Tensor) -> torch.Tensor:
    """Return the maximum of each window; of equal sums, the first has the gradient, as in torch."""
    if pooling is None:
        return sums
    sums, padding = _padded(sums, pooling.padding, -torch.inf, pooling.size)
    plain = pooling.size == pooling.stride == (2, 2) and pooling.dilation == (1, 1)
    if plain and not any(padding) and not sums.is_cuda:
        return _MaximumOfFour.apply(sums)
    apply = functional.max_pool1d if len(padding) == 1 else functional.max_pool2d
    return apply(sums, pooling.size, pooling.stride, padding, pooling.dilation)


class _MaximumOfFour(torch.autograd.Function):
    """The maximum of windows of 2x2, in half of the time that PyTorch's takes on a processor.

    Its gradient goes to the first of equal sums, line by line, as PyTorch's does.
    """

    @staticmethod
    def forward(ctx, sums):
        high, wide = sums.shape[-2] // 2 * 2, sums.shape[-1] // 2 * 2
        whole = sums[..., :high, :wide]
        lines = torch.maximum(whole[..., 0::2], whole[..., 1::2])
        ctx.save_for_backward(sums, lines)
        return torch.maximum(lines[..., 0::2, :], lines[..., 1::2, :])

    @staticmethod
    def backward(ctx, grad):
        sums, lines = ctx.saved_tensors
        high, wide = grad.shape[-2:]
        lower = lines[..., 0::2, :] < lines[..., 1::2, :]
        right = sums[..., : 2 * high, 0 : 2 * wide : 2] < lines
        right = (lower & right[..., 1::2, :]) | (~lower & right[..., 0::2, :])
        width = sums.shape[-1]
        first = torch.arange(high).unsqueeze(1) * (2 * width) + torch.arange(wide) * 2
        index = first + lower * width + right
        return torch.ops.aten.max_pool2d_with_indices_backward(
            grad.contiguous(), sums, [2, 2], [2, 2], [0, 0], [1, 1], False, index
        )


def _padded(
    maps: torch.Tensor, padding: Pairs, value: float, size: tuple[int, ...] | None = None
) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Return maps and the padding that is left to do, which PyTorch can do by itself.

    It pads both ends of an axis alike, and for a maximum by at most half of the window's size.
    """
    limits = [2**20] * len(padding) if size is None else [n // 2 for n in size]
    pairs = zip(padding, limits, strict=True)
    if all(before == after <= limit for (before, after), limit in pairs):
        return maps, tuple(before for before, _ in padding)
    ends = [end for pair in reversed(padding) for end in pair]
    return functional.pad(maps, ends, value=value), (0,) * len(padding)
