"""Connections with the weights of maps that an importer composed."""

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np

from spiker_train.linear.compose import Folded
from spiker_train.linear.kernel import Kernel, by_channel
from spiker_train.network.convolution import MaxPool, Window

__all__ = ["agreed_shapes", "arrangement", "channel_bias"]

Shape = tuple[int, ...]


def arrangement(folded: Folded) -> dict[str, Any]:
    """Return the keywords of a :class:`~spiker_train.Connection` with the weights of maps."""
    operator, pooling = folded.operator, folded.pooling
    if isinstance(operator, Kernel):
        windows = operator.windows
        window = Window(
            stride=windows.stride,
            padding=windows.padding,
            dilation=windows.dilation,
            groups=operator.groups,
            shape=operator.source_shape,
        )
        maximum = None
        if pooling is not None:
            maximum = MaxPool(pooling.size, pooling.stride, pooling.padding, pooling.dilation)
        return {
            "weights": operator.weights,
            "kind": "convolution",
            "window": window,
            "pooling": maximum,
        }
    if folded.kind == "one_to_one":
        values = np.zeros(operator.shape[0])
        values[operator.rows] = operator.values
        return {"weights": values, "kind": "one_to_one"}
    if folded.kind == "sparse":
        return {"weights": operator.dense(), "kind": "sparse", "mask": operator.mask()}
    return {"weights": operator.dense(), "kind": "dense"}


def agreed_shapes(
    shapes: Mapping[str, Shape], links: Iterable[tuple[str, str, Folded]]
) -> dict[str, int | Shape]:
    """Return the shape of each input and layer: that of the convolutions at it.

    Where these have several shapes, it is the number of neurons alone.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shapes where there is no convolution.
    links : iterable of (str, str, Folded)
        Source, target and maps of each connection.
    """
    demanded: dict[str, set[Shape]] = {}
    for source, target, folded in links:
        if isinstance(folded.operator, Kernel):
            end = folded.operator if folded.pooling is None else folded.pooling
            demanded.setdefault(source, set()).add(folded.operator.source_shape)
            demanded.setdefault(target, set()).add(end.target_shape)
    agreed = {}
    for name, shape in shapes.items():
        several = demanded.get(name, {shape})
        only = next(iter(several)) if len(several) == 1 else (prod(shape),)
        agreed[name] = only if len(only) > 1 else prod(only)
    return agreed


def channel_bias(bias: Any, shape: int | Shape, into: Iterable[Folded]) -> Any:
    """Return a bias per channel where a convolution reaches a layer and its biases allow it."""
    through = any(isinstance(folded.operator, Kernel) for folded in into)
    if bias is False or not through or not isinstance(shape, tuple):
        return bias
    channels = by_channel(np.asarray(bias), shape)
    return bias if channels is None else channels
