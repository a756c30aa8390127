"""Checks of the numbers and tables of devices, and their random numbers."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
import torch

from spiker_hdl.base.checks import check_int, shown
from spiker_hdl.base.conversions import number_array

__all__ = [
    "check_generator",
    "check_increasing",
    "check_number",
    "check_share",
    "check_tensor",
    "fork",
    "generator",
    "normal",
]


def check_number(
    what: str, value: Any, low: float | None = None, *, above: float | None = None
) -> float:
    """Return a finite number of at least ``low``, or greater than ``above``.

    Raises
    ------
    TypeError
        If ``value`` is no number.
    ValueError
        If it is not finite or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{what} must be a number, not {shown(value)}")
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"{what} must be finite, not {number}")
    if low is not None and number < low:
        raise ValueError(f"{what} must be at least {low:g}, not {number:g}")
    if above is not None and number <= above:
        raise ValueError(f"{what} must be greater than {above:g}, not {number:g}")
    return number


def check_share(what: str, value: Any) -> float:
    """Return a share or probability in 0..1."""
    number = check_number(what, value)
    if not 0 <= number <= 1:
        raise ValueError(f"{what} must be in 0..1, not {number:g}")
    return number


def check_increasing(what: str, values: Any, low: float | None = None) -> tuple[float, ...]:
    """Return finite numbers, each greater than the one before.

    Raises
    ------
    TypeError
        If they are no sequence of numbers.
    ValueError
        If there are none, one is not finite or less than ``low``, or one does not increase.
    """
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | torch.Tensor):
        raise TypeError(f"{what} must be a sequence of numbers, not {shown(values)}")
    numbers = tuple(
        check_number(f"{what}: entry {n}", value, low)
        for n, value in enumerate(np.asarray(values).tolist())
    )
    if not numbers:
        raise ValueError(f"{what} must have at least one entry, not ()")
    for n in range(1, len(numbers)):
        if numbers[n] <= numbers[n - 1]:
            raise ValueError(
                f"{what} must increase from entry to entry, not from {numbers[n - 1]:g} to "
                f"{numbers[n]:g} at entry {n}"
            )
    return numbers


def check_tensor(what: str, value: Any) -> torch.Tensor:
    """Return finite numbers as a float64 tensor on the CPU, without gradient."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach().to("cpu", torch.float64)
    else:
        tensor = torch.from_numpy(np.array(number_array(what, value, np.float64)))
    bad = tensor[~torch.isfinite(tensor)]
    if bad.numel():
        raise ValueError(f"{what} must be finite, not {float(bad[0])}")
    return tensor


def generator(seed: int, *path: int) -> torch.Generator:
    """Return a generator of random numbers that depends on a seed and a path of numbers alone.

    Parameters
    ----------
    seed : int
    *path : int
        Such as the number of a draw: every path has independent random numbers.
    """
    words = [check_int("Seed", number, 0) for number in (seed, *path)]
    state = np.random.SeedSequence(words).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)


def check_generator(rng: Any) -> torch.Generator:
    """Return ``rng`` if it is a generator of random numbers."""
    if not isinstance(rng, torch.Generator):
        raise TypeError(f"Random numbers must be of a torch.Generator, not {shown(rng)}")
    return rng


def fork(rng: torch.Generator) -> torch.Generator:
    """Return a new generator that is seeded by another.

    Each stage of a device has its own, so that a change of one stage leaves the random numbers of
    all others as they are: studies that vary one stage compare the same devices.
    """
    seed = torch.randint(2**62, (), generator=check_generator(rng), dtype=torch.int64)
    return torch.Generator().manual_seed(int(seed))


def normal(shape: Sequence[int], rng: torch.Generator) -> torch.Tensor:
    """Return float64 random numbers of a standard normal distribution."""
    return torch.randn(tuple(shape), generator=rng, dtype=torch.float64)
