"""Maps in a row: their product, which stays one kernel where that is exact."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from spiker_hdl.model.synapses.pooling import MaxPooling

from .convolution import MaxPool, maxima_of_maxima
from .elementwise import DiagonalMap, LinearMap, Shape
from .kernel import Kernel, by_channel
from .sparse import PAIRS, Entries

__all__ = ["UNROLLED", "Chain", "Operator", "allowing"]

UNROLLED = 2**20
"""Default for the greatest number of weights that a convolution or pooling is unrolled into."""

Operator = Entries | Kernel


@dataclass(frozen=True, eq=False)
class Chain:
    """The product of maps, the first to act first.

    Members
    -------
    operator : Entries or Kernel
        Matrix from flattened inputs to flattened outputs, or the convolution that it is.
    pooling : MaxPooling or None
        Windows of the outputs whose maxima are taken.
    maps : tuple of str
        Names of the maps.
    kept : tuple of str
        Names of the convolutions and pooling that are a part of the kernel or of the maximum.
    unrolled : tuple of (str, str)
        Names of the convolutions and pooling that were unrolled, each with the reason.
    maximum : str
        Name of the map that takes the maxima.
    """

    operator: Operator
    pooling: MaxPooling | None = None
    maps: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unrolled: tuple[tuple[str, str], ...] = ()
    maximum: str = ""

    @classmethod
    def over(cls, shape: Shape) -> "Chain":
        """Return the identity on values of a shape."""
        return cls(Entries.diagonal(np.ones(prod(shape))))

    @property
    def is_identity(self) -> bool:
        """Whether each value is passed on unchanged, to its own place."""
        operator = self.operator
        whole = isinstance(operator, Entries) and operator.is_diagonal
        return self.pooling is None and whole and bool((operator.values == 1).all()) and len(
            operator.values
        ) == operator.shape[0]  # fmt: skip

    def then(self, linear_map: LinearMap, shape: Shape, limit: int = UNROLLED) -> "Chain":
        """Return the product with one more map.

        Parameters
        ----------
        linear_map : LinearMap
        shape : tuple of int
            Shape of its input.
        limit : int
            Greatest number of weights that a convolution or pooling may be unrolled into.

        Raises
        ------
        ValueError
            If unrolling would make too many weights; or if the map cannot follow a maximum, or is
            a maximum of what is no convolution.
        """
        named = replace(self, maps=(*self.maps, str(linear_map)))
        if isinstance(linear_map, MaxPool):
            return named._with_maximum(linear_map, shape)
        if self.pooling is not None:
            return named._behind_maximum(linear_map, shape)
        if isinstance(linear_map, DiagonalMap):
            return named.scaled(linear_map.factors(shape), str(linear_map), limit)
        own = linear_map.kernel(shape)
        if own is not None:
            return named._with_kernel(linear_map, own, limit)
        why = f"{linear_map} is no convolution"
        chain = named.unroll(why, limit)
        entries = _entries(linear_map, shape, limit)
        assert isinstance(chain.operator, Entries)
        unrolled = chain.unrolled
        if linear_map.unrolls:
            unrolled = (*unrolled, (str(linear_map), "its windows have different weights"))
        product = entries.after(chain.operator, str(linear_map))
        return replace(chain, operator=product, unrolled=unrolled)

    def unroll(self, why: str, limit: int) -> "Chain":
        """Return the same with a matrix in place of a kernel.

        Raises
        ------
        ValueError
            If it would have more weights than the limit, with the reason.
        """
        kernel = self.operator
        if isinstance(kernel, Entries):
            return self
        names = " and ".join(self.kept) or str(kernel)
        if (needed := kernel.unrolled_count) > min(limit, PAIRS):
            ends = f"from {kernel.source_shape} to {kernel.target_shape}"
            raise ValueError(
                f"{names} must unroll into at most {min(limit, PAIRS)} weights, not {needed} "
                f"{ends}, since {why}{allowing(needed)}"
            )
        unrolled = (*self.unrolled, *((name, why) for name in self.kept))
        return replace(self, operator=kernel.entries(), kept=(), unrolled=unrolled)

    def scaled(self, factors: np.ndarray, name: str, limit: int = UNROLLED) -> "Chain":
        """Return the same with a factor for each output, whose ``name`` messages have."""
        if (factors == 1).all():
            return self
        if isinstance(self.operator, Kernel):
            by_channels = self.operator.by_channel(factors)
            if by_channels is not None:
                return replace(self, operator=self.operator.scaled(by_channels))
        chain = self.unroll(f"{name} has several factors in a channel", limit)
        assert isinstance(chain.operator, Entries)
        return replace(chain, operator=Entries.diagonal(factors).after(chain.operator, name))

    def _with_kernel(self, linear_map: LinearMap, own: Kernel, limit: int) -> "Chain":
        before, name = self.operator, str(linear_map)
        if isinstance(before, Kernel):
            if (product := own.after(before)) is not None:
                return replace(self, operator=product, kept=(*self.kept, name))
            why = f"the padding of {name} lies where {self.kept[-1]} would have more windows"
        elif before.is_diagonal and len(before) == before.shape[0]:
            inputs = by_channel(before.values, own.source_shape)
            if inputs is not None:
                scaled = own if (inputs == 1).all() else own.scaled(np.ones(1), inputs)
                return replace(self, operator=scaled, kept=(*self.kept, name))
            why = f"the maps before {name} have several factors in a channel"
        else:
            why = f"{name} is behind a matrix"
        chain = self.unroll(why, limit)
        behind = Chain(own, kept=(name,)).unroll(why, limit)
        assert isinstance(chain.operator, Entries)
        assert isinstance(behind.operator, Entries)
        return replace(
            chain,
            operator=behind.operator.after(chain.operator, name),
            unrolled=(*chain.unrolled, *behind.unrolled),
        )

    def _with_maximum(self, linear_map: MaxPool, shape: Shape) -> "Chain":
        name = str(linear_map)
        pooling = linear_map.pooling(shape, self.maps[-2] if len(self.maps) > 1 else "the input")
        if self.pooling is not None:
            return self._with_second_maximum(name, pooling)
        operator = self.operator
        if isinstance(operator, Entries) and operator.is_diagonal:
            factors = by_channel(operator.values, shape)
            if factors is not None and len(operator) == operator.shape[0]:
                operator = Kernel.pointwise(factors, shape[1:])
        if not isinstance(operator, Kernel) or operator.target_shape != shape:
            raise ValueError(
                f"{name} must be behind a convolution that stays one, not behind "
                f"{' and '.join(self.maps[:-1])}: the maximum is of the sums of one kernel; "
                "put neurons in front of it, whose spikes it pools"
            )
        kept = (*self.kept, name)
        return replace(self, operator=operator, pooling=pooling, kept=kept, maximum=name)

    def _with_second_maximum(self, name: str, second: MaxPooling) -> "Chain":
        assert self.pooling is not None
        pooling = None
        if second.shape == self.pooling.target_shape:
            pooling = maxima_of_maxima(self.pooling, second)
        if pooling is None:
            raise ValueError(
                f"{name} must have with {self.maximum} the positions of one window, not others: "
                "pool once, over larger windows, or put neurons between the two"
            )
        maximum = f"{self.maximum} and {name}"
        return replace(self, pooling=pooling, kept=(*self.kept, name), maximum=maximum)

    def _behind_maximum(self, linear_map: LinearMap, shape: Shape) -> "Chain":
        assert isinstance(self.operator, Kernel)
        if not isinstance(linear_map, DiagonalMap):
            raise ValueError(
                f"{linear_map} must be behind neurons, not behind {self.maximum} alone: the "
                "greatest of several currents is not linear in them; put neurons between the two"
            )
        factors = linear_map.factors(shape)
        if (factors == 1).all():
            return self
        factors = factors.reshape(len(self.operator.weights), -1)
        if (factors != factors[:, :1]).any():
            raise ValueError(
                f"{linear_map} must have one factor for each channel behind {self.maximum}, not "
                f"several in channel {int((factors != factors[:, :1]).any(1).argmax())}"
            )
        if (factors < 0).any():
            channel = int((factors[:, 0] < 0).argmax())
            raise ValueError(
                f"{linear_map} must have factors of at least 0 behind {self.maximum}, not "
                f"{factors[channel, 0]:.6g} in channel {channel}, with which the greatest current "
                "becomes the least: put it in front of the maximum"
            )
        return replace(self, operator=self.operator.scaled(factors[:, 0]))


def _entries(linear_map: LinearMap, shape: Shape, limit: int) -> Entries:
    """Return the matrix of a map that is no kernel."""
    if linear_map.unrolls and (needed := linear_map.count(shape)) > min(limit, PAIRS):
        raise ValueError(
            f"{linear_map} must unroll into at most {min(limit, PAIRS)} weights, not {needed} "
            f"from {shape} to {linear_map.reach(shape, 'before')}{allowing(needed)}"
        )
    return linear_map.unroll(shape)[0]


def allowing(needed: int) -> str:
    """Return text on how to allow this many weights, where that is possible."""
    return f": unrolled={needed} allows as many" if needed <= PAIRS else ""
