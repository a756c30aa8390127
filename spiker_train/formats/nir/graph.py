"""The network that a NIR graph is: layers, connections and readouts of its nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch

from spiker_hdl.model import Input, Integrator, Readout
from spiker_train.linear.compose import Folded
from spiker_train.linear.sparse import Entries
from spiker_train.network.cell import Cell
from spiker_train.network.layers import Connection, Layer
from spiker_train.network.network import SpikingNetwork

from .files import NEURONS, Flow, Leaf
from .rules import Rules, Stepped
from .terms import Terms, flowing, shapes_of

__all__ = ["Reader"]

Shape = tuple[int, ...]
ENDS = ("Input", "Output")
INTEGRATORS = ("I", "LI", "CubaLI")
POTENTIAL = ".v"  # behind the name of a layer: its potentials, not its spikes


@dataclass
class _Link:
    source: str
    target: str
    delay: int
    folded: Folded


@dataclass
class Reader:
    """What makes a network of nodes and their connections.

    Members
    -------
    flow : Flow
    rules : Rules
    values : (int, int)
        Range of the inputs' values.
    limit : int
        Weights that a convolution or pooling may be unrolled into.
    lines, unrolled : list of str
        What a report says.
    """

    flow: Flow
    rules: Rules
    values: tuple[int, int]
    limit: int
    lines: list[str] = field(default_factory=list)
    unrolled: list[str] = field(default_factory=list)

    def network(self, readout: str | None, name: str, dtype: torch.dtype) -> SpikingNetwork:
        """Make the network."""
        flow, leaves = self.flow, self.flow.leaves
        _check_reached(flow)
        shapes = shapes_of(flow)
        self.fires = _pairs(flow)
        self.layers: list[Layer] = []
        self.biases: dict[str, np.ndarray] = {}
        self.links: list[_Link] = []
        ends = {kind: [one for one in flow.outer if leaves[one].kind == kind] for kind in ENDS}
        neurons = [
            one
            for one, leaf in leaves.items()
            if leaf.kind in NEURONS and one not in self.fires.values()
        ]
        labels = _labels([*ends["Input"], *neurons, *ends["Output"]])
        inputs = [Input(labels[one], _shape(shapes[one]), *self.values) for one in ends["Input"]]
        sources = {one: labels[one] for one in (*ends["Input"], *neurons)}
        for one in neurons:
            if leaves[one].kind in INTEGRATORS:
                sources[one] += POTENTIAL
        sources |= {spikes: labels[held] for held, spikes in self.fires.items()}
        into = flowing(flow, shapes, sources, self.rules.dt, self.limit)
        for one in neurons:
            self._add_neurons(leaves[one], labels[one], shapes[one], into[one])
        readouts: dict[tuple[str, str], Readout] = {}
        for one in ends["Output"]:
            source = self._read(into[one], inputs)
            if source is None:
                source = labels[one] + POTENTIAL
                self._add_sum(leaves[one], labels[one], shapes[one], into[one])
            owner = source.removesuffix(POTENTIAL)
            kind = readout or ("count" if owner == source else "last")
            readouts.setdefault((owner, kind), Readout(owner, kind))
        _close(self.links, [one.name for one in inputs])
        self._describe(inputs)
        self.lines += [_answers(one, readout) for one in readouts.values()]
        network = SpikingNetwork(
            inputs=inputs,
            layers=self.layers,
            connections=[
                Connection(one.source, one.target, delay=one.delay, **one.folded.arrangement())
                for one in self.links
            ],
            readouts=list(readouts.values()),
            name=name,
        )
        if dtype is torch.float64:
            _fill(network.double(), self.links, self.biases)
        return network

    def _add_neurons(self, leaf: Leaf, label: str, shape: Shape, terms: Terms) -> None:
        spikes = self.fires.get(leaf.name)
        fires = None if spikes is None else self.flow.leaves[spikes]
        made = self.rules.step(leaf, prod(shape), terms.constant, fires)
        also = "" if fires is None else f" with {fires}"
        self._add(str(leaf), label, shape, terms, made)
        self.lines.append(f"{leaf}{also} is layer {label!r}: {_shown(made.cell)}")

    def _add_sum(self, leaf: Leaf, label: str, shape: Shape, terms: Terms) -> None:
        made = Stepped(Cell(Integrator, decay=0.0), np.ones(()), terms.constant)
        self._add(str(leaf), label, shape, terms, made)
        self.lines.append(f"{leaf} is layer {label!r}: a sum of spikes, without memory")

    def _add(self, what: str, label: str, shape: Shape, terms: Terms, made: Stepped) -> None:
        """Add a layer, and the connections to it."""
        gain = np.broadcast_to(made.gain.reshape(-1), prod(shape))
        for (source, delay), path in terms.paths.items():
            entries = path.entries
            if source.endswith(POTENTIAL):
                raise ValueError(
                    f"{what} must take spikes, not potentials of "
                    f"{source.removesuffix(POTENTIAL)!r}, which only an Output or one Threshold "
                    "of their own can take"
                )
            values = entries.values * gain[entries.rows]
            scaled = Entries(entries.rows, entries.columns, values, entries.shape)
            folded = Folded(scaled, None, (entries.shape[1],), shape, path.maps, path.unrolled)
            self.links.append(_Link(source, label, delay + made.late, folded))
            self.unrolled += [one for one in path.unrolled if one not in self.unrolled]
        bias: Any = False
        if made.bias is not None and made.bias.any():
            bias = self.biases[label] = made.bias
        self.layers.append(Layer(label, _shape(shape), made.cell, bias))

    def _read(self, terms: Terms, inputs: list[Input]) -> str | None:
        """Return the one source that an output reads as it is, if it is a layer."""
        (source, delay), path = next(iter(terms.paths.items()))
        entries = path.entries
        if len(terms.paths) > 1 or delay or source in {one.name for one in inputs}:
            return None
        whole = entries.is_diagonal and len(entries) == entries.shape[0]
        return source if whole and (entries.values == 1).all() and terms.constant is None else None

    def _describe(self, inputs: list[Input]) -> None:
        rules = self.rules
        first = [f"dt = {rules.dt:g}, decays by the rule {rules.rule!r}"]
        first += [f"input {one.name!r} of {one.size}, {one.low} to {one.high}" for one in inputs]
        self.lines[:0] = first
        for one in self.links:
            late = f", {one.delay} step{'s' * (one.delay > 1)} late" if one.delay else ""
            self.lines.append(f"{one.source!r} to {one.target!r}: {one.folded}{late}")


def _answers(readout: Readout, told: str | None) -> str:
    """Say how a layer answers, and why."""
    why = f"readout={told!r} says so"
    if told is None:
        what = "spikes" if readout.kind == "count" else "values"
        why = f"its {what} reach an output, and NIR does not say how they are read"
    return f"{readout.population} answers: {readout.kind}: {why}"


def _shape(shape: Shape) -> Any:
    return shape if len(shape) > 1 else prod(shape)


def _shown(cell: Cell) -> str:
    values = []
    for name, role in cell.roles.items():
        unused = name == "reset_value" and cell.settings["reset"] != "value"
        if role in {"parameter", "decay"} and not unused:
            real = cell.real(name)
            values.append(f"{name} {float(real):.6g}" if real.ndim == 0 else f"{name} by neuron")
    reset = f", reset {cell.settings['reset']}" if "reset" in cell.settings else ""
    timing = cell.settings.get("reset_timing", "immediate")
    when = "" if timing == "immediate" else f" ({timing})"
    return f"{cell.kind.__name__}, {', '.join(values) or 'no parameters'}{reset}{when}"


def _labels(names: list[str]) -> dict[str, str]:
    """Return names that a network can have, all different."""
    found: dict[str, str] = {}
    for name in names:
        label = plain = name.replace(".", "_")
        n = 1
        while label in found.values():
            n += 1
            label = f"{plain}_{n}"
        found[name] = label
    return found


def _check_reached(flow: Flow) -> None:
    """Refuse a graph without ends, or with nodes that are on no way between them."""
    after = flow.after()
    for kind, ahead, what in (
        ("Input", after, "be reached from an Input"),
        ("Output", flow.before, "lead to an Output"),
    ):
        ends = [one for one in flow.outer if flow.leaves[one].kind == kind]
        if not ends:
            raise ValueError(f"Graph must have an {kind} node, not only {sorted(flow.leaves)}")
        seen, waiting = set(ends), list(ends)
        while waiting:
            for one in ahead[waiting.pop()]:
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)
        for name, leaf in flow.leaves.items():
            if name not in seen:
                raise ValueError(f"{leaf} must {what}, not stand apart")


def _pairs(flow: Flow) -> dict[str, str]:
    """Return the integrators that fire by a threshold of their own behind them."""
    after = flow.after()
    found = {}
    for name, leaf in flow.leaves.items():
        if leaf.kind not in INTEGRATORS:
            continue
        behind = [one for one in after[name] if flow.leaves[one].kind == "Threshold"]
        if len(behind) == 1 and flow.before[behind[0]] == [name]:
            found[name] = behind[0]
    return found


def _close(links: list[_Link], inputs: list[str]) -> None:
    """Delay connections of cycles in which nothing else takes time."""
    far = dict.fromkeys(inputs, 0)
    waiting = list(inputs)
    while waiting:
        name = waiting.pop(0)
        for one in links:
            if one.source == name and one.target not in far:
                far[one.target] = far[name] + 1
                waiting.append(one.target)
    at_once: dict[str, set[str]] = {}
    for one in links:
        if not one.delay:
            at_once.setdefault(one.source, set()).add(one.target)

    def reaches(start: str, end: str) -> bool:
        seen, left = {start}, [start]
        while left:
            name = left.pop()
            if name == end:
                return True
            new = at_once.get(name, set()) - seen
            seen |= new
            left += new
        return False

    late = [
        one
        for one in links
        if not one.delay and far[one.target] <= far[one.source]
        and reaches(one.target, one.source)
    ]  # fmt: skip
    for one in late:
        one.delay = 1


def _fill(network: SpikingNetwork, links: list[_Link], biases: Mapping[str, Any]) -> None:
    """Give a network in double precision what it was made of, unrounded."""
    with torch.no_grad():
        for one, link in zip(network.connections, links, strict=True):
            one.weights.copy_(torch.as_tensor(link.folded.arrangement()["weights"]))
        for layer in network.layers:
            if layer.bias is not None:
                layer.bias.copy_(torch.as_tensor(biases[layer.name]))
