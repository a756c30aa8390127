"""A weight from each source to the target of the same index."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spiker_hdl.base.conversions import frozen_integers
from spiker_hdl.base.frozen import set_fields

from .base import Synapses, extremes

__all__ = ["OneToOne"]


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
        self._check_weights(self.weights)

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

    def with_values(self, values: np.ndarray) -> "OneToOne":
        return OneToOne(values)

    def sums(self, events: np.ndarray) -> np.ndarray:
        return events * self.weights.astype(events.dtype)

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.flatnonzero(self.weights)
        return at, at, self.weights[at]

    def fan_out(self) -> np.ndarray:
        return np.ones(self.source_size, dtype=np.int64)

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        return extremes(self.weights, low, high)

    def __repr__(self) -> str:
        return f"OneToOne({len(self.weights)})"
