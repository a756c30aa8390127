"""The one way in for files: within bounds, and with one error for whatever is wrong with them."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from os import PathLike
from typing import Any, Concatenate, ParamSpec, TypeVar

from spiker_hdl.base.errors import FileError, reason

from .kinds import KINDS, kind_of

__all__ = [
    "READERS",
    "Reader",
    "allowed",
    "digest_of",
    "read_bytes",
    "read_text",
    "reader",
    "reading",
]

P = ParamSpec("P")
R = TypeVar("R")
Path = str | PathLike[str]

MOST = 2**30
_LIKE = {
    "json": ("text",),
    "npz": ("zip",),
    "network": ("zip",),
    "pytorch": ("zip", "safetensors"),
    "idx": ("gzip",),
}


@dataclass(frozen=True)
class Reader:
    """A function that reads files of one kind.

    Members
    -------
    name : str
        Of the function, with its module.
    expected : str
        What its files are.
    kind : str
        Which of :data:`~.kinds.KINDS` they are.
    read : callable
        Takes the path first.
    """

    name: str
    expected: str
    kind: str
    read: Callable[..., Any]


READERS: dict[str, Reader] = {}
"""All readers of the modules that are loaded, by their names."""


def reader(
    expected: str, kind: str
) -> Callable[[Callable[Concatenate[Any, P], R]], Callable[Concatenate[Any, P], R]]:
    """Make a function, whose first parameter is a path, a reader of files.

    Whatever its body raises is the file's fault: it must check its other parameters elsewhere.

    Parameters
    ----------
    expected : str
        What a file must be, with its article, such as ``"a network file"``.
    kind : str
        One of :data:`~.kinds.KINDS`.
    """

    def register(function: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
        @wraps(function)
        def read(path: Any, *args: P.args, **options: P.kwargs) -> R:
            with reading(path, expected, kind):
                return function(path, *args, **options)

        name = f"{function.__module__}.{function.__qualname__}"
        READERS[name] = Reader(name, expected, kind, read)
        return read

    return register


@contextmanager
def reading(path: Path, expected: str, kind: str = "") -> Iterator[None]:
    """Turn whatever a file causes into a :exc:`FileError` that names it.

    Raises
    ------
    FileError
        If anything is wrong with what the file holds.
    OSError
        If it cannot be opened.
    """
    try:
        yield
    except FileError as error:
        # What is no text is of another kind, whose name says more than its bytes.
        if error.path is not None and not isinstance(error.__cause__, UnicodeDecodeError):
            raise
        raise FileError(_other(path, expected, kind) or error.problem, path) from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        problem = f"must be {expected}, whole, not one with: {reason(error)}"
        raise FileError(_other(path, expected, kind) or problem, path) from error


def _other(path: Path, expected: str, kind: str) -> str:
    """Return what is wrong with a file that is of another kind altogether."""
    try:
        actual = kind_of(path)
    except OSError:
        return ""
    if not kind or actual in {kind, "", *_LIKE.get(kind, ())}:
        return ""
    return f"must be {expected}, not {KINDS[actual]}"


def allowed(size: int, floor: int = 2**27, ratio: int = 256) -> int:
    """Return how many bytes may come out of a compressed file of so many.

    Honest files stay below: weights and spikes shrink to a hundredth at best.
    """
    return min(max(floor, ratio * size), 2**34)


def read_bytes(path: Path, most: int = MOST) -> bytes:
    """Return what a file holds.

    Raises
    ------
    FileError
        If that is more than ``most`` bytes, or the file is a device.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            raise FileError("must be a file, not a device", path)
        parts, size, step = [], 0, max(2**16, min(status.st_size, most) + 1)
        while size <= most and (part := file.read(step)):
            parts.append(part)
            size, step = size + len(part), 2**20
    if size > most:
        raise FileError(f"must be at most {most} bytes, not {max(size, status.st_size)}", path)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, however long it is."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, most: int = 2**28) -> str:
    """Return the text that a file holds in UTF-8; raises as :func:`read_bytes` does."""
    data = read_bytes(path, most)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"must be text in UTF-8, not with: {error}", path) from error
