"""Write network files, with the mapping beside the network."""

from pathlib import Path

from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.model import archive
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network

__all__ = ["pack", "save"]


def save(network: Network, path: str | Path, mapping: Mapping | None = None) -> None:
    """Write a network to one file, whole or not at all.

    Parameters
    ----------
    network : Network
    path : str or Path
    mapping : Mapping, optional
        Stored with the network.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError, ValueError
        If a neuron of the user's own has a field that a file cannot hold, or a name of the
        library's, or the mapping does not fit, or a name is longer than a file can hold.
    """
    data = pack(network, mapping)
    with write_whole(path) as file:
        file.write(data)


def pack(network: Network, mapping: Mapping | None = None) -> bytes:
    """Return the bytes that :func:`save` writes; raises as that does."""
    if mapping is None:
        return archive.pack(network)
    mapping.check(network)
    return archive.pack(network, mapping.to_json())
