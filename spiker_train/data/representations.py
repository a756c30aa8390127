"""Dense spikes, lists of events and frames, turned into each other.

- *Dense spikes* are integers of the shape (samples, steps, channels), or a list of arrays of the
  shape (steps, channels) where samples differ in their number of steps.
- *Events* are :class:`~.events.Events`, or a list of them.
- *Frames* are counts of events of the shape (samples, frames, ...), with the axes of the channels'
  arrangement.

Where nothing can be lost, a conversion back gives the same values. Where something is lost, the
conversion raises :exc:`LossyConversionError`, or adds it to the :class:`ConversionLoss` that it is
passed. Only the time of an event within its step is never refused, as every step rounds it; it is
reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_int, check_kind, check_shape
from spiker_hdl.base.conversions import integer_array, plain

from .events import MAX_CHANNELS, MAX_DURATION, PICOSECONDS, Events, check_dt, check_events

__all__ = [
    "ConversionLoss",
    "LossyConversionError",
    "dense_to_events",
    "dense_to_frames",
    "events_to_dense",
    "events_to_frames",
    "frames_to_dense",
    "frames_to_events",
]

MAX_STEPS = 2**24


class LossyConversionError(ValueError):
    """A conversion that would lose events, which nobody allowed."""


@dataclass
class ConversionLoss:
    """A report of what conversions have lost; each conversion adds to it.

    Members
    -------
    clipped : int
        Events beyond the greatest value of a step and channel. Where that is 1, these are the
        events that fall into one bin with another.
    cut : int
        Events at or after the end of the last step.
    moved : int
        Events that were not at the start of their step, and are there now.
    largest_move : float
        The largest of these moves, in seconds.
    """

    clipped: int = 0
    cut: int = 0
    moved: int = 0
    largest_move: float = 0.0

    @property
    def lost(self) -> int:
        """Events that are missing from the result."""
        return self.clipped + self.cut


def events_to_dense(
    events: Events | Sequence[Events],
    dt: float,
    *,
    steps: int | None = None,
    greatest: int = 1,
    loss: ConversionLoss | None = None,
) -> Any:
    """Return dense spikes: the number of events of each channel in each step.

    Step ``k`` has the events from ``k * dt`` up to, and without, ``(k + 1) * dt``, in whole
    picoseconds.

    Parameters
    ----------
    events : Events or list of Events
    dt : float
        Length of a step in seconds.
    steps : int, optional
        Steps of every sample; longer recordings are cut, and shorter ones end in silence. By
        default, each recording has as many as its duration takes.
    greatest : int
        Greatest value of a step and channel, 1 to 65535.
    loss : ConversionLoss, optional
        Allows losses, and counts them.

    Returns
    -------
    array of uint8 or uint16
        Of the shape (steps, channels) for a single recording and (samples, steps, channels) where
        ``steps`` is given; else a list of arrays of the shape (steps, channels).

    Raises
    ------
    LossyConversionError
        If events are cut or clipped, and ``loss`` is not given.
    TypeError, ValueError
        If an argument is out of range.
    """
    recordings, single = check_events(events)
    tick = check_dt(dt)
    if steps is not None:
        steps = check_int("Steps", steps, 1, MAX_STEPS)
    greatest = check_int("Greatest value", greatest, 1, 2**16 - 1)
    if loss is not None:
        check_kind("Loss", loss, ConversionLoss)
    kind = np.uint8 if greatest < 2**8 else np.uint16
    total = ConversionLoss()
    arrays = []
    for recording in recordings:
        count = recording.steps(dt) if steps is None else steps
        check_int("Steps of a recording", count, 1, MAX_STEPS)
        arrays.append(_binned(recording, tick, count, greatest, total).astype(kind))
    _account(total, loss)
    if single:
        return arrays[0]
    return arrays if steps is None else np.stack(arrays)


def dense_to_events(
    spikes: Any, dt: float, *, shape: int | tuple[int, ...] | None = None
) -> Events | list[Events]:
    """Return the events of dense spikes, each at the start of its step; nothing is lost.

    A value of ``n`` becomes ``n`` events.

    Parameters
    ----------
    spikes : array of int, shape (steps, channels) or (samples, steps, channels), or list of arrays
        At least 0.
    dt : float
        Length of a step in seconds.
    shape : int or tuple of int, optional
        Arrangement of the channels.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    samples, single = _samples("Spikes", spikes, 2)
    tick = check_dt(dt)
    results = []
    for sample in samples:
        steps, channels = sample.shape
        arranged = _arranged(channels, shape)
        if steps * tick > MAX_DURATION * PICOSECONDS:
            raise ValueError(
                f"Sample must last at most {MAX_DURATION:g} s, not {steps * tick / PICOSECONDS} s"
            )
        step, channel = np.nonzero(sample)
        repeats = sample[step, channel].astype(np.int64)
        results.append(
            Events(
                np.repeat(step * tick, repeats) / PICOSECONDS,
                np.repeat(channel, repeats),
                arranged,
                steps * tick / PICOSECONDS,
            )
        )
    return results[0] if single else results


def events_to_frames(
    events: Events | Sequence[Events],
    dt: float,
    *,
    frames: int | None = None,
    greatest: int = 255,
    loss: ConversionLoss | None = None,
) -> Any:
    """Return frames: events counted over ``dt`` seconds, in the arrangement of the channels.

    Parameters and errors are as for :func:`events_to_dense`, with ``frames`` for ``steps``.

    Returns
    -------
    array of uint8 or uint16
        Of the shape (frames, ...), or (samples, frames, ...) where ``frames`` is given; else a list
        of arrays of the shape (frames, ...).
    """
    if frames is not None:
        frames = check_int("Frames", frames, 1, MAX_STEPS)
    dense = events_to_dense(events, dt, steps=frames, greatest=greatest, loss=loss)
    first = events if isinstance(events, Events) else events[0]
    if isinstance(dense, list):
        return [sample.reshape(len(sample), *first.shape) for sample in dense]
    return dense.reshape(*dense.shape[:-1], *first.shape)


def frames_to_events(frames: Any, dt: float, *, axes: int = 3) -> Events | list[Events]:
    """Return the events of frames, each at the start of its frame; nothing is lost.

    Parameters
    ----------
    frames : array of int, shape (frames, ...) or (samples, frames, ...), or list of arrays
    dt : float
        Length of a frame in seconds.
    axes : int
        Number of axes of a frame: 3 for a camera's polarity, y and x.
    """
    axes = check_int("Axes", axes, 1, 8)
    samples, single = _samples("Frames", frames, 1 + axes)
    results = [
        dense_to_events(sample.reshape(len(sample), -1), dt, shape=sample.shape[1:])
        for sample in samples
    ]
    return results[0] if single else results  # type: ignore[return-value]


def dense_to_frames(
    spikes: Any,
    shape: int | tuple[int, ...],
    *,
    every: int = 1,
    greatest: int = 255,
    loss: ConversionLoss | None = None,
) -> Any:
    """Return frames, each of which counts the spikes of ``every`` steps.

    Parameters
    ----------
    spikes : array of int, shape (steps, channels) or (samples, steps, channels), or list of arrays
    shape : int or tuple of int
        Arrangement of the channels.
    every : int
        Steps in a frame. The last frame may have fewer.
    greatest : int
        Greatest count, 1 to 65535.
    loss : ConversionLoss, optional
        Allows counts to be clipped, and counts the spikes that are lost and those whose step is
        not the first of its frame; without lengths of steps, ``largest_move`` stays as it is.

    Returns
    -------
    array of uint8 or uint16, or list of arrays
        Of the shape (frames, ...), in samples as ``spikes``.

    Raises
    ------
    LossyConversionError
        If counts are clipped, and ``loss`` is not given.
    """
    stacked = isinstance(spikes, np.ndarray)
    samples, single = _samples("Spikes", spikes, 2)
    every = check_int("Steps in a frame", every, 1, MAX_STEPS)
    greatest = check_int("Greatest value", greatest, 1, 2**16 - 1)
    if loss is not None:
        check_kind("Loss", loss, ConversionLoss)
    kind = np.uint8 if greatest < 2**8 else np.uint16
    total = ConversionLoss()
    results = []
    for sample in samples:
        arranged = _arranged(sample.shape[1], shape)
        starts = np.arange(0, len(sample), every)
        counts = np.add.reduceat(sample.astype(np.int64), starts, axis=0)
        total.moved += int(counts.sum()) - int(sample[::every].sum())
        total.clipped += int(np.maximum(counts - greatest, 0).sum())
        results.append(np.minimum(counts, greatest).astype(kind).reshape(-1, *arranged))
    _account(total, loss)
    if single:
        return results[0]
    return np.stack(results) if stacked else results


def frames_to_dense(frames: Any, *, axes: int = 3) -> Any:
    """Return dense spikes with a step for each frame; nothing is lost.

    Parameters
    ----------
    frames : array of int, shape (frames, ...) or (samples, frames, ...), or list of arrays
    axes : int
        Number of axes of a frame.
    """
    stacked = isinstance(frames, np.ndarray)
    samples, single = _samples("Frames", frames, 1 + check_int("Axes", axes, 1, 8))
    results = [sample.reshape(len(sample), -1) for sample in samples]
    if single:
        return results[0]
    return np.stack(results) if stacked else results


def _binned(
    recording: Events, tick: int, steps: int, greatest: int, total: ConversionLoss
) -> np.ndarray:
    step, rest = np.divmod(recording.picoseconds, tick)
    inside = step < steps
    total.cut += int((~inside).sum())
    step, rest, channel = step[inside], rest[inside], recording.flat[inside]
    total.moved += int((rest > 0).sum())
    total.largest_move = max(total.largest_move, int(rest.max(initial=0)) / PICOSECONDS)
    size = recording.size
    counts = np.bincount(step * size + channel, minlength=steps * size).reshape(steps, size)
    total.clipped += int(np.maximum(counts - greatest, 0).sum())
    return np.minimum(counts, greatest)


def _account(total: ConversionLoss, loss: ConversionLoss | None) -> None:
    """Add losses to a report, or raise an error where there is none."""
    if loss is not None:
        loss.clipped += total.clipped
        loss.cut += total.cut
        loss.moved += total.moved
        loss.largest_move = max(loss.largest_move, total.largest_move)
    elif total.cut or total.clipped:
        parts = [
            f"{count} {what}"
            for count, what in (
                (total.clipped, "over the greatest value of their step and channel (greatest=)"),
                (total.cut, "after the last step (steps=)"),
            )
            if count
        ]
        raise LossyConversionError(
            f"Conversion must keep all events, not lose {' and '.join(parts)}: pass "
            "loss=ConversionLoss() to allow and count that"
        )


def _samples(what: str, values: Any, axes: int) -> tuple[list[np.ndarray], bool]:
    """Return samples as arrays of so many axes, and whether a single one was passed."""
    if isinstance(values, list | tuple):
        samples = [integer_array(what, sample, booleans=True) for sample in values]
        single = False
    else:
        array = integer_array(what, values, booleans=True)
        single = array.ndim == axes
        samples = [array] if single else list(array)
    if not samples:
        raise ValueError(f"{what} must have at least one sample, not none")
    for sample in samples:
        if sample.ndim != axes or 0 in sample.shape or sample.shape[1:] != samples[0].shape[1:]:
            raise ValueError(
                f"{what} must have {axes} axes a sample, each of at least 1, and samples alike "
                f"but for their steps, not {sample.shape}"
            )
        if int(sample.min()) < 0:
            raise ValueError(f"{what} must be at least 0, not {int(sample.min())}")
    return samples, single


def _arranged(channels: int, shape: Any) -> tuple[int, ...]:
    if shape is None:
        return (channels,)
    checked = check_shape("Events", plain(shape), MAX_CHANNELS)
    arranged = (checked,) if isinstance(checked, int) else checked
    if prod(arranged) != channels:
        raise ValueError(f"Shape must be of {channels} channels, not {arranged}")
    return arranged
