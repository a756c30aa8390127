"""Comparison of returned values with the scores of readouts: their order, and their scale."""

import numpy as np

__all__ = [
    "agree_in_each_step",
    "agrees",
    "divides",
    "grouped",
    "on_a_line",
    "said_of_groups",
    "same_order",
    "scale_of",
]

NEAR = 1e-9


def same_order(values: np.ndarray, scores: np.ndarray) -> bool:
    """Tell whether values have the order of scores in each row, with the same ties."""
    if values.shape != scores.shape or not np.isfinite(values).all():
        return False
    if values.shape[1] == 1:  # one value a sample: across samples
        values, scores = values.reshape(1, -1), scores.reshape(1, -1)
    order = scores.argsort(axis=1, kind="stable")
    rise = np.diff(np.take_along_axis(scores, order, 1), axis=1)
    grown = np.diff(np.take_along_axis(values, order, 1), axis=1)
    tie = rise <= NEAR * np.abs(scores).max(axis=1, keepdims=True)
    near = np.abs(grown) <= NEAR * np.abs(values).max(axis=1, keepdims=True)
    return bool(near[tie].all() and (grown[~tie] > 0).all())


def agrees(values: np.ndarray, scores: np.ndarray, *, chosen: bool) -> bool:
    """Tell whether values have the order of scores, or are the class of the greatest score."""
    if not chosen or values.shape == scores.shape:
        return same_order(values, scores)
    if values.shape[1] != 1 or scores.shape[1] < 2:
        return False
    two = np.sort(scores, axis=1)[:, -2:]
    clear = two[:, 1] > two[:, 0]
    classes = scores.argmax(1)
    return len(set(classes[clear])) > 1 and bool((classes == values[:, 0])[clear].all())


def divides(size: int, neurons: int) -> bool:
    return size > 0 and neurons % size == 0


def grouped(values: np.ndarray, size: int) -> np.ndarray:
    """Return the sums of neighbours in a number of groups, along the last axis."""
    return values.reshape(*values.shape[:-1], size, -1).sum(-1)


def said_of_groups(size: int, neurons: int) -> tuple[int | None, str]:
    return (None, "") if size == neurons else (size, f" in {size} groups")


def agree_in_each_step(frames: np.ndarray, scores: np.ndarray) -> bool:
    if frames.shape != scores.shape:
        return False
    return same_order(*(spread.reshape(-1, spread.shape[-1]) for spread in (frames, scores)))


def on_a_line(values: np.ndarray, scores: np.ndarray) -> bool:
    """Tell whether values are scores times one positive factor, plus an offset."""
    if values.shape != scores.shape:
        return False
    factor, added = _line(values, scores)
    return factor > 0 and np.allclose(values, factor * scores + added, 0, 1e-9)


def _line(values: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the straight line from scores to values."""
    x, y = scores.reshape(-1), values.reshape(-1)
    spread = float(((x - x.mean()) ** 2).sum())
    factor = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread else 0.0
    return factor, float(y.mean() - factor * x.mean())


def scale_of(values: np.ndarray, scores: np.ndarray) -> str:
    """Return the relation of values to scores as text; empty where they are the same."""
    factor, added = _line(values, scores)
    if not np.allclose(values, factor * scores + added, 1e-6, 1e-9):
        return ", in the same order but not on the same scale"
    if abs(factor - 1) < 1e-6 and abs(added) < 1e-6:
        return ""
    return f": {factor:.6g} times the score" + (f" and {added:.6g}" if abs(added) > 1e-9 else "")
