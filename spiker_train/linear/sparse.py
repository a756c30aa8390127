"""Sparse matrices in floating point, with the operations that the folding of maps needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.conversions import number_array

__all__ = ["PAIRS", "Entries", "float_array"]

PRODUCTS = 2**24
PAIRS = 2**26


def float_array(what: str, value: Any, shape: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Return finite numbers as a float64 array.

    Parameters
    ----------
    what : str
        Name in messages.
    value : array of float
    shape : int or tuple of int, optional
        Number of axes, or the shape, to which a single number is broadcast.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If one is not finite, or the shape is wrong.
    """
    array = np.array(number_array(what, value, np.float64))
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite, not {array[~np.isfinite(array)][0]}")
    if isinstance(shape, int):
        if array.ndim != shape:
            axes = "1 axis" if shape == 1 else f"{shape} axes"
            raise ValueError(f"{what} must have {axes}, not the shape {array.shape}")
    elif shape is not None:
        if array.ndim == 0:
            array = np.full(shape, array)
        if array.shape != shape:
            raise ValueError(f"{what} must have the shape {shape}, not {array.shape}")
    return array


@dataclass(frozen=True)
class Entries:
    """A sparse matrix: rows, columns and values of its entries, in the order of rows.

    Members
    -------
    rows, columns : array of int
    values : array of float
    shape : (int, int)
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def full(cls, matrix: np.ndarray) -> "Entries":
        """Return all entries of a dense matrix, zeros included."""
        rows, columns = np.indices(matrix.shape).reshape(2, -1)
        return cls(rows, columns, matrix.reshape(-1).copy(), matrix.shape)

    @classmethod
    def diagonal(cls, values: np.ndarray) -> "Entries":
        """Return a square matrix with these values on its diagonal."""
        at = np.arange(len(values))
        return cls(at, at, np.array(values, dtype=float), (len(values), len(values)))

    @classmethod
    def of(cls, parts: Sequence[tuple], rows: int, columns: int) -> "Entries":
        """Return the sum of several lists of rows, columns and values."""
        row, column, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        places, inverse = np.unique(row.astype(np.int64) * columns + column, return_inverse=True)
        values = np.bincount(inverse.reshape(-1), weights=value, minlength=len(places))
        return cls(places // columns, places % columns, values, (rows, columns))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_diagonal(self) -> bool:
        """Whether the matrix is square, with all entries on its diagonal."""
        return self.shape[0] == self.shape[1] and bool((self.rows == self.columns).all())

    def repeated(self, blocks: int) -> "Entries":
        """Return a block diagonal matrix with this block a number of times."""
        if blocks == 1:
            return self
        at = np.arange(blocks)[:, None]
        rows, columns = self.shape
        return Entries(
            (at * rows + self.rows).reshape(-1),
            (at * columns + self.columns).reshape(-1),
            np.tile(self.values, blocks),
            (rows * blocks, columns * blocks),
        )

    def dense(self) -> np.ndarray:
        """Return the matrix as an array."""
        matrix = np.zeros(self.shape)
        matrix[self.rows, self.columns] = self.values
        return matrix

    def mask(self) -> np.ndarray:
        """Return an array of bool that is True where there are entries."""
        mask = np.zeros(self.shape, dtype=bool)
        mask[self.rows, self.columns] = True
        return mask

    def times(self, vector: np.ndarray) -> np.ndarray:
        """Return the product with a vector."""
        products = self.values * vector[self.columns]
        return np.bincount(self.rows, weights=products, minlength=self.shape[0])

    def after(self, first: "Entries", what: str) -> "Entries":
        """Return the product ``self @ first``.

        Raises
        ------
        ValueError
            If the product is too large, with the name ``what`` of this map.
        """
        if first.is_diagonal and len(first) == first.shape[0]:
            values = self.values * first.values[self.columns]
            return Entries(self.rows, self.columns, values, self.shape)
        if self.is_diagonal and len(self) == self.shape[0]:
            values = self.values[first.rows] * first.values
            return Entries(first.rows, first.columns, values, first.shape)
        starts = np.searchsorted(first.rows, np.arange(first.shape[0] + 1))
        lengths = np.diff(starts)[self.columns]
        products = int(lengths.sum())
        shape = self.shape[0], first.shape[1]
        if products <= PRODUCTS:
            rows = np.repeat(self.rows, lengths)
            within = np.arange(products) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            at = np.repeat(starts[self.columns], lengths) + within
            values = np.repeat(self.values, lengths) * first.values[at]
            return Entries.of([(rows, first.columns[at], values)], *shape)
        sizes = [a * b for a, b in (self.shape, first.shape, shape)]
        if max(sizes) > PAIRS:
            raise ValueError(
                f"{what} must fold into matrices of at most {PAIRS} pairs, not {max(sizes)}"
            )
        return Entries.full(self.dense() @ first.dense())
