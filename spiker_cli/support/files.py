"""Files that subcommands read and write, checked before any work is done."""

import tempfile
from pathlib import Path

from spiker_hdl.base.files.atomic_file import check_replaceable
from spiker_hdl.base.files.kinds import KINDS, kind_of
from spiker_hdl.model import Network, load

__all__ = [
    "check_directory",
    "check_output",
    "check_picture",
    "open_network",
    "way_of",
]

PICTURES = (".png", ".svg", ".pdf", ".jpg")


def open_network(path: Path) -> Network:
    """Load a network file.

    Raises
    ------
    ValueError
        If it is missing, or is no network file.
    """
    if not path.is_file():
        what = "a directory" if path.is_dir() else "missing"
        raise ValueError(f"Network must be a file that `spiker train` made, and {path} is {what}")
    other = way_of(path, "network")
    if other:
        raise ValueError(f"Network must be a file that `spiker train` made, and {path} is {other}")
    return load(path)


def way_of(path: Path, wanted: str) -> str:
    """Return what a file of another kind is, and how to get from there to a network.

    Parameters
    ----------
    path : Path
    wanted : str
        One of :data:`~spiker_hdl.base.files.kinds.KINDS`.
    """
    kind = kind_of(path)
    if kind in {wanted, ""}:
        return ""
    ways = {
        "network": "a network of integers already",
        "hdf5": f"in HDF5, as NIR files are: spiker import {path} reads it",
        "pytorch": "a checkpoint of PyTorch, which has values but no network to put them into: "
        f"spiker import MODULE:CLASS --state {path} reads both",
        "pickle": "a pickle, which can run code and is never loaded: spiker import MODULE:OBJECT "
        "runs code of your own",
        "safetensors": "a floating-point network, if spiker import wrote it: spiker quantize "
        f"{path} makes integers of it; else a checkpoint: spiker import MODULE:CLASS --state "
        f"{path}",
        "npz": "an .npz archive of arrays, as --data takes it",
    }
    return ways.get(kind, KINDS[kind])


def check_output(path: Path | None, what: str) -> None:
    """Raise :exc:`ValueError` unless a file can be written there."""
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise ValueError(f"{what} must be a file, not the directory {path}")
    check_replaceable(what, path)
    if not path.parent.is_dir():
        raise ValueError(f"{what} must be in a directory that is there, not in {path.parent}")
    _check_writable(path.parent, what)


def check_picture(path: Path | None) -> None:
    """Raise :exc:`ValueError` unless a picture can be written there."""
    check_output(path, "--picture")
    if path is not None and path.suffix.lower() not in PICTURES:
        raise ValueError(f"--picture must end in {', '.join(PICTURES)}, not as {path.name} does")


def check_directory(path: Path, what: str) -> None:
    """Raise :exc:`ValueError` unless a directory can be written there, or can be made."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{what} must be a directory, not the file {path}")
    nearest = path.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise ValueError(f"{what} must be a directory, and {nearest} is a file")
    _check_writable(nearest, what)


def _check_writable(directory: Path, what: str) -> None:
    # Permissions do not say all: a file system may be read-only, or full.
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise ValueError(
            f"{what} must be where files can be written, not in {directory}: {error.strerror}"
        ) from None
