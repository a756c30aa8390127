"""The files of an emitted directory, read once and compared with the manifest's digests."""

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any

from spiker_hdl.base import FileError, read_bytes, reader, reading, shown, strict_json
from spiker_hdl.base.files.members import member
from spiker_hdl.export.manifest.format import FORMAT, MANIFEST, VERSION

__all__ = ["MANIFEST", "NETWORK", "read_files"]

NETWORK = "network.spiker"

_MAX_MANIFEST = 2**24  # bytes
_MAX_FILES = 2**30  # bytes of all files together
_DIGEST = re.compile(r"[0-9a-f]{64}")


@reader("an emitted directory", "")
def read_files(directory: str | Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the manifest of an emitted directory, and each file that it names once.

    Parameters
    ----------
    directory : str or Path

    Returns
    -------
    manifest : dict
    contents : dict of str to bytes
        Content of each file, by its path within the directory.

    Raises
    ------
    FileError
        If there is no manifest, or a file is not the one that the manifest describes.
    OSError
        If a file cannot be read.
    """
    directory = Path(directory)
    path = directory / MANIFEST
    if not path.is_file():
        state = "nothing there" if directory.is_dir() else "no directory"
        raise FileError(f"must be a manifest that `spiker emit` made, not {state}", path)
    with reading(path, "a manifest that `spiker emit` made", "json"):
        manifest = strict_json.parse_object(read_bytes(path, _MAX_MANIFEST))
        _check_format(manifest)
        digests = _digests(manifest)
    contents, left = {}, _MAX_FILES
    for name, digest in digests.items():
        contents[name] = _read_file(directory, name, digest, left)
        left -= len(contents[name])
    return manifest, contents


def _check_format(manifest: dict[str, Any]) -> None:
    for key, required in (("format", FORMAT), ("version", VERSION)):
        value = manifest.get(key)
        if type(value) is not type(required) or value != required:
            older = key == "version" and type(value) is int and 0 < value < VERSION
            remedy = ": emit the network again" if older else ""
            raise FileError(f"must be of {key} {required!r}, not {shown(value)}{remedy}")


def _digests(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each file that the manifest names, by path."""
    files = member(manifest, "", "files", dict)
    for name, digest in files.items():
        path = PurePosixPath(name)
        plain = name == str(path) and re.fullmatch(r"[\w./-]{1,200}", name, re.ASCII)
        if not plain or path.is_absolute() or ".." in path.parts or name == ".":
            raise FileError(f"files must be paths within the directory, not {shown(name)}")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise FileError(f"files {name} must be a SHA-256, not {shown(digest)}")
    if NETWORK not in files:
        raise FileError(f"files must name {NETWORK}, not {shown(sorted(files))}")
    return files


def _read_file(directory: Path, name: str, digest: str, limit: int) -> bytes:
    path = directory / name
    # A symbolic link may lead out of the directory.
    inside = path.resolve().is_relative_to(directory.resolve())
    if not inside or not path.is_file():
        state = "missing" if inside else "outside"
        raise FileError(f"must be a file in the directory that {MANIFEST} names, not {state}", path)
    data = read_bytes(path, limit)
    actual = hashlib.sha256(data).hexdigest()
    if actual != digest:
        raise FileError(
            f"must have the SHA-256 {digest}, which {MANIFEST} says, not {actual}: it was altered",
            path,
        )
    return data
