"""Grids: numbers of which all weights are multiples, as in layers that were quantised before."""

from math import log2

import numpy as np

__all__ = ["NEAR", "grid_of", "shift_between"]

MOST = 2**15
"""Greatest magnitude of the integers that are looked for."""

NEAR = 2.0**-20
"""Greatest distance of a weight from its multiple, relative to the greatest weight."""


def grid_of(weights: np.ndarray) -> float | None:
    """Return the number of which all weights are integer multiples, or None if there is none."""
    sizes = np.unique(np.abs(np.asarray(weights, dtype=float)))
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return None
    slack = NEAR * sizes[-1]
    gaps = np.diff(sizes, prepend=0.0)
    gap = float(gaps[gaps > slack].min())
    for parts in range(1, 9):
        step = _fitted(sizes, gap / parts, slack)
        if step is not None:
            return step
    return None


def _fitted(sizes: np.ndarray, step: float, slack: float) -> float | None:
    """Return the best step near the given one, or None if a size is no multiple of it."""
    products = squares = 0.0
    for size in sizes.tolist():
        number = round(size / step)
        if not 1 <= number <= MOST or abs(size - number * step) > slack or step < 16 * slack:
            return None
        products += size * number
        squares += number * number
        step = products / squares
    return step


def shift_between(coarse: float, fine: float) -> int | None:
    """Return the bits, 0 to 24, by which one grid is coarser than another, or None."""
    bits = round(log2(coarse / fine))
    same = abs(coarse - fine * 2.0**bits) <= NEAR * coarse
    return bits if same and 0 <= bits <= 24 else None
