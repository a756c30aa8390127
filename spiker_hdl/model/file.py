"""Network files: a ZIP archive of ``network.json`` and NumPy arrays, readable without pickle.

``network.json`` names the format and its version and holds all but the weights; ``weights/N.npy``
holds the weights of projection N. Times in the archive are fixed, so equal networks make equal
files. A file never causes an import: classes of neurons that are not the library's own are handed
to :func:`load`.
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
from pathlib import Path
from typing import Any

import numpy as np

from .arithmetic import Decay
from .mapping import Mapping
from .network import Input, Network, Population, Projection, Readout
from .neuron import Neuron
from .neurons import NEURONS
from .synapses import SYNAPSES, Sparse, Synapses

__all__ = [
    "FORMAT",
    "VERSION",
    "FileError",
    "digest",
    "load",
    "load_mapping",
    "save",
    "write_whole",
]

FORMAT = "spiker-network"
VERSION = 1
_HEADER = "network.json"
_MOST_HEADER = 2**26
_MOST_ARRAY = 2**31


class FileError(ValueError):
    """A file that cannot be loaded: which, what was expected, and what was found."""


@contextmanager
def write_whole(path: str | Path) -> Iterator[io.BufferedWriter]:
    """Open a file for writing that takes its name only once it is whole.

    An interrupted write leaves what was there before.

    Raises
    ------
    OSError
        If the directory cannot be written.
    """
    path = Path(path)
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


def _plain(value: Any) -> Any:
    if isinstance(value, Decay):
        return {"numerator": _plain(value.numerator), "bits": value.bits}
    return list(value) if isinstance(value, tuple) else value


def _describe(network: Network, mapping: Mapping | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "longest": network.longest,
        "inputs": [
            {"name": one.name, "shape": _plain(one.shape), "low": one.low, "high": one.high}
            for one in network.inputs
        ],
        "populations": [
            {
                "name": one.name,
                "shape": _plain(one.shape),
                "bias": _plain(one.bias),
                "neuron": {
                    "model": type(one.neuron).__name__,
                    **{f.name: _plain(getattr(one.neuron, f.name)) for f in fields(one.neuron)},
                },
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
            for one in network.projections
        ],
        "readouts": [
            {"name": one.name, "population": one.population, "kind": one.kind}
            for one in network.readouts
        ],
        "mapping": None if mapping is None else mapping.to_json(),
    }


def _arrays(synapses: Synapses) -> dict[str, np.ndarray]:
    names = {"sparse": ("sources", "targets", "weights")}.get(synapses.kind, ("weights",))
    return {name: _narrow(getattr(synapses, name)) for name in names}


def _narrow(array: np.ndarray) -> np.ndarray:
    for kind in ("<i1", "<i2", "<i4"):
        ends = np.iinfo(kind)
        if not array.size or (array.min() >= ends.min and array.max() <= ends.max):
            return array.astype(kind)
    return array.astype("<i8")


def _members(network: Network, mapping: Mapping | None) -> Iterator[tuple[str, bytes]]:
    text = json.dumps(_describe(network, mapping), indent=1, sort_keys=True)
    yield _HEADER, text.encode()
    for n, one in enumerate(network.projections):
        for name, array in _arrays(one.synapses).items():
            held = io.BytesIO()
            np.lib.format.write_array(held, array, version=(1, 0), allow_pickle=False)
            yield f"{name}/{n}.npy", held.getvalue()


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
    """
    if mapping is not None:
        mapping.check(network)
    with write_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in _members(network, mapping):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, held)


def digest(network: Network) -> str:
    """Return the SHA-256 of all that a network says, in hexadecimal."""
    total = hashlib.sha256()
    for name, held in _members(network, None):
        total.update(f"{name}:{len(held)}:".encode())
        total.update(held)
    return total.hexdigest()


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
    """
    return _read(path, neurons)[0]


def load_mapping(path: str | Path, *, neurons: Iterable[type[Neuron]] = ()) -> Mapping | None:
    """Read the mapping that was saved beside a network, or None; raises as :func:`load`."""
    return _read(path, neurons)[1]


def _read(path: str | Path, neurons: Iterable[type[Neuron]]) -> tuple[Network, Mapping | None]:
    models = NEURONS | {one.__name__: one for one in neurons}
    data = Path(path).read_bytes()
    try:
        return _parse(data, models)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    except Exception as error:  # whatever a damaged archive can cause is the file's fault
        raise FileError(f"{path}: must be a whole {FORMAT} file, not one with: {error}") from error


def _parse(data: bytes, models: dict[str, type[Neuron]]) -> tuple[Network, Mapping | None]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise FileError(f"must be a {FORMAT} file (a ZIP archive), not {data[:8]!r}...")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if len(set(archive.namelist())) != len(archive.namelist()):
            raise FileError("must have each part once, not twice")
        text = _object(json.loads(_member(archive, _HEADER, _MOST_HEADER)), "network")
        if text.get("format") != FORMAT:
            raise FileError(f"must be of the format {FORMAT!r}, not {text.get('format')!r}")
        if text.get("version") != VERSION:
            raise FileError(f"must be of version {VERSION}, not {text.get('version')!r}")
        wanted = {"format", "version", "name", "longest", "inputs", "populations", "projections"}
        _keys(text, wanted | {"readouts", "mapping"}, "network")
        unread = set(archive.namelist()) - {_HEADER}
        network = Network(
            tuple(_input(one) for one in _list(text["inputs"], "inputs")),
            tuple(_population(one, models) for one in _list(text["populations"], "populations")),
            tuple(
                _projection(one, n, archive, unread)
                for n, one in enumerate(_list(text["projections"], "projections"))
            ),
            tuple(_readout(one) for one in _list(text["readouts"], "readouts")),
            text["longest"],
            text["name"],
        )
        if unread:
            raise FileError(f"must have no part of its own, not {sorted(unread)}")
    mapping = None
    if text["mapping"] is not None:
        mapping = Mapping.from_json(text["mapping"])
        mapping.check(network)
    return network, mapping


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FileError(f"must have a part {name!r}, not only {archive.namelist()}") from None
    if info.file_size > most:
        raise FileError(f"part {name!r} must have at most {most} bytes, not {info.file_size}")
    return archive.read(name)


def _array(archive: zipfile.ZipFile, name: str, unread: set[str]) -> np.ndarray:
    data = _member(archive, name, _MOST_ARRAY)
    unread.discard(name)
    held = io.BytesIO(data)
    if np.lib.format.read_magic(held) != (1, 0):
        raise FileError(f"part {name!r} must be a NumPy array of format 1.0")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(held)
    wanted = int(np.prod(shape, dtype=object)) * kind.itemsize
    found = len(data) - held.tell()
    if kind.kind != "i" or fortran or wanted != found:
        raise FileError(
            f"part {name!r} must be {wanted} bytes of integers in C order, not {found} of {kind}"
        )
    return np.frombuffer(data, kind, offset=held.tell()).reshape(shape)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FileError(f"{what} must be an object, not {value!r}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise FileError(f"{what} must be a list, not {value!r}")
    return value


def _keys(value: dict[str, Any], wanted: set[str], what: str) -> None:
    if set(value) != wanted:
        raise FileError(f"{what} must have the keys {sorted(wanted)}, not {sorted(value)}")


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _input(value: Any) -> Input:
    value = _object(value, "input")
    _keys(value, {"name", "shape", "low", "high"}, "input")
    return Input(value["name"], _tupled(value["shape"]), value["low"], value["high"])


def _population(value: Any, models: dict[str, type[Neuron]]) -> Population:
    value = _object(value, "population")
    _keys(value, {"name", "shape", "bias", "neuron"}, "population")
    neuron = dict(_object(value["neuron"], "neuron"))
    model = neuron.pop("model", None)
    if not isinstance(model, str) or model not in models:
        raise FileError(
            f"neuron model must be one of {sorted(models)}, not {model!r}; hand the classes of "
            "your own neurons to load(path, neurons=[...])"
        )
    _keys(neuron, {one.name for one in fields(models[model])}, f"neuron {model}")
    made = {name: _field(one) for name, one in neuron.items()}
    return Population(
        value["name"], _tupled(value["shape"]), models[model](**made), _tupled(value["bias"])
    )


def _field(value: Any) -> Any:
    if isinstance(value, dict):
        _keys(value, {"numerator", "bits"}, "decay")
        return Decay(_tupled(value["numerator"]), value["bits"])
    return _tupled(value)


def _projection(value: Any, n: int, archive: zipfile.ZipFile, unread: set[str]) -> Projection:
    value = _object(value, "projection")
    _keys(value, {"name", "source", "target", "delay", "bits", "kind", "shape"}, "projection")
    kind = value["kind"]
    if not isinstance(kind, str) or kind not in SYNAPSES:
        raise FileError(f"kind of projection must be one of {sorted(SYNAPSES)}, not {kind!r}")
    shape = tuple(_list(value["shape"], "shape of projection"))
    weights = _array(archive, f"weights/{n}.npy", unread)
    if kind == "sparse":
        sources, targets = (_array(archive, f"{e}/{n}.npy", unread) for e in ("sources", "targets"))
        target_size, source_size = shape
        synapses = Sparse(sources, targets, weights, source_size, target_size)
    else:
        synapses = SYNAPSES[kind](weights)
    if shape != (synapses.target_size, synapses.source_size):
        raise FileError(f"shape of projection must be that of its weights, not {list(shape)}")
    made = (value["delay"], value["bits"], value["name"])
    return Projection(value["source"], value["target"], synapses, *made)


def _readout(value: Any) -> Readout:
    value = _object(value, "readout")
    _keys(value, {"name", "population", "kind"}, "readout")
    return Readout(value["population"], value["kind"], value["name"])
