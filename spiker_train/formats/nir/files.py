"""Nodes and edges of a NIR graph or file, with all subgraphs opened."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np

from spiker_hdl.base import FileError, reader, shown
from spiker_hdl.base.files.hdf5 import read_hdf5

__all__ = ["LINEAR", "NEURONS", "Flow", "Leaf", "read_flow"]

GRAPH = "NIRGraph"
NEURONS = {
    "I": ("r",),
    "IF": ("r", "v_threshold", "v_reset"),
    "LI": ("tau", "r", "v_leak"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
    "Threshold": ("threshold",),
}
"""Nodes with a state or a threshold, and the parameters of each."""

LINEAR = {
    "Affine": ("weight", "bias"),
    "Linear": ("weight",),
    "Scale": ("scale",),
    "Delay": ("delay",),
    "Flatten": ("start_dim", "end_dim", "input_type"),
    "Conv1d": ("weight", "bias", "stride", "padding", "dilation", "groups", "input_shape"),
    "Conv2d": ("weight", "bias", "stride", "padding", "dilation", "groups", "input_shape"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
}
"""Nodes that are linear maps or delays, and the parameters of each."""

ENDS = {"Input": ("shape",), "Output": ("shape",)}
PARAMETERS = NEURONS | LINEAR | ENDS
# Parameters that files of older versions leave out, and their values.
ABSENT = {"v_reset": 0.0, "w_in": 1.0, "input_shape": None, "input_type": None, "shape": None}
ABSENT |= {"start_dim": 1, "end_dim": -1}
BESIDES = {"type", "metadata", "version"}


@dataclass
class Leaf:
    """A node that is not a graph.

    Members
    -------
    name : str
        Names of the graphs that contain the node, and its own, joined by dots.
    kind : str
        Type of the node, such as ``"LIF"``.
    values : dict of str to array of float, str or None
        Parameters by name.
    precision : float
        Relative rounding error of the least precise parameter.
    """

    name: str
    kind: str
    values: dict[str, Any]
    precision: float

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"


@dataclass
class Flow:
    """Nodes and connections, with all subgraphs opened.

    Members
    -------
    leaves : dict of str to Leaf
    before : dict of str to list of str
        Names of the nodes whose outputs a node sums.
    outer : list of str
        Names of the inputs and outputs of the whole graph.
    """

    leaves: dict[str, Leaf] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)
    outer: list[str] = field(default_factory=list)

    def after(self) -> dict[str, list[str]]:
        """Return the names of the targets of each node."""
        targets: dict[str, list[str]] = {name: [] for name in self.leaves}
        for name, sources in self.before.items():
            for source in sources:
                targets[source].append(name)
        return targets


def read_flow(source: Any) -> Flow:
    """Read a NIR graph, or the file of one.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If it is not a NIR graph that can be read, with the names of node and parameter.
    """
    import nir

    if isinstance(source, str | PathLike):
        tree = _read_file(fspath(source))
        where = f"File {fspath(source)!r}"
    elif isinstance(source, nir.NIRGraph):
        tree, where = _tree(source), "Graph"
    else:
        raise TypeError(f"Source must be a NIRGraph or the path of a file, not {source!r}")
    flow = Flow()
    if not isinstance(tree, Mapping) or _text(tree.get("type")) != GRAPH:
        kind = _text(tree.get("type")) if isinstance(tree, Mapping) else tree
        raise ValueError(f"{where} must hold a {GRAPH}, not {kind!r}")
    edges: list[tuple[str, str]] = []
    _open(tree, "", where, flow, edges)
    for a, b in edges:
        flow.before[b].append(a)
    return flow


def _tree(node: Any) -> dict[str, Any]:
    # to_dict of the whole graph would copy every weight.
    kind = type(node).__name__
    if kind == GRAPH:
        nodes = {name: _tree(child) for name, child in node.nodes.items()}
        return {"type": kind, "nodes": nodes, "edges": list(node.edges)}
    values = {name: value for name, value in vars(node).items() if name != "output_type"}
    shape = values.pop("input_type", None)
    if kind in ENDS:
        values["shape"] = shape.get("input") if isinstance(shape, Mapping) else shape
    if kind == "Flatten":
        values["input_type"] = shape.get("input") if isinstance(shape, Mapping) else shape
    return values | {"type": kind}


@reader("a NIR file, in HDF5", "hdf5")
def _read_file(path: str) -> Any:
    tree = read_hdf5(path)
    if "node" not in tree:
        raise FileError(f"must have a node, not {shown(sorted(tree), 160)}")
    return tree["node"]


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf8", "replace")
    return value


def _open(
    tree: Mapping, prefix: str, where: str, flow: Flow, edges: list[tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """Add the nodes of a graph, and return the names of its inputs and outputs."""
    graph = f"graph {prefix[:-1]!r}" if prefix else where
    if not isinstance(tree.get("nodes"), Mapping) or "edges" not in tree:
        raise ValueError(f"{_capital(graph)} must have nodes and edges, not {sorted(tree)}")
    inlets: dict[str, list[str]] = {}
    outlets: dict[str, list[str]] = {}
    ends: dict[str, list[str]] = {"Input": [], "Output": []}
    for label, node in tree["nodes"].items():
        name = f"{prefix}{label}"
        kind = _text(node.get("type")) if isinstance(node, Mapping) else None
        if kind == GRAPH:
            inlets[label], outlets[label] = _open(node, f"{name}.", where, flow, edges)
            continue
        leaf = _leaf(name, kind, node)
        if name in flow.leaves:
            raise ValueError(f"Node {name!r} must be there once, not twice")
        flow.leaves[name] = leaf
        flow.before[name] = []
        inlets[label] = outlets[label] = [name]
        if kind in ends:
            ends[kind].append(name)
            if not prefix:
                flow.outer.append(name)
    for (a, b), times in Counter(_edges(tree["edges"], graph)).items():
        for end in (a, b):
            if end not in inlets:
                raise ValueError(
                    f"Edge {a!r} to {b!r} of {graph} must join nodes that are there, not {end!r}"
                )
        if times > 1:
            raise ValueError(f"Edge {a!r} to {b!r} of {graph} must be there once, not {times}")
        sides = ("Output", a, outlets[a]), ("Input", b, inlets[b])
        for what, label, matches in sides:
            if len(matches) != 1:
                raise ValueError(
                    f"Graph {prefix + label!r} must have one {what} node to be connected, "
                    f"not {len(matches)}"
                )
        edges.append((outlets[a][0], inlets[b][0]))
    return ends["Input"], ends["Output"]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _edges(edges: Any, graph: str) -> list[tuple[str, str]]:
    try:
        return [(str(_text(a)), str(_text(b))) for a, b in edges]
    except (TypeError, ValueError):
        raise ValueError(f"Edges of {graph} must be pairs of names, not {edges!r}") from None


def _leaf(name: str, kind: Any, node: Any) -> Leaf:
    if kind not in PARAMETERS:
        known = ", ".join(sorted(PARAMETERS))
        raise ValueError(f"Node {name!r} must be a {GRAPH} or one of {known}, not {kind!r}")
    parameters = PARAMETERS[kind]
    for key in set(node) - set(parameters) - BESIDES:
        raise ValueError(
            f"{kind} {name!r} must have the parameters {', '.join(parameters)}, not {key!r}"
        )
    values: dict[str, Any] = {}
    precision = float(np.finfo(np.float64).eps)
    for key in parameters:
        if key not in node and key not in ABSENT:
            raise ValueError(f"{kind} {name!r} must have the parameter {key!r}")
        value = node.get(key, ABSENT.get(key))
        if value is None and key in ABSENT and ABSENT[key] is None:
            values[key] = None
            continue
        if key == "padding" and isinstance(value, str | bytes):
            values[key] = _text(value)
            continue
        values[key], rounding = _numbers(f"{key} of {kind} {name!r}", value)
        precision = max(precision, rounding)
    leaf = Leaf(name, kind, values, precision)
    if kind in NEURONS:
        _check_shapes(leaf)
    return leaf


def _numbers(what: str, value: Any) -> tuple[np.ndarray, float]:
    """Return finite numbers in double precision, and the rounding error of their format."""
    if hasattr(value, "detach"):  # exporters leave tensors in the graph
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise ValueError(f"{what} must be numbers, not {value!r}")
    rounding = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite, not {array[~np.isfinite(array)].reshape(-1)[0]}")
    return array, rounding


def _check_shapes(leaf: Leaf) -> None:
    """Refuse parameters of different shapes, except single numbers for all neurons."""
    shapes = {parameter: value.shape for parameter, value in leaf.values.items() if value.size != 1}
    first = next(iter(shapes), "")
    for parameter, shape in shapes.items():
        if shape != shapes[first]:
            raise ValueError(
                f"{parameter} of {leaf} must have the shape {shapes[first]} of its {first}, not "
                f"{shape}"
            )
        if 0 in shape:
            raise ValueError(f"{parameter} of {leaf} must have a value, not the shape {shape}")
