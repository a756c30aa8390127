"""What a network file holds, read back: nothing in it is taken at its word."""

import io
import json
import zipfile
from dataclasses import fields
from typing import Any

import numpy as np

from .arithmetic import Decay
from .graph import Input, Population, Projection, Readout
from .mapping import Mapping
from .network import Network
from .neuron import Neuron
from .synapses import SYNAPSES, Dense, OneToOne, Sparse

__all__ = ["FORMAT", "HEADER", "VERSION", "FileError", "parse"]

FORMAT = "spiker-network"
VERSION = 1
HEADER = "network.json"
_MOST_TEXT = 2**26
_MOST_PARTS = 2**30


class FileError(ValueError):
    """A file that cannot be loaded: which, what was expected, and what was found."""


def parse(data: bytes, models: dict[str, type[Neuron]]) -> tuple[Network, Mapping | None, Any]:
    """Read a network, the mapping beside it, and the digest that the file states.

    Parameters
    ----------
    data : bytes
        All of the file.
    models : dict of str to type
        Neuron classes that it may name.

    Raises
    ------
    FileError
        If a part is not what it must be. A file may cause any other exception, too.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise FileError(f"must be a {FORMAT} file (a ZIP archive), not {data[:8]!r}...")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if len(set(archive.namelist())) != len(archive.namelist()):
            raise FileError("must have each part once, not twice")
        size = sum(one.file_size for one in archive.infolist())
        if size > _MOST_PARTS:
            raise FileError(f"must have parts of at most {_MOST_PARTS} bytes, not {size}")
        header = _member(archive, HEADER)
        text = json.loads(header, object_pairs_hook=_distinct, parse_constant=_no_constant)
        text = _object(text, "network")
        if text.get("format") != FORMAT:
            raise FileError(f"must be of the format {FORMAT!r}, not {text.get('format')!r}")
        if text.get("version") != VERSION:
            raise FileError(f"must be of version {VERSION}, not {text.get('version')!r}")
        wanted = {"format", "version", "name", "longest", "inputs", "populations", "projections"}
        notes = _object(text.pop("notes", {}), "notes")
        _keys(text, wanted | {"readouts", "mapping", "digest"}, "network")
        unread = set(archive.namelist()) - {HEADER}
        inputs = tuple(_input(one) for one in _list(text["inputs"], "inputs"))
        populations = tuple(
            _population(one, models) for one in _list(text["populations"], "populations")
        )
        sizes = {one.name: one.size for one in (*inputs, *populations)}
        projections = tuple(
            _projection(one, n, archive, unread, sizes)
            for n, one in enumerate(_list(text["projections"], "projections"))
        )
        readouts = tuple(_readout(one) for one in _list(text["readouts"], "readouts"))
        made = (text["longest"], text["name"], notes)
        network = Network(inputs, populations, projections, readouts, *made)
        if unread:
            raise FileError(f"must have no part of its own, not {sorted(unread)}")
    mapping = None
    if text["mapping"] is not None:
        mapping = Mapping.from_json(text["mapping"])
        mapping.check(network)
    return network, mapping, text["digest"]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise FileError(f"{HEADER} must have each key once, not {twice!r} twice")
    return value


def _no_constant(value: str) -> None:
    raise FileError(f"{HEADER} must hold no number such as {value}")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FileError(f"must have a part {name!r}, not only {archive.namelist()}") from None
    if name == HEADER and info.file_size > _MOST_TEXT:
        raise FileError(f"part {name!r} must have at most {_MOST_TEXT} bytes, not {info.file_size}")
    return archive.read(name)


def _array(
    archive: zipfile.ZipFile, name: str, unread: set[str], wanted: tuple[int, ...] | None
) -> np.ndarray:
    if name in archive.namelist() and wanted is not None:
        with archive.open(name) as start:  # nothing is taken at its word before it is read
            shape, _, kind = _head(start, name)
        if shape != wanted:
            raise FileError(f"part {name!r} must have the shape {wanted}, not {shape}")
    data = _member(archive, name)
    unread.discard(name)
    held = io.BytesIO(data)
    shape, fortran, kind = _head(held, name)
    size = int(np.prod(shape, dtype=object)) * kind.itemsize
    found = len(data) - held.tell()
    if kind.kind != "i" or size != found:
        raise FileError(f"part {name!r} must be {size} bytes of integers, not {found} of {kind}")
    values = np.frombuffer(data, kind, offset=held.tell())
    # Earlier versions wrote arrays in the order in which they lay in memory.
    return values.reshape(shape, order="F" if fortran else "C")


def _head(held: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    if np.lib.format.read_magic(held) != (1, 0):
        raise FileError(f"part {name!r} must be a NumPy array of format 1.0")
    return np.lib.format.read_array_header_1_0(held)


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
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _input(value: Any) -> Input:
    value = _object(value, "input")
    held = value.pop("held", False)
    _keys(value, {"name", "shape", "low", "high"}, "input")
    return Input(value["name"], _tupled(value["shape"]), value["low"], value["high"], held)


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
    known = {one.name for one in fields(models[model])}
    later = {one.name for one in fields(models[model]) if one.metadata.get("later")}
    _keys(neuron, known - (later - set(neuron)), f"neuron {model}")
    made = {name: _field(one) for name, one in neuron.items()}
    return Population(
        value["name"], _tupled(value["shape"]), models[model](**made), _tupled(value["bias"])
    )


def _field(value: Any) -> Any:
    if isinstance(value, dict):
        _keys(value, {"numerator", "bits"}, "decay")
        return Decay(_tupled(value["numerator"]), value["bits"])
    return _tupled(value)


def _projection(
    value: Any, n: int, archive: zipfile.ZipFile, unread: set[str], sizes: dict[str, int]
) -> Projection:
    value = _object(value, "projection")
    _keys(value, {"name", "source", "target", "delay", "bits", "kind", "shape"}, "projection")
    kind, ends = value["kind"], (value["target"], value["source"])
    if not isinstance(kind, str) or kind not in SYNAPSES:
        raise FileError(f"kind of projection must be one of {sorted(SYNAPSES)}, not {kind!r}")
    for end in ends:
        if not isinstance(end, str) or end not in sizes:
            raise FileError(f"projection must join two of {sorted(sizes)}, not {end!r}")
    shape = (sizes[ends[0]], sizes[ends[1]])
    if value["shape"] != [*shape]:
        raise FileError(
            f"shape of projection {ends[1]!r} to {ends[0]!r} must be {[*shape]}, "
            f"not {value['shape']!r}"
        )
    name = f"weights/{n}.npy"
    if kind == "sparse":
        sources, targets, weights = (
            _array(archive, f"{part}/{n}.npy", unread, None)
            for part in ("sources", "targets", "weights")
        )
        synapses = Sparse(sources, targets, weights, shape[1], shape[0])
    elif kind == "one_to_one":
        synapses = OneToOne(_array(archive, name, unread, shape[:1]))
    else:
        synapses = Dense(_array(archive, name, unread, shape))
    made = (value["delay"], value["bits"], value["name"])
    return Projection(value["source"], value["target"], synapses, *made)


def _readout(value: Any) -> Readout:
    value = _object(value, "readout")
    groups = value.pop("groups", None)
    _keys(value, {"name", "population", "kind"}, "readout")
    return Readout(value["population"], value["kind"], value["name"], groups)
