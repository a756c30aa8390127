"""Runs of a network: populations in order, and those in a cycle together, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

from spiker_hdl.model import Network, Readout
from spiker_hdl.model.neurons.intervals import NEVER_BRANCH

from .arithmetic import through
from .cell import IntegerCell
from .layers import Connection, Layer
from .prepare import Core, cores, into
from .quantization import Quantization
from .stacked import draws_of, project, shared_project

if TYPE_CHECKING:
    from .network import SpikingNetwork

__all__ = ["Outcome", "groups", "run_network"]


@dataclass(frozen=True)
class Outcome:
    """The output of a network in training.

    Members
    -------
    scores : tensor, shape (samples, classes)
        Scores of the first readout; in an integer run, the integers of the reference.
    logits : tensor, shape (samples, classes)
        The same scores in floating-point units.
    answers : mapping of str to tensor, each of shape (samples, classes)
        Scores of every readout, by name.
    spikes : mapping of str to tensor, each of shape (samples, steps, size)
        Spikes of every spiking layer, with gradients.
    states : mapping of str to tensor, each of shape (samples, steps, size)
        Recorded states, as ``"layer.state"``.
    """

    scores: torch.Tensor
    logits: torch.Tensor
    answers: Mapping[str, torch.Tensor]
    spikes: Mapping[str, torch.Tensor]
    states: Mapping[str, torch.Tensor]


def run_network(
    net: "SpikingNetwork",
    inputs: dict[str, torch.Tensor],
    integers: Quantization | None,
    record: Sequence[str],
) -> Outcome:
    """Run samples: see :meth:`SpikingNetwork.forward <.network.SpikingNetwork.forward>`."""
    ready = cores(net, integers)
    recorded = _check_record(net, record)
    for readout in net.readouts:
        if readout.kind not in {"count", "first"}:
            cell = net.layer[readout.population].cell
            recorded.add(f"{readout.population}.{cell.potential}")
    trains: dict[str, Any] = dict(inputs)
    states: dict[str, Any] = {}
    for group in net.groups:
        _advance(net, [ready[name] for name in group], trains, states, recorded)
    scores = {
        read.name: _grouped(_score(read.kind, read.population, net.layer, trains, states), read)
        for read in net.readouts
    }
    first = net.readouts[0]
    logits = scores[first.name]
    if first.kind not in {"count", "first"}:
        layer = net.layer[first.population]
        if integers is not None:
            logits = logits * integers.scale(layer)
        elif isinstance(layer.cell, IntegerCell):
            logits = logits * layer.cell.scale
    spikes = {name: train for name, train in trains.items() if name in net.layer}
    kept = {name: states[name] for name in record if "." in name}
    return Outcome(scores[first.name], logits, scores, spikes, kept)


def _check_record(net: "SpikingNetwork", record: Sequence[str]) -> set[str]:
    known = {f"{layer.name}.{state}" for layer in net.layers for state in layer.cell.states}
    known |= {layer.name for layer in net.layers if layer.cell.spiking}
    for name in record:
        if name not in known:
            raise ValueError(f"Record must name one of {', '.join(sorted(known))}, not {name!r}")
    return {name for name in record if "." in name}


def _advance(
    net: "SpikingNetwork", cores: list[Core], trains: dict, states: dict, recorded: set[str]
) -> None:
    """Run a layer, or layers that form a cycle together, through all steps.

    Currents from outside the cycle are computed for all steps at once, and currents within it step
    by step. Spikes are added to ``trains`` and recorded states to ``states``, each of shape
    (samples, steps, size).
    """
    inside = {core.layer.name for core in cores}
    samples, steps = next(iter(trains.values())).shape[:2]
    samples *= draws_of(net.connections)  # each draw of weights runs all samples
    flowing = {core.layer.name: _flow(net, core, trains, inside) for core in cores}
    loops = {
        core.layer.name: [
            connection for connection in into(net, core.layer) if connection.source in inside
        ]
        for core in cores
    }
    now = {
        core.layer.name: {
            name: rest.expand(samples, core.layer.size) for name, rest in core.rest.items()
        }
        for core in cores
    }
    fired: dict[str, list] = {core.layer.name: [] for core in cores}
    traces: dict[str, list] = {name: [] for name in recorded if name.split(".")[0] in inside}
    for t in range(steps):
        for core in cores:
            name = core.layer.name
            current = flowing[name][t] if flowing[name] is not None else None
            for connection in loops[name]:
                if t >= connection.delay:
                    events = fired[connection.source][t - connection.delay]
                    current = _plus(current, _project(connection, core, events))
            current = _current(net, core, current, samples)
            spikes, now[name] = _step(core, now[name], current)
            if core.layer.cell.spiking:
                fired[name].append(spikes)
            for trace, values in traces.items():
                layer, state = trace.split(".")
                if layer == name:
                    values.append(now[name][state])
    for core in cores:
        if core.layer.cell.spiking:
            trains[core.layer.name] = torch.stack(fired[core.layer.name], dim=1)
    for trace, values in traces.items():
        states[trace] = torch.stack(values, dim=1)


def _flow(net: "SpikingNetwork", core: Core, trains: dict, inside: set[str]) -> Any:
    total = None
    for connection in into(net, core.layer):
        if connection.source in inside:
            continue
        train = trains[connection.source]
        if connection.delay:
            late = min(connection.delay, train.shape[1])
            none = torch.zeros_like(train[:, :late])
            train = torch.cat([none, train[:, : train.shape[1] - late]], dim=1)
        shared = connection.source not in net.layer  # all draws have the same input
        total = _plus(total, _project(connection, core, train, shared))
    return None if total is None else total.unbind(1)


def _current(net: "SpikingNetwork", core: Core, current: Any, samples: int) -> torch.Tensor:
    if current is None:
        shape = (samples, core.layer.size)
        current = torch.zeros(shape, dtype=core.dtype, device=net.like().device)
    if core.bias is not None:
        current = current + core.bias
    if core.divisor is not None:
        current = current.to(core.dtype) / core.divisor
        current = through(current, current.detach().round())
    return current


def _step(core: Core, states: dict, current: torch.Tensor) -> tuple[Any, dict]:
    shape = current.shape
    what = f"The step of {type(core.neuron).__name__}"
    try:
        fired, after = core.neuron.step(
            core.parameters, SimpleNamespace(**states), current, core.via
        )
    except RuntimeError as error:
        if "Boolean value of Tensor" not in str(error):
            raise
        raise TypeError(NEVER_BRANCH) from None
    if set(after) != set(states):
        raise ValueError(f"{what} must return the states {sorted(states)}, not {sorted(after)}")
    if core.layer.cell.spiking and not (
        isinstance(fired, torch.Tensor) and fired.dtype == core.dtype
    ):
        raise TypeError(
            f"{what} must decide who fires by via.above or via.reaches, which have a "
            "gradient, not by a plain comparison"
        )
    recorded = {
        name: torch.as_tensor(after[name], dtype=core.dtype, device=current.device).expand(shape)
        for name in states
    }
    return fired, recorded


def _plus(total: Any, value: torch.Tensor) -> torch.Tensor:
    return value if total is None else total + value


def _project(
    connection: Connection, core: Core, events: torch.Tensor, shared: bool = False
) -> torch.Tensor:
    weights = core.weights[connection.name]
    pointwise = connection.kind == "one_to_one"
    return (shared_project if shared else project)(weights, events.to(weights.dtype), pointwise)


def _score(
    kind: str, name: str, layers: dict[str, Layer], trains: dict, states: dict
) -> torch.Tensor:
    if kind == "count":
        return trains[name].sum(1)
    if kind == "first":
        return (1 - (1 - trains[name]).cumprod(1)).sum(1)
    potential = states[f"{name}.{layers[name].cell.potential}"]
    if kind == "last":
        return potential[:, -1]
    return potential.amax(1) if kind == "largest" else potential.double().sum(1)


def _grouped(scores: torch.Tensor, readout: Readout) -> torch.Tensor:
    return scores if readout.groups is None else scores.unflatten(1, (readout.groups, -1)).sum(2)


def groups(graph: Network) -> list[list[str]]:
    """Return the populations in order, those that form a cycle together (Tarjan 1972)."""
    following: dict[str, list[str]] = {name: [] for name in graph.order}
    for projection in graph.projections:
        if projection.source in following:
            following[projection.source].append(projection.target)
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    members: list[str] = []
    waiting: set[str] = set()
    groups_found: list[list[str]] = []
    for root in graph.order:
        if root in number:
            continue
        path = [(root, iter(following[root]))]
        number[root] = low[root] = len(number)
        members.append(root)
        waiting.add(root)
        while path:
            name, ahead = path[-1]
            for target in ahead:
                if target not in number:
                    number[target] = low[target] = len(number)
                    members.append(target)
                    waiting.add(target)
                    path.append((target, iter(following[target])))
                    break
                if target in waiting:
                    low[name] = min(low[name], number[target])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[name])
                if low[name] == number[name]:
                    at = members.index(name)
                    groups_found.append(members[at:])
                    waiting.difference_update(members[at:])
                    del members[at:]
    place = {name: n for n, name in enumerate(graph.order)}
    return [sorted(group, key=place.__getitem__) for group in reversed(groups_found)]
