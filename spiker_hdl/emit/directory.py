"""Files that appear in a directory whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["writing"]


@contextmanager
def writing(directory: str | Path) -> Iterator[Callable[[Mapping[str, str | bytes]], None]]:
    """Give a function that writes files in a directory; nothing is written elsewhere.

    The directory is made if need be, and not left behind empty. The files, texts or bytes by their
    paths within the directory, are written beside first and then take their names one after
    another, in the order given. Files of other names stay as they are.

    Parameters
    ----------
    directory : str or Path

    Raises
    ------
    OSError
        If the directory cannot be made or written.
    """
    directory = Path(directory)
    made = [one for one in (directory, *directory.parents) if not one.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".writing.", dir=directory))
    except OSError as error:
        _remove(made)
        raise type(error)(
            f"Directory must be one that can be written, not {str(directory)!r}: {error.strerror}"
        ) from None
    try:
        yield lambda files: _write(directory, stage, files)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        _remove(made)


def _write(directory: Path, stage: Path, files: Mapping[str, str | bytes]) -> None:
    try:
        for name, held in files.items():
            path = stage / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(held.encode() if isinstance(held, str) else held)
                file.flush()
                os.fsync(file.fileno())
        for name in files:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(stage / name, directory / name)
    except OSError as error:
        raise type(error)(
            f"Files must find room in {str(directory)!r}, not fail with: {error.strerror}"
        ) from None


def _remove(made: list[Path]) -> None:
    """Remove directories that are empty."""
    for one in made:
        with suppress(OSError):
            one.rmdir()
