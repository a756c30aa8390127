"""Synapses of a projection: what every arrangement of weights has."""

from typing import ClassVar

import numpy as np

__all__ = ["MATRIX_LIMIT", "Synapses", "extremes", "sum_type"]

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

    def sums(self, events: np.ndarray) -> np.ndarray:
        """Return the weighted sum of each target, in the format of the events.

        Parameters
        ----------
        events : array, shape (..., source size)
            In a format that computes every sum exactly.

        Returns
        -------
        array, shape (..., target size)
        """
        return events @ self.matrix().T.astype(events.dtype)

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return source, target and weight of each synapse whose weight is not 0.

        Returns
        -------
        sources, targets, weights : array of int, shape (synapses,)
            By source, then target.
        """
        matrix = self.matrix()
        sources, targets = np.nonzero(matrix.T)
        return sources, targets, matrix[targets, sources]

    def with_values(self, values: np.ndarray) -> "Synapses":
        """Return the same arrangement with other weights, of the shape of :attr:`values`."""
        raise NotImplementedError

    def _check_values(self, values: np.ndarray) -> None:
        size = self.source_size * self.target_size
        if size > MATRIX_LIMIT:
            raise ValueError(f"Synapses must be among at most {MATRIX_LIMIT} pairs, not {size}")
        self._check_weights(values)

    @staticmethod
    def _check_weights(values: np.ndarray) -> None:
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


def extremes(weights: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimum and maximum of each weight's product with an event of ``low..high``."""
    # A weight has at most 32 bits and an event 17, so that no product overflows.
    a, b = weights * low, weights * high
    return np.minimum(a, b), np.maximum(a, b)


def sum_type(values: np.ndarray, count: int) -> type:
    """Return the type of a sum of so many values: Python's integers where 64 bits may overflow."""
    return np.int64 if int(np.abs(values).max(initial=0)) * count < 2**63 else object
