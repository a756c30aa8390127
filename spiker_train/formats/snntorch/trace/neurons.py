"""Neurons while their module is traced: their currents are recorded, and zeros are returned."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from spiker_hdl.base.messages import with_article

from .flow import Call, Source, Term, Traced, TraceError, plain_of, where
from .module_state import left_over

__all__ = ["neuron_forward"]


def neuron_forward(tracer: Any, neurons: nn.Module, label: str) -> Callable:
    """Return a replacement for the ``forward`` of neurons while their module is traced."""
    names = tuple(tracer.states(neurons))
    kind = type(neurons).__name__

    def forward(current, *states, **named):
        _read_current(tracer, neurons, label, current)
        step = len(tracer.trace.calls[label]) - 1
        states_given = [*states, *(named[name] for name in names[len(states) :] if name in named)]
        for name, value in zip(names, states_given, strict=False):
            _check_state(tracer, f"{kind} {label!r}: {name}", label, name, step, value)
        answers, shape = [], _shape_of_spikes(neurons, current)
        for name in ("spikes", *names):
            what = "spikes" if name == "spk" else name
            value = current.new_zeros(shape).as_subclass(Traced)
            source = Source(label, what, step)
            tracer.tape.leaf(value, source, shape)
            answers.append(tracer.mark(value, (Term(source),), seen=frozenset({label})))
        if names[:1] == ("spk",):  # recurrent neurons return their spikes once
            del answers[1]
        alone = tracer.chain or not names
        if alone or (getattr(neurons, "init_hidden", False) and not neurons.output):
            return answers[0]
        return tuple(answers)

    return forward


def _shape_of_spikes(neurons: nn.Module, current: torch.Tensor) -> tuple[int, ...]:
    """Return the shape of the spikes."""
    size = getattr(neurons, "hidden_size", None)
    return tuple(current.shape) if size is None else (*current.shape[:-1], size)


def _read_current(tracer: Any, neurons: nn.Module, label: str, current: Any) -> None:
    what = f"{type(neurons).__name__} {label!r}"
    if not isinstance(current, Traced):
        kind = "constant" if isinstance(current, torch.Tensor) else type(current).__name__
        raise TraceError(
            f"{what}: current must come from the input or from neurons, not from "
            f"{with_article(kind)} ({where()})"
        )
    terms = tracer.terms(current)
    if terms is None:
        reason = current.broken or f"{where()}: something else"
        raise TraceError(
            f"{what}: current must be a sum of linear maps of spikes, which {reason} is not"
        )
    for term in terms:
        if term.source.what != "spikes":
            raise TraceError(
                f"{what}: current must come from spikes, not from {term.source.what!r} of "
                f"{term.source.name!r} ({where()})"
            )
    if current.ndim <= tracer.lead:
        raise TraceError(
            f"{what}: current must have an axis of samples before those of neurons, not the "
            f"shape {tuple(current.shape)}; give an example that has"
        )
    shape = tuple(current.shape[tracer.lead :])
    calls = tracer.trace.calls.setdefault(label, [])
    known = tracer.trace.shapes.setdefault(label, _shape_of_spikes(neurons, current)[tracer.lead :])
    if calls and known != _shape_of_spikes(neurons, current)[tracer.lead :]:
        raise TraceError(
            f"{what}: shape must stay {known}, not become {shape} ({where()}): one layer takes the "
            "place of two; give each place a layer of its own"
        )
    if current.offsets:
        tracer.trace.offsets.setdefault(label, set()).update(current.offsets)
    plain = plain_of(current).reshape(-1, *shape)
    calls.append(Call(terms, plain[0].clone(), current.biased, where()))


def _check_state(tracer: Any, what: str, label: str, name: str, step: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, Traced):
        own = Source(label, "spikes" if name == "spk" else name, step - 1)
        if step and value.terms is not None and value.terms == (Term(own),):
            return
        constant = value.terms is None and value.raw is None and not value.seen
        if constant and step == 0 and not bool(plain_of(value).any()):
            return
    elif isinstance(value, torch.Tensor) and step == 0 and not bool(value.any()):
        return
    rule = "what the step before returned" if step else "zero at the start"
    message = f"{what} must be {rule}, not something else ({where()})"
    if step == 0 and left_over(value):
        tracer.trace.unrested = tracer.trace.unrested or message
        return
    raise TraceError(message)
