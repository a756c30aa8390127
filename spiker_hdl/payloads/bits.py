"""Payloads as arrays: the bits of many beats at once, and fields among them."""

from collections.abc import Sequence

import numpy as np

from .fields import Field

__all__ = ["beats_of", "packed", "take", "unpacked"]


def packed(bits: np.ndarray) -> np.ndarray:
    """Return rows of bits, the lowest first, as rows of 32-bit words."""
    rows, width = bits.shape
    words = max(1, -(-width // 32))
    padded = np.zeros((rows, words * 4), dtype=np.uint8)
    octets = np.packbits(bits, axis=1, bitorder="little")
    padded[:, : octets.shape[1]] = octets
    return padded.view("<u4").astype(np.uint32, copy=False)


def unpacked(words: np.ndarray) -> np.ndarray:
    """Return rows of 32-bit words as rows of bits, the lowest first."""
    octets = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")


def take(bits: np.ndarray, field: Field) -> np.ndarray:
    """Return a field of each row: shape (rows,), or (rows, count) if the field is an array."""
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
        Fields of a :class:`~spiker_hdl.rtl.streams.events.Word` or an
        :class:`~spiker_hdl.rtl.streams.events.AddressEvent`.
    width : int
        Bits of a beat.
    samples : sequence of array of int, shape (steps, size)
        Values of each sample.
    static : bool
        Whether the input is static: then each step after a sample's first has one beat.

    Returns
    -------
    beats : array of uint32, shape (beats, words)
    ends : array of uint64, shape (samples,)
        Number of beats to the end of each sample.
    """
    steps = np.array([len(sample) for sample in samples])
    whole = np.concatenate([np.asarray(sample, dtype=np.int64) for sample in samples])
    last = np.zeros(len(whole), dtype=bool)
    last[np.cumsum(steps) - 1] = True
    by_name = {field.name: field for field in fields}
    make = _words if "values" in by_name else _events
    bits, per_step = make(by_name, width, whole, last)
    if static and make is _words:
        words, first = int(per_step[0]), np.roll(last, 1)
        ends = np.arange(len(bits)) % words == words - 1
        bits, per_step = bits[ends | first.repeat(words)], np.where(first, words, 1)
    return packed(bits), np.cumsum(per_step)[last].astype(np.uint64)


def _digits(values: np.ndarray, width: int) -> np.ndarray:
    """Return the bits of values, along a new last axis."""
    return (values[..., None] >> np.arange(width) & 1).astype(np.uint8)


def _words(by_name, width: int, whole: np.ndarray, last: np.ndarray):
    field = by_name["values"]
    words = -(-whole.shape[1] // field.count)
    padded = np.zeros((len(whole), words * field.count), dtype=np.int64)
    padded[:, : whole.shape[1]] = whole
    bits = np.zeros((len(whole) * words, width), dtype=np.uint8)
    end = field.offset + field.count * field.width
    bits[:, field.offset : end] = _digits(padded, field.width).reshape(len(bits), -1)
    bits[words - 1 :: words, by_name["last"].offset] = last
    return bits, np.full(len(whole), words)


def _events(by_name, width: int, whole: np.ndarray, last: np.ndarray):
    step, address = np.nonzero(whole)
    counts = np.bincount(step, minlength=len(whole)) + 1
    ends = np.cumsum(counts) - 1
    events = np.arange(len(step)) + step  # each earlier step has its end token in between
    bits = np.zeros((int(counts.sum()), width), dtype=np.uint8)
    for key, values in (("address", address), ("value", whole[step, address])):
        field = by_name[key]
        place = slice(field.offset, field.offset + field.width)
        bits[events, place] = _digits(values, field.width)
    bits[ends, by_name["end"].offset] = 1
    bits[ends, by_name["last"].offset] = last
    return bits, counts
