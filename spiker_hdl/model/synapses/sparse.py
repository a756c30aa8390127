"""Weights of a few pairs of source and target."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.conversions import frozen_integers
from spiker_hdl.base.frozen import set_fields

from .base import Synapses, extremes, sum_type
from .dense import Dense

__all__ = ["Sparse"]


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

    def with_values(self, values: np.ndarray) -> "Sparse":
        return Sparse(self.sources, self.targets, values, self.source_size, self.target_size)

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.flatnonzero(self.weights)
        return self.sources[at], self.targets[at], self.weights[at]

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
        for ends in extremes(self.weights, low, high):
            totals.append(np.zeros(self.target_size, dtype=sum_type(ends, self.source_size)))
            np.add.at(totals[-1], self.targets, ends)
        return totals[0], totals[1]

    def __repr__(self) -> str:
        return f"Sparse({self.target_size}x{self.source_size}, {len(self.weights)} synapses)"
