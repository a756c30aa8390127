"""Edges between the neurons of a traced module, and checks of the graph."""

from collections import Counter
from math import prod
from typing import Any

import torch
from torch import nn

from spiker_train.formats.snntorch.trace.flow import INPUT, Call, Trace
from spiker_train.linear.compose import Folded, add, compose

from .cells import Neurons
from .pooled import Pools

__all__ = ["check_reached", "edges_of", "notes_of"]

Edges = dict[tuple[str, int], list[Folded]]


def edges_of(
    label: str, part: nn.Module, trace: Trace, neurons: Neurons, pools: Pools, unrolled: int
) -> tuple[Edges, Any]:
    """Return the maps that reach a layer, by source and delay, and its bias or False."""
    what = f"{type(part).__name__} {label!r}"
    call = _the_same_in_each_step(what, label, trace)
    maps = [*neurons.before]
    folded_by_edge: dict[tuple[str, int], list[Folded]] = {}
    last = len(trace.calls[label]) - 1
    for term in call.terms:
        source, delay = term.source.name, 0 if term.source.step is None else last - term.source.step
        source, row = pools.split(source, [*term.maps, *maps], label)
        folded = compose(row, trace.shapes[source], before=source, limit=unrolled)
        folded_by_edge.setdefault((source, delay + neurons.delay), []).append(folded)
    if neurons.recurrent is not None:
        back = compose([neurons.recurrent], trace.shapes[label], before=what, limit=unrolled)
        folded_by_edge.setdefault((label, 1), []).append(back)
    constant = call.constant.double().numpy()
    shape = constant.shape
    if maps:
        inner = compose(maps, shape)
        constant = inner.operator.times(constant.reshape(-1))
    bias = constant.reshape(-1)
    flows = call.biased or bool(bias.any())
    if neurons.bias is not None:
        bias, flows = bias + neurons.bias.reshape(-1), True
    if flows and neurons.delay:
        raise ValueError(f"{what}: current must have no bias, which would flow a step too early")
    edges = {key: add(many, unrolled) for key, many in folded_by_edge.items()}
    return edges, bias if flows else False


def _the_same_in_each_step(what: str, label: str, trace: Trace) -> Call:
    """Return the last call of neurons, after a check that all calls are alike."""
    calls = trace.calls[label]
    counts = {len(calls_of_layer) for calls_of_layer in trace.calls.values()}
    if len(counts) > 1:
        steps = min(counts)
        raise (
            ValueError(
                f"{what} must be called once in each step, not {len(calls)} times while others are "
                f"{steps}; see {calls[-1].line}"
            )
            if len(calls) != steps
            else ValueError(
                f"{what} must be called once in each step, not {len(calls)} times while others are "
                f"{max(counts)}; see {calls[-1].line}"
            )
        )

    def edges(step: int) -> Counter:
        return Counter(
            (term.source.name, None if term.source.step is None else step - term.source.step,
             tuple(id(linear_map) for linear_map in term.maps))
            for term in calls[step].terms
        )  # fmt: skip

    last = len(calls) - 1
    expected = edges(last)
    for name, delay, _ in expected:
        if delay is not None and delay < 0:
            raise ValueError(
                f"{what} must not be reached by {name!r} of later steps ({calls[-1].line})"
            )
    _check_finite_history(what, [delay for _, delay, _ in expected if delay], last, calls[-1].line)
    for step in range(last):
        now = Counter({key: n for key, n in expected.items() if key[1] is None or key[1] <= step})
        same = edges(step) == now
        if not same or not torch.allclose(calls[step].constant, calls[last].constant, atol=1e-6):
            raise ValueError(
                f"{what} must be reached by the same in each step, which step {step} and step "
                f"{last} are not ({calls[step].line})"
            )
    return calls[last]


def _check_finite_history(what: str, delays: list[int], last: int, line: str) -> None:
    """Refuse connections from all earlier steps, whose number an example cannot show."""
    if last > 1 and set(delays) >= set(range(1, last + 1)):
        raise ValueError(
            f"{what} must be reached by spikes of the last few steps, not of all steps before it, "
            f"such as a sum that leaks outside of neurons ({line}): take Synaptic, or a Leaky with "
            "reset_mechanism='none' as a layer"
        )


def check_reached(kinds: dict[str, str], edges: dict, last: list[str]) -> None:
    """Check that each layer is on a path from the input to neurons that are read out."""
    forward, back = {INPUT}, set(last)
    for _ in edges:
        for label, (links, _) in edges.items():
            sources = {source for source, _ in links}
            if sources & forward:
                forward.add(label)
            if label in back:
                back |= sources
    output = f"output {' or '.join(map(repr, dict.fromkeys(last)))}"
    for label in edges:
        what = f"{kinds[label]} {label!r}"
        if label not in forward:
            raise ValueError(f"{what} must be reached from the input")
        if label not in back:
            raise ValueError(f"{what} must reach the {output}")
    if INPUT not in back:
        raise ValueError(f"Input must reach the {output}")


def notes_of(trace: Trace, labels: list[str], parts: dict[str, nn.Module]) -> list[str]:
    """Return the remarks of a report on what the trace has shown."""
    steps = len(trace.calls[labels[0]])
    notes = [
        f"{label!r} is never called, and left out" for label in parts if label not in trace.calls
    ]
    if steps > 1 and trace.static:
        notes.append(f"forward reads the whole input in each of {steps} steps: repeat it")
    if trace.encoder is not None:
        notes.append(str(trace.encoder))
    for label, lines in trace.offsets.items():
        size = prod(trace.shapes[label])
        notes.append(
            f"what {' and '.join(sorted(lines))} adds to the input costs a bias of each of the "
            f"{size} neurons of {label!r}, and no events"
        )
    return notes + trace.notes
