"""Network files: a ZIP archive of ``network.json`` and NumPy arrays, readable without pickle.

``network.json`` names the format and its version and holds all but the weights; ``weights/N.npy``
holds the weights of projection N, ``sources/N.npy`` and ``targets/N.npy`` their ends where it is
sparse. Its ``digest`` is the SHA-256 of all that the file says, so that
one that was altered is not taken for what was saved. A neuron's field that is declared with
``metadata={"later": True}`` is left out where it has its default, so that files and digests from
before there was such a field stay what they are. Times in the archive are fixed, so equal
networks make equal files. A file never causes an import: classes of neurons that are not the
library's own are handed to :func:`load`.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from errno import EISDIR
from pathlib import Path
from typing import Any

import numpy as np

from ..base import FileError, read_bytes, reader, reading, shown, strict_json
from ..base.reading import allowed
from .arithmetic import Decay
from .contents import FORMAT, HEADER, MOST_TEXT, PARTS, VERSION, parse_network
from .graph import Population
from .mapping import Mapping
from .network import Network
from .neuron import Neuron
from .neurons import NEURONS
from .synapses import Synapses

__all__ = [
    "FORMAT",
    "VERSION",
    "FileError",
    "check_replaceable",
    "digest",
    "load",
    "load_mapping",
    "load_whole",
    "pack",
    "save",
    "unpack",
    "write_whole",
]


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


def _plain(value: Any, what: str) -> Any:
    if isinstance(value, Decay):
        return {"numerator": _plain(value.numerator, what), "bits": value.bits}
    if isinstance(value, tuple):
        return [_plain(one, what) for one in value]
    if value is not None and type(value) not in {bool, int, str}:
        raise TypeError(
            f"{what} must be an int, a bool, a string, None, a Decay or a tuple of such to be "
            f"saved, not {shown(value)}"
        )
    return value


def _neuron(population: Population) -> dict[str, Any]:
    neuron = population.neuron
    model = type(neuron).__name__
    if NEURONS.get(model, type(neuron)) is not type(neuron):
        raise ValueError(f"Neuron model must not be named as the library's own {model} to be saved")
    what = f"Population {population.name!r}: {model}"
    held = {f.name: getattr(neuron, f.name) for f in fields(neuron)}
    for f in fields(neuron):
        if f.metadata.get("later") and held[f.name] == f.default:
            del held[f.name]
    return {"model": model} | {name: _plain(v, f"{what} {name}") for name, v in held.items()}


def _axes(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def describe(network: Network, mapping: Mapping | None = None) -> dict[str, Any]:
    """Return all that a file says of a network but its arrays, as JSON can hold it."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "longest": network.longest,
        "inputs": [
            {"name": one.name, "shape": _axes(one.shape), "low": one.low, "high": one.high}
            | ({"held": True} if one.held else {})
            for one in network.inputs
        ],
        "populations": [
            {
                "name": one.name,
                "shape": _axes(one.shape),
                "bias": _axes(one.bias),
                "neuron": _neuron(one),
            }
            for one in network.populations
        ],
        "projections": [
            {
                "name": one.name,
                "source": one.source,
                "target": one.target,
                "delay": one.delay,
                "bits": one.bits,
                "kind": one.synapses.kind,
                "shape": [one.synapses.target_size, one.synapses.source_size],
            }
            | ({"shift": one.shift} if one.shift else {})
            for one in network.projections
        ],
        "readouts": [
            {"name": one.name, "population": one.population, "kind": one.kind}
            | ({} if one.groups is None else {"groups": one.groups})
            for one in network.readouts
        ],
        "mapping": None if mapping is None else mapping.to_json(),
        **({"notes": network.note} if network.note else {}),
    }


def arrays_of(synapses: Synapses) -> dict[str, np.ndarray]:
    """Return the arrays of synapses by name, as they are stored."""
    names = {"sparse": ("sources", "targets", "weights")}.get(synapses.kind, ("weights",))
    return {name: _narrow(getattr(synapses, name)) for name in names}


def _narrow(array: np.ndarray) -> np.ndarray:
    for kind in ("<i1", "<i2", "<i4"):
        ends = np.iinfo(kind)
        if not array.size or (array.min() >= ends.min and array.max() <= ends.max):
            return array.astype(kind, order="C")
    return array.astype("<i8", order="C")


def _held(network: Network) -> Iterator[tuple[str, np.ndarray]]:
    for n, one in enumerate(network.projections):
        for name, array in arrays_of(one.synapses).items():
            yield f"{name}/{n}.npy", array


def _digest(text: dict[str, Any], network: Network) -> str:
    # Of the arrays themselves, since NumPy may come to write their files otherwise.
    total = hashlib.sha256(json.dumps(text, sort_keys=True).encode())
    for name, array in _held(network):
        total.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def save(network: Network, path: str | Path, mapping: Mapping | None = None) -> None:
    """Write a network to one file, whole or not at all.

    Parameters
    ----------
    network : Network
    path : str or Path
    mapping : Mapping, optional
        Kept beside the network.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError, ValueError
        If a neuron of the user's own has a field that a file cannot hold, or a name of the
        library's, or the mapping does not fit, or a name is longer than a file can hold.
    """
    held = pack(network, mapping)
    with write_whole(path) as file:
        file.write(held)


def pack(network: Network, mapping: Mapping | None = None) -> bytes:
    """Return what :func:`save` writes; raises as that does."""
    if mapping is not None:
        mapping.check(network)
    text = describe(network, mapping)
    text["digest"] = _digest(text, network)
    header = json.dumps(text, indent=1, sort_keys=True).encode()
    strict_json.parse(header, MOST_TEXT)  # what is written can be read
    parts = {HEADER: header} | {name: _npy(array) for name, array in _held(network)}
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


def digest(network: Network) -> str:
    """Return the SHA-256 of all that a network says, notes aside, in hexadecimal."""
    text = describe(network)
    text.pop("notes", None)
    return _digest(text, network)


def load(path: str | Path, *, neurons: Iterable[type[Neuron]] = ()) -> Network:
    """Read a network file.

    Parameters
    ----------
    path : str or Path
    neurons : iterable of type
        Neuron classes of the user's own that the file may name.

    Raises
    ------
    FileError
        If the file is no network file, is cut short or altered, or describes no valid network.
    OSError
        If it cannot be read.
    TypeError, ValueError
        If one of ``neurons`` is no class of neurons, or has the name of another.
    """
    return load_whole(path, neurons=neurons)[0]


def load_mapping(path: str | Path, *, neurons: Iterable[type[Neuron]] = ()) -> Mapping | None:
    """Read the mapping that was saved beside a network, or None; raises as :func:`load`."""
    return load_whole(path, neurons=neurons)[1]


def load_whole(
    path: str | Path, *, neurons: Iterable[type[Neuron]] = ()
) -> tuple[Network, Mapping | None]:
    """Read a network file once, for its network and its mapping; raises as :func:`load`."""
    return _read(path, models_of(neurons))


def unpack(
    data: bytes, path: str | Path, *, neurons: Iterable[type[Neuron]] = ()
) -> tuple[Network, Mapping | None]:
    """Return the network in what :func:`pack` gave, and its mapping; raises as :func:`load`.

    Parameters
    ----------
    data : bytes
    path : str or Path
        Where they were read, for messages.
    neurons : iterable of type
    """
    models = models_of(neurons)
    with reading(path, "a network file", "network"):
        return _unpacked(data, models)


def models_of(neurons: Iterable[type[Neuron]]) -> dict[str, type[Neuron]]:
    """Return the classes of neurons that a file may name, by name; raises as :func:`load`."""
    models: dict[str, type[Neuron]] = dict(NEURONS)
    for one in neurons:
        if not (isinstance(one, type) and issubclass(one, Neuron)):
            raise TypeError(f"Neurons must be classes of neurons, not {one!r}")
        if models.setdefault(one.__name__, one) is not one:
            raise ValueError(f"Neurons must have distinct names, not {one.__name__!r} twice")
    return models


@reader("a network file", "network")
def _read(path: str | Path, models: dict[str, type[Neuron]]) -> tuple[Network, Mapping | None]:
    return _unpacked(read_bytes(path), models)


def _unpacked(data: bytes, models: dict[str, type[Neuron]]) -> tuple[Network, Mapping | None]:
    network, mapping, stated = parse_network(data, models)
    wanted = _digest(describe(network, mapping), network)
    if stated != wanted:
        raise FileError(f"must have the digest {wanted}, not {shown(stated)}: it was altered")
    return network, mapping
