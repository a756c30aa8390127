"""Indices of values in the input or in spikes, after movements."""

from dataclasses import dataclass
from math import prod

import torch

__all__ = ["MisplacedError", "Part", "moved_in_each_sample", "part_of_input", "same_rows"]


class MisplacedError(Exception):
    """Raised for a part of the input that mixes samples or steps."""


@dataclass(frozen=True)
class Part:
    """A part of the input.

    Members
    -------
    step : int or None
        Step of the part; None for an input without steps.
    axis : int
        Axis of the steps in the input, where there is one.
    sample : tuple of int
        Shape of a sample of the input.
    places : tensor
        Index of each value in the flattened sample.
    """

    step: int | None
    axis: int
    sample: tuple[int, ...]
    places: torch.Tensor


def part_of_input(shape: torch.Size, raw: torch.Tensor, lead: int) -> Part:
    """Return the part of the input that indices describe, with its samples and steps.

    Parameters
    ----------
    shape : torch.Size
        Shape of the input.
    raw : tensor of int
        Index of each value in the flattened input.
    lead : int
        Number of axes of ``raw`` before those of a sample.

    Raises
    ------
    MisplacedError
        If it is not the same part of every sample.
    """
    if raw.ndim < lead or raw.numel() == 0:
        raise MisplacedError("input without an axis of samples")
    at = torch.unravel_index(raw, shape)
    fixed = [
        n
        for n, coordinates in enumerate(at)
        if shape[n] > 1 and bool((coordinates == coordinates.flatten()[0]).all())
    ]
    axes: list[int] = []
    for axis in range(lead):
        expected = torch.arange(raw.shape[axis]).reshape([-1] + [1] * (raw.ndim - axis - 1))
        changing = [
            n
            for n, coordinates in enumerate(at)
            if n not in (*axes, *fixed)
            and shape[n] == raw.shape[axis]
            and bool((coordinates == expected).all())
        ]
        if not changing:
            raise MisplacedError("a part of the input that mixes samples")
        axes.append(changing[0])
    if len(fixed) > 1:
        raise MisplacedError("a part of the input with both a step and a place fixed")
    step = int(at[fixed[0]].flatten()[0]) if fixed else None
    rest = [n for n in range(len(shape)) if n not in (*axes, *fixed)]
    places = torch.zeros_like(raw)
    for n in rest:
        places = places * shape[n] + at[n]
    first = places[(0,) * lead]
    if not bool((places == first).all()):
        raise MisplacedError("parts of the input that differ by sample")
    return Part(step, fixed[0] if fixed else 0, tuple(shape[n] for n in rest), first)


def moved_in_each_sample(shape: torch.Size, index: torch.Tensor, lead: int) -> torch.Tensor | None:
    """Return the index of each value in its sample, -1 for a constant; None where samples mix.

    Parameters
    ----------
    shape : torch.Size
        Shape before the movement.
    index : tensor of int
        Index of each value before the movement, or -1.
    lead : int
        Number of axes before those of a sample.
    """
    if index.shape[:lead] != shape[:lead]:
        return None
    size, count = prod(shape[lead:]), prod(shape[:lead])
    flat = index.reshape(count, -1)
    first = flat[0]
    if not bool(((flat == first + size * torch.arange(count)[:, None]) | (flat < 0)).all()):
        return None
    return first.reshape(index.shape[lead:])


def same_rows(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Tell whether whole rows were moved, with the last axis unchanged."""
    if after.ndim < 1 or after.shape[-1] != before.shape[-1] or not after.numel():
        return False
    offsets = (before - before[..., :1]).reshape(-1, before.shape[-1])[0]
    return bool((after - after[..., :1] == offsets).all())
