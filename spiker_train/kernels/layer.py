"""Layers run over all time steps by kernels, with gradients.

Layers that form a cycle run together: step by step, their kernels alternate with the products of
their spikes. A single layer without a cycle runs all steps of a sample at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .passes import Backward, Forward, LayerRun, Tensors, split
from .products import Events, by_source

__all__ = ["Group", "Loop", "run_group"]


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
    draws : int or None
        Number of draws that are stacked in the weights, each of which has rows of its own; None
        where there is one set of weights. Draws have no gradients.
    """

    source: int
    target: int
    input: int
    due: tuple[int, ...]
    pointwise: bool
    draws: int | None = None

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


class _Group(torch.autograd.Function):
    @staticmethod
    def forward(ctx, group, *tensors):
        training = any(ctx.needs_input_grad)
        parts, weights = _parts(group, tensors)
        passes = [
            Forward(
                run,
                part,
                training,
                run.written | {loop.input for loop in group.loops if loop.target == n},
            )
            for n, (run, part) in enumerate(zip(group.layers, parts, strict=True))
        ]
        events: dict[Loop, dict[int, Events]] = {loop: {} for loop in group.loops}
        if group.loops:
            rows = [_rows(loop, w.detach()) for loop, w in zip(group.loops, weights, strict=True)]
            arriving = [loop.arriving for loop in group.loops]
            for t in range(passes[0].shape[1]):
                for n, layer in enumerate(passes):
                    for loop, due, own in zip(group.loops, arriving, rows, strict=True):
                        for s in due.get(t, ()) if loop.target == n else ():
                            x = passes[loop.source].outputs[0][:, s]
                            into = layer.inputs[loop.input][:, t]
                            if loop.draws is not None:
                                _add_draws(x, own, into, loop)
                            elif loop.pointwise:
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
            ctx.saved = [
                (layer.inputs if looped or layer.run.written else None, layer.saved, layer.won)
                for layer in passes
            ]
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
        for run, part, kept in zip(group.layers, parts, ctx.saved, strict=True):
            own_inputs, saved, won = kept
            own = grads[at : at + run.outputs]
            spikes.append(outputs[at] if outputs else None)
            at += run.outputs
            own_inputs = split(run, part)[0] if own_inputs is None else own_inputs
            passes.append(Backward(run, part, own_inputs, saved, own, bool(group.loops), won))
        g_weights: list[torch.Tensor | None] = []
        if group.loops:
            g_weights = _backward_in_loops(group, passes, weights, spikes, ctx.events)
        else:
            for layer in passes:
                layer.all(backward=True)
        return None, *(g for layer in passes for g in layer.gradients()), *g_weights


def _rows(loop: Loop, weights: torch.Tensor) -> Any:
    """Return the weights by source, for each draw where several are stacked."""
    if loop.pointwise:
        return weights
    return by_source(weights) if loop.draws is None else [by_source(own) for own in weights]


def _add_draws(x: torch.Tensor, rows: Any, into: torch.Tensor, loop: Loop) -> None:
    """Add the products of events with several draws of the weights, each with rows of its own."""
    assert loop.draws is not None
    for events, currents, own in zip(
        x.chunk(loop.draws), into.chunk(loop.draws), rows, strict=True
    ):
        if loop.pointwise:
            currents.addcmul_(events, own)
        else:
            Events(events, own.dtype).add_product(own, currents)


def _backward_in_loops(
    group: Group,
    passes: list[Backward],
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


def _parts(group: Group, tensors: Tensors) -> tuple[list[Tensors], Tensors]:
    """Return the tensors of each layer, and the weights of the loops."""
    parts, at = [], 0
    for run in group.layers:
        parts.append(tensors[at : at + run.count])
        at += run.count
    return parts, tensors[at:]


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
