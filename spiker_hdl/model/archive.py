"""A network as the bytes of its file: a ZIP archive of ``network.json`` and NumPy arrays.

``network.json`` names the format and its version and holds all but the weights; ``weights/N.npy``
holds the weights of projection N, ``sources/N.npy`` and ``targets/N.npy`` their ends where it is
sparse. Its ``digest`` is the SHA-256 of the contents, so that an altered file is refused. Times in
the archive are fixed, so that equal networks have equal files.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np

from spiker_hdl.base import strict_json
from spiker_hdl.base.files.reading import allowed

from .canonical import Described, arrays, describe, digest_of

__all__ = ["HEADER", "MOST_TEXT", "PARTS", "pack"]

HEADER = "network.json"
PARTS = (2**26, 64)
"""Maximum bytes of the parts of a file: in total, or for each byte of the file."""

MOST_TEXT = 2**26


def pack(network: Described, mapping: dict[str, Any] | None = None) -> bytes:
    """Return a network file.

    Parameters
    ----------
    network : Network
    mapping : dict of str to object, optional
        Result of ``to_json`` of a mapping, which is stored with the network.

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
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _archive(parts: dict[str, bytes], compression: int) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", compression) as archive:
        for name, data in parts.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the same on every machine
            member.compress_type = compression
            member.external_attr = 0o644 << 16
            archive.writestr(member, data)
    return whole.getvalue()
