"""Passes of one layer through all time steps by its kernel, forward and backward."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from .graph import Graph
from .run import NeuronKernel, strided

__all__ = ["Backward", "Coupled", "Forward", "LayerRun", "split"]

Tensors = Sequence[torch.Tensor]


@dataclass(eq=False)
class Coupled:
    """The inhibition of the neurons of a layer by each other, which a run advances.

    Members
    -------
    winner : tensor, shape (samples, neurons)
        1 for the neuron that fired last without inhibition.
    left : tensor, shape (samples, 1)
        Inhibition that is left.
    trace : tensor, shape (samples, steps), or None
        What is left after each step, where it is recorded.
    """

    winner: torch.Tensor
    left: torch.Tensor
    trace: torch.Tensor | None

    def arrays(self, won: torch.Tensor) -> dict[str, Any]:
        """Return the arrays of a kernel, with one for the neuron that fires in each step."""
        steps = won.shape[1]
        arrays = {"winner": (self.winner, self.winner.shape[1], 0), "left": (self.left, 1, 0)}
        arrays["won"] = won, steps, 1
        return arrays | ({} if self.trace is None else {"trace_left": (self.trace, steps, 1)})


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
    spare : bool
        Whether no one else has the inputs, so that without gradients spikes take the place of the
        first one: memory of that size is slow to get.
    coupled : Coupled or None
        For neurons that inhibit each other.
    """

    kernel: NeuronKernel
    graphs: tuple[Graph, ...]
    periods: tuple[tuple[int, int, int], ...]
    width: float
    surrogate: Callable[[torch.Tensor], torch.Tensor] | None
    traces: tuple[str, ...]
    spare: bool = False
    coupled: Coupled | None = None

    @property
    def written(self) -> set[int]:
        """Inputs that the kernel itself writes."""
        coupling = self.kernel.structure.coupling
        return set() if coupling is None else {coupling[0]}

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


class Pass:
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


class Forward(Pass):
    """A forward pass of one layer."""

    def __init__(self, run: LayerRun, tensors: Tensors, training: bool, looped: set[int]):
        super().__init__(run)
        inputs, parameters, starts = split(run, tensors)
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
        outputs = []
        if run.spiking:
            # A step reads its input before it writes its spikes.
            first = self.inputs[0]
            taken = run.spare and not training and not looped and first.is_contiguous()
            outputs.append(first if taken else torch.empty(self.shape, dtype=dtype))
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
        self.won: torch.Tensor | None = None
        if run.coupled is not None:
            self.won = torch.empty(samples, steps, dtype=dtype)
            arrays |= run.coupled.arrays(self.won)
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


class Backward(Pass):
    """A backward pass of one layer."""

    def __init__(
        self,
        run: LayerRun,
        tensors: Tensors,
        inputs: Tensors,
        saved: Tensors,
        grads: Sequence[torch.Tensor | None],
        looped: bool,
        won: torch.Tensor | None = None,
    ):
        super().__init__(run)
        _, self.parameters, starts = split(run, tensors)
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
        if won is not None:
            arrays["won"] = won, steps, 1
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


def split(run: LayerRun, tensors: Tensors) -> tuple[Tensors, list[Tensors], Tensors]:
    """Return the inputs of a layer, its sets of parameters, and its states at the start."""
    ends = [run.inputs + run.parameters * n for n in range(len(run.graphs) + 1)]
    sets = [tensors[a:b] for a, b in pairwise(ends)]
    return tensors[: run.inputs], sets, tensors[ends[-1] :]


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
