"""A network as the bytes of its file: a ZIP archive of ``network.json`` and NumPy arrays.

``network.json`` names the format and its version and holds all but the weights; ``weights/N.npy``
holds the weights of projection N, ``sources/N.npy`` and ``targets/N.npy`` their ends where it is
sparse. Its ``digest`` is the SHA-256 of all that the file says, so that one that was altered is
not taken for what was saved. Times in the archive are fixed, so equal networks make equal files.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np

from spiker_hdl.base import strict_json
from spiker_hdl.base.reading import allowed

from .canonical import Described, arrays, describe, digest_of

__all__ = ["HEADER", "MOST_TEXT", "PARTS", "pack"]

HEADER = "network.json"
PARTS = (2**26, 64)
"""Bytes that the parts of a file may have: so many, or so many for each byte of the file."""

MOST_TEXT = 2**26


def pack(network: Described, mapping: dict[str, Any] | None = None) -> bytes:
    """Return a network file.

    Parameters
    ----------
    network : Network
    mapping : dict of str to object, optional
        What a mapping's ``to_json`` made, kept beside the network.

    Raises
    ------
    TypeError, ValueError
        If a neuron of the user's own has a field that a file cannot hold, or a name of the
        library's, or a name is longer than a file can hold.
    """
    text = describe(network, mapping)
    text["digest"] = digest_of(text, network)
    header = json.dumps(text, indent=1, sort_keys=True).encode()
    strict_json.parse(header, MOST_TEXT)  # what is written can be read
    parts = {HEADER: header} | {name: _npy(array) for name, array in arrays(network)}
    whole = _archive(parts, zipfile.ZIP_DEFLATED)
    if sum(map(len, parts.values())) > allowed(len(whole), *PARTS):
        whole = _archive(parts, zipfile.ZIP_STORED)
    return whole


def _npy(array: np.ndarray) -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array(held, array, version=(1, 0), allow_pickle=False)
    return held.getvalue()


def _archive(parts: dict[str, bytes], compression: int) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", compression) as archive:
        for name, held in parts.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the same on every machine
            member.compress_type = compression
            member.external_attr = 0o644 << 16
            archive.writestr(member, held)
    return whole.getvalue()
