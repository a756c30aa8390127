"""Payloads as arrays: bits of many beats at a time, and the fields among them."""

from collections.abc import Sequence

import numpy as np

from .fields import Field

__all__ = ["beats_of", "packed", "take", "unpacked"]


def packed(bits: np.ndarray) -> np.ndarray:
    """Return rows of bits, the lowest first, as rows of words of 32 bits."""
    rows, width = bits.shape
    words = max(1, -(-width // 32))
    held = np.zeros((rows, words * 4), dtype=np.uint8)
    found = np.packbits(bits, axis=1, bitorder="little")
    held[:, : found.shape[1]] = found
    return held.view("<u4").astype(np.uint32, copy=False)


def unpacked(words: np.ndarray) -> np.ndarray:
    """Return rows of words of 32 bits as rows of bits, the lowest first."""
    held = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    return np.unpackbits(held, axis=1, bitorder="little")


def take(bits: np.ndarray, field: Field) -> np.ndarray:
    """Return a field of each row: shape (rows,), or (rows, count) where it is an array."""
    count = max(1, field.count)
    part = bits[:, field.offset : field.offset + count * field.width]
    part = part.reshape(len(bits), count, field.width).astype(np.int64)
    value = np.zeros((len(bits), count), dtype=np.int64)
    for n in range(field.width):
        sign = -1 if field.signed and n == field.width - 1 else 1
        value += part[:, :, n] * sign << n
    return value if field.count else value[:, 0]


def beats_of(
    fields: Sequence[Field], width: int, samples: Sequence[np.ndarray], static: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the beats of samples, and where each sample ends.

    Parameters
    ----------
    fields : sequence of Field
        Those of a :class:`~spiker_hdl.rtl.streams.events.Word` or an
        :class:`~spiker_hdl.rtl.streams.events.AddressEvent`.
    width : int
        Bits of a beat.
    samples : sequence of array of int, shape (steps, size)
        What is sent of each.
    static : bool
        Whether the input is static: a step behind a sample's first has one word.

    Returns
    -------
    beats : array of uint32, shape (beats, words)
    ends : array of uint64, shape (samples,)
        Number of beats up to and with each sample.
    """
    steps = np.array([len(one) for one in samples])
    whole = np.concatenate([np.asarray(one, dtype=np.int64) for one in samples])
    last = np.zeros(len(whole), dtype=bool)
    last[np.cumsum(steps) - 1] = True
    named = {field.name: field for field in fields}
    make = _words if "values" in named else _events
    bits, per_step = make(named, width, whole, last)
    if static and make is _words:
        words, first = int(per_step[0]), np.roll(last, 1)
        ends = np.arange(len(bits)) % words == words - 1
        bits, per_step = bits[ends | first.repeat(words)], np.where(first, words, 1)
    return packed(bits), np.cumsum(per_step)[last].astype(np.uint64)


def _digits(values: np.ndarray, width: int) -> np.ndarray:
    """Return values with an axis of their bits after the last."""
    return (values[..., None] >> np.arange(width) & 1).astype(np.uint8)


def _words(named, width: int, whole: np.ndarray, last: np.ndarray):
    field = named["values"]
    words = -(-whole.shape[1] // field.count)
    padded = np.zeros((len(whole), words * field.count), dtype=np.int64)
    padded[:, : whole.shape[1]] = whole
    bits = np.zeros((len(whole) * words, width), dtype=np.uint8)
    end = field.offset + field.count * field.width
    bits[:, field.offset : end] = _digits(padded, field.width).reshape(len(bits), -1)
    bits[words - 1 :: words, named["last"].offset] = last
    return bits, np.full(len(whole), words)


def _events(named, width: int, whole: np.ndarray, last: np.ndarray):
    step, address = np.nonzero(whole)
    counts = np.bincount(step, minlength=len(whole)) + 1
    ends = np.cumsum(counts) - 1
    events = np.arange(len(step)) + step  # each step before has put its token in between
    bits = np.zeros((int(counts.sum()), width), dtype=np.uint8)
    for key, values in (("address", address), ("value", whole[step, address])):
        field = named[key]
        place = slice(field.offset, field.offset + field.width)
        bits[events, place] = _digits(values, field.width)
    bits[ends, named["end"].offset] = 1
    bits[ends, named["last"].offset] = last
    return bits, counts
