"""What a file is, by its first bytes."""

import zipfile
from os import PathLike

__all__ = ["KINDS", "kind_of"]

KINDS = {
    "network": "a network file, which `spiker quantize` makes",
    "npz": "an .npz archive of NumPy arrays",
    "npy": "an .npy file of one NumPy array",
    "pytorch": "a checkpoint of PyTorch, which has values without the network that they are of",
    "safetensors": "a .safetensors file",
    "hdf5": "a file in HDF5, as NIR's are",
    "idx": "a file in LeCun's IDX format",
    "gzip": "a gzip file",
    "zip": "a ZIP archive of something else",
    "json": "a file of JSON",
    "text": "a text",
    "pickle": "a pickle, which can run code and is never loaded",
    "empty": "an empty file",
}
"""Kinds of files, and what each is."""

_BEGINNINGS = (
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "npy"),
    (b"\x1f\x8b", "gzip"),
    (b"\0\0\x08", "idx"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # of checkpoints before PyTorch 1.6
_MOST_ENTRIES = 2**22  # bytes of an archive whose list is read for a message


def kind_of(path: str | PathLike[str]) -> str:
    """Return which of :data:`KINDS` a file is, or an empty string where that cannot be said.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(4096)
        if not start:
            return "empty"
        kind = next((kind for magic, kind in _BEGINNINGS if start.startswith(magic)), "")
        if kind == "zip":
            return _archive(file)
    if kind:
        return kind
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**32:
        return "safetensors"
    if start[:1] == b"\x80" and start[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return "pytorch" if _TORCH_MAGIC in start[:32] else "pickle"
    return _text(start)


def _archive(file) -> str:
    try:
        if file.seek(0, 2) > _MOST_ENTRIES * 64:
            return "zip"
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:  # whatever a damaged archive can cause
        return ""
    if "network.json" in names:
        return "network"
    if any(name.endswith("/data.pkl") for name in names):
        return "pytorch"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "zip"


def _text(start: bytes) -> str:
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # else a character is cut in two
            return ""
        text = start[: error.start].decode("utf-8")
    if text.lstrip()[:1] in {"{", "["}:
        return "json"
    return (
        "text" if text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable() else ""
    )
