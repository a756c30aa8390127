"""Data sets of recordings: events with labels, as compact arrays, that are binned when needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, overload

import numpy as np

from spiker_hdl.base.checks import check_choice, check_int, check_kind, check_shape, shown
from spiker_hdl.base.conversions import integer_array, plain
from spiker_hdl.base.frozen import set_fields

from .events import MAX_CHANNELS, PICOSECONDS, Events, check_dt
from .representations import MAX_STEPS, ConversionLoss, events_to_dense

__all__ = ["EventDataset", "Recordings", "join"]


@dataclass(frozen=True, eq=False)
class Recordings(Sequence[Events]):
    """Many recordings of events in a few arrays; each becomes :class:`Events` when it is taken.

    Members
    -------
    ticks : array of int, shape (events,)
        Times of all events, one recording after the other, in units of ``unit``.
    flat : array of int, shape (events,)
        Channel of each event, as its index in the flattened shape.
    offset : array of int64, shape (recordings + 1,)
        Where each recording begins, and where the last one ends.
    shape : tuple of int
        Arrangement of the channels.
    durations : array of int64, shape (recordings,)
        In units of ``unit``.
    unit : int
        Picoseconds.
    """

    ticks: np.ndarray
    flat: np.ndarray
    offset: np.ndarray
    shape: Any
    durations: np.ndarray
    unit: int = 1

    def __post_init__(self) -> None:
        shape = check_shape("Events", plain(self.shape), MAX_CHANNELS)
        offset = integer_array("Offsets", self.offset).astype(np.int64)
        count = len(offset) - 1
        for what, sound in (
            ("offset", offset.ndim == 1 and count > 0 and int(offset[0]) == 0),
            ("offset", bool((np.diff(offset) >= 0).all()) and offset[-1] == len(self.ticks)),
            ("flat", self.ticks.ndim == 1 and self.flat.shape == self.ticks.shape),
            ("durations", np.shape(self.durations) == (count,)),
        ):
            if not sound:
                raise ValueError(f"Recordings must have {what} of recordings, not other numbers")
        set_fields(
            self,
            shape=(shape,) if isinstance(shape, int) else shape,
            offset=offset,
            durations=integer_array("Durations", self.durations).astype(np.int64),
            unit=check_int("Unit", self.unit, 1, PICOSECONDS),
        )

    def __len__(self) -> int:
        return len(self.offset) - 1

    @overload
    def __getitem__(self, index: int) -> Events: ...
    @overload
    def __getitem__(self, index: slice) -> list[Events]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        n = range(len(self))[index]
        part = slice(self.offset[n], self.offset[n + 1])
        return Events(
            self.ticks[part].astype(np.int64) * self.unit / PICOSECONDS,
            self.flat[part],
            self.shape,
            int(self.durations[n]) * self.unit / PICOSECONDS,
        )

    def take(self, members: Any) -> "Recordings":
        """Return some of the recordings, by their numbers."""
        members = integer_array("Members", members)
        starts, ends = self.offset[:-1][members], self.offset[1:][members]
        index = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
        return Recordings(
            self.ticks[index],
            self.flat[index],
            np.concatenate([[0], np.cumsum(ends - starts)]),
            self.shape,
            self.durations[members],
            self.unit,
        )


def join(events: Sequence[Events]) -> Recordings:
    """Return a list of events as recordings.

    Raises
    ------
    TypeError, ValueError
        If there are none, or they differ in their shapes.
    """
    if isinstance(events, Recordings):
        return events
    if not isinstance(events, list | tuple) or not events:
        raise TypeError(f"Recordings must be a list of Events, not {shown(events)}")
    for recording in events:
        check_kind("Recording", recording, Events)
        if recording.shape != events[0].shape:
            raise ValueError(
                f"Events of all recordings must have the shape {events[0].shape}, "
                f"not {recording.shape}"
            )
    return Recordings(
        np.concatenate([recording.picoseconds for recording in events]),
        np.concatenate([recording.flat for recording in events]).astype(np.int32),
        np.concatenate([[0], np.cumsum([len(recording) for recording in events])]),
        events[0].shape,
        np.array([round(recording.duration * PICOSECONDS) for recording in events]),
    )


@dataclass(frozen=True, eq=False)
class EventDataset:
    """Recordings with labels.

    Parameters
    ----------
    x_train, x_test : list of Events, or Recordings
    y_train, y_test : array of int, shape (recordings,)
        Classes from 0 on.
    name : str
    dt : float
        Length of a step in seconds, where none is asked for.
    steps : int
        Steps of a sample, where none are asked for.

    Raises
    ------
    TypeError, ValueError
        If recordings and labels do not go together.
    """

    x_train: Any
    y_train: np.ndarray
    x_test: Any
    y_test: np.ndarray
    name: str
    dt: float = 1e-3
    steps: int = 100

    def __post_init__(self) -> None:
        check_dt(self.dt)
        check_int("Steps", self.steps, 1, MAX_STEPS)
        for part in ("train", "test"):
            x = join(getattr(self, f"x_{part}"))
            y = integer_array(f"Data set {self.name!r}: y_{part}", getattr(self, f"y_{part}"))
            if y.shape != (len(x),):
                raise ValueError(
                    f"Data set {self.name!r}: y_{part} must have the shape ({len(x)},), "
                    f"not {y.shape}"
                )
            if int(y.min()) < 0:
                raise ValueError(
                    f"Data set {self.name!r}: y_{part} must be at least 0, not {int(y.min())}"
                )
            set_fields(self, **{f"x_{part}": x, f"y_{part}": y.astype(np.int64)})
        if self.x_train.shape != self.x_test.shape:
            raise ValueError(
                f"Data set {self.name!r}: x_test must be of shape {self.x_train.shape} like "
                f"x_train, not {self.x_test.shape}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Arrangement of the channels."""
        return self.x_train.shape

    @property
    def size(self) -> int:
        """Number of channels."""
        return prod(self.shape)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    def dense(
        self,
        part: str,
        members: Any = None,
        *,
        steps: int | None = None,
        dt: float | None = None,
        augment: Any = None,
        generator: np.random.Generator | None = None,
    ) -> np.ndarray:
        """Return dense spikes: 1 where a channel has an event in a step.

        Recordings are cut after the last step, and end in silence where they are shorter.

        Parameters
        ----------
        part : str
            ``"train"`` or ``"test"``.
        members : array of int, optional
            Numbers of the recordings; all by default.
        steps, dt : optional
            Other steps, or another length in seconds.
        augment : callable, optional
            Function of :class:`Events` and a generator that returns other events, such as those of
            :mod:`spiker_train.data.augmentation`.
        generator : Generator, optional
            Random numbers for ``augment``.

        Returns
        -------
        array of uint8, shape (members, steps, channels)
        """
        check_choice("Part", part, ("train", "test"))
        x = getattr(self, f"x_{part}")
        members = np.arange(len(x)) if members is None else integer_array("Members", members)
        recordings = (x[int(n)] for n in members)
        if augment is not None:
            generator = np.random.default_rng(0) if generator is None else generator
            recordings = (augment(recording, generator) for recording in recordings)
        steps, dt = self.steps if steps is None else steps, self.dt if dt is None else dt
        loss = ConversionLoss()
        parts = [events_to_dense(each, dt, steps=steps, loss=loss) for each in recordings]
        return np.stack(parts) if parts else np.zeros((0, steps, self.size), np.uint8)

    def batches(
        self, part: str, size: int, *, seed: int | None = None, **options: Any
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Give batches of dense spikes and labels; the last one may be smaller.

        Parameters
        ----------
        part : str
            ``"train"`` or ``"test"``.
        size : int
            Recordings in a batch.
        seed : int, optional
            Seed of a random order; without it, the order of the data set.
        **options
            As for :meth:`dense`.

        Yields
        ------
        spikes : array of uint8, shape (members, steps, channels)
        labels : array of int64, shape (members,)
        """
        check_choice("Part", part, ("train", "test"))
        size = check_int("Batch size", size, 1)
        labels = getattr(self, f"y_{part}")
        order = np.arange(len(labels))
        if seed is not None:
            generator = np.random.Generator(np.random.PCG64(check_int("Seed", seed, 0)))
            options = {"generator": generator} | options
            order = generator.permutation(len(labels))
        for start in range(0, len(order), size):
            members = order[start : start + size]
            yield self.dense(part, members, **options), labels[members]
