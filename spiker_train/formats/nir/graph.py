"""The network of a NIR graph: layers, connections and readouts made of its nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import torch

from spiker_hdl.model import Input, Integrator, Readout
from spiker_train.formats.arrangement import agreed_shapes, arrangement, channel_bias
from spiker_train.linear.compose import Chain, Folded
from spiker_train.linear.kernel import Kernel
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
POTENTIAL = ".v"  # appended to the name of a layer: its potentials, not its spikes


@dataclass
class _Link:
    source: str
    target: str
    delay: int
    folded: Folded


@dataclass
class Reader:
    """Makes a network of the nodes and edges of a graph.

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
        self.parts: list[tuple[str, Shape, Any]] = []
        self.biases: dict[str, np.ndarray] = {}
        self.links: list[_Link] = []
        ends = {
            kind: [label for label in flow.outer if leaves[label].kind == kind] for kind in ENDS
        }
        neurons = [
            label
            for label, leaf in leaves.items()
            if leaf.kind in NEURONS and label not in self.fires.values()
        ]
        labels = _labels([*ends["Input"], *neurons, *ends["Output"]])
        names = [labels[label] for label in ends["Input"]]
        sources = {label: labels[label] for label in (*ends["Input"], *neurons)}
        for label in neurons:
            if leaves[label].kind in INTEGRATORS:
                sources[label] += POTENTIAL
        sources |= {spikes: labels[label] for label, spikes in self.fires.items()}
        into = flowing(flow, shapes, sources, self.rules.dt, self.limit)
        for label in neurons:
            self._add_neurons(leaves[label], labels[label], shapes[label], into[label])
        readouts: dict[tuple[str, str], Readout] = {}
        for label in ends["Output"]:
            source = self._read(into[label], names)
            if source is None:
                source = labels[label] + POTENTIAL
                self._add_sum(leaves[label], labels[label], shapes[label], into[label])
            owner = source.removesuffix(POTENTIAL)
            kind = readout or ("count" if owner == source else "last")
            readouts.setdefault((owner, kind), Readout(owner, kind))
        _close(self.links, names)
        agreed = agreed_shapes(
            {labels[label]: shapes[label] for label in ends["Input"]}
            | {name: shape for name, shape, _ in self.parts},
            [(link.source, link.target, link.folded) for link in self.links],
        )
        inputs = [Input(name, agreed[name], *self.values) for name in names]
        into_each: dict[str, list[Folded]] = {}
        for link in self.links:
            into_each.setdefault(link.target, []).append(link.folded)
        self.biases = {
            name: channel_bias(bias, agreed[name], into_each.get(name, []))
            for name, bias in self.biases.items()
        }
        self._describe(inputs)
        self.lines += [_answers(layer_readout, readout) for layer_readout in readouts.values()]
        network = SpikingNetwork(
            inputs=inputs,
            layers=[
                Layer(name, agreed[name], cell, self.biases.get(name, False))
                for name, _, cell in self.parts
            ],
            connections=[
                Connection(link.source, link.target, delay=link.delay, **arrangement(link.folded))
                for link in self.links
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
        stepped = self.rules.step(leaf, prod(shape), terms.constant, fires)
        also = "" if fires is None else f" with {fires}"
        self._add(str(leaf), label, shape, terms, stepped)
        self.lines.append(f"{leaf}{also} is layer {label!r}: {_shown(stepped.cell)}")

    def _add_sum(self, leaf: Leaf, label: str, shape: Shape, terms: Terms) -> None:
        stepped = Stepped(Cell(Integrator, decay=0.0), np.ones(()), terms.constant)
        self._add(str(leaf), label, shape, terms, stepped)
        self.lines.append(f"{leaf} is layer {label!r}: a sum of spikes, without memory")

    def _add(self, what: str, label: str, shape: Shape, terms: Terms, stepped: Stepped) -> None:
        """Add a layer, and the connections to it."""
        gain = np.broadcast_to(stepped.gain.reshape(-1), prod(shape))
        for (source, delay), path in terms.paths.items():
            if source.endswith(POTENTIAL):
                raise ValueError(
                    f"{what} must take spikes, not potentials of "
                    f"{source.removesuffix(POTENTIAL)!r}, which only an Output or one Threshold "
                    "of their own can take"
                )
            chain = _in_groups(path.scaled(gain, what, self.limit))
            folded = Folded(chain, None, (chain.operator.shape[1],), shape)
            self.links.append(_Link(source, label, delay + stepped.late, folded))
            self.unrolled += [
                unrolled for unrolled in folded.unrolled if unrolled not in self.unrolled
            ]
        if stepped.bias is not None and stepped.bias.any():
            self.biases[label] = stepped.bias
        self.parts.append((label, shape, stepped.cell))

    def _read(self, terms: Terms, inputs: list[str]) -> str | None:
        """Return the one source that an output reads as it is, if it is a layer."""
        (source, delay), path = next(iter(terms.paths.items()))
        if len(terms.paths) > 1 or delay or source in inputs:
            return None
        return source if path.is_identity and terms.constant is None else None

    def _describe(self, inputs: list[Input]) -> None:
        rules = self.rules
        first = [f"dt = {rules.dt:g}, decays by the rule {rules.rule!r}"]
        first += [
            f"input {declared.name!r} of {declared.size}, {declared.low} to {declared.high}"
            for declared in inputs
        ]
        self.lines[:0] = first
        for link in self.links:
            late = f", {link.delay} step{'s' * (link.delay > 1)} late" if link.delay else ""
            self.lines.append(f"{link.source!r} to {link.target!r}: {link.folded}{late}")


def _in_groups(chain: Chain) -> Chain:
    """Return a convolution in as many groups as its zeros allow; NIR has none of several."""
    kernel = chain.operator
    if not isinstance(kernel, Kernel) or kernel.groups > 1:
        return chain
    axes = tuple(range(2, kernel.weights.ndim))
    return replace(chain, operator=kernel.grouped((kernel.weights != 0).any(axes)))


def _answers(readout: Readout, readout_kind: str | None) -> str:
    """Say how a layer answers, and why."""
    why = f"readout={readout_kind!r} says so"
    if readout_kind is None:
        what = "spikes" if readout.kind == "count" else "values"
        why = f"its {what} reach an output, and NIR does not say how they are read"
    return f"{readout.population} answers: {readout.kind}: {why}"


def _shown(cell: Cell) -> str:
    values = []
    for name, role in cell.roles.items():
        unused = (name == "reset_value" and cell.settings["reset"] != "value") or (
            name == "rest" and not cell.value(name).any()
        )
        if role in {"parameter", "decay"} and not unused:
            value = cell.value(name)
            values.append(f"{name} {float(value):.6g}" if value.ndim == 0 else f"{name} by neuron")
    reset = f", reset {cell.settings['reset']}" if "reset" in cell.settings else ""
    timing = cell.settings.get("reset_timing", "immediate")
    when = "" if timing == "immediate" else f" ({timing})"
    return f"{cell.kind.__name__}, {', '.join(values) or 'no parameters'}{reset}{when}"


def _labels(names: list[str]) -> dict[str, str]:
    """Return names that a network can have, all different."""
    labels: dict[str, str] = {}
    for name in names:
        label = plain = name.replace(".", "_")
        n = 1
        while label in labels.values():
            n += 1
            label = f"{plain}_{n}"
        labels[name] = label
    return labels


def _check_reached(flow: Flow) -> None:
    """Refuse a graph without ends, or with nodes that are on no way between them."""
    after = flow.after()
    for kind, ahead, what in (
        ("Input", after, "be reached from an Input"),
        ("Output", flow.before, "lead to an Output"),
    ):
        ends = [label for label in flow.outer if flow.leaves[label].kind == kind]
        if not ends:
            raise ValueError(f"Graph must have an {kind} node, not only {sorted(flow.leaves)}")
        seen, waiting = set(ends), list(ends)
        while waiting:
            for target in ahead[waiting.pop()]:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        for name, leaf in flow.leaves.items():
            if name not in seen:
                raise ValueError(f"{leaf} must {what}, not stand apart")


def _pairs(flow: Flow) -> dict[str, str]:
    """Return the integrators that fire by a threshold of their own behind them."""
    after = flow.after()
    pairs = {}
    for name, leaf in flow.leaves.items():
        if leaf.kind not in INTEGRATORS:
            continue
        behind = [target for target in after[name] if flow.leaves[target].kind == "Threshold"]
        if len(behind) == 1 and flow.before[behind[0]] == [name]:
            pairs[name] = behind[0]
    return pairs


def _close(links: list[_Link], inputs: list[str]) -> None:
    """Delay connections of cycles in which nothing else takes time."""
    far = dict.fromkeys(inputs, 0)
    waiting = list(inputs)
    while waiting:
        name = waiting.pop(0)
        for link in links:
            if link.source == name and link.target not in far:
                far[link.target] = far[name] + 1
                waiting.append(link.target)
    at_once: dict[str, set[str]] = {}
    for link in links:
        if not link.delay:
            at_once.setdefault(link.source, set()).add(link.target)

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
        link
        for link in links
        if not link.delay and far[link.target] <= far[link.source]
        and reaches(link.target, link.source)
    ]  # fmt: skip
    for link in late:
        link.delay = 1


def _fill(network: SpikingNetwork, links: list[_Link], biases: Mapping[str, Any]) -> None:
    """Give a network in double precision what it was made of, unrounded."""
    with torch.no_grad():
        for connection, link in zip(network.connections, links, strict=True):
            connection.weights.copy_(torch.as_tensor(arrangement(link.folded)["weights"]))
        for layer in network.layers:
            if layer.bias is not None:
                layer.bias.copy_(torch.as_tensor(biases[layer.name]))
