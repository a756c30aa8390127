"""Integer encoders: how values become spikes, shared by training and hardware."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .check import check_choice, check_int

__all__ = [
    "ENCODERS",
    "LFSR_TAPS",
    "bernoulli",
    "binary",
    "encoder_of",
    "first_spike",
    "graded",
    "lfsr",
    "rate",
]

LFSR_TAPS = 0xD008  # x^16 + x^15 + x^13 + x^4 + 1, of maximal length (Xilinx XAPP 052)


def _pixels(values: Any, bits: int) -> np.ndarray:
    check_int("Value bits", bits, 1, 16)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"Values must be a NumPy array of integers, not {kind}")
    if values.ndim < 2:
        raise ValueError(f"Values must have the shape (samples, ...), not {values.shape}")
    if values.size and (int(values.min()) < 0 or int(values.max()) >= 2**bits):
        given = int(values.min()) if int(values.min()) < 0 else int(values.max())
        raise ValueError(f"Values must be in 0..{2**bits - 1}, not {given}")
    return values.reshape(len(values), math.prod(values.shape[1:])).astype(np.int64)


def rate(values: np.ndarray, steps: int, *, bits: int = 8) -> np.ndarray:
    """Encode as a deterministic rate: a phase accumulator for each channel, a spike at each carry.

    The phase starts at half of its range, and grows by the value in every step.

    Parameters
    ----------
    values : array of int, shape (samples, ...)
        In ``0..2**bits - 1``.
    steps : int
    bits : int
        Bits of a value and of the phase.

    Returns
    -------
    array of uint8, shape (samples, steps, channels)
    """
    check_int("Steps", steps, 1)
    values = _pixels(values, bits)
    half = 2 ** (bits - 1)
    at = (half + values[:, None] * np.arange(1, steps + 1)[:, None]) >> bits
    return np.diff(at, axis=1, prepend=half >> bits).astype(np.uint8)


def lfsr(count: int, seed: int) -> np.ndarray:
    """Return the next ``count`` states of the 16-bit Galois shift register, ``seed`` not included.

    Raises
    ------
    ValueError
        If ``seed`` is not in 1..65535.
    """
    check_int("Seed", seed, 1, 2**16 - 1)
    states = np.empty(count, dtype=np.int64)
    value = seed
    for n in range(min(count, 2**16 - 1)):
        value = (value >> 1) ^ (LFSR_TAPS if value & 1 else 0)
        states[n] = value
    period = 2**16 - 1
    for start in range(period, count, period):
        stop = min(start + period, count)
        states[start:stop] = states[: stop - start]
    return states


def bernoulli(values: np.ndarray, steps: int, *, bits: int = 8, seed: int = 1) -> np.ndarray:
    """Encode as a random rate: a spike where the value exceeds the low bits of a shift register.

    The register (:func:`lfsr`) starts from ``seed`` in each sample and advances for each channel of
    each step, in order.

    Parameters
    ----------
    values : array of int, shape (samples, ...)
        In ``0..2**bits - 1``.
    steps : int
    bits : int
    seed : int
        In 1..65535.

    Returns
    -------
    array of uint8, shape (samples, steps, channels)
    """
    check_int("Steps", steps, 1)
    values = _pixels(values, bits)
    draws = lfsr(steps * values.shape[1], seed) & (2**bits - 1)
    return (values[:, None] > draws.reshape(steps, -1)).astype(np.uint8)


def first_spike(values: np.ndarray, steps: int, *, bits: int = 8) -> np.ndarray:
    """Encode as time to first spike: one spike, the sooner the greater the value; none for zero.

    A value ``x`` spikes in step ``((2**bits - 1 - x) * steps) >> bits``.

    Parameters
    ----------
    values : array of int, shape (samples, ...)
        In ``0..2**bits - 1``.
    steps : int
    bits : int

    Returns
    -------
    array of uint8, shape (samples, steps, channels)
    """
    check_int("Steps", steps, 1)
    values = _pixels(values, bits)
    when = ((2**bits - 1 - values) * steps) >> bits
    return ((when[:, None] == np.arange(steps)[:, None]) & (values[:, None] > 0)).astype(np.uint8)


def graded(values: np.ndarray, steps: int, *, bits: int = 8, kept: int = 4) -> np.ndarray:
    """Encode as graded events: the ``kept`` high bits of the value, in every step.

    Parameters
    ----------
    values : array of int, shape (samples, ...)
        In ``0..2**bits - 1``.
    steps : int
    bits : int
    kept : int
        1 to ``bits``.

    Returns
    -------
    array of uint16, shape (samples, steps, channels)
    """
    check_int("Steps", steps, 1)
    check_int("Value bits", bits, 1, 16)
    check_int("Kept bits", kept, 1, bits)
    values = _pixels(values, bits) >> (bits - kept)
    return np.repeat(values[:, None].astype(np.uint16), steps, axis=1)


def binary(values: np.ndarray, steps: int, *, bits: int = 8) -> np.ndarray:
    """Encode as a spike in every step where the value is at least half of ``2**bits``.

    Parameters
    ----------
    values : array of int, shape (samples, ...)
        In ``0..2**bits - 1``.
    steps : int
    bits : int

    Returns
    -------
    array of uint8, shape (samples, steps, channels)
    """
    return graded(values, steps, bits=bits, kept=1).astype(np.uint8)


ENCODERS = {
    "rate": rate,
    "bernoulli": bernoulli,
    "first_spike": first_spike,
    "graded": graded,
    "binary": binary,
}
"""Encoders by name."""


def encoder_of(name: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return the encoder of a name, or raise :exc:`ValueError`."""
    check_choice("Encoder", name, ENCODERS)
    return ENCODERS[name]
