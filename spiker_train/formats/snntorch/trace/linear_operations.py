"""Traced operations that are linear: movements of values, sums, and linear maps."""

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
    """Return the result of a function that moves or joins values, or None for another function."""
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
    if any(operand.broken for operand in operands):
        return None
    if not joins and operands[0].raw is not None:
        only = operands[0]
        moved = func(*swapped(args, only.raw), **swapped(kwargs, only.raw))
        picked = [moved] if isinstance(moved, torch.Tensor) else moved
        if not only.pending or all(same_rows(only.raw, rows) for rows in picked):
            gains = _gains(tracer, func, only, args, kwargs)
            return _pairwise(tracer, plain, moved, operands, gains)
    total: list[tuple[Term, ...] | None] = []
    for operand in operands:
        terms = tracer.terms(operand)
        if terms is None:
            return None
        index = torch.arange(operand.numel()).reshape(operand.shape)
        # Joined constants have no index, while constants that are indices stay as they are.
        only = operand if joins else None
        moved = func(*swapped(args, index, only), **swapped(kwargs, index, only))
        if isinstance(moved, torch.Tensor):
            total.append(_picked(tracer, terms, operand, moved))
            continue
        broken = f"{where()}: {name}"
        picked = [_picked(tracer, terms, operand, at) for at in moved]
        return type(plain)(
            tracer.wrap(part, operands, terms=its, broken="" if its else broken)
            for part, its in zip(plain, picked, strict=True)
        )
    if any(terms_of_operand is None for terms_of_operand in total):
        return None
    flat = tuple(term for terms in total if terms is not None for term in terms)
    return tracer.wrap(plain, operands, terms=flat)


def _joined(tracer: Any, func, operands, args, kwargs, plain) -> Any:
    """Return parts of the input that are joined along an axis before those of a sample, or None."""
    many, dim = args[0], (args[1:2] or [kwargs.get("dim", 0)])[0]
    known = [
        operand
        for operand in operands
        if operand.raw is not None and not (operand.pending or operand.broken)
    ]
    if dim != 0 or not many or len(known) != len(many) or not isinstance(many, tuple | list):
        return None
    gain = None
    if any(operand.gain is not None for operand in known):
        plain_gain = torch.ones((), dtype=torch.float64)
        gains = [operand.gain.values if operand.gain else plain_gain for operand in known]
        gains = [
            gain_values.broadcast_to(its.shape)
            for gain_values, its in zip(gains, known, strict=True)
        ]
        name = next(operand.gain.name for operand in known if operand.gain is not None)
        gain = Gain(func(gains), name)
    return tracer.wrap(plain, known, raw=func([operand.raw for operand in known]), gain=gain)


def _gains(tracer: Any, func, only: Traced, args, kwargs) -> Any:
    if only.gain is None:
        return None
    values, name = only.gain.values, only.gain.name
    moved = func(*swapped(args, values), **swapped(kwargs, values))
    if isinstance(moved, torch.Tensor):
        return Gain(moved, name)
    return [Gain(part, name) for part in moved]


def _pairwise(tracer: Any, plain, moved, operands, gains) -> Any:
    pending = operands[0].pending
    if isinstance(plain, torch.Tensor):
        return tracer.wrap(plain, operands, raw=moved, pending=pending, gain=gains)
    gains = [None] * len(plain) if gains is None else gains
    return type(plain)(
        tracer.wrap(part, operands, raw=at, pending=pending, gain=gain)
        for part, at, gain in zip(plain, moved, gains, strict=True)
    )


def _picked(tracer: Any, terms, operand: Traced, index: torch.Tensor) -> tuple[Term, ...] | None:
    """Return terms with a map that moves values within each sample; None where samples mix."""
    places = moved_in_each_sample(operand.shape, index, tracer.lead)
    if places is None:
        return None
    step = tracer.placed(places, operand.shape[tracer.lead :])
    return tuple(Term(term.source, (*term.maps, *step)) for term in terms)


def as_sum(tracer: Any, name, args, kwargs, plain) -> Any:
    """Return a sum or difference with the terms of its operands, or None if it is not linear."""
    if len(args) != 2 or kwargs:
        return None
    total: tuple[Term, ...] = ()
    operands = [operand for operand in args if isinstance(operand, Traced)]
    for operand, minus in zip(args, (name == "rsub", name in {"sub", "isub"}), strict=True):
        if not isinstance(operand, Traced):
            continue
        terms = tracer.terms(operand)
        if terms is None or operand.shape != plain.shape:
            return None
        if minus:
            scale = tracer.convert(tracer, "neg", (operand,), {}, tracer.label())[1]
            terms = tuple(Term(term.source, (*term.maps, scale)) for term in terms)
        total += terms
    constant = any(not isinstance(operand, Traced) for operand in args)
    biased = constant or any(operand.biased for operand in operands)
    return tracer.wrap(plain, operands, terms=total, biased=biased)


def as_linear_map(tracer: Any, name, args, kwargs, plain) -> Any:
    """Return the result of a linear map of one operand, or None for another function."""
    conversion = tracer.convert(tracer, name, args, kwargs, tracer.label())
    if conversion is None:
        return None
    operand, linear_map, biased = conversion
    if operand.raw is not None and name == "linear" and operand.ndim > tracer.lead + 1:
        # The operand may have all steps: which one is used, is seen when it is selected.
        pending = (*operand.pending, linear_map)
        biased = biased or operand.biased
        return tracer.wrap(
            plain, [operand], raw=operand.raw, pending=pending, biased=biased, gain=operand.gain
        )
    terms = tracer.terms(operand)
    if terms is None:
        return None
    if isinstance(linear_map, Scale) and not linear_map.factor.any():
        terms = ()  # no source is left
    elif linear_map is not None:
        maps = linear_map if isinstance(linear_map, tuple) else (linear_map,)
        terms = tuple(Term(term.source, (*term.maps, *maps)) for term in terms)
    return tracer.wrap(plain, [operand], terms=terms, biased=biased or operand.biased)
