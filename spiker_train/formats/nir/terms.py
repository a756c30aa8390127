"""Folding of linear NIR nodes into connections: the input of each neuron."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from spiker_train.linear.compose import (
    UNROLLED,
    Affine,
    AvgPool,
    Chain,
    Conv,
    Flatten,
    LinearMap,
    Scale,
    SumPool,
    shifted,
    sum_of,
)
from spiker_train.linear.sparse import Entries

from .files import LINEAR, NEURONS, Flow, Leaf

__all__ = ["Terms", "flowing", "shapes_of"]

Shape = tuple[int, ...]
POINTWISE = {"Scale": "scale", "Delay": "delay"}


@dataclass
class Terms:
    """The output of a node in a step: a sum of linear maps of delayed spikes, and a constant.

    Members
    -------
    paths : dict of (str, int) to Chain
        Linear maps by the name of the source and its delay in steps.
    constant : array of float, shape (size,), or None
    """

    paths: dict[tuple[str, int], Chain] = field(default_factory=dict)
    constant: np.ndarray | None = None

    def add(self, other: "Terms", limit: int = UNROLLED) -> None:
        """Add the output of another node."""
        for key, path in other.paths.items():
            before = self.paths.get(key)
            self.paths[key] = path if before is None else sum_of([before, path], limit)
        if other.constant is not None:
            mine = 0.0 if self.constant is None else self.constant
            self.constant = other.constant + mine


def shapes_of(flow: Flow) -> dict[str, Shape]:
    """Return the shape of the output of each node.

    Raises
    ------
    ValueError
        If shapes do not fit, or one cannot be inferred.
    """
    after = flow.after()
    shapes: dict[str, Shape] = {}
    waiting = []
    for name, leaf in flow.leaves.items():
        shape = _declared(leaf)
        if shape is not None:
            shapes[name] = shape
            waiting.append(name)
    while waiting:
        name = waiting.pop()
        for target in after[name]:
            if target not in shapes:
                shapes[target] = _reached(flow.leaves[target], shapes[name], name)
                waiting.append(target)
    for name, leaf in flow.leaves.items():
        if name not in shapes:
            raise ValueError(f"Shape of {leaf} must be known, from its parameters or its input")
    for name, leaf in flow.leaves.items():
        for source in flow.before[name]:
            if _reached(leaf, shapes[source], source) != shapes[name]:
                raise ValueError(
                    f"Input of {leaf} must have one shape, not also {shapes[source]} of {source!r}"
                )
    return shapes


def _declared(leaf: Leaf) -> Shape | None:
    """Return the output shape that a node itself declares, or None."""
    if leaf.kind in {"Input", "Output"}:
        shape = leaf.values["shape"]
        if shape is None:
            return None
        shape = shape.reshape(-1)
        if (shape < 1).any() or (shape != np.round(shape)).any():
            raise ValueError(f"shape of {leaf} must be positive integers, not {shape.tolist()}")
        return tuple(int(size) for size in shape)
    if leaf.kind in NEURONS or leaf.kind in POINTWISE:
        wide = [value.shape for value in leaf.values.values() if value.size > 1]
        return wide[0] if wide else None
    if leaf.kind in {"Affine", "Linear"}:
        weight = leaf.values["weight"]
        if weight.ndim < 2:
            raise ValueError(f"weight of {leaf} must have 2 axes, not the shape {weight.shape}")
        return weight.shape[:-1]
    return None


def _reached(leaf: Leaf, shape: Shape, before: str) -> Shape:
    """Return the shape of the output for an input of a shape."""
    declared = _declared(leaf)
    if leaf.kind in {"Affine", "Linear"}:
        weight = leaf.values["weight"]
        expected = (*weight.shape[:-2], weight.shape[-1])
        if shape != expected:
            raise _not_met(leaf, expected, shape, before)
        return weight.shape[:-1]
    if leaf.kind in LINEAR and leaf.kind not in POINTWISE:
        return linear_map(leaf).reach(shape, repr(before))
    if declared is not None and declared != shape:
        raise _not_met(leaf, declared, shape, before)
    return shape


def _not_met(leaf: Leaf, expected: Shape, shape: Shape, before: str) -> ValueError:
    return ValueError(f"Input of {leaf} must have the shape {expected}, not {shape} of {before!r}")


def linear_map(leaf: Leaf) -> LinearMap:
    """Return the linear map of a node."""
    values = leaf.values
    named: dict[str, Any] = {"name": leaf.name, "kind": leaf.kind}
    if leaf.kind == "Affine":
        return Affine(values["weight"], values["bias"], **named)
    if leaf.kind == "Linear":
        return Affine(values["weight"], **named)
    if leaf.kind == "Scale":
        return Scale(values["scale"], **named)
    if leaf.kind == "Flatten":
        return Flatten(*(_whole(leaf, key) for key in ("start_dim", "end_dim")), **named)
    if leaf.kind.startswith("Conv"):
        weight = values["weight"]
        if weight.ndim != int(leaf.kind[4]) + 2:
            raise ValueError(
                f"weight of {leaf} must have {int(leaf.kind[4]) + 2} axes, "
                f"not the shape {weight.shape}"
            )
        padding = values["padding"]
        return Conv(
            weight,
            values["bias"].reshape(-1),
            stride=_whole(leaf, "stride"),
            padding=padding if isinstance(padding, str) else _whole(leaf, "padding"),
            dilation=_whole(leaf, "dilation"),
            groups=_whole(leaf, "groups"),
            **named,
        )
    pool = AvgPool if leaf.kind == "AvgPool2d" else SumPool
    kernel, stride, padding = (_whole(leaf, key) for key in ("kernel_size", "stride", "padding"))
    return pool(kernel, stride, padding, **named)


def _whole(leaf: Leaf, what: str) -> Any:
    value = leaf.values[what]
    if isinstance(value, str) or value.size > 2 or (value != np.round(value)).any():
        shown = value if isinstance(value, str) else value.tolist()
        raise ValueError(f"{what} of {leaf} must be one or two whole numbers, not {shown!r}")
    many = tuple(int(element) for element in value.reshape(-1))
    return many[0] if len(many) == 1 else many


def flowing(
    flow: Flow, shapes: Mapping[str, Shape], sources: Mapping[str, str], dt: float, limit: int
) -> dict[str, Terms]:
    """Return the input of each node.

    Parameters
    ----------
    flow : Flow
    shapes : mapping of str to tuple of int
        Shape of the output of each node.
    sources : mapping of str to str
        Nodes whose outputs are spikes, and the name of the input or layer that has them.
    dt : float
        Time of a step.
    limit : int
        Greatest number of weights that a convolution or pooling may be unrolled into.

    Raises
    ------
    ValueError
        If linear nodes form a cycle, a delay is no multiple of a step, or a convolution is too
        large.
    """
    out: dict[str, Terms] = {}
    for name, source in sources.items():
        out[name] = Terms({(source, 0): Chain.over(shapes[name])})
    into: dict[str, Terms] = {}
    for name in _linear_order(flow, sources):
        into[name] = terms = Terms()
        for before in flow.before[name]:
            terms.add(out[before], limit)
        if name not in out:
            shape = shapes[flow.before[name][0]] if flow.before[name] else shapes[name]
            out[name] = _applied(flow.leaves[name], shape, terms, dt, limit)
    return into


def _linear_order(flow: Flow, sources: Mapping[str, str]) -> list[str]:
    """Return all nodes in an order in which each follows the linear nodes that feed it."""
    linear = [label for label in flow.leaves if label not in sources]
    left = {label: sum(s not in sources for s in flow.before[label]) for label in flow.leaves}
    after = flow.after()
    ready = [label for label in linear if not left[label]]
    order = []
    while ready:
        name = ready.pop()
        order.append(name)
        for target in after[name]:
            left[target] -= 1
            if not left[target] and target not in sources:
                ready.append(target)
    if len(order) < len(linear):
        ring = _ring(flow, set(linear) - set(order))
        raise ValueError(
            "A cycle must pass a neuron, and so a step of time, not only " + " -> ".join(ring)
        )
    return order + [label for label in flow.leaves if label in sources]


def _ring(flow: Flow, within: set[str]) -> list[str]:
    # Each node is fed by another of them, so that a walk backwards meets a node again.
    path = [min(within)]
    while True:
        name = next(source for source in flow.before[path[-1]] if source in within)
        if name in path:
            return [*path[path.index(name) :], name][::-1]
        path.append(name)


def _applied(leaf: Leaf, shape: Shape, terms: Terms, dt: float, limit: int) -> Terms:
    """Return the output of a linear node for its input."""
    if leaf.kind in {"Input", "Output"}:
        return terms
    if leaf.kind == "Delay":
        return _delayed(leaf, shape, terms, dt, limit)
    linear = _matrix(leaf, shape) if leaf.kind in {"Affine", "Linear"} else linear_map(leaf)
    applied = Terms({key: path.then(linear, shape, limit) for key, path in terms.paths.items()})
    constant = shifted(linear, shape, terms.constant)
    if terms.constant is not None or (constant is not None and constant.any()):
        applied.constant = constant
    return applied


@dataclass(eq=False)
class _Matrix(LinearMap):
    """A matrix on all values."""

    entries: Entries
    bias: np.ndarray | None = None

    def unroll(self, shape: Shape) -> tuple[Entries, np.ndarray | None]:
        return self.entries, self.bias

    def shift(self, shape: Shape) -> np.ndarray | None:
        return self.bias


def _matrix(leaf: Leaf, shape: Shape) -> LinearMap:
    """Return the linear map of a matrix, or of a stack of matrices."""
    linear = linear_map(leaf) if leaf.values["weight"].ndim == 2 else None
    entries, bias = _blocks(leaf) if linear is None else linear.unroll(shape)
    if leaf.kind == "Linear" and len(diagonal := _diagonal(entries)):
        return Scale(diagonal.values.reshape(shape), name=leaf.name, kind=leaf.kind)
    return linear or _Matrix(entries, bias, name=leaf.name, kind=leaf.kind)


def _blocks(leaf: Leaf) -> tuple[Entries, np.ndarray | None]:
    """Return one matrix for a stack of matrices, each for its own part of the input."""
    weight = leaf.values["weight"]
    stack = weight.reshape(-1, *weight.shape[-2:])
    blocks, rows, columns = stack.shape
    at = Entries.full(stack[0]).repeated(blocks)
    shape = blocks * rows, blocks * columns
    bias = leaf.values.get("bias")
    if bias is not None:
        if bias.shape != weight.shape[:-1]:
            raise ValueError(
                f"bias of {leaf} must have the shape {weight.shape[:-1]}, not {bias.shape}"
            )
        bias = bias.reshape(-1)
    return Entries(at.rows, at.columns, stack.reshape(-1), shape), bias


def _diagonal(entries: Entries) -> Any:
    """Return the entries of a diagonal matrix without zeros; empty for another matrix."""
    rows, columns = entries.shape
    beside = entries.rows != entries.columns
    if rows != columns or rows == 1 or entries.values[beside].any():
        return ()
    return Entries.diagonal(entries.values[~beside]) if (~beside).sum() == rows else ()


def _delayed(leaf: Leaf, shape: Shape, terms: Terms, dt: float, limit: int) -> Terms:
    delays = np.broadcast_to(leaf.values["delay"].reshape(-1), prod(shape))
    steps = np.round(delays / dt).astype(np.int64)
    off = np.abs(steps * dt - delays) > 1e-5 * dt
    if (delays < 0).any() or off.any():
        bad = delays[(delays < 0) | off][0]
        raise ValueError(f"delay of {leaf} must be a multiple of dt = {dt}, not {bad}")
    if terms.constant is not None and terms.constant[steps > 0].any():
        raise ValueError(
            f"{leaf} must delay spikes alone, not a bias of the nodes before it, which would "
            "begin late"
        )
    delayed = Terms(constant=terms.constant)
    for (source, late), path in terms.paths.items():
        named = replace(path, maps=(*path.maps, str(leaf)))
        if (steps == steps[:1]).all():
            delayed.add(Terms({(source, late + int(steps[0])): named}), limit)
            continue
        all_of = named.unroll(f"{leaf} has several delays", limit)
        entries = all_of.operator
        assert isinstance(entries, Entries)
        for more in np.unique(steps).tolist():
            mine = (steps == more)[entries.rows]
            part = Entries(
                entries.rows[mine], entries.columns[mine], entries.values[mine], entries.shape
            )
            if len(part):
                delayed_path = replace(all_of, operator=part)
                delayed.add(Terms({(source, late + more): delayed_path}), limit)
    return delayed
