"""Files that appear whole or not at all."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path

__all__ = ["check_replaceable", "write_whole"]


def check_replaceable(what: str, path: str | Path) -> None:
    """Raise an error unless a file may take this name: nothing has it, or a file does.

    Raises
    ------
    ValueError
        If a device or a pipe has it.
    IsADirectoryError
        If a directory has it.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise ValueError(f"{what} must be a file, or new, not the device or pipe {path}")


@contextmanager
def write_whole(path: str | Path) -> Iterator[io.BufferedWriter]:
    """Open a file for writing that takes its name only once it is whole.

    An interrupted write leaves what was there before. Where a link is, what it leads
    to is written, and the link stays.

    Raises
    ------
    ValueError
        If there is a device or a pipe, whose place no file may take.
    OSError
        If the directory cannot be written, or there is one by that name.
    """
    check_replaceable("File", path)
    path = Path(os.path.realpath(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
