"""Composition of linear maps into one matrix and one bias."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .convolution import AvgPool, Conv, MaxPool, SumPool
from .elementwise import Affine, BatchNorm, Flatten, LinearMap, Reshape, Scale, Select, Shape, Shift
from .sparse import PAIRS, Entries

__all__ = [
    "UNROLLED",
    "Affine",
    "AvgPool",
    "BatchNorm",
    "Conv",
    "Flatten",
    "Folded",
    "LinearMap",
    "MaxPool",
    "Reshape",
    "Scale",
    "Select",
    "Shift",
    "SumPool",
    "add",
    "allowing",
    "compose",
]

UNROLLED = 2**20
"""Default for the greatest number of weights that a convolution or pooling is unrolled into."""


@dataclass(frozen=True)
class Folded:
    """A composition of linear maps.

    Members
    -------
    entries : Entries
        Matrix from flattened inputs to flattened outputs.
    bias : array of float, shape (outputs,), or None
    input_shape, output_shape : tuple of int
    maps : tuple of str
        Names of the maps, in order.
    unrolled : tuple of str
        Names of the convolutions and pooling among them.
    """

    entries: Entries
    bias: np.ndarray | None
    input_shape: Shape
    output_shape: Shape
    maps: tuple[str, ...]
    unrolled: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Arrangement of the weights: ``"one_to_one"``, ``"sparse"`` below half, or ``"dense"``."""
        if self.entries.is_diagonal:
            return "one_to_one"
        return "sparse" if len(self.entries) * 2 <= prod(self.entries.shape) else "dense"

    def matrix(self) -> np.ndarray:
        """Return the matrix, of shape (outputs, inputs)."""
        return self.entries.dense()

    def arrangement(self) -> dict[str, Any]:
        """Return keywords of :class:`~.layers.Connection`: ``weights``, ``kind``, ``mask``."""
        if self.kind == "one_to_one":
            values = np.zeros(self.entries.shape[0])
            values[self.entries.rows] = self.entries.values
            return {"weights": values, "kind": "one_to_one"}
        if self.kind == "sparse":
            return {"weights": self.matrix(), "kind": "sparse", "mask": self.entries.mask()}
        return {"weights": self.matrix(), "kind": "dense"}

    def __str__(self) -> str:
        outputs, inputs = self.entries.shape
        how = f", {' and '.join(self.unrolled)} unrolled" if self.unrolled else ""
        return (
            f"{', '.join(self.maps) or 'nothing'} folded into a {self.kind.replace('_', ' ')} "
            f"projection of {inputs} to {outputs} with {len(self.entries)} weights{how}"
        )


def compose(
    maps: Sequence[LinearMap], shape: Sequence[int], *, before: str = "the input",
    limit: int = UNROLLED,
) -> Folded:  # fmt: skip
    """Fold linear maps, the first to act first, into one matrix and one bias.

    Parameters
    ----------
    maps : sequence of LinearMap
        Maps, none of which is the identity.
    shape : sequence of int
        Shape of the input of the first map.
    before : str
        Name of that input in messages.
    limit : int
        Greatest number of weights that a convolution or pooling may be unrolled into.

    Raises
    ------
    ValueError
        If shapes do not fit, with the names of both sides; if a map is not linear; or if an
        unrolled map, or the product of all, would have too many weights.
    """
    first = shape = tuple(int(size) for size in shape)
    shapes = []
    for linear_map in maps:
        reached = linear_map.reach(shape, before)
        greatest = min(limit, PAIRS) if linear_map.unrolls else PAIRS
        if (needed := linear_map.count(shape)) > greatest:
            what = "unroll into" if linear_map.unrolls else "have"
            raise ValueError(
                f"{linear_map} must {what} at most {greatest} weights, not {needed} "
                f"from {shape} to {reached}"
                f"{allowing(needed) if linear_map.unrolls else ''}"
            )
        shapes.append(shape)
        shape, before = reached, str(linear_map)
    total = Entries.diagonal(np.ones(prod(first)))
    bias = None
    for linear_map, shape_before in zip(maps, shapes, strict=True):
        entries, shift = linear_map.unroll(shape_before)
        total = entries.after(total, str(linear_map))
        if bias is not None:
            bias = entries.times(bias)
        if shift is not None:
            bias = shift if bias is None else bias + shift
    names = tuple(str(linear_map) for linear_map in maps)
    unrolled = tuple(str(linear_map) for linear_map in maps if linear_map.unrolls)
    return Folded(total, bias, first, shape, names, unrolled)


def allowing(needed: int) -> str:
    """Return text on how to allow this many weights, where that is possible."""
    return f": unrolled={needed} allows as many" if needed <= PAIRS else ""


def add(parts: Sequence[Folded]) -> Folded:
    """Return the sum of maps between the same two shapes.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        if part.entries.shape != first.entries.shape:
            raise ValueError(
                f"Maps that are added must have the shape {first.entries.shape}, "
                f"not {part.entries.shape}"
            )
    entries = [(part.entries.rows, part.entries.columns, part.entries.values) for part in parts]
    biases = [part.bias for part in parts if part.bias is not None]
    return Folded(
        Entries.of(entries, *first.entries.shape),
        sum(biases[1:], biases[0]) if biases else None,
        first.input_shape,
        first.output_shape,
        tuple(name for part in parts for name in part.maps),
        tuple(name for part in parts for name in part.unrolled),
    )
