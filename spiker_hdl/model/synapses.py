"""Synapses of a projection: integer weights, dense, sparse or one to one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.conversions import frozen_integers
from spiker_hdl.base.frozen import set_fields

__all__ = ["SYNAPSES", "Dense", "OneToOne", "Sparse", "Synapses"]

WEIGHT_LIMIT = 2**31
MATRIX_LIMIT = 2**28


class Synapses:
    """Weights between a source and a target.

    Attributes
    ----------
    source_size, target_size : int
        Number of neurons of source and target.
    """

    kind: ClassVar[str]
    source_size: int
    target_size: int

    def matrix(self) -> np.ndarray:
        """Return the weights as an int64 array of shape (target size, source size)."""
        raise NotImplementedError

    @property
    def values(self) -> np.ndarray:
        """The weights that are stored, in storage order."""
        raise NotImplementedError

    def fan_out(self) -> np.ndarray:
        """Return how many synapses each source has where they are stored as single synapses."""
        return np.count_nonzero(self.matrix(), axis=0)

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the range of the sum of each target, over all events of values ``low..high``.

        Parameters
        ----------
        low, high : int
            Range of the value of an event, which includes 0.

        Returns
        -------
        lows, highs : array of int, shape (target size,)
        """
        raise NotImplementedError

    def _check_values(self, values: np.ndarray) -> None:
        size = self.source_size * self.target_size
        if self.kind != "one_to_one" and size > MATRIX_LIMIT:
            raise ValueError(f"Synapses must be among at most {MATRIX_LIMIT} pairs, not {size}")
        beyond = (values >= WEIGHT_LIMIT) | (values <= -WEIGHT_LIMIT)
        if beyond.any():
            raise ValueError(f"Weight must be within 32 bits, not {int(values[beyond][0])}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Synapses)
            and (self.kind, self.source_size, self.target_size)
            == (other.kind, other.source_size, other.target_size)
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.source_size, self.target_size, self.values.tobytes()))


def _ends(weights: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    # A weight has at most 32 bits and an event 17, so that no product overflows.
    a, b = weights * low, weights * high
    return np.minimum(a, b), np.maximum(a, b)


def _exact(values: np.ndarray, count: int) -> type:
    # The data type of a sum of `count` values: Python's integers where 64 bits may overflow.
    return np.int64 if int(np.abs(values).max(initial=0)) * count < 2**63 else object


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Synapses):
    """A weight from every source to every target.

    Parameters
    ----------
    weights : array of int, shape (target size, source size)
    """

    kind: ClassVar[str] = "dense"
    weights: Any

    def __post_init__(self) -> None:
        weights = frozen_integers("Weights", self.weights)
        if weights.ndim != 2 or not weights.size:
            raise ValueError(f"Weights must have the shape (target, source), not {weights.shape}")
        set_fields(self, weights=weights)
        self._check_values(self.weights)

    @property
    def source_size(self) -> int:  # type: ignore[override]
        return self.weights.shape[1]

    @property
    def target_size(self) -> int:  # type: ignore[override]
        return self.weights.shape[0]

    @property
    def values(self) -> np.ndarray:
        return self.weights

    def matrix(self) -> np.ndarray:
        return self.weights

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        lows, highs = (
            ends.sum(axis=1, dtype=_exact(ends, self.source_size))
            for ends in _ends(self.weights, low, high)
        )
        return lows, highs

    def __repr__(self) -> str:
        return f"Dense({self.target_size}x{self.source_size})"


@dataclass(frozen=True, eq=False, repr=False)
class OneToOne(Synapses):
    """A weight from each source to the target of the same index.

    Parameters
    ----------
    weights : array of int, shape (size,)
    """

    kind: ClassVar[str] = "one_to_one"
    weights: Any

    def __post_init__(self) -> None:
        weights = frozen_integers("Weights", self.weights)
        if weights.ndim != 1 or not weights.size:
            raise ValueError(f"One-to-one weights must have the shape (size,), not {weights.shape}")
        set_fields(self, weights=weights)
        self._check_values(self.weights)

    @property
    def source_size(self) -> int:  # type: ignore[override]
        return len(self.weights)

    @property
    def target_size(self) -> int:  # type: ignore[override]
        return len(self.weights)

    @property
    def values(self) -> np.ndarray:
        return self.weights

    def matrix(self) -> np.ndarray:
        return np.diag(self.weights)

    def fan_out(self) -> np.ndarray:
        return np.ones(self.source_size, dtype=np.int64)

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        return _ends(self.weights, low, high)

    def __repr__(self) -> str:
        return f"OneToOne({len(self.weights)})"


@dataclass(frozen=True, eq=False, repr=False)
class Sparse(Synapses):
    """Weights of a few pairs of source and target; all others are zero.

    Parameters
    ----------
    sources, targets, weights : array of int, shape (synapses,)
        Source, target and weight of each synapse; no pair twice. Stored by source, then target.
    source_size, target_size : int
    """

    kind: ClassVar[str] = "sparse"
    sources: Any
    targets: Any
    weights: Any
    source_size: int
    target_size: int

    def __post_init__(self) -> None:
        set_fields(
            self,
            source_size=check_int("Source size", self.source_size, 1, 2**20),
            target_size=check_int("Target size", self.target_size, 1, 2**20),
        )
        weights = frozen_integers("Sparse weights", self.weights)
        if weights.ndim != 1:
            raise ValueError(f"Sparse weights must have the shape (synapses,), not {weights.shape}")
        sources = frozen_integers("Sparse sources", self.sources, weights.shape)
        targets = frozen_integers("Sparse targets", self.targets, weights.shape)
        for name, ends, size in (
            ("Source", sources, self.source_size),
            ("Target", targets, self.target_size),
        ):
            wrong = (ends < 0) | (ends >= size)
            if wrong.any():
                raise ValueError(f"{name} must be in 0..{size - 1}, not {int(ends[wrong][0])}")
        order = np.lexsort((targets, sources))
        sources, targets, weights = sources[order], targets[order], weights[order]
        twice = (sources[1:] == sources[:-1]) & (targets[1:] == targets[:-1])
        if twice.any():
            at = int(np.argmax(twice))
            raise ValueError(
                "Synapses must not repeat a pair, not "
                f"{int(sources[at])} -> {int(targets[at])} twice"
            )
        self._check_values(weights)
        for name, array in (("sources", sources), ("targets", targets), ("weights", weights)):
            array.flags.writeable = False
            set_fields(self, **{name: array})

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> "Sparse":
        """Return the non-zero weights of an array of shape (target size, source size)."""
        matrix = Dense(matrix).weights
        sources, targets = np.nonzero(matrix.T)
        target_size, source_size = matrix.shape
        return cls(sources, targets, matrix[targets, sources], source_size, target_size)

    @property
    def values(self) -> np.ndarray:
        return self.weights

    @cached_property
    def _matrix(self) -> np.ndarray:
        matrix = np.zeros((self.target_size, self.source_size), dtype=np.int64)
        matrix[self.targets, self.sources] = self.weights
        matrix.flags.writeable = False
        return matrix

    def matrix(self) -> np.ndarray:
        return self._matrix

    def __eq__(self, other: object) -> bool:
        return (
            super().__eq__(other)
            and isinstance(other, Sparse)
            and np.array_equal(self.sources, other.sources)
            and np.array_equal(self.targets, other.targets)
        )

    __hash__ = Synapses.__hash__

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        totals = []
        for ends in _ends(self.weights, low, high):
            totals.append(np.zeros(self.target_size, dtype=_exact(ends, self.source_size)))
            np.add.at(totals[-1], self.targets, ends)
        return totals[0], totals[1]

    def __repr__(self) -> str:
        return f"Sparse({self.target_size}x{self.source_size}, {len(self.weights)} synapses)"


SYNAPSES = {kind.kind: kind for kind in (Dense, OneToOne, Sparse)}
