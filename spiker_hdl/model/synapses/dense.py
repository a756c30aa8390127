"""A weight from every source to every target."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spiker_hdl.base.conversions import frozen_integers
from spiker_hdl.base.frozen import set_fields

from .base import Synapses, extremes, sum_type

__all__ = ["Dense"]


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

    def with_values(self, values: np.ndarray) -> "Dense":
        return Dense(values)

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        lows, highs = (
            ends.sum(axis=1, dtype=sum_type(ends, self.source_size))
            for ends in extremes(self.weights, low, high)
        )
        return lows, highs

    def __repr__(self) -> str:
        return f"Dense({self.target_size}x{self.source_size})"
