"""Composition of linear maps into one convolution or one matrix, and one bias."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from spiker_hdl.model.synapses.pooling import MaxPooling

from .chain import UNROLLED, Chain, Operator, allowing
from .convolution import AvgPool, Conv, MaxPool, Pad, SumPool
from .elementwise import Affine, BatchNorm, Flatten, LinearMap, Reshape, Scale, Select, Shape, Shift
from .kernel import Kernel, by_channel
from .sparse import PAIRS, Entries

__all__ = [
    "UNROLLED",
    "Affine",
    "AvgPool",
    "BatchNorm",
    "Chain",
    "Conv",
    "Flatten",
    "Folded",
    "LinearMap",
    "MaxPool",
    "Pad",
    "Reshape",
    "Scale",
    "Select",
    "Shift",
    "SumPool",
    "add",
    "allowing",
    "compose",
    "maximum_of_bias",
    "shifted",
    "sum_of",
]


@dataclass(frozen=True, eq=False)
class Folded:
    """A composition of maps: linear ones, and perhaps the maximum over windows of their outputs.

    Members
    -------
    chain : Chain
        The linear map and the maximum.
    bias : array of float, shape (outputs,), or None
        What is added to the outputs, or to the maxima.
    input_shape, output_shape : tuple of int
    """

    chain: Chain
    bias: np.ndarray | None
    input_shape: Shape
    output_shape: Shape

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps, in order."""
        return self.chain.maps

    @property
    def unrolled(self) -> tuple[str, ...]:
        """Names of the convolutions and pooling that were unrolled."""
        return tuple(dict.fromkeys(name for name, _ in self.chain.unrolled))

    @property
    def operator(self) -> Operator:
        """The linear map, as a matrix or a convolution."""
        return self.chain.operator

    @property
    def pooling(self) -> MaxPooling | None:
        """Windows of the outputs whose maxima are taken, or None."""
        return self.chain.pooling

    @cached_property
    def entries(self) -> Entries:
        """Matrix from flattened inputs to flattened outputs, before a maximum."""
        operator = self.operator
        return operator.entries() if isinstance(operator, Kernel) else operator

    @property
    def values(self) -> np.ndarray:
        """All weights that the map has, those of a kernel once."""
        return self.operator.values

    @property
    def kind(self) -> str:
        """Arrangement of the weights.

        It is ``"convolution"``, ``"one_to_one"``, ``"sparse"`` below half, or ``"dense"``.
        """
        if isinstance(self.operator, Kernel):
            return "convolution"
        if self.entries.is_diagonal:
            return "one_to_one"
        return "sparse" if len(self.entries) * 2 <= prod(self.entries.shape) else "dense"

    def matrix(self) -> np.ndarray:
        """Return the matrix, of shape (outputs, inputs)."""
        return self.entries.dense()

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the outputs, shape (outputs,), for inputs of shape (inputs,)."""
        out = self.operator.times(values)
        out = out if self.pooling is None else self.pooling.maxima(out)
        return out if self.bias is None else out + self.bias

    def __str__(self) -> str:
        outputs, inputs = self.operator.shape
        names = ", ".join(self.maps) or "nothing"
        why: dict[str, list[str]] = {}
        for name, reason in self.chain.unrolled:
            why.setdefault(reason, []).append(name)
        how = "".join(
            f", {' and '.join(dict.fromkeys(many))} unrolled since {reason}"
            for reason, many in why.items()
        )
        if isinstance(self.operator, Kernel):
            size = "" if self.pooling is None else "x".join(map(str, self.pooling.size))
            most = f", the maximum over windows of {size}" if size else ""
            return f"{names} kept as a {self.operator}{most}{how}"
        return (
            f"{names} folded into a {self.kind.replace('_', ' ')} "
            f"projection of {inputs} to {outputs} with {len(self.entries)} weights{how}"
        )


def compose(
    maps: Sequence[LinearMap], shape: Sequence[int], *, before: str = "the input",
    limit: int = UNROLLED,
) -> Folded:  # fmt: skip
    """Fold maps, the first to act first, into one convolution or matrix, and one bias.

    Convolutions, pooling and factors of channels become one kernel where that is exact; other maps
    become one matrix. A maximum over windows may follow a convolution: factors behind it that are
    not negative, and the bias, move to where they give the same.

    Parameters
    ----------
    maps : sequence of LinearMap
    shape : sequence of int
        Shape of the input of the first map.
    before : str
        Name of that input in messages.
    limit : int
        Greatest number of weights that a convolution or pooling may be unrolled into.

    Raises
    ------
    ValueError
        If shapes do not fit, with the names of both sides; if a map is not linear where it has to
        be; or if an unrolled map, or the product of all, would have too many weights.
    """
    first = shape = tuple(int(size) for size in shape)
    shapes = []
    for linear_map in maps:
        reached = linear_map.reach(shape, before)
        if not linear_map.unrolls and (needed := linear_map.count(shape)) > PAIRS:
            raise ValueError(
                f"{linear_map} must have at most {PAIRS} weights, not {needed} "
                f"from {shape} to {reached}"
            )
        shapes.append(shape)
        shape, before = reached, str(linear_map)
    chain = Chain.over(first)
    bias = None
    for linear_map, shape_before in zip(maps, shapes, strict=True):
        chain = chain.then(linear_map, shape_before, limit)
        if not isinstance(linear_map, MaxPool):
            bias = shifted(linear_map, shape_before, bias)
        elif bias is not None:
            pooling = linear_map.pooling(shape_before, "its input")
            bias = maximum_of_bias(str(linear_map), pooling, bias)
    return Folded(chain, bias, first, shape)


def shifted(linear_map: LinearMap, shape: Shape, bias: np.ndarray | None) -> np.ndarray | None:
    """Return the bias behind a linear map, of its inputs and its own, or None."""
    shift = linear_map.shift(shape)
    if bias is not None:
        bias = (linear_map.kernel(shape) or linear_map.unroll(shape)[0]).times(bias)
    if shift is None:
        return bias
    return shift if bias is None else bias + shift


def maximum_of_bias(name: str, pooling: MaxPooling, bias: np.ndarray) -> np.ndarray:
    """Return a bias in front of a maximum as it is behind it.

    Raises
    ------
    ValueError
        If it is not the same in all of a window, so that it decides which current is the greatest.
    """
    highest, lowest = pooling.maxima(bias), -pooling.maxima(-bias)
    if (highest != lowest).any():
        n = int((highest != lowest).argmax())
        raise ValueError(
            f"Bias in front of {name} must be the same in all of a window, not {lowest[n]:.6g} to "
            f"{highest[n]:.6g}: it would decide which current is the greatest"
        )
    return highest


def add(parts: Sequence[Folded], limit: int = UNROLLED) -> list[Folded]:
    """Return the sum of maps between the same two shapes, as few as it can be.

    Maps with a maximum stay as they are: the others are added to it.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    first = parts[0]
    if len(parts) == 1:
        return [first]
    size = len(parts[0].apply(np.zeros(prod(first.input_shape))))
    for part in parts[1:]:
        ends = len(part.apply(np.zeros(prod(part.input_shape)))), prod(part.input_shape)
        if ends != (size, prod(first.input_shape)):
            raise ValueError(
                f"Maps that are added must have the shape {(size, prod(first.input_shape))}, "
                f"not {ends}"
            )
    linear = [part for part in parts if part.pooling is None]
    greatest = [part for part in parts if part.pooling is not None]
    if len(linear) < 2:
        return [*linear, *greatest]
    biases = [part.bias for part in linear if part.bias is not None]
    summed = Folded(
        sum_of([part.chain for part in linear], limit),
        sum(biases[1:], biases[0]) if biases else None,
        linear[0].input_shape,
        linear[0].output_shape,
    )
    return [summed, *greatest]


def sum_of(chains: Sequence[Chain], limit: int = UNROLLED) -> Chain:
    """Return the sum of linear chains between the same shapes."""
    if len(chains) == 1:
        return chains[0]
    maps, kept, unrolled = (
        tuple(dict.fromkeys(name for chain in chains for name in getattr(chain, of)))
        for of in ("maps", "kept", "unrolled")
    )
    kernels = _as_kernels([chain.operator for chain in chains])
    total = Kernel.sum(kernels) if kernels else None
    if total is not None:
        return Chain(total, maps=maps, kept=kept, unrolled=unrolled)
    why = "it is added to a map of other windows"
    chains = [chain.unroll(why, limit) for chain in chains]
    parts = [
        (entries.rows, entries.columns, entries.values)
        for chain in chains
        for entries in [chain.operator]
        if isinstance(entries, Entries)
    ]
    unrolled = tuple(dict.fromkeys(name for chain in chains for name in chain.unrolled))
    return Chain(Entries.of(parts, *chains[0].operator.shape), maps=maps, unrolled=unrolled)


def _as_kernels(operators: Sequence[Operator]) -> list[Kernel] | None:
    """Return all operators as kernels, factors of channels among them; None where one is none."""
    shaped = next((operator for operator in operators if isinstance(operator, Kernel)), None)
    if shaped is None:
        return None
    kernels = []
    for operator in operators:
        if isinstance(operator, Kernel):
            kernels.append(operator)
            continue
        if not operator.is_diagonal or len(operator) < operator.shape[0]:
            return None
        factors = by_channel(operator.values, shaped.source_shape)
        if factors is None:
            return None
        kernels.append(Kernel.pointwise(factors, shaped.windows.shape))
    return kernels
