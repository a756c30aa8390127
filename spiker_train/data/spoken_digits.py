"""Spoken digits as spikes of an artificial cochlea, binned into time steps."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.checks import check_int
from spiker_hdl.base.files.arrays import read_npz

from .images import places
from .recordings import EventDataset, Recordings

__all__ = ["Spoken", "spoken_digits", "spoken_recordings"]

MOST_CHANNELS = 2**16
MILLISECOND = 10**9


@dataclass(frozen=True)
class Spoken:
    """Recordings as spikes.

    Members
    -------
    spikes : array of uint8, shape (recordings, steps, channels)
    labels, speakers, takes : array of int64, shape (recordings,)
        Spoken digit, number of the speaker, and number of the speaker's recording of the digit.
    """

    spikes: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    takes: np.ndarray

    @property
    def official(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and test indices of the official split, which tests on the first five takes."""
        return np.flatnonzero(self.takes >= 5), np.flatnonzero(self.takes < 5)

    def without(self, speaker: int) -> tuple[np.ndarray, np.ndarray]:
        """Return training indices, of all other speakers, and test indices, of this speaker."""
        return np.flatnonzero(self.speakers != speaker), np.flatnonzero(self.speakers == speaker)


def spoken_digits(steps: int = 64, width: int = 10, path: str | Path | None = None) -> Spoken:
    """Load the Free Spoken Digit Dataset as spikes of a 128-channel cochlea.

    A channel has an event in a step if it has at least one spike in the ``width`` milliseconds of
    the step. Spikes after the last step are dropped.

    Parameters
    ----------
    steps : int
    width : int
        Length of a step in milliseconds.
    path : str or Path, optional
        Path of the file; where none is given, ``fsdd_spikes.npz`` in the folders of data sets.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileError
        If it has other contents.
    """
    steps = check_int("Steps", steps, 1)
    width = check_int("Step width", width, 1)
    arrays = _read(_found(path))
    offsets, times, units = arrays.offsets, arrays.times, arrays.units
    count = len(offsets) - 1
    recording = np.repeat(np.arange(count), np.diff(offsets.astype(np.int64)))
    step = times // width
    spikes = np.zeros((count, steps, arrays.channels), dtype=np.uint8)
    kept = step < steps
    spikes[recording[kept], step[kept], units[kept]] = 1
    return Spoken(spikes, *arrays.labels)


def spoken_recordings(path: str | Path | None = None) -> EventDataset:
    """Load the same recordings as events, in the official split: 2,700 to train, 300 to test.

    Steps of 10 ms are usual; 64 of them hold nearly all spikes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileError
        If it has other contents.
    """
    arrays = _read(_found(path))
    first = np.minimum(arrays.offsets[:-1], max(0, len(arrays.times) - 1)).astype(np.int64)
    last = np.maximum.reduceat(np.append(arrays.times, 0), first).astype(np.int64)
    last[np.diff(arrays.offsets.astype(np.int64)) == 0] = 0
    whole = Recordings(
        arrays.times, arrays.units, arrays.offsets, arrays.channels, last + 1, MILLISECOND
    )
    test = arrays.labels[2] < 5
    parts = []
    for members in (np.flatnonzero(~test), np.flatnonzero(test)):
        if not len(members):
            raise FileError("must have takes below 5 and above, not of one kind", _found(path))
        parts.append((whole.take(members), arrays.labels[0][members]))
    (x_train, y_train), (x_test, y_test) = parts
    return EventDataset(x_train, y_train, x_test, y_test, "fsdd", 0.01, 64)


def _found(path: str | Path | None) -> Path:
    if path is None:
        candidates = [folder / "fsdd_spikes.npz" for folder in places()]
        path = next((candidate for candidate in candidates if candidate.is_file()), candidates[0])
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"Spoken digits must be at {path}; set SPIKER_DATA to the directory of fsdd_spikes.npz"
        )
    return Path(path)


class _Arrays(NamedTuple):
    offsets: np.ndarray
    times: np.ndarray
    units: np.ndarray
    labels: list[np.ndarray]
    channels: int


@reader("an .npz file of the spoken digits' spikes", "npz")
def _read(path: str | Path) -> _Arrays:
    names = ("offset", "channels", "times_ms", "units", "label", "speaker", "take")
    arrays = read_npz(path, names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise FileError(f"must have {', '.join(names)}, not lack {', '.join(missing)}")
    for name, array in arrays.items():
        if array.dtype.kind not in "iu":
            raise FileError(f"must have {name} of integers, not of {array.dtype}")
    offsets, times, units = (arrays[name] for name in ("offset", "times_ms", "units"))
    labels = [arrays[name].astype(np.int64) for name in ("label", "speaker", "take")]
    channels, count = int(arrays["channels"]), len(offsets) - 1
    for name, sound in (
        ("channels", 1 <= channels <= MOST_CHANNELS),
        ("offset", offsets.ndim == 1 and count > 0 and int(offsets[0]) == 0),
        ("offset", (np.diff(offsets.astype(np.int64)) >= 0).all() and offsets[-1] == len(times)),
        ("times_ms", times.ndim == 1 and (times >= 0).all()),
        ("units", units.shape == times.shape),
        ("units", ((units >= 0) & (units < channels)).all()),
        ("label, speaker and take", all(array.shape == (count,) for array in labels)),
    ):
        if not sound:
            raise FileError(f"must have {name} of recordings, not other numbers")
    return _Arrays(offsets, times, units, labels, channels)
