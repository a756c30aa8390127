"""Files of floating-point networks, such as imported ones that are to be quantised.

A file is in the safetensors format, which has arrays and strings and cannot contain code. The
floating-point values are arrays, and the graph is JSON in the metadata. Surrogate gradients are not
saved.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save as pack_arrays

from spiker_hdl.base import FileError, reader, shown, strict_json
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.model import DYNAMICS, MODELS, Component, Decay, Input, Neuron, Readout
from spiker_hdl.model.canonical import frozen_fields, thawed_fields
from spiker_train.formats.tensor_files import read_safetensors
from spiker_train.network.cell import Cell, IntegerCell
from spiker_train.network.convolution import MaxPool, Window
from spiker_train.network.coupling import WinnerTakeAll
from spiker_train.network.layers import Connection, Layer, check_finite
from spiker_train.network.network import SpikingNetwork, check_network
from spiker_train.network.synapse_kinds import SYNAPSE_KINDS, SynapseKind
from spiker_train.network.time import Duration, Tau

from .timed_files import frozen_kind, frozen_time, thawed_kind, thawed_time

__all__ = ["FORMAT", "SUFFIX", "load_floating_point", "save_floating_point"]

FORMAT = "spiker-real-network"
VERSIONS = (1, 2)
"""Versions of the format: 2 is that of a network with times in seconds, dynamics, a coupling or a
convolution."""
SUFFIX = ".safetensors"


def save_floating_point(net: SpikingNetwork, path: str | Path) -> None:
    """Write a floating-point network to one file, whole or not at all.

    Parameters
    ----------
    net : SpikingNetwork
    path : str or Path

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If a weight or parameter is not finite.
    TypeError
        If a layer has a setting that JSON cannot hold.
    """
    check_network(net)
    check_finite(net.layers, net.connections)
    arrays: dict[str, np.ndarray] = {}
    graph = {
        "version": 1 + (net.dt is not None or net.has_seconds or _has_later(net)),
        "name": net.name,
        "inputs": [
            {what: getattr(declared, what) for what in ("name", "shape", "low", "high")}
            | {"held": declared.static}
            for declared in net.inputs
        ],
        "layers": [_layer(layer, n, arrays) for n, layer in enumerate(net.layers)],
        "connections": [
            _connection(connection, n, arrays) for n, connection in enumerate(net.connections)
        ],
        "readouts": [
            {"population": readout.population, "kind": readout.kind, "name": readout.name}
            | ({} if readout.groups is None else {"groups": readout.groups})
            for readout in net.readouts
        ],
    } | ({} if net.dt is None else {"dt": net.dt})
    # One string, since safetensors writes several in no fixed order.
    data = pack_arrays(arrays, metadata={FORMAT: json.dumps(graph)})
    with write_whole(path) as file:
        file.write(data)


def _has_later(net: SpikingNetwork) -> bool:
    """Tell whether a network has what only the second version of the format has."""
    return any(
        c.dynamics is not None or c.receptor or c.kind == "convolution" for c in net.connections
    ) or any(
        layer.coupling is not None or (layer.cell.emits and not layer.cell.spiking)
        for layer in net.layers
    )


def _layer(layer: Layer, n: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    cell = layer.cell
    if layer.bias is not None:
        arrays[f"biases/{n}"] = layer.bias.detach().cpu().numpy()
    content: dict[str, Any] = {"name": layer.name, "shape": layer.shape}
    content |= {"bias": layer.bias is not None} | _coupling(layer)
    if not isinstance(cell, Cell):
        return content | _integer_cell(layer, cell)
    unsaved = _at_later_default(cell)
    for declared in fields(cell.kind):
        if declared.name in unsaved:
            continue
        if f"float_{declared.name}" in {**cell._buffers, **cell._parameters}:
            value = getattr(cell, f"float_{declared.name}").detach().cpu()
            arrays[f"layers/{n}/{declared.name}"] = value.numpy()
    settings = {name: value for name, value in cell.settings.items() if name not in unsaved}
    for name, value in settings.items():
        if value is not None and type(value) not in {bool, int, float, str}:
            raise TypeError(
                f"Layer {layer.name!r}: {cell.kind.__name__} {name} must be a number, a string or "
                f"None to be saved, not {value!r}"
            )
    return (
        content
        | {
            "model": cell.kind.__name__,
            "settings": frozen_fields(cell.kind, settings),
            "exact": {
                name: {"numerator": decay.numerator, "bits": decay.bits}
                for name, decay in cell.exact.items()
            },
            "learn": cell.learned,
            "unit": cell.unit,
        }
        | _seconds(cell)
    )


def _coupling(layer: Layer) -> dict[str, Any]:
    """Return the coupling of a layer, as values that JSON can hold."""
    if layer.coupling is None:
        return {}
    time = layer.coupling.inhibition
    inhibition = frozen_time(time) if isinstance(time, Duration) else time
    return {"coupling": {"model": type(layer.coupling).__name__, "inhibition": inhibition}}


def _read_coupling(text: dict[str, Any]) -> WinnerTakeAll | None:
    if "coupling" not in text:
        return None
    model, inhibition = text["coupling"]["model"], text["coupling"]["inhibition"]
    if model != WinnerTakeAll.__name__:
        raise FileError(f"must have a coupling of {WinnerTakeAll.__name__!r}, not {shown(model)}")
    time: Any = thawed_time(inhibition) if isinstance(inhibition, dict) else inhibition
    return WinnerTakeAll(time)


def _seconds(cell: Cell) -> dict[str, Any]:
    """Return the times of a cell, as values that JSON can hold."""
    times = {
        # What is learned is an array, the logarithm of the time constant.
        name: {"method": tau.method} if name in cell.learned else frozen_time(tau)
        for name, tau in cell.taus.items()
    }
    times |= {name: frozen_time(duration) for name, duration in cell.durations.items()}
    return {"seconds": times} if times else {}


def _at_later_default(cell: Cell) -> set[str]:
    """Return the fields that are newer than the format and have their defaults, and so are omitted.

    Files of networks without them stay as they were.
    """
    names = set()
    for declared in fields(cell.kind):
        name = declared.name
        if declared.metadata.get("later", 0) < 2 or name in cell.learned:
            continue  # all files of this format have it
        value = cell.settings[name] if name in cell.settings else cell.value(name)
        if np.ndim(value) == 0 and value == declared.default:
            names.add(name)
    return names


def _integer_cell(layer: Layer, cell: IntegerCell) -> dict[str, Any]:
    """Return the description of integer neurons, as values that JSON can hold."""
    return {
        "model": cell.kind.__name__,
        "integers": _integers(cell.fixed, f"Layer {layer.name!r}"),
        "scale": cell.scale,
        "unit": cell.unit,
    }


def _integers(component: Component, what: str) -> dict[str, Any]:
    """Return the fields of a component in integers, as values that JSON can hold."""
    values: dict[str, Any] = {}
    for declared in fields(component):
        if not declared.init:
            continue
        value = getattr(component, declared.name)
        if declared.metadata.get("later", 0) > 1 and value == declared.default:
            continue
        if isinstance(value, Component):
            value = {"model": type(value).__name__, "integers": _integers(value, what)}
        if isinstance(value, Decay):
            value = {"numerator": value.numerator, "bits": value.bits}
        elements = value if isinstance(value, tuple) else (value,)
        if not all(
            element is None or type(element) in {bool, int, float, str, dict}
            for element in elements
        ):
            raise TypeError(
                f"{what}: {type(component).__name__} {declared.name} "
                "must be numbers, a string "
                f"or None to be saved, not {value!r}"
            )
        values[declared.name] = value
    return frozen_fields(type(component), values)


def _connection(connection: Connection, n: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    arrays[f"weights/{n}"] = connection.weights.detach().cpu().contiguous().numpy()
    if connection.mask is not None:
        arrays[f"masks/{n}"] = connection.mask.cpu().contiguous().numpy()
    members = ("name", "source", "target", "delay", "kind")
    grid = {} if connection.grid is None else {"grid": connection.grid}
    text = {name: getattr(connection, name) for name in members} | grid
    if connection.receptor:
        text["receptor"] = connection.receptor
    for part in ("window", "pooling"):
        if getattr(connection, part) is not None:
            text[part] = asdict(getattr(connection, part))
    if isinstance(connection.delay, Duration):
        text["delay"] = frozen_time(connection.delay)
    if connection.dynamics is not None:
        text["dynamics"] = frozen_kind(connection.dynamics, f"dynamics/{n}", arrays)
    for name, value in connection.learned.items():
        arrays[f"learned/{n}/{name}"] = value.detach().cpu().numpy()
    return text


def load_floating_point(
    path: str | Path,
    *,
    neurons: Iterable[type[Neuron]] = (),
    synapse_kinds: Iterable[type[SynapseKind]] = (),
) -> SpikingNetwork:
    """Read a floating-point network.

    Parameters
    ----------
    path : str or Path
    neurons : iterable of type
        User-defined neuron classes that the file may name, since reading never imports modules.
    synapse_kinds : iterable of type
        User-defined synapse kinds that the file may name.

    Raises
    ------
    FileError
        If the file is of another kind, is truncated, or describes no valid network.
    OSError
        If it cannot be read.
    """
    kinds = {**SYNAPSE_KINDS, **{kind.__name__: kind for kind in synapse_kinds}}
    return _read(path, {**MODELS, **{neuron.__name__: neuron for neuron in neurons}}, kinds)


@reader(f"a {SUFFIX} file of a network", "safetensors")
def _read(
    path: str | Path, models: dict[str, type[Neuron]], kinds: dict[str, type[SynapseKind]]
) -> SpikingNetwork:
    metadata, tensors = read_safetensors(path)
    if FORMAT not in metadata:
        raise FileError(f"must say of itself {FORMAT!r}, not {shown(sorted(metadata))}")
    graph = strict_json.parse_object(metadata[FORMAT], 2**26)
    arrays = {name: array.numpy() for name, array in tensors.items()}
    return _network(graph, arrays, models, kinds)


def _network(
    graph: dict[str, Any],
    arrays: dict[str, np.ndarray],
    models: dict[str, type[Neuron]],
    kinds: dict[str, type[SynapseKind]],
) -> SpikingNetwork:
    if type(graph["version"]) is not int or graph["version"] not in VERSIONS:
        raise FileError(f"must be of version 1 or 2, not {shown(graph['version'])}")
    net = SpikingNetwork(
        [
            Input(x["name"], _shape(x["shape"]), x["low"], x["high"], x["held"])
            for x in graph["inputs"]
        ],
        [_read_layer(x, n, arrays, models) for n, x in enumerate(graph["layers"])],
        [_read_connection(x, n, arrays, kinds) for n, x in enumerate(graph["connections"])],
        [
            Readout(x["population"], x["kind"], x["name"], x.get("groups"))
            for x in graph["readouts"]
        ],
        name=graph["name"],
        dt=graph.get("dt"),
    )
    _read_learned(net, arrays)
    if arrays:
        raise FileError(f"must have no array of its own, not {shown(sorted(arrays), 160)}")
    return net


def _read_learned(net: SpikingNetwork, arrays: dict[str, np.ndarray]) -> None:
    """Take the values that dynamics learn, which a time in whole picoseconds does not have all."""
    for n, connection in enumerate(net.connections):
        for name, parameter in connection.learned.items():
            array = arrays.pop(f"learned/{n}/{name}")
            if array.shape != tuple(parameter.shape):
                raise FileError(
                    f"must have learned {name} of {connection.name!r} of shape "
                    f"{tuple(parameter.shape)}, not {array.shape}"
                )
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(array))
    check_finite(net.layers, net.connections)


def _shape(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read_layer(
    text: dict[str, Any], n: int, arrays: dict[str, np.ndarray], models: dict[str, type[Neuron]]
) -> Layer:
    if text["model"] not in models:
        raise FileError(
            f"must name neurons of {sorted(models)}, not {shown(text['model'])}; hand the classes "
            "of your own to load_floating_point(path, neurons=[...])"
        )
    bias = arrays.pop(f"biases/{n}") if text["bias"] else False
    if "integers" in text:
        cell = _read_integers(text, models)
        return Layer(text["name"], _shape(text["shape"]), cell, bias, _read_coupling(text))
    start = f"layers/{n}/"
    keys = {name.removeprefix(start): name for name in [*arrays] if name.startswith(start)}
    values: dict[str, Any] = {what: arrays.pop(name) for what, name in keys.items()}
    exact = {
        name: Decay(_shape(decay["numerator"]), decay["bits"])
        for name, decay in text["exact"].items()
    }
    model = models[text["model"]]
    values = thawed_fields(model, text["settings"]) | values | exact
    for name, time in text.get("seconds", {}).items():
        if "picoseconds" in time:
            values[name] = thawed_time(time)
        else:  # learned: the array is the logarithm of the time constant
            values[name] = Tau(np.exp(values[name].astype(np.float64)), time["method"])
    cell = Cell(model, learn=text["learn"], unit=text["unit"], **values)
    return Layer(text["name"], _shape(text["shape"]), cell, bias, _read_coupling(text))


def _read_integers(text: dict[str, Any], models: dict[str, Any]) -> IntegerCell:
    neuron = _read_component(text, {**DYNAMICS, **models})
    return IntegerCell(neuron, scale=text["scale"], unit=text["unit"])


def _read_component(text: dict[str, Any], models: dict[str, type[Component]]) -> Any:
    def read(value: Any) -> Any:
        if isinstance(value, dict) and "model" in value:
            return _read_component(value, models)
        if isinstance(value, dict):
            return Decay(_shape(value["numerator"]), value["bits"])
        return _shape(value)

    model = models[text["model"]]
    values = {name: read(value) for name, value in text["integers"].items()}
    return model(**thawed_fields(model, values))


def _read_connection(
    text: dict[str, Any],
    n: int,
    arrays: dict[str, np.ndarray],
    kinds: dict[str, type[SynapseKind]],
) -> Connection:
    mask = arrays.pop(f"masks/{n}") if text["kind"] == "sparse" else None
    weights = torch.from_numpy(arrays.pop(f"weights/{n}"))
    options = {"delay": text["delay"], "kind": text["kind"], "name": text["name"]}
    options["grid"] = text.get("grid")
    options["receptor"] = text.get("receptor", 0)
    for part, kind in (("window", Window), ("pooling", MaxPool)):
        if part in text:
            options[part] = kind(**text[part])
    if isinstance(text["delay"], dict):
        options["delay"] = thawed_time(text["delay"])
    if "dynamics" in text:
        options["dynamics"] = thawed_kind(text["dynamics"], f"dynamics/{n}", arrays, kinds)
    return Connection(text["source"], text["target"], weights, mask=mask, **options)
