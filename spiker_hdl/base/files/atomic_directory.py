"""Directories that appear whole or not at all, and give way only to their like.

A directory of ours has a file that lists all others with their SHA-256. By that it is known again:
what is as it was listed may be replaced, whole, by a new one; anything else is somebody's work, and
stays.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Any

from spiker_hdl.base import FileError, digest_of, read_bytes, reader, shown

from . import strict_json

__all__ = ["NEW", "Listing", "clear", "digests", "replacing", "staging", "write_files"]

_LOCK = ".spiker.lock"
_MOST_LISTING = 2**24


@dataclass(frozen=True)
class Listing:
    """How a kind of directory is known again.

    Members
    -------
    file : str
        JSON file in it whose ``files`` gives the SHA-256 of each other file by its path; empty
        where none is ever replaced.
    what : str
        What people call such a directory, such as "emission".
    products : tuple of str
        Patterns of what its own makefiles make, which may be there and may be lost.
    nested : tuple of Listing
        Kinds of directories that may have been put into it later.
    """

    file: str
    what: str
    products: tuple[str, ...] = ()
    nested: tuple["Listing", ...] = ()

    def strangers(self, directory: Path) -> Iterator[str]:
        """Give what is there but was not written, was altered, or is missing, with the reason."""
        try:
            files = _listed(directory / (self.file or "nothing"))
        except (OSError, FileError):
            yield from (path.name for path in sorted(directory.iterdir()))
            return
        seen = {self.file}
        for path in _walk(directory, self._apart):
            name = path.relative_to(directory).as_posix()
            if path.is_dir() and not path.is_symlink():
                for kind in self.nested:
                    if (path / kind.file).is_file():
                        yield from (f"{name}/{stranger}" for stranger in kind.strangers(path))
            elif name in files:
                seen.add(name)
                if path.is_symlink() or _digest(path) != files[name]:
                    yield f"{name}, which was altered"
            elif name != self.file and not any(
                fnmatchcase(name, pattern) for pattern in self.products
            ):
                yield name
        yield from (f"{name}, which is missing" for name in sorted({*files} - seen))

    def check(self, directory: str | Path) -> None:
        """Raise :exc:`ValueError` unless a directory is new, empty, or an unaltered one of these.

        Raises
        ------
        ValueError
            If it is another, or the one in which this process runs.
        NotADirectoryError
            If it is a file.
        """
        directory = Path(os.path.realpath(directory))
        if not os.path.lexists(directory):
            return
        if not directory.is_dir():
            raise NotADirectoryError(
                f"Directory must be one that can be written, not {str(directory)!r}: it is a file"
            )
        with suppress(OSError):
            if Path.cwd().is_relative_to(directory):
                raise ValueError(
                    f"Directory must be another than that in which this runs, which would be "
                    f"replaced, not {str(directory)!r}"
                )
        stranger = next(self.strangers(directory), None) if any(directory.iterdir()) else None
        if stranger is not None:
            earlier = f", empty or an unaltered earlier {self.what}" if self.file else " or empty"
            raise ValueError(
                f"Directory must be new{earlier}, and "
                f"{str(directory)!r} holds {stranger}: name another, or remove it"
            )

    def _apart(self, path: Path) -> bool:
        """Tell whether a directory is looked at by a listing of its own."""
        return any((path / kind.file).is_file() for kind in self.nested)


NEW = Listing("", "")
"""Of what replaces nothing."""


@reader("a listing of a directory", "json")
def _listed(path: Path) -> dict[str, Any]:
    files = strict_json.parse_object(read_bytes(path, _MOST_LISTING)).get("files")
    if not isinstance(files, dict):
        raise FileError(f"must list files, not {shown(files)}")
    return files


def _walk(directory: Path, apart: Callable[[Path], bool]) -> Iterator[Path]:
    """Give all that is in a directory but links' targets, and directories that stand apart."""
    for path in sorted(directory.iterdir()):
        if path.is_symlink() or not path.is_dir():
            yield path
        elif apart(path):
            yield path
        else:
            inner = list(_walk(path, apart))
            yield from inner or [path / "nothing"]


def _digest(path: Path) -> str:
    return digest_of(path)


def digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a directory, by its path within."""
    return {
        path.relative_to(directory).as_posix(): _digest(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


# -- writing -------------------------------------------------------------------------------------


def write_files(directory: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, texts or bytes by their paths within a directory, through to the disk.

    Raises
    ------
    OSError
        If one cannot be written.
    """
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def replacing(directory: str | Path, listing: Listing) -> Iterator[Path]:
    """Give an empty directory, which takes the place of another where all went well.

    What was there before goes, if it is known again; nothing else is touched. Until then, and
    where something fails, it stays as it is.

    Parameters
    ----------
    directory : str or Path
        Made if need be.
    listing : Listing
        By which an earlier one is known.

    Raises
    ------
    ValueError
        If there is something else.
    OSError
        If the directory cannot be made, or what goes there cannot be written.
    """
    listing.check(directory)
    target = Path(os.path.realpath(directory))
    made = [parent for parent in (target.parent, *target.parent.parents) if not parent.exists()]
    with ExitStack() as stack:
        stack.callback(_remove, made)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            stage = stack.enter_context(staging(target.parent, f".{target.name}.", target))
        except OSError as error:
            raise type(error)(
                f"Directory must be one that can be written, not {str(directory)!r}: "
                f"{error.strerror}"
            ) from None
        whole = stage / "whole"
        whole.mkdir()
        try:
            yield whole
            # Meanwhile somebody may have put something there.
            listing.check(directory)
            _swap(whole, target, stage / "old")
        except OSError as error:
            if error.strerror is None:
                raise
            raise type(error)(
                f"Files must find room in {str(directory)!r}, not fail with: {error.strerror}"
            ) from None


def _swap(whole: Path, target: Path, old: Path) -> None:
    if target.exists():
        shutil.copymode(target, whole)
        os.replace(target, old)
    try:
        os.replace(whole, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise


@contextmanager
def staging(parent: Path, prefix: str, target: Path | None = None) -> Iterator[Path]:
    """Give a new directory for work in progress, and remove it afterwards.

    Those of the same prefix whose process was killed are removed, too. What such a process had
    taken from ``target``, to put something else there, is put back.

    Parameters
    ----------
    parent : Path
    prefix : str
    target : Path, optional
    """
    clear(parent, prefix, target)
    stage = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        # It has its name only once it is locked, or others might take it for free.
        with _locked(stage, "new"):
            os.rename(stage / "new", stage / _LOCK)
            yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def clear(parent: Path, prefix: str, target: Path | None = None) -> None:
    """Remove what processes that were killed left of :func:`staging`."""
    for left in sorted(parent.glob(f"{escape(prefix)}????????")):
        with _locked(left) as free:
            if free:
                if target is not None and (left / "old").is_dir() and not target.exists():
                    os.replace(left / "old", target)
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(stage: Path, name: str = _LOCK) -> Iterator[bool]:
    """Hold a stage's lock, and tell whether that was free; only one by another name is made."""
    try:
        file = (stage / name).open("rb+" if name == _LOCK else "wb")
    except OSError:
        yield False
        return
    with file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (ImportError, OSError):
            yield False
        else:
            yield True


def _remove(directories: Iterable[Path]) -> None:
    """Remove directories that are empty."""
    for directory in directories:
        with suppress(OSError):
            directory.rmdir()
