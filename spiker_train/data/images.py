"""Data sets of images, found on disk or downloaded with checksums."""

import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, read_bytes, reader
from spiker_hdl.base.files.arrays import gunzip, read_npz
from spiker_hdl.base.frozen import set_fields

from .files.download import Download, download
from .files.published import FASHION, FILES, MNIST, Published, identify

__all__ = [
    "Dataset",
    "datasets",
    "digits",
    "fashion",
    "from_npz",
    "halved",
    "load_dataset",
    "mnist",
    "mnist_14x14",
    "read_idx",
]

FIELDS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Dataset:
    """Samples with labels.

    Members
    -------
    x_train, x_test : array of uint8, shape (samples, ...)
        Values in 0..255.
    y_train, y_test : array of int64, shape (samples,)
        Classes from 0 on.
    name : str
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if x.dtype != np.uint8 or x.ndim < 2 or not len(x):
                raise ValueError(
                    f"Data set {self.name!r}: x_{part} must be uint8 of the shape (samples, ...), "
                    f"not {x.dtype} of {x.shape}"
                )
            if y.dtype.kind not in "iu" or y.shape != (len(x),):
                raise ValueError(
                    f"Data set {self.name!r}: y_{part} must be integers of the shape ({len(x)},), "
                    f"not {y.dtype} of {y.shape}"
                )
            if int(y.min()) < 0:
                raise ValueError(
                    f"Data set {self.name!r}: y_{part} must be at least 0, not {int(y.min())}"
                )
            set_fields(self, **{f"y_{part}": y.astype(np.int64)})
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise ValueError(
                f"Data set {self.name!r}: x_test must be of shape {self.x_train.shape[1:]} "
                f"like x_train, not {self.x_test.shape[1:]}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sample."""
        return self.x_train.shape[1:]

    @property
    def size(self) -> int:
        """Number of values in a sample."""
        return int(np.prod(self.shape))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def digits() -> Dataset:
    """Return scikit-learn's 8x8 digits, scaled to 8 bits; the last fifth, 360, are for testing."""
    from sklearn.datasets import load_digits

    images, y = load_digits(return_X_y=True)
    x = np.rint(images.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8)
    # Shuffled with a fixed seed: in the file the samples are sorted by writer.
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(x))
    x, y = x[order], y[order]
    test = len(x) // 5 + 1
    return Dataset(x[:-test], y[:-test], x[-test:], y[-test:], "digits")


def places() -> list[Path]:
    """Return the directories in which data sets are looked for, in order."""
    folder = os.environ.get("SPIKER_DATA")
    folders = [Path(folder)] if folder else []
    root = Path(__file__).resolve().parents[2]
    debian = Path("/usr/share/datasets")
    return [*folders, root.parent / "shared" / "data", Path.cwd() / "data", debian, cache()]


def cache() -> Path:
    """Return the directory for downloads."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "spiker"


def read_idx(path: str | Path) -> np.ndarray:
    """Read a file of LeCun's IDX format, of bytes, gzipped or not.

    Raises
    ------
    ValueError
        If the file is of another format, or cut short.
    """
    return _idx(path)


@reader("an IDX file of bytes, gzipped or not", "idx")
def _idx(path: str | Path) -> np.ndarray:
    data = read_bytes(path)
    if data[:2] == b"\x1f\x8b":
        data = gunzip(data)
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4:
        raise FileError(f"must be an IDX file of bytes, not begin with {data[:4]!r}")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise FileError(f"must have {start} bytes of header, not {len(data)}")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    size = prod(shape)
    if len(data) != start + size:
        raise FileError(f"must have {start + size} bytes, not {len(data)}")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def from_npz(path: str | Path, name: str = "") -> Dataset:
    """Read ``x_train``, ``y_train``, ``x_test`` and ``y_test`` from an ``.npz`` file.

    Raises
    ------
    ValueError
        If it is not an ``.npz`` file, or lacks an array.
    """
    return _npz(path, name or Path(path).stem)


@reader("an .npz file of a data set", "npz")
def _npz(path: str | Path, name: str) -> Dataset:
    arrays = read_npz(path, FIELDS)
    missing = [field for field in FIELDS if field not in arrays]
    if missing:
        raise FileError(f"must have {', '.join(FIELDS)}, not lack {', '.join(missing)}")
    return Dataset(**arrays, name=name)


def mnist(*, download: bool = True) -> Dataset:
    """Return MNIST: 60,000 pictures of digits to train with and 10,000 to test.

    It is searched for as ``mnist.npz`` or as the four IDX files, gzipped or not, in
    ``SPIKER_DATA``, ``../shared/data``, ``data``, ``/usr/share/datasets`` and the cache, or in a
    folder ``mnist`` of these. Otherwise it is downloaded. Checksums are verified.

    Raises
    ------
    ValueError
        If a file of that name has other contents.
    FileNotFoundError
        If it is not found and cannot be downloaded.
    """
    return _published(MNIST, download)


def fashion(*, download: bool = True) -> Dataset:
    """Return Fashion-MNIST: 60,000 pictures of clothes to train with and 10,000 to test.

    It is searched for as :func:`mnist` is, as ``fashion_mnist.npz`` or as the four IDX files,
    those of Debian's package ``dataset-fashion-mnist`` among them.

    Raises
    ------
    ValueError
        If a file of that name has other contents.
    FileNotFoundError
        If it is not found and cannot be downloaded.
    """
    return _published(FASHION, download)


def _published(which: Published, download: bool) -> Dataset:
    """Find a published data set, and skip another one whose files have the same names."""
    for place in places():
        for folder in (place, *(place / name for name in which.folders)):
            for name in which.archives:
                if (folder / name).is_file():
                    data = from_npz(folder / name, which.name)
                    if _is(which, data, folder / name):
                        return data
            files = which.files(folder)
            if len(files) == len(FIELDS):
                arrays = {key: read_idx(path) for key, path in files.items()}
                data = Dataset(**arrays, name=which.name)
                if _is(which, data, folder):
                    return data
    how = (
        f"put {which.archives[0]} or the four IDX files where the environment variable "
        "SPIKER_DATA points"
    )
    looked = ", ".join(str(place) for place in places())
    if not download:
        raise FileNotFoundError(f"{which.title} must be in one of {looked}: {how}")
    try:
        return _download(which)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{which.title} must be in one of {looked} or be downloaded ({error}): {how}"
        ) from None


def _is(which: Published, data: Dataset, path: Path) -> bool:
    """Tell whether data are a published set; raise :exc:`ValueError` for an unknown set."""
    fits = data.x_train.ndim == 3 and data.classes <= 256
    known = identify({key: getattr(data, key) for key in FIELDS}) if fits else None
    if known is None:
        raise ValueError(
            f"{path} must hold {which.title} as it was published, and has other checksums: name a "
            "data set of your own by the path of its .npz file"
        )
    return known is which


def halved(pictures: np.ndarray) -> np.ndarray:
    """Return images of half the height and width: means of 2x2 pixels, with halves rounded up.

    Raises
    ------
    ValueError
        If ``pictures`` are not of bytes and of the shape (samples, even, even).
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 3 or any(n % 2 for n in pictures.shape[1:]):
        raise ValueError(
            "Pictures must be uint8 of the shape (samples, even, even), "
            f"not {pictures.dtype} of {pictures.shape}"
        )
    wide = pictures.astype(np.uint16)
    sums = wide[:, ::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, ::2] + wide[:, 1::2, 1::2]
    return (sums + 2 >> 2).astype(np.uint8)


def mnist_14x14(*, download: bool = True) -> Dataset:
    """Return MNIST in images of 14x14 pixels, each of which is the mean of four."""
    data = mnist(download=download)
    x_train, x_test = halved(data.x_train), halved(data.x_test)
    return Dataset(x_train, data.y_train, x_test, data.y_test, "mnist_14x14")


def _download(which: Published) -> Dataset:
    arrays = {}
    for key, name in FILES.items():
        item = Download(f"{name}.gz", f"{which.source}{name}.gz", which.downloads[key])
        arrays[key] = read_idx(download(item, cache() / which.name))
    return Dataset(**arrays, name=which.name)


datasets: Mapping[str, Callable[[], Dataset]] = {
    "digits": digits,
    "mnist": mnist,
    "mnist_14x14": mnist_14x14,
    "fashion": fashion,
}


def load_dataset(name: str | Path) -> Dataset:
    """Return a data set by its name, or from an ``.npz`` file.

    Raises
    ------
    ValueError
        If the name is unknown, or the file is no data set.
    FileNotFoundError
        If the file is not there.
    """
    if str(name) in datasets:
        return datasets[str(name)]()
    path = Path(name)
    if path.suffix != ".npz":
        listed = ", ".join(repr(known) for known in datasets)
        raise ValueError(f"Data set must be one of {listed} or an .npz file, not {str(name)!r}")
    if not path.is_file():
        raise FileNotFoundError(f"Data set {path} must be a file, and is not there")
    return from_npz(path)
