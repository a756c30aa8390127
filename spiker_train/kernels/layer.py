"""Layers run over all time steps by kernels, with gradients.

Layers that form a cycle run together: step by step, their kernels alternate with the products of
their spikes. A single layer without a cycle runs all steps of a sample at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    graph : Graph
    width : float
        Width of a fast sigmoid, the surrogate gradient; 1 with another surrogate.
    surrogate : callable or None
        Any other surrogate.
    traces : tuple of str
        States to return for all steps.
    """

    kernel: NeuronKernel
    graph: Graph
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
    def count(self) -> int:
        """Number of tensors that go in: the current, the parameters and the states."""
        return 1 + len(self.kernel.structure.learned) + len(self.states)

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
    delay : int
    pointwise : bool
        Whether each source has one target, of the same index.
    """

    source: int
    target: int
    delay: int
    pointwise: bool


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
        For each layer the current from outside the group (samples, steps, neurons), the parameters,
        of shape (), (neurons,) or (samples, neurons), and the states at the start (samples,
        neurons); then the weights of each loop.

    Returns
    -------
    tuple of tensor
        For each layer the spikes (samples, steps, neurons) of a spiking neuron, the states of its
        ``traces`` for all steps, and all states at the end (samples, neurons).
    """
    return _Group.apply(group, *tensors)


class _Forward:
    """A forward pass of one layer."""

    def __init__(self, run: LayerRun, tensors: Tensors, training: bool, looped: bool):
        current, parameters, starts = _split(run, tensors)
        samples, steps, size = current.shape
        self.shape = samples, steps, size
        dtype = run.kernel.dtype
        # Loops add to the current, which is the caller's.
        self.current = current.detach().clone(memory_format=torch.contiguous_format)
        self.current = self.current if looped else current.detach()
        self.finals = [
            start.detach().clone(memory_format=torch.contiguous_format) for start in starts
        ]
        outputs = [torch.empty(self.shape, dtype=dtype) for _ in range(run.spiking)]
        traces = {name: torch.empty(self.shape, dtype=dtype) for name in run.traces}
        self.saved = [
            torch.empty(self.shape, dtype=dtype) for _ in run.kernel.source.saved if training
        ]
        arrays: dict[str, Any] = {"current": strided(self.current)}
        arrays |= _parameter_arrays(parameters, self.shape)
        for name, final in zip(run.states, self.finals, strict=True):
            arrays[f"state_{name}"] = final, size, 0
        for spikes in outputs:
            arrays["spikes"] = strided(spikes)
        arrays |= {f"trace_{name}": strided(trace) for name, trace in traces.items()}
        arrays |= {f"save{n}": strided(save) for n, save in enumerate(self.saved)}
        self.outputs = [*outputs, *traces.values(), *self.finals]
        self.advance = run.kernel.bind(
            "record" if training else "run",
            arrays,
            run.kernel.numbers(run.width, run.graph.constants),
            self.shape,
        )


class _Backward:
    """A backward pass of one layer."""

    def __init__(
        self,
        run: LayerRun,
        tensors: Tensors,
        current: torch.Tensor,
        saved: Tensors,
        grads: Sequence[torch.Tensor | None],
        looped: bool,
    ):
        _, self.parameters, starts = _split(run, tensors)
        self.run = run
        samples, steps, size = current.shape
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
        arrays: dict[str, Any] = {"current": strided(current)}
        arrays |= _parameter_arrays(self.parameters, shape)
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
        self.g_current = torch.empty(shape, dtype=dtype)
        arrays["g_current"] = strided(self.g_current)
        arrays |= {f"slope{n}": strided(slope) for n, slope in _slopes(run, saved).items()}
        self.totals, parts = _totals(run, self.parameters, shape)
        numbers = run.kernel.numbers(run.width, run.graph.constants)
        self.advance = run.kernel.bind("back", arrays, numbers, shape, parts)

    def gradients(self) -> list[torch.Tensor | None]:
        """Return the gradients of the tensors of the layer."""
        g_parameters = [
            None if total is None else _reduced(total, parameter)
            for total, parameter in zip(self.totals, self.parameters, strict=True)
        ]
        return [self.g_current, *g_parameters, *map(self.carries.get, self.run.states)]


class _Group(torch.autograd.Function):
    @staticmethod
    def forward(ctx, group, *tensors):
        training = any(ctx.needs_input_grad)
        looped = bool(group.loops)
        parts, weights = _parts(group, tensors)
        passes = [
            _Forward(run, part, training, looped)
            for run, part in zip(group.layers, parts, strict=True)
        ]
        steps = passes[0].shape[1]
        events: dict[Loop, dict[int, Events]] = {loop: {} for loop in group.loops}
        if looped:
            rows = [
                w.detach() if loop.pointwise else w.detach().T.contiguous()
                for loop, w in zip(group.loops, weights, strict=True)
            ]
            for t in range(steps):
                for n, layer in enumerate(passes):
                    for loop, own in zip(group.loops, rows, strict=True):
                        if loop.target == n and t >= loop.delay:
                            x = passes[loop.source].outputs[0][:, t - loop.delay]
                            if loop.pointwise:
                                layer.current[:, t].addcmul_(x, own)
                            else:
                                events[loop][t] = Events(x, own.dtype)
                                events[loop][t].add_product(own, layer.current[:, t])
                    layer.advance(t, t + 1)
        else:
            for layer in passes:
                layer.advance(0, steps)
        outputs = tuple(x for layer in passes for x in layer.outputs)
        if training:
            ctx.save_for_backward(*tensors, *(outputs if looped else ()))
            ctx.group, ctx.events = group, events
            ctx.saved = [(layer.current if looped else None, layer.saved) for layer in passes]
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
        for run, part, (current, saved) in zip(group.layers, parts, ctx.saved, strict=True):
            own = grads[at : at + run.outputs]
            spikes.append(outputs[at] if outputs else None)
            at += run.outputs
            current = part[0] if current is None else current
            passes.append(_Backward(run, part, current, saved, own, bool(group.loops)))
        steps = passes[0].shape[1]
        g_weights: list[torch.Tensor | None] = [None] * len(weights)
        if group.loops:
            sums: dict[Loop, torch.Tensor] = {}
            for t in range(steps - 1, -1, -1):
                for n in range(len(passes) - 1, -1, -1):
                    passes[n].advance(t, t + 1)
                    for loop, own in zip(group.loops, weights, strict=True):
                        if loop.target == n and t >= loop.delay:
                            before = passes[loop.source].g_spikes[:, t - loop.delay]
                            g = passes[n].g_current[:, t]
                            if loop.pointwise:
                                before.addcmul_(g, own)
                                continue
                            before.addmm_(g, own)
                            events = ctx.events[loop][t]
                            if loop not in sums:
                                sums[loop] = events.sums(g.shape[1])
                            events.add_outer(g, sums[loop])
            for k, (loop, own) in enumerate(zip(group.loops, weights, strict=True)):
                if loop.pointwise:
                    x = spikes[loop.source][:, : max(0, steps - loop.delay)]
                    g_weights[k] = (x * passes[loop.target].g_current[:, loop.delay :]).sum((0, 1))
                else:
                    g_weights[k] = sums[loop].sum(0).T if loop in sums else torch.zeros_like(own)
        else:
            for layer in passes:
                layer.advance(0, steps)
        return None, *(g for layer in passes for g in layer.gradients()), *g_weights


def _split(run: LayerRun, tensors: Tensors) -> tuple[torch.Tensor, Tensors, Tensors]:
    count = 1 + len(run.kernel.structure.learned)
    return tensors[0], tensors[1:count], tensors[count:]


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
