"""The Spiking Heidelberg data sets: spoken digits (SHD) and spoken commands (SSC).

B. Cramer, Y. Stradmann, J. Schemmel and F. Zenke, "The Heidelberg Spiking Data Sets for the
Systematic Evaluation of Spiking Neural Networks", IEEE Trans. Neural Netw. Learn. Syst. 33(7),
2022; https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/, under the CC BY 4.0.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.files.arrays import open_archive
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.base.files.hdf5 import Ragged, read_hdf5

from .events import MAX_DURATION
from .files.download import Download, download
from .images import cache, places
from .recordings import EventDataset, Recordings

__all__ = ["heidelberg", "read_heidelberg"]

CHANNELS = 700
MICROSECONDS = 10**6
DT, STEPS = 0.01, 100
SOURCE = "https://zenkelab.org/datasets/"
FILES = {
    "shd": {
        "train": "md5:f3252aeb598ac776c1b526422d90eecb",
        "test": "md5:1503a5064faa34311c398fb0a1ed0a6f",
    },
    "ssc": {
        "train": "md5:d102be95e7144fcc0553d1f45ba94170",
        "test": "md5:a35ff1e9cffdd02a20eb850c17c37748",
    },
}
"""Checksums of the zipped files, ``shd_train.h5.zip`` and so on."""


def read_heidelberg(path: str | Path) -> tuple[Recordings, np.ndarray]:
    """Read a file of the Spiking Heidelberg data sets, such as ``shd_train.h5``.

    It has ``spikes/times``, a list of times in seconds for each recording, ``spikes/units``, the
    channels 0..699 of the same spikes, and ``labels``.

    Returns
    -------
    recordings : Recordings
        Of whole microseconds. Each ends a microsecond after its last spike.
    labels : array of int64, shape (recordings,)

    Raises
    ------
    FileError
        If it has other contents.
    OSError
        If it cannot be read.
    ModuleNotFoundError
        If h5py is not installed.
    """
    if find_spec("h5py") is None:
        raise ModuleNotFoundError(
            f"{path} must be read by h5py: pip install 'spiker-hdl[events]'", name="h5py"
        )
    return _read(path)


@reader("a file of the Spiking Heidelberg data sets", "hdf5")
def _read(path: str | Path) -> tuple[Recordings, np.ndarray]:
    tree = read_hdf5(path)
    spikes = tree.get("spikes")
    times = spikes.get("times") if isinstance(spikes, dict) else None
    units = spikes.get("units") if isinstance(spikes, dict) else None
    labels = tree.get("labels")
    if not isinstance(times, Ragged) or times.flat.dtype.kind != "f":
        raise FileError("must have spikes/times, lists of floating-point numbers, not without")
    if not isinstance(units, Ragged) or units.flat.dtype.kind not in "iu":
        raise FileError("must have spikes/units, lists of integers, not without")
    if not np.array_equal(times.lengths, units.lengths) or not len(times.lengths):
        raise FileError("must have as many units as times in each recording, not others")
    count = len(times.lengths)
    if (
        not isinstance(labels, np.ndarray)
        or labels.shape != (count,)
        or labels.dtype.kind not in "iu"
    ):
        raise FileError(f"must have labels, {count} integers, not others")
    seconds = times.flat.astype(np.float64)
    if seconds.size and not (
        np.isfinite(seconds).all() and seconds.min() >= 0 and seconds.max() < MAX_DURATION - 1
    ):
        raise FileError("must have times from 0 to an hour, not negative, NaN or later ones")
    if units.flat.size and not (0 <= int(units.flat.min()) and int(units.flat.max()) < CHANNELS):
        raise FileError(f"must have units in 0..{CHANNELS - 1}, not {int(units.flat.max())}")
    if int(labels.min(initial=0)) < 0:
        raise FileError(f"must have labels of at least 0, not {int(labels.min())}")
    ticks = np.rint(seconds * MICROSECONDS).astype(np.uint32)
    offset = np.concatenate([[0], np.cumsum(times.lengths)])
    # reduceat gives the first event of the next recording where one is empty.
    last = np.maximum.reduceat(np.append(ticks, 0), offset[:-1])
    durations = np.where(times.lengths > 0, last, 0).astype(np.int64) + 1
    return (
        Recordings(ticks, units.flat.astype(np.int16), offset, CHANNELS, durations, 10**6),
        labels.astype(np.int64),
    )


def heidelberg(
    name: str,
    folder: str | Path | None = None,
    *,
    download: bool = True,
    progress: bool = True,
) -> EventDataset:
    """Load the Spiking Heidelberg Digits (``"shd"``) or the spoken commands (``"ssc"``).

    The files ``shd_train.h5`` and ``shd_test.h5`` are searched for in the folders of data sets and
    in their subfolders ``shd`` and ``SHD``; otherwise they are downloaded as zipped files, whose
    checksums are verified. Steps of 10 ms are usual; 100 of them hold nearly all spikes.

    Parameters
    ----------
    name : str
        ``"shd"`` or ``"ssc"``.
    folder : str or Path, optional
        Where the files are, if nowhere else is to be looked.
    download : bool
        Whether to download what is not found.
    progress : bool
        Whether to show progress bars, if rich is installed.

    Raises
    ------
    ValueError
        If the name is another.
    FileNotFoundError
        If the files are not found and cannot be downloaded.
    FileError
        If a file has other contents.
    """
    if name not in FILES:
        raise ValueError(f"Data set must be 'shd' or 'ssc', not {name!r}")
    paths = [_find(name, part, folder, download, progress) for part in ("train", "test")]
    (x_train, y_train), (x_test, y_test) = (read_heidelberg(path) for path in paths)
    return EventDataset(x_train, y_train, x_test, y_test, name, DT, STEPS)


def _find(name: str, part: str, folder: str | Path | None, fetch: bool, progress: bool) -> Path:
    file = f"{name}_{part}.h5"
    folders = places() if folder is None else [Path(folder)]
    for place in folders:
        for path in (place / file, place / name / file, place / name.upper() / file):
            if path.is_file():
                return path
    looked = ", ".join(map(str, folders))
    if not fetch or folder is not None:
        raise FileNotFoundError(
            f"{file} must be in one of {looked}: put it where the environment variable SPIKER_DATA "
            "points"
        )
    try:
        item = Download(f"{file}.zip", f"{SOURCE}{file}.zip", FILES[name][part])
        archive = download(item, cache() / name, progress=progress)
    except OSError as error:
        raise FileNotFoundError(
            f"{file} must be in one of {looked} or be downloaded ({error}): put it where the "
            "environment variable SPIKER_DATA points"
        ) from None
    return unzip(archive, file)


@reader("a ZIP archive of a data set", "zip")
def unzip(archive: Path, file: str) -> Path:
    """Take a file out of an archive, beside it, and return its path."""
    path = archive.with_name(file)
    with open_archive(archive) as parts, write_whole(path) as target:
        target.write(parts.read(file))
    return path
