"""NumPy's files, read within bounds: what a header says must be there before room is made."""

import gzip
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from os import PathLike
from types import TracebackType
from typing import IO

import numpy as np

from spiker_hdl.base.errors import FileError
from spiker_hdl.base.messages import shown

from .reading import allowed

__all__ = ["Archive", "gunzip", "open_archive", "read_npz"]

_MOST_HEADER = 2**14
_MOST_AXES = 32
_NUMBERS = {"biufc": "plain numbers", "i": "integers"}
# Of text without spaces, so that nothing can match in many ways.
_DESCR = r"""['"]descr['"]:['"](?P<kind>[<>|=]?[?biufc]\d{0,2})['"]"""
_ORDER = r"""['"]fortran_order['"]:(?P<order>True|False)"""
_SHAPE = r"""['"]shape['"]:\((?P<shape>[\d,L]*)\)"""
_HEADER = re.compile(rf"\{{(?:(?:{_DESCR}|{_ORDER}|{_SHAPE}),?){{3}}\}}")


class Archive:
    """A ZIP archive whose parts are read within bounds.

    Parameters
    ----------
    file : file or bytes
        Open for reading, anywhere.
    floor, ratio : int
        Bytes that its parts may have: so many at least, or so many for each byte of the file.

    Raises
    ------
    FileError
        If it is none, has a part twice, or parts that are too large together.
    """

    def __init__(self, file: IO[bytes] | bytes, floor: int = 2**27, ratio: int = 256):
        stream = io.BytesIO(file) if isinstance(file, bytes) else file
        if not zipfile.is_zipfile(stream):
            stream.seek(0)
            raise FileError(f"must be a ZIP archive, whole, not {stream.read(8)!r}...")
        size = stream.seek(0, 2)
        self._archive = zipfile.ZipFile(stream)
        parts = self._archive.infolist()
        self._parts = {part.filename: part for part in parts}
        if len(self._parts) < len(parts):
            raise FileError("must have each part once, not twice")
        most, total = allowed(size, floor, ratio), sum(part.file_size for part in parts)
        if total > most:
            raise FileError(
                f"must have parts of at most {most} bytes, which a file of {size} bytes may have "
                f"(without compression, any), not of {total}"
            )

    def __enter__(self) -> "Archive":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._archive.close()

    @property
    def names(self) -> list[str]:
        """Names of the parts, in order."""
        return [*self._parts]

    def read(self, name: str, most: int = 2**34) -> bytes:
        """Return what a part holds."""
        part = self._part(name)
        if part.file_size > most:
            raise FileError(f"part {name!r} must have at most {most} bytes, not {part.file_size}")
        with self._archive.open(part) as file:
            return _exactly(file, name, part.file_size)

    def array(
        self, name: str, shape: tuple[int, ...] | None = None, kinds: str = "biufc"
    ) -> np.ndarray:
        """Return the array that a part holds, in C order and of this machine's byte order.

        Parameters
        ----------
        name : str
        shape : tuple of int, optional
            What it must have, which is checked before room for it is made.
        kinds : str
            Letters of NumPy's kinds of numbers that it may have.
        """
        part = self._part(name)
        with self._archive.open(part) as file:
            actual, fortran, kind = _header(file, name)
            if kind.kind not in kinds:
                raise FileError(f"part {name!r} must hold {_NUMBERS[kinds]}, not {kind}")
            if shape is not None and actual != shape:
                raise FileError(f"part {name!r} must have the shape {shape}, not {shown(actual)}")
            count = prod(actual)
            size, left = count * kind.itemsize, part.file_size - file.tell()
            if size != left:
                raise FileError(
                    f"part {name!r} must have {left} bytes of numbers, not {shown(size)} as "
                    f"{shown(actual)} of {kind} has"
                )
            array = np.empty(count, kind)
            if size:
                _fill(file, name, array.data.cast("B"))
        array = array.reshape(actual, order="F" if fortran else "C")
        return np.asarray(array, kind.newbyteorder("="), order="C")

    def _part(self, name: str) -> zipfile.ZipInfo:
        if name not in self._parts:
            raise FileError(f"must have a part {name!r}, not only {shown(self.names, 160)}")
        part = self._parts[name]
        if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise FileError(
                f"part {name!r} must be stored or deflated, not compressed in way "
                f"{part.compress_type}"
            )
        return part


def _exactly(file: IO[bytes], name: str, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size or file.read(1):
        raise FileError(f"part {name!r} must have {size} bytes, not {len(data)} or more")
    return data


def _fill(file: IO[bytes], name: str, place: memoryview) -> None:
    at = 0
    while at < len(place) and (part := file.read(min(2**20, len(place) - at))):
        place[at : at + len(part)] = part
        at += len(part)
    if at < len(place):
        raise FileError(f"part {name!r} must have {len(place)} bytes of numbers, not {at}")


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in {b"\1\0", b"\2\0", b"\3\0"}:
        raise FileError(f"part {name!r} must be a NumPy array, not begin with {start!r}")
    length = int.from_bytes(file.read(2 if start[6] == 1 else 4), "little")
    if length > _MOST_HEADER:
        raise FileError(f"part {name!r} must have a header of {_MOST_HEADER} bytes, not {length}")
    text = file.read(length).decode("latin-1")
    match = _HEADER.fullmatch("".join(text.split()))
    if match is None or None in match.groupdict().values():
        raise FileError(f"part {name!r} must hold plain numbers, not {shown(text, 160)}")
    sizes = [axis.strip(" L") for axis in match["shape"].split(",")]
    if any(len(size) > 18 for size in sizes) or len(sizes) > _MOST_AXES or "" in sizes[:-1]:
        raise FileError(f"part {name!r} must have a shape, not {shown(match['shape'], 160)}")
    try:
        kind = np.dtype(match["kind"])
    except TypeError:
        raise FileError(f"part {name!r} must hold plain numbers, not {match['kind']}") from None
    return tuple(int(size) for size in sizes if size), match["order"] == "True", kind


@contextmanager
def open_archive(path: str | PathLike[str]) -> Iterator[Archive]:
    """Open a ZIP archive; raises as :class:`Archive` does, or OSError."""
    with open(path, "rb") as file, Archive(file) as archive:
        yield archive


def read_npz(path: str | PathLike[str], wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """Return those of the arrays of an ``.npz`` file that are there, by name.

    Raises
    ------
    FileError
        If it is none, or an array is not of plain numbers.
    OSError
        If it cannot be read.
    """
    with open_archive(path) as archive:
        names = {name.removesuffix(".npy"): name for name in archive.names}
        return {name: archive.array(names[name]) for name in wanted if name in names}


def gunzip(data: bytes) -> bytes:
    """Return what a gzip file holds.

    Raises
    ------
    FileError
        If that is too much, or the file is not whole.
    """
    most = allowed(len(data))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(most + 1)
    except Exception as error:  # EOFError, OSError, zlib.error, struct.error
        raise FileError(f"must be a whole gzip file, not one with: {error}") from None
    if len(content) > most:
        raise FileError(f"must unpack to at most {most} bytes, not more")
    return content
