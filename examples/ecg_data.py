"""Heart beats as an 8-bit converter gives them, and how they are found and cut out.

The recordings are those of the MIT-BIH Arrhythmia Database, at 180 Hz (G. B. Moody and R. G. Mark,
"The impact of the MIT-BIH Arrhythmia Database", IEEE Eng. in Med. and Biol. 20(3), 2001; PhysioNet,
https://doi.org/10.13026/C2F305, under the Open Data Commons Attribution License 1.0).
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.files.arrays import read_npz
from spiker_hdl.model.encoders import Encoding

__all__ = [
    "AFTER",
    "BEFORE",
    "CLASSES",
    "ENCODING",
    "STEEP",
    "STEPS",
    "TEST",
    "TRAIN",
    "Beats",
    "aligned",
    "beats",
    "convert",
    "detect",
    "handful",
    "signal_of",
    "windows",
]

CLASSES = ("N", "S", "V", "F")
"""Of AAMI EC57: normal, supraventricular, ventricular, fusion of the first and the third."""

TRAIN = (101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122, 124)
TRAIN += (201, 203, 205, 207, 208, 209, 215, 220, 223, 230)
"""Records to train with; no patient is in both parts (P. de Chazal et al., IEEE TBME 51(7), 2004).
Records of paced beats (102, 104, 107, 217) are in neither."""

TEST = (100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210, 212, 213, 214, 219, 221, 222)
TEST += (228, 231, 232, 233, 234)
"""Records to test with."""

ENCODING = Encoding("delta", thresholds=(2, 5, 12, 30))
"""ON and OFF at 0.04, 0.1, 0.24 and 0.6 mV."""

STEEP, SPAN = 20, 4
"""A beat has come where two values SPAN steps apart (22 ms) differ by STEEP (0.4 mV)."""

BEFORE, AFTER = 32, 56
"""Values of a beat before that place, and from it on, in which no other beat is looked for."""

STEPS = BEFORE + AFTER
HERE = Path(__file__).parent
PEAK = 46  # where the file has the annotated peak


@dataclass(frozen=True)
class Beats:
    """Annotated beats.

    Members
    -------
    values : array of int, shape (beats, 128)
        What the converter gives, 0 to 255, at 180 Hz; the peak is at 46.
    labels : array of int, shape (beats,)
        Place in :data:`CLASSES`.
    records : array of int, shape (beats,)
    gaps : array of int, shape (beats, 2)
        From the beat before and to the next one, in 1/360 s.
    """

    values: np.ndarray
    labels: np.ndarray
    records: np.ndarray
    gaps: np.ndarray

    def __getitem__(self, which: np.ndarray) -> "Beats":
        return Beats(*(value[which] for value in vars(self).values()))

    def __len__(self) -> int:
        return len(self.labels)


def convert(samples: np.ndarray) -> np.ndarray:
    """Return what a converter of 8 bits and 5.12 mV gives for values of 200 per mV around 0."""
    return np.clip((samples.astype(np.int64) + 512) >> 2, 0, 255)


def beats(path: str | Path | None = None) -> Beats:
    """Load the beats of the records in :data:`TRAIN` and :data:`TEST`.

    Parameters
    ----------
    path : str or Path, optional
        The file; ``mitbih_beats.npz`` in the directory that SPIKER_DATA names, if none is given.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    directory = os.environ.get("SPIKER_DATA", "data")
    path = Path(directory) / "mitbih_beats.npz" if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Beats must be at {path}; set SPIKER_DATA to the directory of mitbih_beats.npz"
        )
    samples, labels, records, gaps = _read(path, ("x", "y", "record", "rr"))
    kept = np.isin(records, TRAIN + TEST) & (labels < len(CLASSES))
    return Beats(convert(samples[kept]), labels[kept], records[kept], gaps[kept])


@reader("an .npz file of beats", "npz")
def _read(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    file = read_npz(path, names)
    arrays = [file[name].astype(np.int64, casting="safe") for name in names]
    if any(len(array) != len(arrays[0]) for array in arrays):
        raise FileError(f"must have as many {' as '.join(names)}, not other numbers of them")
    return arrays


def handful() -> Beats:
    """Load the 24 test beats that are in this directory, in runs of three neighbours."""
    return Beats(*_read(HERE / "ecg_beats.npz", ("values", "labels", "records", "gaps")))


def detect(signal: np.ndarray) -> list[int]:
    """Return where beats have come, as :class:`~ecg_monitor.BeatCutter` finds them.

    Parameters
    ----------
    signal : array of int, shape (values,)
    """
    steep = np.zeros(len(signal), dtype=bool)
    steep[SPAN:] = abs(signal[SPAN:] - signal[:-SPAN]) >= STEEP
    results: list[int] = []
    for n in np.flatnonzero(steep).tolist():
        if n >= (results[-1] + AFTER if results else BEFORE):
            results.append(n)
    return results


def windows(signal: np.ndarray, places: list[int]) -> np.ndarray:
    """Cut out the beats at ``places`` that are there to their end.

    Returns
    -------
    array of int, shape (beats, STEPS)
    """
    cuts = [signal[n - BEFORE : n + AFTER] for n in places if n + AFTER <= len(signal)]
    return np.array(cuts, dtype=np.int64).reshape(-1, STEPS)


def aligned(data: Beats, shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cut annotated beats as the detector would, were it to look from 12 values before the peak on.

    Parameters
    ----------
    data : Beats
    shift : int
        Values by which to cut too late, -8 to 8.

    Returns
    -------
    windows : array of int, shape (beats, STEPS)
    found : array of bool, shape (beats,)
        Whether the detector finds it no more than 12 values behind the peak; where it does not,
        the window is as for a detection 3 values before the peak.
    """
    values = data.values
    moves = abs(values[:, SPAN:] - values[:, :-SPAN]) >= STEEP
    seen = moves[:, PEAK - 12 - SPAN : PEAK + 13 - SPAN]
    present = seen.any(axis=1)
    at = np.where(present, seen.argmax(axis=1) + PEAK - 12, PEAK - 3) + shift
    columns = np.clip(at[:, None] + np.arange(-BEFORE, AFTER), 0, values.shape[1] - 1)
    return np.take_along_axis(values, columns, axis=1), present


def signal_of(data: Beats) -> tuple[np.ndarray, np.ndarray]:
    """Join neighbouring beats of one record to a signal again.

    Where the cut-out beats leave a gap, a straight line fills it; the half values of intervals are
    dropped. So it is nearly, and not wholly, what was recorded.

    Returns
    -------
    signal : array of int, shape (values,)
    peaks : array of int, shape (beats,)
    """
    peaks = PEAK + np.concatenate([[0], np.cumsum(data.gaps[1:, 0]) // 2])
    length = data.values.shape[1]
    signal = np.full(peaks[-1] - PEAK + length, -1, dtype=np.int64)
    for peak, values in zip(peaks.tolist(), data.values, strict=True):
        signal[peak - PEAK : peak - PEAK + length] = values
    known = np.flatnonzero(signal >= 0)
    line = np.interp(np.arange(len(signal)), known, signal[known])
    return np.rint(line).astype(np.int64), peaks
