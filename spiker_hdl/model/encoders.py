"""Integer encoders of values as spikes, shared by training and hardware."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, check_kind, shown
from spiker_hdl.base.conversions import integer_array, plain
from spiker_hdl.base.frozen import set_fields

from .network import Network

__all__ = [
    "ENCODERS",
    "LFSR_TAPS",
    "STEADY",
    "Encoding",
    "bernoulli",
    "binary",
    "delta",
    "encoder_of",
    "first_spike",
    "graded",
    "lfsr",
    "rate",
]

LFSR_TAPS = 0xD008  # x^16 + x^15 + x^13 + x^4 + 1, of maximal length (Xilinx XAPP 052)

_LONGEST = 2**24


def _pixels(values: Any, bits: int) -> np.ndarray:
    bits = check_int("Value bits", bits, 1, 16)
    values = integer_array("Values", values)
    if values.ndim < 2:
        raise ValueError(f"Values must have the shape (samples, ...), not {values.shape}")
    if values.size and (int(values.min()) < 0 or int(values.max()) >= 2**bits):
        value = int(values.min()) if int(values.min()) < 0 else int(values.max())
        raise ValueError(f"Values must be in 0..{2**bits - 1}, not {value}")
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
    steps, bits = check_int("Steps", steps, 1, _LONGEST), check_int("Value bits", bits, 1, 16)
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
    seed = check_int("Seed", seed, 1, 2**16 - 1)
    count = check_int("Count", count, 0, 2**40)
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
    steps, bits = check_int("Steps", steps, 1, _LONGEST), check_int("Value bits", bits, 1, 16)
    values = _pixels(values, bits)
    draws = lfsr(steps * values.shape[1], seed) & (2**bits - 1)
    return (values[:, None] > draws.reshape(steps, -1)).astype(np.uint8)


def first_spike(values: np.ndarray, steps: int, *, bits: int = 8) -> np.ndarray:
    """Encode as time to first spike: the greater the value, the earlier its one spike; none for 0.

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
    steps, bits = check_int("Steps", steps, 1, _LONGEST), check_int("Value bits", bits, 1, 16)
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
    steps, bits = check_int("Steps", steps, 1, _LONGEST), check_int("Value bits", bits, 1, 16)
    kept = check_int("Kept bits", kept, 1, bits)
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


def delta(values: np.ndarray, thresholds: tuple[int, ...], *, bits: int = 8) -> np.ndarray:
    """Encode signals by delta modulation: an event where a signal has changed since the last event.

    Each signal has two channels for each threshold. The ON channel has an event where the signal is
    greater by at least the threshold than at the last event of the two channels (or than in the
    first step of the sample, before any event); the OFF channel where it is less by at least the
    threshold. A larger change is still one event.

    Parameters
    ----------
    values : array of int, shape (samples, steps) or (samples, steps, signals)
        In ``0..2**bits - 1``.
    thresholds : tuple of int
        Each in ``1..2**bits - 1``.
    bits : int

    Returns
    -------
    array of uint8, shape (samples, steps, signals * len(thresholds) * 2)
        By signal, then threshold, then ON before OFF.
    """
    bits = check_int("Value bits", bits, 1, 16)
    thresholds = _thresholds(thresholds, bits)
    values = integer_array("Values", values)
    flat = _pixels(values, bits)
    if values.ndim > 3:
        raise ValueError(f"Signals must be (samples, steps, signals), not {values.shape}")
    signals = flat.reshape(*values.shape[:2], math.prod(values.shape[2:]))
    events = np.zeros((*signals.shape, len(thresholds), 2), dtype=np.uint8)
    reach = np.array(thresholds)
    at = np.repeat(signals[:, :1, :, None], len(thresholds), axis=3)
    for n in range(signals.shape[1]):
        now = signals[:, n : n + 1, :, None]
        moved = now - at
        events[:, n : n + 1, ..., 0] = moved >= reach
        events[:, n : n + 1, ..., 1] = moved <= -reach
        at = np.where(abs(moved) >= reach, now, at)
    return events.reshape(*signals.shape[:2], signals.shape[2] * len(thresholds) * 2)


def _thresholds(thresholds: Any, bits: int) -> tuple[int, ...]:
    values = plain(thresholds)
    if not isinstance(values, tuple) or not values:
        raise TypeError(f"Thresholds must be a tuple with an int or more, not {shown(thresholds)}")
    return tuple(check_int("Threshold", threshold, 1, 2**bits - 1) for threshold in values)


ENCODERS = {
    "rate": rate,
    "bernoulli": bernoulli,
    "first_spike": first_spike,
    "graded": graded,
    "binary": binary,
}
"""Encoders by name."""

STEADY = ("graded", "binary")
"""Encoders that give the same values in every step, so that the input may be static."""


def encoder_of(name: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return the encoder of a name, or raise :exc:`ValueError`."""
    check_choice("Encoder", name, ENCODERS)
    return ENCODERS[name]


@dataclass(frozen=True)
class Encoding:
    """An encoder with its settings, from which hardware is made.

    Parameters
    ----------
    name : str
        One of :data:`ENCODERS`, or ``"delta"``.
    steps : int, optional
        Steps for which values are encoded; None for ``"delta"``, which has a new value in each
        step.
    bits : int
        Bits of a value.
    seed : int
        For ``"bernoulli"``.
    kept : int
        For ``"graded"``.
    thresholds : tuple of int
        For ``"delta"``.

    Raises
    ------
    TypeError, ValueError
        If a setting is out of range, or the encoder has no use for it.
    """

    name: str
    steps: int | None = None
    bits: int = 8
    seed: int = 1
    kept: int = 4
    thresholds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        set_fields(
            self,
            name=check_choice("Encoder", self.name, (*ENCODERS, "delta")),
            bits=check_int("Value bits", self.bits, 1, 16),
            seed=check_int("Seed", self.seed, 1, 2**16 - 1),
        )
        graded = self.name == "graded"
        set_fields(self, kept=check_int("Kept bits", self.kept, 1, self.bits if graded else None))
        if self.name == "delta":
            set_fields(self, thresholds=_thresholds(self.thresholds, self.bits))
            if self.steps is not None:
                raise ValueError(f"Steps of 'delta' must be none, not {shown(self.steps)}")
            return
        set_fields(
            self,
            steps=check_int("Steps", self.steps, 1, _LONGEST),
            thresholds=plain(self.thresholds),
        )
        if self.thresholds != ():
            thresholds = shown(self.thresholds)
            raise ValueError(f"Thresholds of {self.name!r} must be none, not {thresholds}")

    @classmethod
    def of(cls, network: Network) -> "Encoding":
        """Return the encoding of a network's samples, from its notes.

        Raises
        ------
        ValueError
            If the notes do not have it.
        """
        check_kind("Network", network, Network)
        note = network.note
        name = note.get("encoder", "")
        check_choice("Encoder in the network's notes", name, (*ENCODERS, "delta"))
        which = "thresholds" if name == "delta" else "steps"
        try:
            numbers = tuple(int(number) for number in note.get(which, "").split(","))
        except ValueError:
            text = note.get(which)
            raise ValueError(f"Network's note {which!r} must be integers, not {text!r}") from None
        if name == "delta":
            return cls(name, thresholds=numbers)
        return cls(name, numbers[0])

    @property
    def fan(self) -> int:
        """Channels for each value."""
        return 2 * len(self.thresholds) if self.name == "delta" else 1

    @property
    def digest(self) -> str:
        """SHA-256 of all settings, in hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def greatest(self) -> int:
        """Greatest value of an event."""
        return 2**self.kept - 1 if self.name == "graded" else 1

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Encode samples.

        Parameters
        ----------
        values : array of int, shape (samples, ...), or for ``"delta"`` (samples, steps, ...)

        Returns
        -------
        array of uint8 or uint16, shape (samples, steps, channels)
        """
        if self.name == "delta":
            return delta(values, self.thresholds, bits=self.bits)
        own = {"bernoulli": {"seed": self.seed}, "graded": {"kept": self.kept}}.get(self.name, {})
        return encoder_of(self.name)(values, self.steps, bits=self.bits, **own)  # type: ignore
