"""The cache of compiled libraries, whose files are checked when they are read.

Each file ends with a digest of its name and contents, and is read once: so the bytes that were
checked are the bytes that are loaded, linked or parsed, and a damaged file counts as missing. The
directory belongs to the user, and nobody else can put a library there. Processes may share it: each
builds in a directory of its own and renames the finished file in one step. What a killed process
leaves behind is removed by the next one.
"""

import ctypes
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from spiker_hdl.base import FileError, read_bytes
from spiker_hdl.base.files.atomic_directory import clear, staging

__all__ = [
    "BuildError",
    "cache_directory",
    "keep",
    "load_library",
    "load_once",
    "lone",
    "open_cache",
    "read",
    "workplace",
]

_SEAL = b"spiker-hdl 1\n"
_BUILDS, _LOADS = ".build.", ".load."
_loaded: dict[bytes, ctypes.CDLL] = {}
_loading = Lock()


class BuildError(RuntimeError):
    """Code that cannot be compiled; the message says what is missing and how to get it."""


def cache_directory() -> Path:
    """Return the directory of the cache.

    The environment variable ``SPIKER_CACHE`` names it; otherwise it is ``spiker-hdl`` in
    ``XDG_CACHE_HOME``, or in ``~/.cache``.
    """
    directory = os.environ.get("SPIKER_CACHE")
    if directory:
        return Path(directory)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "spiker-hdl"


def open_cache() -> Path:
    """Return the directory of the cache, after creating it and removing what killed processes left.

    Raises
    ------
    BuildError
        If it cannot be written, or somebody else can write there.
    """
    directory = cache_directory()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = "" if os.access(directory, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        reason = error.strerror
    if reason:
        raise BuildError(
            f"Cache of compiled libraries must be a directory that can be written, not "
            f"{str(directory)!r} ({reason}); SPIKER_CACHE may name another"
        )
    state = directory.stat()
    if hasattr(os, "getuid") and (state.st_uid != os.getuid() or state.st_mode & 0o022):
        mode = f"its owner is user {state.st_uid}, its mode {state.st_mode & 0o777:o}"
        raise BuildError(
            f"Cache of compiled libraries must be a directory of one's own that nobody else can "
            f"write, since libraries are loaded from it, not {str(directory)!r} ({mode}); remove "
            "it, or SPIKER_CACHE may name another"
        )
    for prefix in (_BUILDS, _LOADS):
        clear(directory, prefix)
    for path in directory.glob("*.lock"):
        _clear_lock(path)
    return directory


# -- files ---------------------------------------------------------------------------------------


def read(path: Path) -> bytes | None:
    """Return the contents of a file; None if it is missing or was altered."""
    try:
        whole = read_bytes(path)
    except (OSError, FileError):
        return None
    data, seal = whole[: -len(_seal("", b""))], whole[-len(_seal("", b"")) :]
    return data if seal == _seal(path.name, data) else None


def keep(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    with workplace(path.parent) as stage:
        staged = stage / path.name
        staged.write_bytes(data + _seal(path.name, data))
        staged.replace(path)


def _seal(name: str, data: bytes) -> bytes:
    total = hashlib.sha256(_SEAL + name.encode() + b"\n")
    total.update(data)
    return total.digest() + _SEAL


@contextmanager
def workplace(directory: Path) -> Iterator[Path]:
    """Give a temporary directory in the cache for a build."""
    with staging(directory, _BUILDS) as stage:
        yield stage


# -- libraries -----------------------------------------------------------------------------------


def load_library(path: Path) -> ctypes.CDLL:
    """Load a library of the cache, after checking its digest.

    Raises
    ------
    BuildError
        If the file was altered or does not load.
    """
    data = read(path)
    if data is None:
        raise BuildError(
            f"Compiled code must be the library that was built, and {str(path)!r} was altered"
        )
    return load_once(data, path.parent)


def load_once(data: bytes, directory: Path) -> ctypes.CDLL:
    """Load a library from a private copy, unless the same library is loaded already.

    Raises
    ------
    BuildError
        If it does not load.
    """
    digest = hashlib.sha256(data).digest()
    with _loading:
        if digest not in _loaded:
            with staging(directory, _LOADS) as stage:
                copy = stage / "library.so"
                copy.write_bytes(data)
                try:
                    _loaded[digest] = ctypes.CDLL(str(copy))
                except OSError as error:
                    raise BuildError(
                        f"Compiled code must be a library that loads: {error}"
                    ) from None
        return _loaded[digest]


# -- locks ---------------------------------------------------------------------------------------


@contextmanager
def lone(path: Path) -> Iterator[None]:
    """Hold a lock, so that no other process builds the same, on systems that have locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    while True:
        with path.open("w") as file:
            with suppress(OSError):  # some file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            # The previous holder of the lock may have removed this file: then another one counts.
            if not _is(path, file.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _clear_lock(path: Path) -> None:
    """Remove a lock that no process holds."""
    with suppress(ImportError, OSError):
        import fcntl

        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is(path, file.fileno()):
                path.unlink(missing_ok=True)
