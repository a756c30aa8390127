"""Layers of a network run by kernels that are fused over time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import torch

from spiker_hdl.base.compile_cache import BuildError
from spiker_train.kernels import products
from spiker_train.kernels.choice import note, obstacle
from spiker_train.kernels.gradients import Structure
from spiker_train.kernels.graph import Graph, NotRecordedError
from spiker_train.kernels.layer import Group, Loop, run_group
from spiker_train.kernels.passes import Coupled, LayerRun
from spiker_train.kernels.recording import Filter, record
from spiker_train.kernels.run import kernel_of
from spiker_train.kernels.times import states_in_time, unit_of
from spiker_train.network.arithmetic import FloatingPoint, Tensors
from spiker_train.network.coupling import CoupledRun
from spiker_train.network.layers import Connection
from spiker_train.network.surrogate import FastSigmoid
from spiker_train.network.time import Duration

from .convolved import MOST_PAIRS, matrix_of
from .prepare import Core, Dynamics
from .stacked import project, shared_project

__all__ = ["Advanced", "Ready", "advance_group", "product"]


@dataclass(frozen=True)
class Ready:
    """A layer with all that its run needs.

    Its states in a kernel are those of the neurons, by their names; those of the dynamics of input
    ``n``, as ``"input0_i"`` for the state ``i`` of input 0; and the currents of ``watched``.

    Members
    -------
    core : Core
    inputs : tuple of tensor, each of shape (samples, steps, neurons)
        Inputs from outside the group, the bias included, of the format of the core.
    starts : mapping of str to tensor, each of shape (samples, neurons)
        States before the first step, but for those of ``watched``.
    traces : tuple of str
        States to return for all steps.
    filters : tuple of Dynamics or None
        For each input its dynamics, None for those that reach the neurons as they are.
    watched : mapping of str to int or None
        Currents to return, of an input or of all, as for :func:`~.recording.record`.
    lengths : tuple of int or None
        Length of each step in picoseconds; all None without seconds.
    spare : bool
        As for :class:`~spiker_train.kernels.passes.LayerRun`.
    before : mapping of str to tensor, or None
        State of the coupling of the neurons before the first step, where they have one. The last
        input is then one of zeros.
    inhibition : bool
        Whether to return the inhibition that is left after each step.
    """

    core: Core
    inputs: tuple[torch.Tensor, ...]
    starts: Mapping[str, torch.Tensor]
    traces: tuple[str, ...]
    filters: tuple[Dynamics | None, ...] = (None,)
    watched: Mapping[str, int | None] | None = None
    lengths: tuple[int | None, ...] | None = None
    spare: bool = False
    before: Mapping[str, torch.Tensor] | None = None
    inhibition: bool = False


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
    coupling : dict of str to tensor, or None
        State of the coupling after the last step.
    inhibition : tensor, shape (samples, steps), or None
        Inhibition that is left after each step, in whole picoseconds or steps.
    """

    spikes: torch.Tensor | None
    states: dict[str, torch.Tensor]
    after: dict[str, torch.Tensor]
    coupling: dict[str, torch.Tensor] | None = None
    inhibition: torch.Tensor | None = None


@dataclass(frozen=True)
class _Plan:
    """A layer with its kernel.

    Members
    -------
    layer : Ready
    run : LayerRun
    sets : list of namespace
        Parameters of the neuron, for each set of the run.
    lengths : tuple of int or None
        Length of a step, for each set of the run.
    units : dict of str to int
        For each state that counts down times, its unit in the kernel, in picoseconds.
    tick : int
        The same of the coupling; 1 where it counts steps.
    """

    layer: Ready
    run: LayerRun
    sets: list[SimpleNamespace]
    lengths: tuple[int | None, ...]
    units: dict[str, int]
    tick: int = 1

    @property
    def starts(self) -> list[torch.Tensor]:
        """States before the first step, as the kernel has them."""
        core, first = self.layer.core, self.layer.inputs[0]
        starts = []
        for name in self.run.states:
            if name in (self.layer.watched or ()):
                starts.append(torch.zeros(first[:, 0].shape, dtype=core.dtype))
                continue
            start = self.layer.starts[name]
            starts.append(
                (start / self.units[name]).to(core.dtype) if name in self.units else start
            )
        return starts

    def outcome(self, results: Iterator[torch.Tensor]) -> Advanced:
        """Take the results of the kernel."""
        spikes = next(results) if self.run.spiking else None
        states = {name: self._restored(name, next(results)) for name in self.run.traces}
        after = {name: self._restored(name, next(results)) for name in self.run.states}
        coupled = self.run.coupled
        if coupled is None:
            return Advanced(spikes, states, after)
        left = (coupled.left.double() * self.tick).long()
        trace = None if coupled.trace is None else coupled.trace.double() * self.tick
        coupling = {"winner": coupled.winner > 0, "left": left}
        return Advanced(spikes, states, after, coupling, trace)

    def _restored(self, name: str, values: torch.Tensor) -> torch.Tensor:
        return values.double() * self.units[name] if name in self.units else values


def advance_group(
    layers: Sequence[Ready], loops: Sequence[tuple[Connection, int, tuple[int, ...]]]
) -> list[Advanced] | None:
    """Run layers through all steps by kernels, if there can be such.

    Parameters
    ----------
    layers : sequence of Ready
        In the order in which they are updated in a step.
    loops : sequence of (Connection, int, tuple of int)
        Connections from one of these layers to one of them, each with the input of its target, and
        the step in which the events of each step arrive.

    Returns
    -------
    list of Advanced, or None
        None, after a note of the reason, if the layers have to run step by step.
    """
    names = " and ".join(sorted({type(layer.core.neuron).__name__ for layer in layers}))
    try:
        return _run(layers, loops)
    except (NotRecordedError, BuildError) as error:
        note(f"A layer of {names}", str(error))
        return None


def _run(
    layers: Sequence[Ready], loops: Sequence[tuple[Connection, int, tuple[int, ...]]]
) -> list[Advanced]:
    order = {layer.core.layer.name: n for n, layer in enumerate(layers)}
    declared, weights = [], []
    for connection, number, due in loops:
        target = order[connection.target]
        core = layers[target].core
        pointwise = connection.kind == "one_to_one"
        own = _pairs(connection, core.weights[connection.name])
        stacked = own.ndim > 2 - pointwise
        if stacked and torch.is_grad_enabled() and own.requires_grad:
            raise NotRecordedError("several draws of the weights of a cycle learn at once")
        if core.divisor is not None or own.dtype != core.dtype:
            raise NotRecordedError("weights of a cycle are of another format than its neurons")
        draws = len(own) if stacked else None
        declared.append(Loop(order[connection.source], target, number, due, pointwise, draws))
        weights.append(own)
    plans = [_planned(layer) for layer in layers]
    tensors: list[torch.Tensor] = []
    for plan in plans:
        dtype = plan.layer.core.dtype
        tensors += plan.layer.inputs
        tensors += [tensor.to(dtype) for graph in plan.run.graphs for tensor in graph.tensors]
        tensors += plan.starts
    runs = tuple(plan.run for plan in plans)
    group = Group(runs, tuple(declared), _step_by_step(plans, declared))
    results = iter(run_group(group, [*tensors, *weights]))
    return [plan.outcome(results) for plan in plans]


def _pairs(connection: Connection, weights: torch.Tensor) -> torch.Tensor:
    """Return the weights of a connection of a cycle, those of a convolution as a matrix."""
    convolution = connection.convolution
    if convolution is None:
        return weights
    if connection.maxima is not None:
        raise NotRecordedError("sums of a cycle are pooled")
    if convolution.source_size * convolution.target_size > MOST_PAIRS:
        raise NotRecordedError("a convolution of a cycle is too large to run as a matrix")
    return matrix_of(convolution, weights)


def _planned(layer: Ready) -> _Plan:
    core = layer.core
    reason = obstacle(layer.inputs[0])
    if reason is not None:
        raise NotRecordedError(reason)
    if type(core.via) not in {FloatingPoint, Tensors}:
        raise NotRecordedError(f"its arithmetic is {type(core.via).__name__}")
    if any(x.dtype != core.dtype for x in layer.inputs):
        raise NotRecordedError("its synapses are of another format than its neurons")
    lengths = layer.lengths or (None,) * layer.inputs[0].shape[1]
    distinct = tuple(dict.fromkeys(lengths))
    tick = _tick(layer, distinct)
    sets, units = [core.timed[length] for length in distinct], {}
    if core.counted:
        sets, units = _in_units(layer, distinct)
    graphs = [
        _recorded(layer, own, length, tick) for own, length in zip(sets, distinct, strict=True)
    ]
    structures = [_structure(layer, graph) for graph in graphs]
    if len(set(structures)) > 1:
        raise NotRecordedError("its step is another one in steps of another length")
    surrogate = core.via.surrogate
    periods, begin = [], 0
    for length, steps in groupby(lengths):
        end = begin + len(list(steps))
        periods.append((begin, end, distinct.index(length)))
        begin = end
    run = LayerRun(
        kernel_of(structures[0], core.dtype),
        tuple(graphs),
        tuple(periods),
        surrogate.width if isinstance(surrogate, FastSigmoid) else 1.0,
        None if structures[0].inline else surrogate,
        layer.traces,
        layer.spare,
        _coupled(layer, tick),
    )
    return _Plan(layer, run, sets, distinct, units, tick)


def _tick(layer: Ready, lengths: tuple[int | None, ...]) -> int:
    """Return the unit in which a kernel counts the inhibition, in picoseconds or steps."""
    coupling = layer.core.coupling
    if coupling is None or layer.before is None or not isinstance(coupling.inhibition, Duration):
        return 1
    steps = [length for length in lengths if length is not None]
    left = layer.before["left"].cpu()
    return unit_of([int(coupling.inhibition.picoseconds), left, *steps], layer.core.dtype)


def _coupled(layer: Ready, tick: int) -> Coupled | None:
    """Return the state of the coupling as a kernel has it, in memory of its own."""
    if layer.before is None:
        return None
    dtype, shape = layer.core.dtype, layer.inputs[0].shape
    return Coupled(
        layer.before["winner"].to(dtype).clone(memory_format=torch.contiguous_format),
        (layer.before["left"] / tick).to(dtype),
        torch.empty(shape[:2], dtype=dtype) if layer.inhibition else None,
    )


def _recorded(
    layer: Ready, parameters: SimpleNamespace, length: int | None, tick: int = 1
) -> Graph:
    core = layer.core
    coupling = None
    if core.coupling is not None:
        inhibition: Any = core.coupling.inhibition
        coupling = (inhibition, 1)
        if isinstance(inhibition, Duration):
            assert length is not None
            coupling = (int(inhibition.picoseconds) / tick, length / tick)
    filters = [
        None
        if dynamics is None
        else Filter(
            dynamics.kind.step,
            dynamics.timed[length],
            {state: f"input{n}_{state}" for state in dynamics.rest},
            dynamics.gain,
        )
        for n, dynamics in enumerate(layer.filters)
    ]
    return record(
        core.neuron,
        parameters,
        core.rest,
        core.via.scale if isinstance(core.via, Tensors) else None,
        filters=filters,
        counted=core.counted,
        watched=layer.watched,
        coupling=coupling,
    )


def _structure(layer: Ready, graph: Graph) -> Structure:
    core = layer.core
    for tensor in graph.tensors:
        if tensor.ndim and tensor.dtype not in {core.dtype, torch.float32}:
            raise NotRecordedError(f"it computes in {core.dtype} with a tensor of {tensor.dtype}")
    surrogate = core.via.surrogate
    if isinstance(surrogate, torch.nn.Module) and any(True for _ in surrogate.parameters()):
        raise NotRecordedError("its surrogate has parameters")
    watched = layer.watched or {}
    return Structure(
        *graph.structure,
        learned=tuple(tensor.requires_grad for tensor in graph.tensors),
        started=tuple(
            name not in watched and layer.starts[name].requires_grad for name in graph.after
        ),
        inline=type(surrogate) is FastSigmoid,
    )


def _in_units(
    layer: Ready, lengths: tuple[int | None, ...]
) -> tuple[list[SimpleNamespace], dict[str, int]]:
    """Return parameters whose times are in a unit that the format of the layer has exactly.

    Returns
    -------
    list of namespace
        Parameters of the neuron for each length.
    dict of str to int
        Unit in picoseconds of each state that counts; 1 for those that count no time.
    """
    core = layer.core
    cell: Any = core.layer.cell
    names = [*cell.durations, "time_step"]

    def scaled(length: int | None, unit: int, dtype: torch.dtype) -> SimpleNamespace:
        own = vars(core.timed[length])
        times = {
            name: (torch.as_tensor(own[name], dtype=torch.float64) / unit).to(dtype)
            for name in names
        }
        return SimpleNamespace(**own | times)

    first = scaled(lengths[0], 1, torch.float64)
    times = [getattr(first, name) for name in names]
    counting = states_in_time(_recorded(layer, first, lengths[0]), times)
    starts = [layer.starts[name].detach() for name in counting]
    steps = [length for length in lengths if length is not None]
    unit = unit_of([*times, *starts, *steps], core.dtype)
    units = {name: unit if name in counting else 1 for name in core.counted}
    return [scaled(length, unit, core.dtype) for length in lengths], units


def _step_by_step(
    plans: Sequence[_Plan], loops: Sequence[Loop]
) -> Callable[..., tuple[torch.Tensor, ...]]:
    """Return a function of the same tensors as a group's, from PyTorch's own operations."""

    def run(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        weights = tensors[len(tensors) - len(loops) :]
        inputs, now, at = [], [], 0
        for plan in plans:
            own = plan.run
            inputs.append(tensors[at : at + own.inputs])
            at += own.count
            now.append(dict(zip(own.states, tensors[at - len(own.states) : at], strict=True)))
        fired: list[list[torch.Tensor]] = [[] for _ in plans]
        kept: list[dict[str, list[torch.Tensor]]] = [
            {name: [] for name in plan.run.traces} for plan in plans
        ]
        couplings = [_coupled_run(plan.layer) for plan in plans]
        for t in range(inputs[0][0].shape[1]):
            for n, plan in enumerate(plans):
                currents = [x[:, t] for x in inputs[n][: len(plan.layer.filters)]]
                for loop, own in zip(loops, weights, strict=True):
                    for s in loop.arriving.get(t, ()) if loop.target == n else ():
                        value = project(own, fired[loop.source][s], loop.pointwise)
                        currents[loop.input] = currents[loop.input] + value
                coupling = couplings[n]
                inhibited = None if coupling is None else coupling.inhibited()
                spikes, now[n] = _stepped(plan, currents, now[n], t, inhibited)
                if coupling is not None and inhibited is not None:
                    length = (plan.layer.lengths or (None,))[t if plan.layer.lengths else 0]
                    spikes = coupling.emit(spikes, inhibited, length)
                fired[n].append(spikes)
                for name, values in kept[n].items():
                    values.append(now[n][name])
        out: list[torch.Tensor] = []
        for n, plan in enumerate(plans):
            out += [torch.stack(fired[n], dim=1)] if plan.run.spiking else []
            out += [torch.stack(values, dim=1) for values in kept[n].values()]
            out += now[n].values()
        return tuple(out)

    return run


def _coupled_run(layer: Ready) -> CoupledRun | None:
    coupling = layer.core.coupling
    if coupling is None:
        return None
    first = layer.inputs[0]
    return CoupledRun(coupling, (first.shape[0], first.shape[2]), first.device, layer.before)


def _discarded(x: torch.Tensor, inhibited: torch.Tensor | None) -> torch.Tensor:
    return x if inhibited is None else torch.where(inhibited, 0, x)


def _stepped(
    plan: _Plan,
    currents: list[torch.Tensor],
    now: dict[str, torch.Tensor],
    t: int,
    inhibited: torch.Tensor | None,
) -> tuple[Any, dict[str, torch.Tensor]]:
    """Return who fires in a step, and the states after it."""
    core, layer = plan.layer.core, plan.layer
    which = next(part for begin, end, part in plan.run.periods if begin <= t < end)
    via = FloatingPoint(core.layer.cell.surrogate, core.dtype)
    after: dict[str, Any] = {}
    for n, dynamics in enumerate(layer.filters):
        if dynamics is None:
            continue
        x = _discarded(currents[n], inhibited)
        x = x if dynamics.gain is None else x * dynamics.gain
        before = {state: now[f"input{n}_{state}"] for state in dynamics.rest}
        parameters = dynamics.timed[plan.lengths[which]]
        currents[n], own = dynamics.kind.step(parameters, SimpleNamespace(**before), x, via)
        after |= {f"input{n}_{state}": value for state, value in own.items()}
        if not own:
            currents[n] = _discarded(currents[n], inhibited)
    total: Any = None
    for current, dynamics in zip(currents, layer.filters, strict=True):
        own = current if dynamics is not None else _discarded(current, inhibited)
        total = own if total is None else total + own
    before = {name: now[name] for name in core.rest}
    spikes, own = core.neuron.step(plan.sets[which], SimpleNamespace(**before), total, core.via)
    after |= own
    after |= {
        name: total if number is None else currents[number]
        for name, number in (layer.watched or {}).items()
    }
    states = {
        name: torch.as_tensor(after[name], dtype=core.dtype).expand(total.shape)
        for name in plan.run.states
    }
    return spikes, states | {name: states[name].clamp_min(0) for name in core.counted}


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
    if not (torch.is_grad_enabled() and (events.requires_grad or weights.requires_grad)):
        return products.products_of_draws(events, weights, shared=shared)
    if shared:
        currents = products.product(events, weights.flatten(0, 1))
        return currents.unflatten(-1, weights.shape[:2]).movedim(2, 0).flatten(0, 1)
    parts = events.unflatten(0, (len(weights), -1))
    return torch.cat([products.product(*pair) for pair in zip(parts, weights, strict=True)])
