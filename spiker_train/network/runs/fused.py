"""Layers of a network run by kernels that are fused over time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import torch

from spiker_hdl.base.compile_cache import BuildError
from spiker_train.kernels import products
from spiker_train.kernels.choice import note, obstacle
from spiker_train.kernels.gradients import Structure
from spiker_train.kernels.graph import NotRecordedError, record
from spiker_train.kernels.layer import Group, LayerRun, Loop, run_group
from spiker_train.kernels.run import kernel_of
from spiker_train.network.arithmetic import FloatingPoint, Tensors
from spiker_train.network.layers import Connection
from spiker_train.network.surrogate import FastSigmoid

from .prepare import Core
from .stacked import project, shared_project

__all__ = ["Advanced", "Ready", "advance_group", "product"]


@dataclass(frozen=True)
class Ready:
    """A layer with all that its run needs.

    Members
    -------
    core : Core
    current : tensor, shape (samples, steps, neurons)
        Current from outside the group with the bias, of the format of the core.
    starts : mapping of str to tensor, each of shape (samples, neurons)
        States before the first step.
    traces : tuple of str
        States to return for all steps.
    """

    core: Core
    current: torch.Tensor
    starts: Mapping[str, torch.Tensor]
    traces: tuple[str, ...]


@dataclass(frozen=True)
class Advanced:
    """The outcome of a layer.

    Members
    -------
    spikes : tensor, shape (samples, steps, neurons), or None
        None for neurons that never fire.
    states : dict of str to tensor, each of shape (samples, steps, neurons)
        Those of ``traces``.
    after : dict of str to tensor, each of shape (samples, neurons)
        All states after the last step.
    """

    spikes: torch.Tensor | None
    states: dict[str, torch.Tensor]
    after: dict[str, torch.Tensor]


def advance_group(
    layers: Sequence[Ready], loops: Sequence[tuple[Connection, int]]
) -> list[Advanced] | None:
    """Run layers through all steps by kernels, if there can be such.

    Parameters
    ----------
    layers : sequence of Ready
        In the order in which they are updated in a step.
    loops : sequence of (Connection, int)
        Connections from one of these layers to one of them, with their delays in steps.

    Returns
    -------
    list of Advanced, or None
        None, after a note of the reason, if the layers have to run step by step.
    """
    names = " and ".join(sorted({type(layer.core.neuron).__name__ for layer in layers}))
    try:
        results = _run(layers, loops)
    except (NotRecordedError, BuildError) as error:
        note(f"A layer of {names}", str(error))
        return None
    outcomes = []
    for layer in layers:
        spikes = next(results) if layer.core.layer.cell.spiking else None
        states = {name: next(results) for name in layer.traces}
        after = {name: next(results) for name in layer.core.rest}
        outcomes.append(Advanced(spikes, states, after))
    return outcomes


def _run(
    layers: Sequence[Ready], loops: Sequence[tuple[Connection, int]]
) -> Iterator[torch.Tensor]:
    order = {layer.core.layer.name: n for n, layer in enumerate(layers)}
    declared, weights = [], []
    for connection, delay in loops:
        core = layers[order[connection.target]].core
        pointwise = connection.kind == "one_to_one"
        own = core.weights[connection.name]
        if core.divisor is not None or own.dtype != core.dtype or own.ndim != 2 - pointwise:
            raise NotRecordedError("weights of a cycle are of another format than its neurons")
        declared.append(Loop(order[connection.source], order[connection.target], delay, pointwise))
        weights.append(own)
    runs, tensors = [], []
    for layer in layers:
        run = _layer_run(layer)
        runs.append(run)
        tensors += [layer.current, *(tensor.to(layer.core.dtype) for tensor in run.graph.tensors)]
        tensors += [layer.starts[name] for name in layer.core.rest]
    group = Group(tuple(runs), tuple(declared), _step_by_step(layers, runs, declared))
    return iter(run_group(group, [*tensors, *weights]))


def _layer_run(layer: Ready) -> LayerRun:
    core = layer.core
    reason = obstacle(layer.current)
    if reason is not None:
        raise NotRecordedError(reason)
    via = core.via
    if type(via) not in {FloatingPoint, Tensors}:
        raise NotRecordedError(f"its arithmetic is {type(via).__name__}")
    scale = via.scale if isinstance(via, Tensors) else None
    graph = record(core.neuron, core.parameters, core.rest, scale)
    for tensor in graph.tensors:
        if tensor.ndim and tensor.dtype not in {core.dtype, torch.float32}:
            raise NotRecordedError(f"it computes in {core.dtype} with a tensor of {tensor.dtype}")
    surrogate = via.surrogate
    if isinstance(surrogate, torch.nn.Module) and any(True for _ in surrogate.parameters()):
        raise NotRecordedError("its surrogate has parameters")
    inline = type(surrogate) is FastSigmoid
    structure = Structure(
        *graph.structure,
        learned=tuple(tensor.requires_grad for tensor in graph.tensors),
        started=tuple(layer.starts[name].requires_grad for name in core.rest),
        inline=inline,
    )
    return LayerRun(
        kernel_of(structure, core.dtype),
        graph,
        surrogate.width if isinstance(surrogate, FastSigmoid) else 1.0,
        None if inline else surrogate,
        layer.traces,
    )


def _step_by_step(
    layers: Sequence[Ready], runs: Sequence[LayerRun], loops: Sequence[Loop]
) -> Callable[..., tuple[torch.Tensor, ...]]:
    """Return a function of the same tensors as a group's, from PyTorch's own operations."""

    def run(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        weights = tensors[len(tensors) - len(loops) :]
        currents, now, at = [], [], 0
        for layer, own in zip(layers, runs, strict=True):
            currents.append(tensors[at])
            starts = tensors[at + own.count - len(own.states) : at + own.count]
            now.append(dict(zip(layer.core.rest, starts, strict=True)))
            at += own.count
        fired: list[list[torch.Tensor]] = [[] for _ in layers]
        kept: list[dict[str, list[torch.Tensor]]] = [
            {name: [] for name in layer.traces} for layer in layers
        ]
        for t in range(currents[0].shape[1]):
            for n, layer in enumerate(layers):
                core, current = layer.core, currents[n][:, t]
                for loop, own in zip(loops, weights, strict=True):
                    if loop.target == n and t >= loop.delay:
                        events = fired[loop.source][t - loop.delay]
                        current = current + project(own, events, loop.pointwise)
                spikes, after = core.neuron.step(
                    core.parameters, SimpleNamespace(**now[n]), current, core.via
                )
                now[n] = {
                    name: torch.as_tensor(after[name], dtype=core.dtype).expand(current.shape)
                    for name in core.rest
                }
                fired[n].append(spikes)
                for name, values in kept[n].items():
                    values.append(now[n][name])
        out: list[torch.Tensor] = []
        for n, layer in enumerate(layers):
            out += [torch.stack(fired[n], dim=1)] if layer.core.layer.cell.spiking else []
            out += [torch.stack(values, dim=1) for values in kept[n].values()]
            out += now[n].values()
        return tuple(out)

    return run


def product(weights: torch.Tensor, events: torch.Tensor, shared: bool) -> torch.Tensor:
    """Return the currents of events through weights, from lists of events where most are zero.

    Parameters
    ----------
    weights : tensor, shape (neurons, sources), or (draws, neurons, sources)
    events : tensor, shape (rows, steps, sources)
    shared : bool
        Whether every draw of the weights has the same events; each has rows of its own otherwise.

    Returns
    -------
    tensor, shape (rows, steps, neurons), or (draws * rows, steps, neurons) where ``shared``
    """
    reason = obstacle(weights)
    if reason is None:
        try:
            return _product(weights, events, shared)
        except BuildError as error:
            reason = str(error)
    note("A product of events", reason)
    return (shared_project if shared else project)(weights, events.to(weights.dtype), False)


def _product(weights: torch.Tensor, events: torch.Tensor, shared: bool) -> torch.Tensor:
    if weights.ndim == 2:
        return products.product(events, weights)
    if shared:
        currents = products.product(events, weights.flatten(0, 1))
        return currents.unflatten(-1, weights.shape[:2]).movedim(2, 0).flatten(0, 1)
    parts = events.unflatten(0, (len(weights), -1))
    return torch.cat([products.product(*pair) for pair in zip(parts, weights, strict=True)])
