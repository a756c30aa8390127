"""The contents of a network file, parsed: every part is checked before it is used."""

from typing import Any

import numpy as np

from spiker_hdl.base import FileError, shown, strict_json
from spiker_hdl.base.files.arrays import Archive
from spiker_hdl.model.archive import HEADER, MOST_TEXT, PARTS
from spiker_hdl.model.canonical import (
    FORMAT,
    VERSIONS,
    fields_in_file,
    thawed_fields,
    thawed_mapping,
)
from spiker_hdl.model.dynamics.coupling import WinnerTakeAll
from spiker_hdl.model.graph import Input, Population, Projection, Readout
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.arithmetic import Decay
from spiker_hdl.model.neurons.base import Component, Neuron
from spiker_hdl.model.rules.base import Rule
from spiker_hdl.model.rules.homeostasis import Homeostasis
from spiker_hdl.model.rules.state import LearningState
from spiker_hdl.model.synapses.convolution import Convolution
from spiker_hdl.model.synapses.dense import Dense
from spiker_hdl.model.synapses.kinds import SYNAPSES
from spiker_hdl.model.synapses.one_to_one import OneToOne
from spiker_hdl.model.synapses.pooling import MaxPooling
from spiker_hdl.model.synapses.sparse import Sparse

__all__ = ["parse_network"]

Models = dict[str, type[Component]]


def parse_network(data: bytes, models: Models) -> tuple[Network, Mapping | None, Any]:
    """Read a network, the mapping beside it, and the digest that the file states.

    Parameters
    ----------
    data : bytes
        All of the file.
    models : dict of str to type
        Classes of neurons and of synaptic dynamics that it may name.

    Raises
    ------
    FileError
        If a part is not what it must be. A file may cause any other exception, too.
    """
    with Archive(data, *PARTS) as archive:
        header = archive.read(HEADER, MOST_TEXT)
        try:
            text = strict_json.parse(header, MOST_TEXT)
        except FileError as error:
            raise FileError(f"{HEADER} {error}") from None
        text = _object(text, "network")
        if text.get("format") != FORMAT:
            raise FileError(f"must be of the format {FORMAT!r}, not {shown(text.get('format'))}")
        if text.get("version") not in VERSIONS or type(text["version"]) is not int:
            versions = " or ".join(map(str, VERSIONS))
            raise FileError(f"must be of version {versions}, not {shown(text.get('version'))}")
        expected = {"format", "version", "name", "longest", "inputs", "populations", "projections"}
        notes = _object(text.pop("notes", {}), "notes")
        learning = _learning(text.pop("learning", None))
        _keys(text, expected | {"readouts", "mapping", "digest"}, "network")
        unread = set(archive.names) - {HEADER}
        inputs = tuple(_input(node) for node in _list(text["inputs"], "inputs"))
        populations = tuple(
            _population(population, models)
            for population in _list(text["populations"], "populations")
        )
        sizes = {node.name: node.size for node in (*inputs, *populations)}
        projections = tuple(
            _projection(projection, n, archive, unread, sizes, models)
            for n, projection in enumerate(_list(text["projections"], "projections"))
        )
        readouts = tuple(_readout(readout) for readout in _list(text["readouts"], "readouts"))
        graph = inputs, populations, projections, readouts
        network = Network(*graph, text["longest"], text["name"], notes, learning)
        if unread:
            raise FileError(f"must have no part of its own, not {shown(sorted(unread), 160)}")
    mapping = None
    if text["mapping"] is not None:
        mapping = Mapping.from_json(thawed_mapping(text["mapping"]))
        mapping.check(network)
    return network, mapping, text["digest"]


def _array(
    archive: Archive, name: str, unread: set[str], wanted: tuple[int, ...] | None
) -> np.ndarray:
    unread.discard(name)
    return archive.array(name, wanted, "i")


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FileError(f"{what} must be an object, not {shown(value)}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise FileError(f"{what} must be a list, not {shown(value)}")
    return value


def _keys(value: dict[str, Any], wanted: set[str], what: str) -> None:
    if set(value) != wanted:
        raise FileError(
            f"{what} must have the keys {sorted(wanted)}, not {shown(sorted(value), 160)}"
        )


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _input(value: Any) -> Input:
    value = _object(value, "input")
    static = value.pop("held", False)
    _keys(value, {"name", "shape", "low", "high"}, "input")
    return Input(value["name"], _tupled(value["shape"]), value["low"], value["high"], static)


def _population(value: Any, models: Models) -> Population:
    value = _object(value, "population")
    coupling = value.pop("coupling", None)
    described = value.pop("homeostasis", None)
    own = None if described is None else _component(described, models, Homeostasis)
    _keys(value, {"name", "shape", "bias", "neuron"}, "population")
    neuron = _component(value["neuron"], models, Neuron)
    shape, bias = _tupled(value["shape"]), _tupled(value["bias"])
    return Population(value["name"], shape, neuron, bias, _coupling(coupling), own)


def _coupling(value: Any) -> WinnerTakeAll | None:
    if value is None:
        return None
    value = _object(value, "coupling")
    _keys(value, {"model", "steps"}, "coupling")
    if value["model"] != WinnerTakeAll.__name__:
        raise FileError(f"coupling must be {WinnerTakeAll.__name__!r}, not {shown(value['model'])}")
    return WinnerTakeAll(value["steps"])


def _learning(value: Any) -> LearningState | None:
    if value is None:
        return None
    value = _object(value, "learning")
    _keys(value, {"seed", "samples"}, "learning")
    return LearningState(value["seed"], value["samples"])


def _component(value: Any, models: Models, base: type[Component]) -> Any:
    """Return a neuron, or the dynamics of synapses that it has."""
    what = {Neuron: "neuron", Rule: "rule"}.get(base, "component")
    own = "rules" if base is Rule else "neurons"
    description = dict(_object(value, what))
    model = description.pop("model", None)
    known = sorted(name for name, kind in models.items() if issubclass(kind, base))
    if not isinstance(model, str) or model not in known:
        raise FileError(
            f"{what} model must be one of {known}, not {shown(model)}; hand the classes "
            f"of your own {own} to load(path, neurons=[...])"
        )
    required, optional = fields_in_file(models[model])
    _keys(description, required | (optional & set(description)), f"{what} {model}")
    values = {name: _field(item, models) for name, item in description.items()}
    return models[model](**thawed_fields(models[model], values))


def _field(value: Any, models: Models) -> Any:
    if isinstance(value, dict) and "model" in value:
        return _component(value, models, Component)
    if isinstance(value, dict):
        _keys(value, {"numerator", "bits"}, "decay")
        return Decay(_tupled(value["numerator"]), value["bits"])
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return tuple(_field(item, models) for item in value)
    return _tupled(value)


def _projection(
    value: Any,
    n: int,
    archive: Archive,
    unread: set[str],
    sizes: dict[str, int],
    models: Models,
) -> Projection:
    value = _object(value, "projection")
    described = value.pop("rule", None)
    rule = None if described is None else _component(described, models, Rule)
    shift, receptor = value.pop("shift", 0), value.pop("receptor", 0)
    geometry, pooled = value.pop("convolution", None), value.pop("pooling", None)
    _keys(value, {"name", "source", "target", "delay", "bits", "kind", "shape"}, "projection")
    kind, ends = value["kind"], (value["target"], value["source"])
    if not isinstance(kind, str) or kind not in SYNAPSES:
        raise FileError(f"kind of projection must be one of {sorted(SYNAPSES)}, not {shown(kind)}")
    for end in ends:
        if not isinstance(end, str) or end not in sizes:
            raise FileError(
                f"projection must join two of {shown(sorted(sizes), 160)}, not {shown(end)}"
            )
    shape = (sizes[ends[0]], sizes[ends[1]])
    pooling = None if pooled is None else _pooling(pooled)
    if pooling is not None:
        shape = pooling.source_size, shape[1]
    if (geometry is None) != (kind != "convolution"):
        raise FileError(f"projection of kind {kind!r} must state a convolution only if it is one")
    if value["shape"] != [*shape]:
        raise FileError(
            f"shape of projection {ends[1]!r} to {ends[0]!r} must be {[*shape]}, "
            f"not {shown(value['shape'])}"
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
    elif kind == "convolution":
        synapses = _convolution(geometry, _array(archive, f"kernel/{n}.npy", unread, None))
    else:
        synapses = Dense(_array(archive, name, unread, shape))
    options = (value["delay"], value["bits"], value["name"], shift, receptor, pooling, rule)
    return Projection(value["source"], value["target"], synapses, *options)


def _convolution(value: Any, kernel: np.ndarray) -> Convolution:
    value = _object(value, "convolution")
    _keys(value, {"shape", "stride", "padding", "dilation", "groups"}, "convolution")
    return Convolution(kernel, **{name: _tupled(item) for name, item in value.items()})


def _pooling(value: Any) -> MaxPooling:
    value = _object(value, "pooling")
    _keys(value, {"model", "shape", "size", "stride", "padding", "dilation"}, "pooling")
    if value.pop("model") != MaxPooling.__name__:
        raise FileError(f"pooling must be {MaxPooling.__name__!r}")
    return MaxPooling(**{name: _tupled(item) for name, item in value.items()})


def _readout(value: Any) -> Readout:
    value = _object(value, "readout")
    groups = value.pop("groups", None)
    _keys(value, {"name", "population", "kind"}, "readout")
    return Readout(value["population"], value["kind"], value["name"], groups)
