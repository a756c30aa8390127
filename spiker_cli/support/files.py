"""Files that commands read and write, checked before any work is done."""

import tempfile
from pathlib import Path
from typing import Any

from spiker_hdl.base.atomic_file import check_replaceable
from spiker_hdl.base.kinds import KINDS, kind_of
from spiker_hdl.model import Mapping, Network, load
from spiker_hdl.model.files.load import load_whole
from spiker_hdl.model.mapping.mapping import PRESETS

__all__ = [
    "check_directory",
    "check_output",
    "check_picture",
    "find_mapping",
    "open_mapping",
    "open_network",
    "read_lanes",
    "way_of",
]

PICTURES = (".png", ".svg", ".pdf", ".jpg")


def open_network(path: Path) -> Network:
    """Load a network file.

    Raises
    ------
    ValueError
        If it is not there, or no network file.
    """
    if not path.is_file():
        found = "a directory" if path.is_dir() else "missing"
        raise ValueError(f"Network must be a file that `spiker train` made, and {path} is {found}")
    other = way_of(path, "network")
    if other:
        raise ValueError(f"Network must be a file that `spiker train` made, and {path} is {other}")
    return load(path)


def way_of(path: Path, wanted: str) -> str:
    """Return what a file is that is not what is wanted, and how to get from there to a network.

    Parameters
    ----------
    path : Path
    wanted : str
        One of :data:`~spiker_hdl.base.kinds.KINDS`.
    """
    kind = kind_of(path)
    if kind in {wanted, ""}:
        return ""
    ways = {
        "network": "a network of integers already",
        "hdf5": f"in HDF5, as NIR's are: spiker import {path}",
        "pytorch": "a checkpoint of PyTorch, which has values without the network of which they "
        f"are: spiker import MODULE:CLASS --state {path}",
        "pickle": "a pickle, which can run code and is never loaded: spiker import MODULE:OBJECT "
        "runs the code that is yours",
        "safetensors": "of real numbers, if spiker import made it: spiker quantize makes integers "
        f"of them; else a checkpoint: spiker import MODULE:CLASS --state {path}",
        "npz": "an .npz archive of arrays, as --data are",
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
    """Raise :exc:`ValueError` unless a directory is there and can be written, or can be made."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{what} must be a directory, not the file {path}")
    at = path.absolute()
    while not at.exists():
        at = at.parent
    if not at.is_dir():
        raise ValueError(f"{what} must be a directory, and {at} is a file")
    _check_writable(at, what)


def _check_writable(directory: Path, what: str) -> None:
    # Permissions do not say all: a file system may be read-only, or full.
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise ValueError(
            f"{what} must be where files can be written, not in {directory}: {error.strerror}"
        ) from None


def read_lanes(network: Network, lanes: str | int, **changes: Any) -> Mapping:
    """Return the mapping of a preset, or of so many lanes at most.

    Raises
    ------
    ValueError
        If it is neither a number nor a preset.
    """
    if str(lanes) in PRESETS:
        return Mapping.preset(str(lanes), network, **changes)
    try:
        most = int(lanes)
    except ValueError:
        named = ", ".join(PRESETS)
        raise ValueError(f"--lanes must be a number or one of {named}, not {lanes!r}") from None
    return Mapping.folded(network, most, **changes)


def open_mapping(
    network: Network, mapping: Mapping, writable: list[str] | None, uninitialized: list[str] | None
) -> Mapping:
    """Return a mapping with populations of these names writable, or all of them.

    Raises
    ------
    ValueError
        If there is no such population.
    """
    if not writable and not uninitialized:
        return mapping
    names = [one.name for one in network.populations] if "all" in (writable or ()) else writable
    return mapping.with_writable(network, names or (), uninitialized or ())


def find_mapping(
    network: Network, path: Path, lanes: str | int | None, form: str | None, word: int | None
) -> Mapping:
    """Return the mapping to simulate or emit.

    Parameters
    ----------
    network : Network
    path : Path
        Where the network was loaded; a mapping that was saved with it is taken where nothing else
        is said.
    lanes : str or int, optional
        Most lanes of a population, or the name of a preset.
    form : str, optional
    word : int, optional
        Fields of the mapping that are to be others.

    Raises
    ------
    ValueError
        If a field is out of range.
    """
    changes = {key: value for key, value in (("form", form), ("word", word)) if value is not None}
    if lanes is not None:
        return read_lanes(network, lanes, **changes)
    if not changes:
        again, mapping = load_whole(path)
        if again.digest != network.digest:
            raise ValueError(f"Network must stay as it is while it is read, and {path} was altered")
        return mapping or Mapping.default(network)
    return Mapping.default(network, **changes)
