"""Layers run over all time steps by kernels, with gradients.

Layers that form a cycle run together: step by step, their kernels alternate with the products of
their spikes. A single layer without a cycle runs all steps of a sample at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from .graph import Graph
from .products import Events
from .run import NeuronKernel, strided

__all__ = ["Group", "LayerRun", "Loop", "run_group"]

Tensors = Sequence[torch.Tensor]


@dataclass(frozen=True)
class LayerRun:
    """What a layer's kernel needs beside its tensors.

    Members
    -------
    kernel : NeuronKernel
    graphs : tuple of Graph
        One for each set of parameters, such as those of each length of a step.
    periods : tuple of (int, int, int)
        First step, the one after the last, and the set of parameters in between; in order.
    width : float
        Width of a fast sigmoid, the surrogate gradient; 1 with another surrogate.
    surrogate : callable or None
        Any other surrogate.
    traces : tuple of str
        States to return for all steps.
    """

    kernel: NeuronKernel
    graphs: tuple[Graph, ...]
    periods: tuple[tuple[int, int, int], ...]
    width: float
    surrogate: Callable[[torch.Tensor], torch.Tensor] | None
    traces: tuple[str, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """Names of all states."""
        return tuple(name for name, _ in self.kernel.structure.after)

    @property
    def spiking(self) -> bool:
        return self.kernel.structure.fired is not None

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.kernel.structure.inputs

    @property
    def parameters(self) -> int:
        """Number of tensors in a set of parameters."""
        return len(self.kernel.structure.learned)

    @property
    def count(self) -> int:
        """Number of tensors that go in: the inputs, all sets of parameters, and the states."""
        return self.inputs + self.parameters * len(self.graphs) + len(self.states)

    @property
    def outputs(self) -> int:
        """Number of tensors that come out: spikes, traces and states."""
        return self.spiking + len(self.traces) + len(self.states)


@dataclass(frozen=True)
class Loop:
    """A connection within a group.

    Members
    -------
    source, target : int
        Layers, by their order in the group.
    input : int
        Input of the target.
    due : tuple of int
        Step in which the events of each step arrive, the number of steps if after the end.
    pointwise : bool
        Whether each source has one target, of the same index.
    """

    source: int
    target: int
    input: int
    due: tuple[int, ...]
    pointwise: bool

    @property
    def arriving(self) -> dict[int, list[int]]:
        """Steps whose events arrive, by the step in which they do."""
        arriving: dict[int, list[int]] = {}
        for source, target in enumerate(self.due):
            arriving.setdefault(target, []).append(source)
        return arriving


@dataclass(frozen=True)
class Group:
    """Layers that run together.

    Members
    -------
    layers : tuple of LayerRun
        In the order in which they are updated in a step.
    loops : tuple of Loop
    eager : callable
        Takes and returns the tensors that :func:`run_group` does, step by step and with gradients
        of any order.
    """

    layers: tuple[LayerRun, ...]
    loops: tuple[Loop, ...]
    eager: Callable[..., tuple[torch.Tensor, ...]]


def run_group(group: Group, tensors: Tensors) -> tuple[torch.Tensor, ...]:
    """Run layers over all steps.

    Parameters
    ----------
    group : Group
    tensors : list of tensor
        For each layer the inputs from outside the group (samples, steps, neurons), the parameters,
        of shape (), (neurons,) or (samples, neurons), of each set, and the states at the start
        (samples, neurons); then the weights of each loop.

    Returns
    -------
    tuple of tensor
        For each layer the spikes (samples, steps, neurons) of a spiking neuron, the states of its
        ``traces`` for all steps, and all states at the end (samples, neurons).
    """
    return _Group.apply(group, *tensors)


class _Pass:
    """A pass through the steps of one layer, each with its own set of parameters."""

    def __init__(self, run: LayerRun):
        self.run = run
        self.parts: list[Callable[[int, int], None]] = []
        self.which = [part for begin, end, part in run.periods for _ in range(begin, end)]

    def step(self, t: int) -> None:
        """Run one step."""
        self.parts[self.which[t]](t, t + 1)

    def all(self, *, backward: bool = False) -> None:
        """Run all steps."""
        for begin, end, part in reversed(self.run.periods) if backward else self.run.periods:
            self.parts[part](begin, end)


class _Forward(_Pass):
    """A forward pass of one layer."""

    def __init__(self, run: LayerRun, tensors: Tensors, training: bool, looped: set[int]):
        super().__init__(run)
        inputs, parameters, starts = _split(run, tensors)
        samples, steps, size = inputs[0].shape
        self.shape = samples, steps, size
        dtype = run.kernel.dtype
        # Loops add to their inputs, which are the caller's.
        self.inputs = [
            x.detach().clone(memory_format=torch.contiguous_format) if n in looped else x.detach()
            for n, x in enumerate(inputs)
        ]
        self.finals = [
            start.detach().clone(memory_format=torch.contiguous_format) for start in starts
        ]
        outputs = [torch.empty(self.shape, dtype=dtype) for _ in range(run.spiking)]
        traces = {name: torch.empty(self.shape, dtype=dtype) for name in run.traces}
        self.saved = [
            torch.empty(self.shape, dtype=dtype) for _ in run.kernel.source.saved if training
        ]
        arrays: dict[str, Any] = {f"input{n}": strided(x) for n, x in enumerate(self.inputs)}
        for name, final in zip(run.states, self.finals, strict=True):
            arrays[f"state_{name}"] = final, size, 0
        for spikes in outputs:
            arrays["spikes"] = strided(spikes)
        arrays |= {f"trace_{name}": strided(trace) for name, trace in traces.items()}
        arrays |= {f"save{n}": strided(save) for n, save in enumerate(self.saved)}
        self.outputs = [*outputs, *traces.values(), *self.finals]
        self.parts = [
            run.kernel.bind(
                "record" if training else "run",
                arrays | _parameter_arrays(own, self.shape),
                run.kernel.numbers(run.width, graph.constants),
                self.shape,
            )
            for graph, own in zip(run.graphs, parameters, strict=True)
        ]


class _Backward(_Pass):
    """A backward pass of one layer."""

    def __init__(
        self,
        run: LayerRun,
        tensors: Tensors,
        inputs: Tensors,
        saved: Tensors,
        grads: Sequence[torch.Tensor | None],
        looped: bool,
    ):
        super().__init__(run)
        _, self.parameters, starts = _split(run, tensors)
        samples, steps, size = inputs[0].shape
        self.shape = shape = samples, steps, size
        source, dtype = run.kernel.source, run.kernel.dtype
        none = torch.zeros(size, dtype=dtype), 0, 0
        g_finals = dict(zip(run.states, grads[len(grads) - len(run.states) :], strict=True))
        g_traces = dict(zip(run.traces, grads[run.spiking :], strict=False))
        self.g_spikes = grads[0] if run.spiking else None
        if looped and run.spiking:
            # Loops add to the gradient of the spikes, which belongs to autograd.
            self.g_spikes = (
                torch.zeros(shape, dtype=dtype)
                if grads[0] is None
                else grads[0].clone(memory_format=torch.contiguous_format)
            )
        arrays: dict[str, Any] = {f"input{n}": strided(x) for n, x in enumerate(inputs)}
        # Only states that no step changes are read, and those are as they were at the start.
        for name, start in zip(run.states, starts, strict=True):
            arrays[f"state_{name}"] = start.contiguous(), size, 0
        arrays |= {f"save{n}": strided(save) for n, save in enumerate(saved)}
        arrays["g_spikes"] = none if self.g_spikes is None else strided(self.g_spikes)
        self.carries = {}
        for name in source.carried:
            trace, final = g_traces.get(name), g_finals[name]
            arrays[f"g_trace_{name}"] = none if trace is None else strided(trace)
            self.carries[name] = (
                torch.zeros(samples, size, dtype=dtype)
                if final is None
                else final.clone(memory_format=torch.contiguous_format)
            )
            arrays[f"carry_{name}"] = self.carries[name], size, 0
        self.g_inputs = [torch.empty(shape, dtype=dtype) for _ in inputs]
        arrays |= {f"g_input{n}": strided(g) for n, g in enumerate(self.g_inputs)}
        arrays |= {f"slope{n}": strided(slope) for n, slope in _slopes(run, saved).items()}
        self.totals = []
        for graph, own in zip(run.graphs, self.parameters, strict=True):
            totals, parts = _totals(run, own, shape)
            self.totals.append(totals)
            self.parts.append(
                run.kernel.bind(
                    "back",
                    arrays | _parameter_arrays(own, shape),
                    run.kernel.numbers(run.width, graph.constants),
                    shape,
                    parts,
                )
            )

    def gradients(self) -> list[torch.Tensor | None]:
        """Return the gradients of the tensors of the layer."""
        g_parameters = [
            None if total is None else _reduced(total, parameter)
            for totals, own in zip(self.totals, self.parameters, strict=True)
            for total, parameter in zip(totals, own, strict=True)
        ]
        return [*self.g_inputs, *g_parameters, *map(self.carries.get, self.run.states)]


class _Group(torch.autograd.Function):
    @staticmethod
    def forward(ctx, group, *tensors):
        training = any(ctx.needs_input_grad)
        parts, weights = _parts(group, tensors)
        passes = [
            _Forward(run, part, training, {loop.input for loop in group.loops if loop.target == n})
            for n, (run, part) in enumerate(zip(group.layers, parts, strict=True))
        ]
        events: dict[Loop, dict[int, Events]] = {loop: {} for loop in group.loops}
        if group.loops:
            rows = [
                w.detach() if loop.pointwise else w.detach().T.contiguous()
                for loop, w in zip(group.loops, weights, strict=True)
            ]
            arriving = [loop.arriving for loop in group.loops]
            for t in range(passes[0].shape[1]):
                for n, layer in enumerate(passes):
                    for loop, due, own in zip(group.loops, arriving, rows, strict=True):
                        for s in due.get(t, ()) if loop.target == n else ():
                            x = passes[loop.source].outputs[0][:, s]
                            into = layer.inputs[loop.input][:, t]
                            if loop.pointwise:
                                into.addcmul_(x, own)
                            else:
                                events[loop][s] = Events(x, own.dtype)
                                events[loop][s].add_product(own, into)
                    layer.step(t)
        else:
            for layer in passes:
                layer.all()
        outputs = tuple(x for layer in passes for x in layer.outputs)
        if training:
            looped = bool(group.loops)
            ctx.save_for_backward(*tensors, *(outputs if looped else ()))
            ctx.group, ctx.events = group, events
            ctx.saved = [(layer.inputs if looped else None, layer.saved) for layer in passes]
            ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    def backward(ctx, *grads):
        group = ctx.group
        inputs = len(ctx.needs_input_grad) - 1
        tensors, outputs = ctx.saved_tensors[:inputs], ctx.saved_tensors[inputs:]
        if torch.is_grad_enabled():  # for second derivatives
            return None, *_again(group, tensors, grads)
        parts, weights = _parts(group, tensors)
        spikes, passes = [], []
        at = 0
        for run, part, (own_inputs, saved) in zip(group.layers, parts, ctx.saved, strict=True):
            own = grads[at : at + run.outputs]
            spikes.append(outputs[at] if outputs else None)
            at += run.outputs
            own_inputs = _split(run, part)[0] if own_inputs is None else own_inputs
            passes.append(_Backward(run, part, own_inputs, saved, own, bool(group.loops)))
        g_weights: list[torch.Tensor | None] = []
        if group.loops:
            g_weights = _backward_in_loops(group, passes, weights, spikes, ctx.events)
        else:
            for layer in passes:
                layer.all(backward=True)
        return None, *(g for layer in passes for g in layer.gradients()), *g_weights


def _backward_in_loops(
    group: Group,
    passes: list[_Backward],
    weights: Tensors,
    spikes: list[torch.Tensor | None],
    events: dict[Loop, dict[int, Events]],
) -> list[torch.Tensor | None]:
    """Run all steps of layers in a cycle backward, and return the gradients of its weights."""
    sums: dict[Loop, torch.Tensor] = {}
    arriving = [loop.arriving for loop in group.loops]
    for t in range(passes[0].shape[1] - 1, -1, -1):
        for n in range(len(passes) - 1, -1, -1):
            passes[n].step(t)
            for loop, due, own in zip(group.loops, arriving, weights, strict=True):
                for s in due.get(t, ()) if loop.target == n else ():
                    g_spikes = passes[loop.source].g_spikes
                    assert g_spikes is not None
                    before, g = g_spikes[:, s], passes[n].g_inputs[loop.input][:, t]
                    if loop.pointwise:
                        before.addcmul_(g, own)
                        continue
                    before.addmm_(g, own)
                    if loop not in sums:
                        sums[loop] = events[loop][s].sums(g.shape[1])
                    events[loop][s].add_outer(g, sums[loop])
    g_weights: list[torch.Tensor | None] = []
    for loop, own in zip(group.loops, weights, strict=True):
        if loop.pointwise:
            pairs = [(s, t) for s, t in enumerate(loop.due) if t < len(loop.due)]
            x, g = spikes[loop.source], passes[loop.target].g_inputs[loop.input]
            assert x is not None
            s, t = (torch.tensor([pair[n] for pair in pairs], dtype=torch.int64) for n in (0, 1))
            g_weights.append((x[:, s] * g[:, t]).sum((0, 1)))
        else:
            g_weights.append(sums[loop].sum(0).T if loop in sums else torch.zeros_like(own))
    return g_weights


def _split(run: LayerRun, tensors: Tensors) -> tuple[Tensors, list[Tensors], Tensors]:
    """Return the inputs of a layer, its sets of parameters, and its states at the start."""
    ends = [run.inputs + run.parameters * n for n in range(len(run.graphs) + 1)]
    sets = [tensors[a:b] for a, b in pairwise(ends)]
    return tensors[: run.inputs], sets, tensors[ends[-1] :]


def _parts(group: Group, tensors: Tensors) -> tuple[list[Tensors], Tensors]:
    """Return the tensors of each layer, and the weights of the loops."""
    parts, at = [], 0
    for run in group.layers:
        parts.append(tensors[at : at + run.count])
        at += run.count
    return parts, tensors[at:]


def _parameter_arrays(parameters: Tensors, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the arrays of parameters, with strides over samples and steps."""
    samples, _, size = shape
    arrays = {}
    for n, parameter in enumerate(parameters):
        if parameter.ndim == 2 and len(parameter) > 1:
            own = parameter.detach().expand(samples, size).contiguous()
            arrays[f"parameter{n}"] = own, size, 0
        else:
            arrays[f"parameter{n}"] = parameter.detach().expand(1, size).contiguous(), 0, 0
    return arrays


def _totals(run: LayerRun, parameters: Tensors, shape: tuple[int, ...]) -> tuple[list, dict]:
    """Return memory for the gradients of parameters: one row a thread, or one a sample."""
    samples, _, size = shape
    totals: list[torch.Tensor | None] = []
    parts = {}
    threads = torch.get_num_threads()
    for n, (parameter, learned) in enumerate(
        zip(parameters, run.kernel.structure.learned, strict=True)
    ):
        if not learned:
            totals.append(None)
            continue
        each = parameter.ndim == 2 and len(parameter) > 1
        total = torch.zeros(samples if each else threads, size, dtype=run.kernel.dtype)
        rows = [total] * threads if each else list(total)
        parts[f"g_parameter{n}"] = [(row, size if each else 0, 0) for row in rows]
        totals.append(total)
    return totals, parts


def _reduced(total: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    if parameter.ndim == 2 and len(parameter) > 1:
        return total
    return total.sum(0).sum_to_size(parameter.shape)


def _slopes(run: LayerRun, saved: Tensors) -> dict[int, torch.Tensor]:
    """Return the gradient of each spike, from a surrogate of the user's own."""
    structure, source = run.kernel.structure, run.kernel.source
    slopes = {}
    for n in source.slopes:
        assert run.surrogate is not None
        distance = saved[source.saved.index(structure.nodes[n][1][0])].detach().requires_grad_()
        with torch.enable_grad():
            (slopes[n],) = torch.autograd.grad(run.surrogate(distance).sum(), distance)
    return slopes


def _again(
    group: Group, tensors: Tensors, grads: Sequence[torch.Tensor | None]
) -> list[torch.Tensor | None]:
    """Return gradients that have gradients, from a run step by step."""
    outputs = group.eager(*tensors)
    pairs = [
        (output, grad)
        for output, grad in zip(outputs, grads, strict=True)
        if grad is not None and output.requires_grad
    ]
    learned = [x for x in tensors if x.requires_grad]
    results = iter(
        torch.autograd.grad(
            [output for output, _ in pairs],
            learned,
            [grad for _, grad in pairs],
            create_graph=True,
            allow_unused=True,
        )
    )
    return [next(results) if x.requires_grad else None for x in tensors]
