"""Heart beats of the MIT-BIH Arrhythmia Database, cut out and labelled.

G. B. Moody and R. G. Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE Eng. in Med. and
Biol. 20(3), 2001; PhysioNet, https://doi.org/10.13026/C2F305, under the ODC-By 1.0.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, read_text, reader
from spiker_hdl.base.checks import check_int
from spiker_hdl.base.files.arrays import read_npz

from .events import check_dt
from .files.download import Download, download
from .files.wfdb import read_annotations, read_record
from .images import cache, places
from .recordings import EventDataset, Recordings
from .sources import delta

__all__ = ["CLASSES", "HeartBeats", "heart_beat_events", "heart_beats", "interval_ratios"]

CLASSES = ("N", "S", "V", "F", "Q")
"""Of AAMI EC57: normal, supraventricular, ventricular, fusion, and paced or unclassified."""

AAMI = {"NLRej": 0, "AaJS": 1, "VE": 2, "F": 3, "/fQ": 4}
CLASS_OF = {symbol: label for symbols, label in AAMI.items() for symbol in symbols}

DS1 = (101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122, 124, 201, 203, 205, 207, 208, 209)
DS1 += (215, 220, 223, 230)
DS2 = (100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210, 212, 213, 214, 219, 221, 222, 228)
DS2 += (231, 232, 233, 234)
PACED = (102, 104, 107, 217)
RATE = 180
LENGTH, PEAK = 128, 46
UNITS = 200
"""Units of the converter in a millivolt."""

LONGEST = 2.0
"""Seconds to which intervals are cut for ratios: longer ones lie across gaps in the annotations."""

SOURCE = "https://physionet.org/files/mitdb/1.0.0/"
_LINE = re.compile(r"([0-9a-f]{64})\s+([\w./-]+)")
FOLDERS = ("mitdb", "mitbih", "mit-bih-arrhythmia-database-1.0.0")


@dataclass(frozen=True)
class HeartBeats:
    """Annotated beats of the first lead.

    Members
    -------
    values : array of int16, shape (beats, 128)
        In units of 5 microvolts, at 180 Hz; the annotated peak is at 46.
    labels : array of int64, shape (beats,)
        Place in :data:`CLASSES`.
    records : array of int64, shape (beats,)
        Number of the record; of two records at most are of the same patient.
    intervals : array of int64, shape (beats, 2)
        Times from the annotated beat before, and to the one after, whether or not those two are
        among the beats, in units of 1/360 s; 0 where the record has no such beat.
    """

    values: np.ndarray
    labels: np.ndarray
    records: np.ndarray
    intervals: np.ndarray

    @property
    def inter_patient(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and test indices, with no patient in both, and without paced records.

        The split is that of P. de Chazal et al., IEEE Trans. Biomed. Eng. 51(7), 2004. Beats of the
        class Q are left out.
        """
        classified = self.labels < 4
        return (
            np.flatnonzero(np.isin(self.records, DS1) & classified),
            np.flatnonzero(np.isin(self.records, DS2) & classified),
        )


def heart_beats(
    path: str | Path | None = None, *, download: bool = True, progress: bool = True
) -> HeartBeats:
    """Load the annotated beats of the MIT-BIH Arrhythmia Database.

    Parameters
    ----------
    path : str or Path, optional
        A folder of WFDB records (``100.hea``, ``100.dat``, ``100.atr``, ...), or the file
        ``mitbih_beats.npz``. Where none is given, both are searched for in the folders of data
        sets, the records also in their subfolders ``mitdb``, ``mitbih`` and
        ``mit-bih-arrhythmia-database-1.0.0``.
    download : bool
        Whether to download the records from PhysioNet, 100 MB, if they are not found. Their
        checksums are those that PhysioNet lists beside them.
    progress : bool
        Whether to show progress bars, if rich is installed.

    Raises
    ------
    FileNotFoundError
        If nothing is found and nothing can be downloaded.
    FileError
        If a file has other contents.
    """
    if path is not None:
        path = Path(path)
        if path.is_dir():
            return cut_records(path)
        if not path.is_file():
            raise FileNotFoundError(f"Heart beats must be at {path}, and are not there")
        return _read(path)
    for place in places():
        if (place / "mitbih_beats.npz").is_file():
            return _read(place / "mitbih_beats.npz")
        for folder in (place / name for name in FOLDERS):
            if (folder / "100.hea").is_file() and folder != cache() / FOLDERS[0]:
                return cut_records(folder)
    looked = ", ".join(str(place) for place in places())
    how = "put the records into a folder mitdb where the environment variable SPIKER_DATA points"
    if not download:
        raise FileNotFoundError(f"MIT-BIH must be in one of {looked}: {how}")
    try:
        return cut_records(_download(progress))
    except OSError as error:
        raise FileNotFoundError(
            f"MIT-BIH must be in one of {looked} or be downloaded ({error}): {how}"
        ) from None


def heart_beat_events(
    beats: HeartBeats, thresholds: tuple[float, ...] = (0.04, 0.1, 0.24, 0.6)
) -> EventDataset:
    """Return beats as events of delta modulation, in the inter-patient split.

    Parameters
    ----------
    beats : HeartBeats
    thresholds : tuple of float
        In millivolts. Each has a channel ON and a channel OFF.
    """
    levels = [threshold * UNITS for threshold in thresholds]
    parts = []
    for members in beats.inter_patient:
        if not len(members):
            raise ValueError("Heart beats must be of records in both parts, not of one part")
        spikes = delta(beats.values[members].astype(np.float64), levels)
        beat, step, channel = np.nonzero(spikes)
        offset = np.concatenate([[0], np.cumsum(np.bincount(beat, minlength=len(members)))])
        parts.append(
            Recordings(
                step.astype(np.int16),
                channel.astype(np.int16),
                offset,
                2 * len(levels),
                np.full(len(members), LENGTH),
                check_dt(1 / RATE),
            )
        )
    train, test = (beats.labels[members] for members in beats.inter_patient)
    return EventDataset(parts[0], train, parts[1], test, "mitbih", 1 / RATE, LENGTH)


def interval_ratios(beats: HeartBeats, count: int = 10) -> np.ndarray:
    """Return the interval before each beat over the mean of those before it, in the same record.

    A ratio below 1 is of a beat that is early. It needs no beat of another patient, and none that
    is still to come: a detector knows it when the beat arrives. Ratios to the intervals around a
    beat are those of P. de Chazal et al., IEEE Trans. Biomed. Eng. 51(7), 2004, whose local mean is
    of ten beats.

    Parameters
    ----------
    beats : HeartBeats
        Beats of a record are in their order in time.
    count : int
        Greatest number of intervals in the mean.

    Returns
    -------
    array of float64, shape (beats,)
        1 where the record has no interval before. Intervals of more than 2 s count as 2 s.

    Raises
    ------
    TypeError, ValueError
        If the number is no integer of at least 1.
    """
    count = check_int("Number of intervals", count, 1)
    before = np.minimum(beats.intervals[:, 0], LONGEST * 2 * RATE).astype(float)
    ratios = np.ones(len(before))
    for record in np.unique(beats.records):
        own = np.flatnonzero((beats.records == record) & (before > 0))
        sums = np.concatenate([[0.0], np.cumsum(before[own])])
        end = np.arange(1, len(own))
        begin = np.maximum(0, end - count)
        ratios[own[1:]] = before[own[1:]] * (end - begin) / (sums[end] - sums[begin])
    return ratios


def cut_records(folder: Path) -> HeartBeats:
    """Cut the beats out of all records of a folder.

    The first lead, MLII in nearly all records, is halved to 180 Hz by the means of two values. A
    beat whose 128 values are not all in the record is left out.
    """
    names = [name for name in sorted(DS1 + DS2 + PACED) if (folder / f"{name}.hea").is_file()]
    if not names:
        raise FileNotFoundError(f"Folder {folder} must have records such as 100.hea, and has none")
    values, labels, records, intervals = [], [], [], []
    for name in names:
        record = read_record(folder / str(name))
        if record.rate != 2 * RATE:
            raise FileError(f"must have a rate of 360, not {record.rate}", folder / f"{name}.hea")
        notes = read_annotations(folder / f"{name}.atr")
        signal = record.signals[:, 0].astype(np.int64) - int(record.baselines[0])
        halved = (signal[: len(signal) & ~1].reshape(-1, 2).sum(1) + 1) >> 1
        annotated = zip(notes.samples, notes.symbols, strict=True)
        peaks = [(int(at), symbol) for at, symbol in annotated if symbol in CLASS_OF]
        gaps = [0, *np.diff([at for at, _ in peaks]).tolist(), 0]
        for (at, symbol), around in zip(peaks, pairwise(gaps), strict=True):
            start = at // 2 - PEAK
            if 0 <= start <= len(halved) - LENGTH:
                values.append(halved[start : start + LENGTH])
                labels.append(CLASS_OF[symbol])
                records.append(name)
                intervals.append(around)
    if not values:
        raise FileError("must have records with annotated beats, not without", folder)
    return HeartBeats(
        np.array(values, dtype=np.int16), np.array(labels), np.array(records), np.array(intervals)
    )


@reader("an .npz file of heart beats", "npz")
def _read(path: Path) -> HeartBeats:
    names = ("x", "y", "record", "rr")
    arrays = read_npz(path, names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise FileError(f"must have x, y, record and rr, not lack {', '.join(missing)}")
    x, y, record, rr = (arrays[name] for name in names)
    if x.ndim != 2 or x.shape[1:] != (LENGTH,) or x.dtype != np.int16 or not len(x):
        raise FileError(f"must have x of int16, shape (beats, {LENGTH}), not {x.dtype}, {x.shape}")
    for name, array, shape in (("y", y, ()), ("record", record, ()), ("rr", rr, (2,))):
        if array.shape != (len(x), *shape) or array.dtype.kind not in "iu":
            numbers = f"{len(x)} {'pairs of ' if shape else ''}integers"
            raise FileError(f"must have {name} of {numbers}, not {array.dtype}, {array.shape}")
    if int(y.min()) < 0 or int(y.max()) >= len(CLASSES):
        raise FileError(f"must have y in 0..{len(CLASSES) - 1}, not {int(y.min())}..{int(y.max())}")
    if int(rr.min()) < 0:
        raise FileError(f"must have rr of at least 0, not {int(rr.min())}")
    return HeartBeats(x, *(array.astype(np.int64) for array in (y, record, rr)))


def _download(progress: bool) -> Path:
    folder = cache() / FOLDERS[0]
    sums = _checksums(download(Download("SHA256SUMS.txt", f"{SOURCE}SHA256SUMS.txt", ""), folder))
    for name in sorted(DS1 + DS2 + PACED):
        for ending in ("hea", "dat", "atr"):
            file = f"{name}.{ending}"
            if file not in sums:
                raise FileError(f"must list {file}, not lack it", folder / "SHA256SUMS.txt")
            item = Download(file, SOURCE + file, f"sha256:{sums[file]}")
            download(item, folder, progress=progress)
    return folder


@reader("a list of checksums", "text")
def _checksums(path: Path) -> dict[str, str]:
    sums = {}
    for line in read_text(path, 2**22).splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise FileError(f"must have a SHA-256 and a name in each line, not {line!r}")
        sums[match[2]] = match[1]
    if not sums:
        raise FileError("must have lines, not none")
    return sums
