"""Folding of linear NIR nodes into connections: the input of each neuron."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from spiker_train.linear.compose import (
    Affine,
    AvgPool,
    Conv,
    Flatten,
    LinearMap,
    Scale,
    SumPool,
    allowing,
)
from spiker_train.linear.sparse import Entries

from .files import LINEAR, NEURONS, Flow, Leaf

__all__ = ["Terms", "flowing", "shapes_of"]

Shape = tuple[int, ...]
POINTWISE = {"Scale": "scale", "Delay": "delay"}


@dataclass(frozen=True)
class Path:
    """A matrix on spikes, and the linear nodes that were folded into it.

    Members
    -------
    entries : Entries
    maps : tuple of str
    unrolled : tuple of str
        Names of the convolutions and pooling among the nodes.
    """

    entries: Entries
    maps: tuple[str, ...] = ()
    unrolled: tuple[str, ...] = ()

    def beside(self, other: "Path") -> "Path":
        """Return the sum of two paths."""
        parts = [
            (entries.rows, entries.columns, entries.values)
            for entries in (self.entries, other.entries)
        ]
        return Path(
            Entries.of(parts, *self.entries.shape),
            tuple(dict.fromkeys(self.maps + other.maps)),
            tuple(dict.fromkeys(self.unrolled + other.unrolled)),
        )


@dataclass
class Terms:
    """The output of a node in a step: a sum of matrices on delayed spikes, and a constant.

    Members
    -------
    paths : dict of (str, int) to Path
        Matrices by the name of the source and its delay in steps.
    constant : array of float, shape (size,), or None
    """

    paths: dict[tuple[str, int], Path] = field(default_factory=dict)
    constant: np.ndarray | None = None

    def add(self, other: "Terms") -> None:
        """Add the output of another node."""
        for key, path in other.paths.items():
            self.paths[key] = self.paths[key].beside(path) if key in self.paths else path
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
    values, name = leaf.values, leaf.name
    if leaf.kind == "Affine":
        return Affine(values["weight"], values["bias"], name=name)
    if leaf.kind == "Linear":
        return Affine(values["weight"], name=name)
    if leaf.kind == "Scale":
        return Scale(values["scale"], name=name)
    if leaf.kind == "Flatten":
        return Flatten(*(_whole(leaf, key) for key in ("start_dim", "end_dim")), name=name)
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
            name=name,
        )
    pool = AvgPool if leaf.kind == "AvgPool2d" else SumPool
    kernel, stride, padding = (_whole(leaf, key) for key in ("kernel_size", "stride", "padding"))
    return pool(kernel, stride, padding, name=name)


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
        whole = Entries.diagonal(np.ones(prod(shapes[name])))
        out[name] = Terms({(source, 0): Path(whole)})
    into: dict[str, Terms] = {}
    for name in _linear_order(flow, sources):
        into[name] = terms = Terms()
        for before in flow.before[name]:
            terms.add(out[before])
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
    applied = Terms()
    if leaf.kind == "Delay":
        return _delayed(leaf, shape, terms, applied, dt)
    unrolls: tuple[str, ...] = ()
    if leaf.kind in {"Affine", "Linear"} and leaf.values["weight"].ndim > 2:
        entries, shift = _blocks(leaf)
    else:
        linear = linear_map(leaf)
        if linear.unrolls:
            unrolls = (str(leaf),)
            if (needed := linear.count(shape)) > limit:
                raise ValueError(
                    f"{leaf} must unroll into at most {limit} weights, not {needed} "
                    f"from {shape} to {linear.reach(shape, leaf.name)}{allowing(needed)}"
                )
        entries, shift = linear.unroll(shape)
    if leaf.kind == "Linear" and len(diagonal := _diagonal(entries)):
        entries = diagonal
    applied.paths = {
        key: Path(
            entries.after(path.entries, str(leaf)),
            (*path.maps, str(leaf)),
            (*path.unrolled, *unrolls),
        )
        for key, path in terms.paths.items()
    }
    if terms.constant is not None:
        applied.constant = entries.times(terms.constant)
    if shift is not None and shift.any():
        applied.constant = shift if applied.constant is None else applied.constant + shift
    return applied


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


def _delayed(leaf: Leaf, shape: Shape, terms: Terms, delayed: Terms, dt: float) -> Terms:
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
    delayed.constant = terms.constant
    for (source, late), path in terms.paths.items():
        all_of = path.entries
        for more in np.unique(steps).tolist():
            mine = (steps == more)[all_of.rows]
            part = Entries(
                all_of.rows[mine], all_of.columns[mine], all_of.values[mine], all_of.shape
            )
            if len(part):
                delayed_path = Path(part, (*path.maps, str(leaf)), path.unrolled)
                delayed.add(Terms({(source, late + more): delayed_path}))
    return delayed
