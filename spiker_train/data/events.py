"""Events of a recording: times in seconds, and the channel of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_shape, shown
from spiker_hdl.base.conversions import integer_array, number_array, plain
from spiker_hdl.base.frozen import set_fields

__all__ = [
    "MAX_CHANNELS",
    "MAX_DURATION",
    "PICOSECONDS",
    "Events",
    "check_dt",
    "check_events",
    "to_picoseconds",
]

PICOSECONDS = 10**12
"""Picoseconds in a second."""

MAX_DURATION = 4096.0
"""Longest recording in seconds: up to here, a double tells any two picoseconds apart."""

MAX_CHANNELS = 2**24


def to_picoseconds(seconds: Any) -> np.ndarray:
    """Return times as whole picoseconds, so that 0.3 s is exactly three steps of 0.1 s."""
    return np.rint(np.asarray(seconds, dtype=np.float64) * PICOSECONDS).astype(np.int64)


def check_dt(dt: Any) -> int:
    """Return the length of a time step, which is given in seconds, in whole picoseconds.

    Raises
    ------
    TypeError, ValueError
        If ``dt`` is no number, or not in 1e-12..4096.
    """
    number = number_array("Time step dt", dt)
    if number.shape != () or number.dtype.kind == "b":
        raise TypeError(f"Time step dt must be a number of seconds, not {shown(dt)}")
    seconds = float(number)
    if not (isfinite(seconds) and 1 / PICOSECONDS <= seconds <= MAX_DURATION):
        raise ValueError(f"Time step dt must be in 1e-12..4096 seconds, not {seconds!r}")
    return int(to_picoseconds(seconds))


@dataclass(frozen=True, eq=False)
class Events:
    """The events of one recording, in the order of their times.

    Parameters
    ----------
    times : array of float, shape (events,)
        In seconds from the start of the recording, at least 0 and less than ``duration``. They are
        kept as whole picoseconds, and sorted; events of the same time stay in their order.
    channels : array of int, shape (events,) or (events, axes)
        Channel of each event, as its index along each axis of ``shape``. Where there is one column,
        or none, and ``shape`` has several axes, it is the index in the flattened shape.
    shape : int or tuple of int
        Number of channels, or their arrangement. A camera has (2, height, width): its events have
        the columns polarity, y and x.
    duration : float
        Length of the recording in seconds, at most 4096.

    Members
    -------
    picoseconds : array of int64, shape (events,)
        The times in picoseconds.
    flat : array of int64, shape (events,)
        Index of each event's channel in the flattened shape.

    Raises
    ------
    TypeError, ValueError
        If a time or a channel is out of range, or the arrays do not go together.
    """

    times: np.ndarray
    channels: np.ndarray
    shape: Any
    duration: float
    picoseconds: np.ndarray = field(init=False, repr=False)
    flat: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = _shape(self.shape)
        duration = float(number_array("Duration", self.duration, np.float64))
        if not (isfinite(duration) and 0 < duration <= MAX_DURATION):
            raise ValueError(f"Duration must be more than 0 and at most 4096 s, not {duration!r}")
        times = number_array("Times", self.times, np.float64)
        if times.ndim != 1:
            raise ValueError(f"Times must have the shape (events,), not {times.shape}")
        if times.size and not np.isfinite(times).all():
            raise ValueError("Times must be finite, not NaN or infinite")
        ticks = to_picoseconds(times)
        end = int(to_picoseconds(duration))
        if ticks.size and (int(ticks.min()) < 0 or int(ticks.max()) >= end):
            wrong = float(times.min() if ticks.min() < 0 else times.max())
            raise ValueError(
                f"Times must be at least 0 and less than {duration!r} s, not {wrong!r}"
            )
        flat = _flat_channels(self.channels, shape, len(times))
        if len(ticks) > 1 and (np.diff(ticks) < 0).any():
            order = np.argsort(ticks, kind="stable")
            ticks, flat = ticks[order], flat[order]
        columns = np.stack(np.unravel_index(flat, shape), axis=1) if len(shape) > 1 else flat
        set_fields(
            self,
            times=_frozen(ticks / PICOSECONDS),
            channels=_frozen(np.ascontiguousarray(columns, dtype=np.int64)),
            shape=shape,
            duration=duration,
            picoseconds=_frozen(ticks),
            flat=_frozen(flat),
        )

    def __len__(self) -> int:
        return len(self.times)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        return (
            self.shape == other.shape
            and to_picoseconds(self.duration) == to_picoseconds(other.duration)
            and np.array_equal(self.picoseconds, other.picoseconds)
            and np.array_equal(self.flat, other.flat)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def size(self) -> int:
        """Number of channels."""
        return prod(self.shape)

    def steps(self, dt: float) -> int:
        """Return the number of steps of ``dt`` seconds in which the whole recording fits."""
        return -(-int(to_picoseconds(self.duration)) // check_dt(dt))

    def cut(self, start: float, stop: float) -> "Events":
        """Return the events from ``start`` to ``stop`` seconds, with times from ``start`` on.

        Raises
        ------
        ValueError
            If the times are not in order, or outside the recording.
        """
        if not 0 <= start < stop <= self.duration:
            raise ValueError(
                f"Cut must be from 0 or later to at most {self.duration!r} s, not from "
                f"{start!r} to {stop!r}"
            )
        first, end = (int(to_picoseconds(seconds)) for seconds in (start, stop))
        kept = (self.picoseconds >= first) & (self.picoseconds < end)
        return Events(
            (self.picoseconds[kept] - first) / PICOSECONDS,
            self.flat[kept],
            self.shape,
            (end - first) / PICOSECONDS,
        )


def check_events(events: Any) -> tuple[list[Events], bool]:
    """Return recordings as a list, and whether a single one was passed.

    Raises
    ------
    TypeError, ValueError
        If there are none, or they differ in their shapes.
    """
    single = isinstance(events, Events)
    recordings = [events] if single else events
    if not isinstance(recordings, Sequence) or isinstance(recordings, str | bytes):
        raise TypeError(f"Events must be Events or a list of them, not {shown(events)}")
    if not recordings:
        raise ValueError("Events must be of at least one recording, not none")
    for recording in recordings:
        if not isinstance(recording, Events):
            raise TypeError(f"Events must be a list of Events, not of {shown(recording)}")
        if recording.shape != recordings[0].shape:
            raise ValueError(
                f"Events of all recordings must have the shape {recordings[0].shape}, "
                f"not {recording.shape}"
            )
    return list(recordings), single


def _shape(shape: Any) -> tuple[int, ...]:
    checked = check_shape("Events", plain(shape), MAX_CHANNELS)
    return (checked,) if isinstance(checked, int) else checked


def _flat_channels(channels: Any, shape: tuple[int, ...], count: int) -> np.ndarray:
    array = np.asarray(channels)
    array = integer_array("Channels", channels) if array.size else array.astype(np.int64)
    if not array.size and not count:
        return np.zeros(0, dtype=np.int64)
    if array.shape not in {(count,), (count, 1), (count, len(shape))}:
        raise ValueError(
            f"Channels must have the shape ({count}, {len(shape)}) or ({count},), not {array.shape}"
        )
    array = array.astype(np.int64)
    columns = [array.reshape(count)] if array.size == count else list(array.T)
    sizes = (prod(shape),) if len(columns) == 1 else shape
    flat = np.zeros(count, dtype=np.int64)
    for axis, (column, size) in enumerate(zip(columns, sizes, strict=True)):
        low, high = int(column.min()), int(column.max())
        if low < 0 or high >= size:
            where = f" along axis {axis}" if len(columns) > 1 else ""
            wrong = low if low < 0 else high
            raise ValueError(f"Channels must be in 0..{size - 1}{where}, not {wrong}")
        flat = flat * size + column
    return flat


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
