"""N-MNIST: digits that an event camera saw, as it was moved before a screen.

G. Orchard, A. Jayawant, G. K. Cohen and N. Thakor, "Converting Static Image Datasets to Spiking
Neuromorphic Datasets Using Saccades", Frontiers in Neuroscience 9, 2015, under the CC BY-SA 4.0.
"""

from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.files.arrays import open_archive, read_npz

from .files.download import Download, download
from .files.event_files import NMNIST_SHAPE, parse_nmnist
from .images import cache, places
from .recordings import EventDataset, Recordings

__all__ = ["neuromorphic_mnist"]

DT, STEPS = 0.01, 32
MICROSECOND = 10**6
SOURCE = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/"
ARCHIVES = {
    "Train.zip": ("39c25547-014b-4137-a934-9d29fa53c7a0", "md5:20959b8e626244a1b502305a9e6e2031"),
    "Test.zip": ("05a4d654-7e03-4c15-bdfa-9bb2bcbea494", "md5:69ca8762b2fe404d9b9bad1103e97832"),
}
"""Where the archives are, and their checksums."""


def neuromorphic_mnist(
    folder: str | Path | None = None, *, download: bool = True, progress: bool = True
) -> EventDataset:
    """Load N-MNIST, of 60,000 recordings to train with and 10,000 to test, or a part of it.

    The archives ``Train.zip`` and ``Test.zip``, as they are published, or the file
    ``nmnist_small.npz`` are searched for in the folders of data sets and in their subfolders
    ``nmnist``, ``NMNIST`` and ``n-mnist``; otherwise the archives are downloaded, 1.2 GB.

    Parameters
    ----------
    folder : str or Path, optional
        Where the files are, if nowhere else is to be looked.
    download : bool
        Whether to download what is not found.
    progress : bool
        Whether to show progress bars, if rich is installed.

    Raises
    ------
    FileNotFoundError
        If the files are not found and cannot be downloaded.
    FileError
        If a file has other contents.
    """
    folders = places() if folder is None else [Path(folder)]
    for place in folders:
        for inside in (place, place / "nmnist", place / "NMNIST", place / "n-mnist"):
            paths = [inside / name for name in ARCHIVES]
            if all(path.is_file() for path in paths):
                return _whole(*paths)
            if (inside / "nmnist_small.npz").is_file():
                return _part(inside / "nmnist_small.npz")
    looked = ", ".join(map(str, folders))
    how = "put Train.zip and Test.zip where the environment variable SPIKER_DATA points"
    if not download or folder is not None:
        raise FileNotFoundError(f"N-MNIST must be in one of {looked}: {how}")
    try:
        paths = [_download(name, progress) for name in ARCHIVES]
    except OSError as error:
        raise FileNotFoundError(
            f"N-MNIST must be in one of {looked} or be downloaded ({error}): {how}"
        ) from None
    return _whole(*paths)


def _download(name: str, progress: bool) -> Path:
    place, checksum = ARCHIVES[name]
    item = Download(name, f"{SOURCE}{place}/file_downloaded", checksum)
    return download(item, cache() / "nmnist", progress=progress)


def _whole(train: Path, test: Path) -> EventDataset:
    return EventDataset(*_read_archive(train), *_read_archive(test), "nmnist", DT, STEPS)


@reader("an archive of N-MNIST", "zip")
def _read_archive(path: Path) -> tuple[Recordings, np.ndarray]:
    ticks, flat, labels = [], [], []
    with open_archive(path) as archive:
        for name in sorted(name for name in archive.names if name.endswith(".bin")):
            digit = name.split("/")[-2:-1]
            if digit not in [[str(n)] for n in range(10)]:
                raise FileError(f"must have recordings in folders 0 to 9, not {name!r}")
            time, channels = parse_nmnist(archive.read(name, 2**24))
            ticks.append(time.astype(np.uint32))
            flat.append(np.ravel_multi_index(tuple(channels.T), NMNIST_SHAPE).astype(np.int16))
            labels.append(int(digit[0]))
    if not labels:
        raise FileError("must have recordings such as Train/0/00002.bin, not none")
    return (
        Recordings(
            np.concatenate(ticks),
            np.concatenate(flat),
            np.concatenate([[0], np.cumsum([len(time) for time in ticks])]),
            NMNIST_SHAPE,
            np.array([int(time.max()) + 1 for time in ticks]),
            MICROSECOND,
        ),
        np.array(labels),
    )


@reader("an .npz file of N-MNIST recordings", "npz")
def _part(path: Path) -> EventDataset:
    names = ("t_us", "x", "y", "p", "offset", "label", "is_test")
    arrays = read_npz(path, names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise FileError(f"must have {', '.join(names)}, not lack {', '.join(missing)}")
    for name, array in arrays.items():
        if array.dtype.kind not in "iub" or array.ndim != 1:
            raise FileError(f"must have {name} of integers along one axis, not {array.dtype}")
    time, offset = arrays["t_us"], arrays["offset"].astype(np.int64)
    columns = [arrays[name].astype(np.int64) for name in "pyx"]
    if any(len(column) != len(time) for column in columns):
        raise FileError("must have as many x, y and p as t_us, not others")
    if any(
        len(column) and (int(column.min()) < 0 or int(column.max()) >= size)
        for column, size in zip(columns, NMNIST_SHAPE, strict=True)
    ):
        raise FileError("must have pixels in 0..33 and polarities in 0..1, not others")
    count = len(offset) - 1
    if count < 1 or not len(arrays["label"]) == len(arrays["is_test"]) == count:
        raise FileError("must have a label and is_test of each recording, not others")
    if int(offset[0]) or int(offset[-1]) != len(time) or (np.diff(offset) < 1).any():
        raise FileError("must have offsets of recordings, each with an event, not others")
    if int(time.min(initial=0)) < 0:
        raise FileError(f"must have times from 0 on, not {int(time.min())}")
    flat = np.ravel_multi_index(tuple(columns), NMNIST_SHAPE).astype(np.int16)
    ends = np.maximum.reduceat(time, offset[:-1]).astype(np.int64) + 1
    whole = Recordings(time, flat, offset, NMNIST_SHAPE, ends, MICROSECOND)
    test = arrays["is_test"] != 0
    parts = []
    for members in (np.flatnonzero(~test), np.flatnonzero(test)):
        if not len(members):
            raise FileError("must have recordings to train with and to test, not of one kind")
        parts.append((whole.take(members), arrays["label"][members]))
    (x_train, y_train), (x_test, y_test) = parts
    return EventDataset(x_train, y_train, x_test, y_test, "nmnist", DT, STEPS)
