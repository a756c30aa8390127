"""Operations that move, sum or map values linearly, and what they do to the maps of a tensor."""

from typing import Any

import torch

from spiker_train.linear.compose import Scale

from .flow import MOVING, SAME, Term, Traced, swapped, where
from .input_transform import Gain
from .places import moved_in_each_sample, same_rows
from .writing import EXACT

__all__ = ["as_linear_map", "as_movement", "as_sum"]

LEADING = {"cat", "concat", "concatenate", "stack", "vstack"}
"""Functions that may join parts of the input along the axes before those of a sample."""


def as_movement(tracer: Any, func, name, operands, args, kwargs, plain) -> Any:
    if name in LEADING:
        joined = _joined(tracer, func, operands, args, kwargs, plain)
        if joined is not None:
            return joined
    joins = name in {"cat", "concat", "concatenate", "hstack"}
    if name not in MOVING and not joins and name not in SAME:
        return None
    if name in SAME:
        only = operands[0]
        exact = plain.dtype in EXACT
        if kwargs.get("training") and kwargs.get("p"):
            note = f"{where()}: {name} acts in evaluation too, and does nothing here"
            tracer.trace.notes += [note] * (note not in tracer.trace.notes)
        if not exact or only is not args[0]:
            return None
        return tracer.wrap(
            plain, operands, terms=only.terms, raw=only.raw, broken=only.broken,
            pending=only.pending, gain=only.gain,
        )  # fmt: skip
    if not joins and len(operands) != 1:
        return None
    if any(one.broken for one in operands):
        return None
    if not joins and operands[0].raw is not None:
        only = operands[0]
        moved = func(*swapped(args, only.raw), **swapped(kwargs, only.raw))
        each = [moved] if isinstance(moved, torch.Tensor) else moved
        if not only.pending or all(same_rows(only.raw, one) for one in each):
            gains = _gains(tracer, func, only, args, kwargs)
            return _pairwise(tracer, plain, moved, operands, gains)
    total: list[tuple[Term, ...] | None] = []
    for one in operands:
        terms = tracer.terms(one)
        if terms is None:
            return None
        index = torch.arange(one.numel()).reshape(one.shape)
        # A constant that is joined has no place; one that says which to take stays as it is.
        only = one if joins else None
        moved = func(*swapped(args, index, only), **swapped(kwargs, index, only))
        if isinstance(moved, torch.Tensor):
            total.append(_picked(tracer, terms, one, moved))
            continue
        broken = f"{where()}: {name}"
        each = [_picked(tracer, terms, one, at) for at in moved]
        return type(plain)(
            tracer.wrap(part, operands, terms=its, broken="" if its else broken)
            for part, its in zip(plain, each, strict=True)
        )
    if any(one is None for one in total):
        return None
    flat = tuple(term for terms in total if terms is not None for term in terms)
    return tracer.wrap(plain, operands, terms=flat)


def _joined(tracer: Any, func, operands, args, kwargs, plain) -> Any:
    """Return what becomes of parts of the input that are joined outside of a sample."""
    many, dim = args[0], (args[1:2] or [kwargs.get("dim", 0)])[0]
    known = [one for one in operands if one.raw is not None and not (one.pending or one.broken)]
    if dim != 0 or not many or len(known) != len(many) or not isinstance(many, tuple | list):
        return None
    gain = None
    if any(one.gain is not None for one in known):
        plain_gain = torch.ones((), dtype=torch.float64)
        each = [one.gain.values if one.gain else plain_gain for one in known]
        each = [one.broadcast_to(its.shape) for one, its in zip(each, known, strict=True)]
        name = next(one.gain.name for one in known if one.gain is not None)
        gain = Gain(func(each), name)
    return tracer.wrap(plain, known, raw=func([one.raw for one in known]), gain=gain)


def _gains(tracer: Any, func, only: Traced, args, kwargs) -> Any:
    if only.gain is None:
        return None
    values, name = only.gain.values, only.gain.name
    moved = func(*swapped(args, values), **swapped(kwargs, values))
    if isinstance(moved, torch.Tensor):
        return Gain(moved, name)
    return [Gain(one, name) for one in moved]


def _pairwise(tracer: Any, plain, moved, operands, gains) -> Any:
    pending = operands[0].pending
    if isinstance(plain, torch.Tensor):
        return tracer.wrap(plain, operands, raw=moved, pending=pending, gain=gains)
    gains = [None] * len(plain) if gains is None else gains
    return type(plain)(
        tracer.wrap(each, operands, raw=at, pending=pending, gain=gain)
        for each, at, gain in zip(plain, moved, gains, strict=True)
    )


def _picked(tracer: Any, terms, one: Traced, index: torch.Tensor) -> tuple[Term, ...] | None:
    """Add to terms what moves values about, where each sample stays what it is."""
    places = moved_in_each_sample(one.shape, index, tracer.lead)
    if places is None:
        return None
    step = tracer.placed(places, one.shape[tracer.lead :])
    return tuple(Term(term.source, (*term.maps, *step)) for term in terms)


def as_sum(tracer: Any, name, args, kwargs, plain) -> Any:
    if len(args) != 2 or kwargs:
        return None
    total: tuple[Term, ...] = ()
    operands = [one for one in args if isinstance(one, Traced)]
    for one, minus in zip(args, (name == "rsub", name in {"sub", "isub"}), strict=True):
        if not isinstance(one, Traced):
            continue
        terms = tracer.terms(one)
        if terms is None or one.shape != plain.shape:
            return None
        if minus:
            scale = tracer.convert(tracer, "neg", (one,), {}, tracer.label())[1]
            terms = tuple(Term(term.source, (*term.maps, scale)) for term in terms)
        total += terms
    given = any(not isinstance(one, Traced) for one in args)
    biased = given or any(one.biased for one in operands)
    return tracer.wrap(plain, operands, terms=total, biased=biased)


def as_linear_map(tracer: Any, name, args, kwargs, plain) -> Any:
    found = tracer.convert(tracer, name, args, kwargs, tracer.label())
    if found is None:
        return None
    operand, one, biased = found
    if operand.raw is not None and name == "linear" and operand.ndim > tracer.lead + 1:
        # Perhaps of all steps: which, is seen where one is taken.
        pending = (*operand.pending, one)
        biased = biased or operand.biased
        return tracer.wrap(
            plain, [operand], raw=operand.raw, pending=pending, biased=biased, gain=operand.gain
        )
    terms = tracer.terms(operand)
    if terms is None:
        return None
    if isinstance(one, Scale) and not one.factor.any():
        terms = ()  # no source is left
    elif one is not None:
        terms = tuple(Term(term.source, (*term.maps, one)) for term in terms)
    return tracer.wrap(plain, [operand], terms=terms, biased=biased or operand.biased)
