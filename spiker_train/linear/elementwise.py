"""Linear maps that act on each value or on one axis.

Shapes are those of one sample, channels first; a matrix takes them flattened, the last axis
fastest.
"""

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.base.conversions import frozen_integers

from .kernel import Kernel
from .sparse import Entries, float_array

__all__ = [
    "Affine",
    "BatchNorm",
    "DiagonalMap",
    "Flatten",
    "LinearMap",
    "Reshape",
    "Scale",
    "Select",
    "Shape",
    "Shift",
]

Shape = tuple[int, ...]


@dataclass(kw_only=True, eq=False)
class LinearMap:
    """A linear map from values of one shape to values of another: ``W @ x + b``.

    Parameters
    ----------
    name : str
        Name in messages; the class where none is given.
    kind : str
        Name of the kind of map in messages, where it is not that of the class.
    """

    name: str = field(default="")
    kind: str = field(default="")
    unrolls = False

    def __str__(self) -> str:
        kind = self.kind or type(self).__name__
        return f"{kind} {self.name!r}" if self.name else kind

    def reach(self, shape: Shape, before: str) -> Shape:
        """Return the shape of the output for an input of a shape.

        Raises
        ------
        ValueError
            If the map has no inputs of this shape, with the name of the map ``before`` it.
        """
        raise NotImplementedError

    def count(self, shape: Shape) -> int:
        """Return an upper bound of the number of weights that :meth:`unroll` makes."""
        return prod(shape) * prod(self.reach(shape, "before"))

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        """Return the matrix for inputs of a shape, and the bias of each output or None."""
        raise NotImplementedError

    def shift(self, shape: Shape) -> np.ndarray | None:
        """Return the bias of each output, or None."""
        return None

    def kernel(self, shape: Shape) -> Kernel | None:
        """Return the map as one kernel for all positions, or None if it is none."""
        return None

    def refuse(self, expected: str, shape: Shape, before: str) -> ValueError:
        """Return the error for an input of a wrong shape."""
        return ValueError(
            f"Input of {self} must have {expected}, not the shape {shape} of {before}"
        )

    def too_small(self, what: str, shape: Shape, before: str) -> ValueError:
        """Return the error for an input that is smaller than a window."""
        return ValueError(
            f"Input of {self} must have room for {what}, not the shape {shape} of {before}: take "
            "a smaller one, or padding"
        )


@dataclass(kw_only=True, eq=False)
class DiagonalMap(LinearMap):
    """A linear map whose matrix is diagonal: each output is computed from the input at its index.

    A subclass says what the values are multiplied with and what is added to them, where this is
    not 1 and nothing.
    """

    def count(self, shape: Shape) -> int:
        return prod(shape)

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        return Entries.diagonal(self.factors(shape)), self.shift(shape)

    def factors(self, shape: Shape) -> np.ndarray:
        """Return the factor of each value, in C order."""
        return np.ones(prod(shape))


@dataclass(eq=False)
class Affine(LinearMap):
    """A matrix on the last axis, and a bias.

    Parameters
    ----------
    weight : array of float, shape (outputs, inputs)
    bias : array of float, shape (outputs,), optional
    """

    weight: Any
    bias: Any = None

    def __post_init__(self) -> None:
        self.weight = float_array(f"Weights of {self}", self.weight, 2)
        if self.bias is not None:
            self.bias = float_array(f"Bias of {self}", self.bias, (len(self.weight),))

    def reach(self, shape: Shape, before: str) -> Shape:
        outputs, inputs = self.weight.shape
        if not shape or shape[-1] != inputs:
            raise self.refuse(f"{inputs} values on its last axis", shape, before)
        return (*shape[:-1], outputs)

    def count(self, shape: Shape) -> int:
        return prod(shape[:-1]) * self.weight.size

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        return Entries.full(self.weight).repeated(prod(shape[:-1])), self.shift(shape)

    def shift(self, shape: Shape) -> np.ndarray | None:
        return None if self.bias is None else np.tile(self.bias, prod(shape[:-1]))


@dataclass(eq=False)
class Scale(DiagonalMap):
    """Multiplication by one factor, or by a factor per value.

    Parameters
    ----------
    factor : float or array of float
        Factor or factors, of a shape that broadcasts to the shape of the input.
    """

    factor: Any

    def __post_init__(self) -> None:
        self.factor = float_array(f"Factors of {self}", self.factor)

    def reach(self, shape: Shape, before: str) -> Shape:
        return _spread(self, self.factor, shape, before)

    def factors(self, shape: Shape) -> np.ndarray:
        return np.broadcast_to(self.factor, shape).reshape(-1)


@dataclass(eq=False)
class Shift(DiagonalMap):
    """Addition of one constant, or of a constant per value.

    Parameters
    ----------
    value : float or array of float
        Constant or constants, of a shape that broadcasts to the shape of the input.
    """

    value: Any

    def __post_init__(self) -> None:
        self.value = float_array(f"Values of {self}", self.value)

    def reach(self, shape: Shape, before: str) -> Shape:
        return _spread(self, self.value, shape, before)

    def shift(self, shape: Shape) -> np.ndarray | None:
        return np.broadcast_to(self.value, shape).reshape(-1).copy()


@dataclass(eq=False)
class Flatten(DiagonalMap):
    """Several axes joined to one, in C order.

    Parameters
    ----------
    start, end : int
        First and last axis of the sample's shape, without the batch.
    """

    start: int = 0
    end: int = -1

    def reach(self, shape: Shape, before: str) -> Shape:
        ranks = len(shape)
        start, end = (axis + ranks if axis < 0 else axis for axis in (self.start, self.end))
        if not 0 <= start <= end < ranks:
            raise self.refuse(f"axes {self.start} to {self.end}", shape, before)
        return (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])


@dataclass(eq=False)
class Select(LinearMap):
    """Values selected by index: a slice, a permutation, or a part of a padded input.

    Parameters
    ----------
    places : array of int
        For each value of the output its index in the flattened input, or -1 for 0. It has the
        shape of the output.
    """

    places: Any

    def __post_init__(self) -> None:
        self.places = frozen_integers(f"Places of {self}", self.places)

    def reach(self, shape: Shape, before: str) -> Shape:
        if self.places.size and not -1 <= int(self.places.min()) <= int(self.places.max()) < prod(
            shape
        ):
            raise self.refuse(f"at least {int(self.places.max()) + 1} values", shape, before)
        return self.places.shape

    def count(self, shape: Shape) -> int:
        return self.places.size

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        places = self.places.reshape(-1)
        rows = np.flatnonzero(places >= 0)
        size = len(places), prod(shape)
        return Entries(rows, places[rows], np.ones(len(rows)), size), None


@dataclass(eq=False)
class Reshape(DiagonalMap):
    """The same values in another shape.

    Parameters
    ----------
    shape : tuple of int
    """

    shape: Shape

    def reach(self, shape: Shape, before: str) -> Shape:
        if prod(shape) != prod(self.shape):
            raise self.refuse(f"{prod(self.shape)} values", shape, before)
        return self.shape


@dataclass(eq=False)
class BatchNorm(DiagonalMap):
    """Normalisation by channel, with the statistics of training: a scale and a shift.

    ``(x - mean) / sqrt(variance + epsilon) * weight + bias`` (Ioffe and Szegedy, ICML 2015).

    Parameters
    ----------
    mean, variance : array of float, shape (channels,)
    weight, bias : array of float, shape (channels,), optional
    epsilon : float
    """

    mean: Any
    variance: Any
    weight: Any = None
    bias: Any = None
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        self.mean = float_array(f"Mean of {self}", self.mean, 1)
        size = self.mean.shape
        self.variance = float_array(f"Variance of {self}", self.variance, size)
        self.weight = float_array(
            f"Weights of {self}", 1.0 if self.weight is None else self.weight, size
        )
        self.bias = float_array(f"Bias of {self}", 0.0 if self.bias is None else self.bias, size)
        if (self.variance + self.epsilon <= 0).any():
            smallest = float((self.variance + self.epsilon).min())
            raise ValueError(f"Variance of {self} must be above 0 with its epsilon, not {smallest}")

    def reach(self, shape: Shape, before: str) -> Shape:
        if not shape or shape[0] != len(self.mean):
            raise self.refuse(f"{len(self.mean)} channels", shape, before)
        return shape

    def factors(self, shape: Shape) -> np.ndarray:
        return np.repeat(self._channel_factors(), prod(shape[1:]))

    def shift(self, shape: Shape) -> np.ndarray | None:
        return np.repeat(self.bias - self.mean * self._channel_factors(), prod(shape[1:]))

    def _channel_factors(self) -> np.ndarray:
        return self.weight / np.sqrt(self.variance + self.epsilon)


def _spread(linear_map: LinearMap, values: np.ndarray, shape: Shape, before: str) -> Shape:
    try:
        broadcast = np.broadcast_shapes(values.shape, shape)
    except ValueError:
        broadcast = ()
    if broadcast != shape:
        raise linear_map.refuse(f"a shape that {values.shape} goes with", shape, before)
    return shape
