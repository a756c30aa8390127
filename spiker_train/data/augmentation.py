"""Augmentation: events, frames and pictures altered at random, the same for the same generator.

Each class is made with its settings and called with such a sample and a NumPy generator. Its
``Compose`` applies several in order. :meth:`EventDataset.dense <.recordings.EventDataset.dense>`
and ``train`` with a function of sample numbers take them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform

from spiker_hdl.base.checks import check_ints, check_kind, shown
from spiker_hdl.base.conversions import number_array

from .events import PICOSECONDS, Events

__all__ = [
    "AddNoise",
    "Affine",
    "Compose",
    "Drop",
    "Jitter",
    "Mirror",
    "Scale",
    "Shift",
    "Sometimes",
]


@dataclass(frozen=True)
class Compose:
    """Several augmentations, one after the other.

    Parameters
    ----------
    parts : sequence of augmentations
    """

    parts: Sequence[Any]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, list | tuple) or not all(map(callable, self.parts)):
            raise TypeError(f"Parts must be a list of augmentations, not {shown(self.parts)}")

    def __call__(self, sample: Any, generator: np.random.Generator) -> Any:
        """Return the altered sample."""
        check_kind("Generator", generator, np.random.Generator)
        for part in self.parts:
            sample = part(sample, generator)
        return sample


@dataclass(frozen=True)
class Sometimes:
    """An augmentation of some samples; the others stay as they are.

    Parameters
    ----------
    part : augmentation
    probability : float
        Probability that a sample is altered, in 0..1.
    """

    part: Any
    probability: float

    def __post_init__(self) -> None:
        if not callable(self.part):
            raise TypeError(f"Part must be an augmentation, not {shown(self.part)}")
        _check("Probability", self.probability, 1.0)

    def __call__(self, sample: Any, generator: np.random.Generator) -> Any:
        """Return the sample, altered or not."""
        check_kind("Generator", generator, np.random.Generator)
        return self.part(sample, generator) if generator.random() < self.probability else sample


@dataclass(frozen=True)
class Shift:
    """A shift by whole channels or pixels along the axes of a sample; it loses what leaves.

    Parameters
    ----------
    most : int or tuple of int
        Greatest shift along each axis, in both directions. A single number is for all axes but the
        first, the polarity or colour, where there are three, and for all axes otherwise.
    """

    most: Any

    def __post_init__(self) -> None:
        check_ints("Greatest shift", self.most, 0)

    def __call__(self, sample: Any, generator: np.random.Generator) -> Any:
        """Return the shifted events, or the picture, which has 0 where nothing came from."""
        check_kind("Generator", generator, np.random.Generator)
        if not isinstance(sample, Events):
            sample = number_array("Sample", sample)
        offsets = self._offsets(len(sample.shape), generator)
        if isinstance(sample, Events):
            channels = sample.channels.reshape(len(sample), len(offsets)) + offsets
            kept = ((channels >= 0) & (channels < np.array(sample.shape))).all(axis=1)
            return Events(sample.times[kept], channels[kept], sample.shape, sample.duration)
        shifted = np.zeros_like(sample)
        ends = [
            (slice(max(0, offset), size + min(0, offset)), slice(max(0, -offset), size - offset))
            for offset, size in zip(offsets, sample.shape, strict=True)
            if abs(offset) < size
        ]
        if len(ends) == sample.ndim:  # otherwise all of it leaves
            into, source = (tuple(axis) for axis in zip(*ends, strict=True))
            shifted[into] = sample[source]
        return shifted

    def _offsets(self, axes: int, generator: np.random.Generator) -> list[int]:
        most = self.most
        if not isinstance(most, tuple | list):
            most = [0 if axes == 3 and not axis else int(most) for axis in range(axes)]
        if len(most) != axes:
            raise ValueError(f"Greatest shift must be of {axes} axes, not {shown(self.most)}")
        return [int(generator.integers(-limit, limit + 1)) for limit in most]


@dataclass(frozen=True)
class Jitter:
    """A normal deviation of each event's time; what leaves the recording stays at its end.

    Parameters
    ----------
    deviation : float
        Standard deviation in seconds.
    """

    deviation: float

    def __post_init__(self) -> None:
        _check("Deviation", self.deviation)

    def __call__(self, events: Events, generator: np.random.Generator) -> Events:
        """Return the events at their altered times."""
        _check_arguments(events, generator)
        times = events.times + generator.normal(0.0, self.deviation, len(events))
        times = np.clip(times, 0.0, events.duration - 1 / PICOSECONDS)
        return Events(times, events.flat, events.shape, events.duration)


@dataclass(frozen=True)
class Drop:
    """The loss of events, each with the same probability.

    Parameters
    ----------
    probability : float
        In 0..1.
    """

    probability: float

    def __post_init__(self) -> None:
        _check("Probability", self.probability, 1.0)

    def __call__(self, events: Events, generator: np.random.Generator) -> Events:
        """Return the events that are left."""
        _check_arguments(events, generator)
        kept = generator.random(len(events)) >= self.probability
        return Events(events.times[kept], events.flat[kept], events.shape, events.duration)


@dataclass(frozen=True)
class AddNoise:
    """Events that are added at random channels and times, as a Poisson process.

    Parameters
    ----------
    rate : float
        Added events of each channel per second, in the mean.
    """

    rate: float

    def __post_init__(self) -> None:
        _check("Rate", self.rate)

    def __call__(self, events: Events, generator: np.random.Generator) -> Events:
        """Return the events with those that are added."""
        _check_arguments(events, generator)
        count = int(generator.poisson(self.rate * events.duration * events.size))
        last = round(events.duration * PICOSECONDS)
        times = generator.integers(0, last, count) / PICOSECONDS
        channels = generator.integers(0, events.size, count)
        return Events(
            np.concatenate([events.times, times]),
            np.concatenate([events.flat, channels]),
            events.shape,
            events.duration,
        )


@dataclass(frozen=True)
class Scale:
    """A factor of the values of frames or pictures, which are rounded and clipped to their type.

    Parameters
    ----------
    low, high : float
        Range of the factor, which is drawn evenly, once for a sample.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check("Least factor", self.low)
        _check("Greatest factor", self.high)
        if self.low > self.high:
            raise ValueError(f"Factors must be in order, not {self.low!r}..{self.high!r}")

    def __call__(self, frames: Any, generator: np.random.Generator) -> np.ndarray:
        """Return the frames times a factor."""
        values = number_array("Frames", frames)
        check_kind("Generator", generator, np.random.Generator)
        factor = generator.uniform(self.low, self.high)
        scaled = values * factor
        if values.dtype.kind == "f":
            return scaled
        limits = np.iinfo(values.dtype)
        return np.clip(np.rint(scaled), limits.min, limits.max).astype(values.dtype)


@dataclass(frozen=True)
class Affine:
    """A rotation, change of size and shift of a picture, each drawn evenly, once for a sample.

    Values between pixels are interpolated linearly, and those from outside are 0. The events of a
    camera are moved likewise, each from a random place within its pixel, and those that leave are
    lost.

    Parameters
    ----------
    rotation : float
        Greatest angle in degrees, in both directions.
    scale : float
        Greatest change of the size, as a share in 0..0.9, in both directions.
    shift : float
        Greatest shift in pixels along each axis, in both directions.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        _check("Rotation", self.rotation)
        _check("Change of size", self.scale, 0.9)
        _check("Shift", self.shift)

    def __call__(self, sample: Any, generator: np.random.Generator) -> Any:
        """Return the altered sample.

        Parameters
        ----------
        sample : array or Events
            A picture, or the pictures of several channels that lie in front, or events. The last
            two axes are height and width.
        generator : Generator

        Returns
        -------
        array or Events
        """
        values = sample if isinstance(sample, Events) else number_array("Picture", sample)
        if len(values.shape) < 2:
            raise ValueError(f"Picture must have height and width, not the shape {values.shape}")
        check_kind("Generator", generator, np.random.Generator)
        angle, size, *offset = generator.uniform(-1, 1, 4)
        angle, size = np.deg2rad(angle * self.rotation), 1 + size * self.scale
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / size
        centre = (np.array(values.shape[-2:]) - 1) / 2
        start = centre - turn @ (centre + np.array(offset) * self.shift)
        if isinstance(values, Events):
            return _moved(values, np.linalg.inv(turn), start, generator)
        flat = values.reshape(-1, *values.shape[-2:])
        moved = [affine_transform(channel.astype(float), turn, start, order=1) for channel in flat]
        kept = np.array(moved).reshape(values.shape)
        return kept if values.dtype.kind == "f" else np.rint(kept).astype(values.dtype)


def _moved(
    events: Events, turn: np.ndarray, start: np.ndarray, generator: np.random.Generator
) -> Events:
    """Return events whose pixels are turned, once ``start`` is subtracted."""
    size = events.shape[-2:]
    before, pixels = np.divmod(events.flat, size[0] * size[1])
    # Were all events of a pixel to start in its middle, larger pictures would have empty lines.
    places = np.stack(np.divmod(pixels, size[1])) + generator.random((2, len(pixels))) - 0.5
    y, x = np.rint(turn @ (places - start[:, None])).astype(np.int64)
    kept = (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
    flat = (before * size[0] + y) * size[1] + x
    return Events(events.times[kept], flat[kept], events.shape, events.duration)


@dataclass(frozen=True)
class Mirror:
    """An exchange of left and right, with some probability.

    Parameters
    ----------
    probability : float
        In 0..1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        _check("Probability", self.probability, 1.0)

    def __call__(self, sample: Any, generator: np.random.Generator) -> Any:
        """Return the picture, or the pictures of several channels, or the events of a camera."""
        check_kind("Generator", generator, np.random.Generator)
        shape = (
            sample.shape if isinstance(sample, Events) else number_array("Picture", sample).shape
        )
        if len(shape) < 2:
            raise ValueError(f"Picture must have height and width, not the shape {shape}")
        if generator.random() >= self.probability:
            return sample
        if not isinstance(sample, Events):
            return np.ascontiguousarray(np.asarray(sample)[..., ::-1])
        columns = sample.flat % shape[-1]
        flat = sample.flat - columns + (shape[-1] - 1 - columns)
        return Events(sample.times, flat, shape, sample.duration)


def _check_arguments(events: Any, generator: Any) -> None:
    check_kind("Sample", events, Events)
    check_kind("Generator", generator, np.random.Generator)


def _check(what: str, value: Any, most: float = float("inf")) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{what} must be a number, not {shown(value)}")
    if not (isfinite(value) and 0 <= value <= most):
        limit = "at least 0" if most == float("inf") else f"in 0..{most:g}"
        raise ValueError(f"{what} must be {limit}, not {value!r}")
