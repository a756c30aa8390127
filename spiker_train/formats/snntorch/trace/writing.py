"""Tensors that are written into, passed as arguments of forward, or encoded."""

from typing import Any

import torch

from .encoders import Encoder
from .flow import INPUT, Traced, TraceError, plain_of, replaced, where
from .input_transform import Levels

__all__ = ["EXACT", "argument", "assigned", "check_whole", "encoded", "written"]

EXACT = {torch.bfloat16, torch.float16, torch.float32, torch.float64}
"""Types that represent spikes exactly."""


def argument(tracer: Any, n: int, value: Any) -> Any:
    """Return an argument of ``forward`` after the input: a state, which must be zero."""
    if not isinstance(value, torch.Tensor) or value.ndim < 2 or not value.is_floating_point():
        return value
    reason = f"argument {n} of forward, which only neurons may take as their state,"
    return tracer.mark(torch.zeros_like(value).as_subclass(Traced), broken=reason)


def check_whole(tracer: Any, tensor: Traced) -> None:
    """Check that a tensor has not been changed since its sources were recorded."""
    if tensor.encoder is not None:
        cut(tracer, tensor)
    if tensor.raw is not None and tensor.input is not tracer.source:
        raise TraceError(f"{where()}: the input must be taken as it is or encoded once, not both")
    if tensor.version != plain_of(tensor)._version:
        reason = f"{where()}: writing into a part of a tensor"
        tracer.mark(tensor, broken=tensor.broken or reason, seen=tensor.seen)


def cut(tracer: Any, tensor: Traced) -> None:
    """Let the output of an encoder be the input of the network."""
    if tracer.trace.encoder is not None or INPUT in tracer.trace.shapes:
        raise TraceError(
            f"{tensor.encoder.line}: the input must be taken as it is or encoded once, not both"
        )
    tracer.trace.encoder = tensor.encoder
    tracer.levels = Levels(tensor.encoder.low, tensor.encoder.high, 2 - tensor.encoder.low)
    tracer.source = plain_of(tensor).zero_()
    tracer.mark(tensor, raw=torch.arange(tensor.numel()).reshape(tensor.shape), seen=tensor.seen)


def encoded(tracer: Any, encoder: Encoder, func, operands, args, kwargs) -> Any:
    """Compute an operation within an encoder."""
    for operand in operands:
        ours = operand.encoder is encoder
        if not ours and (operand.raw is None or operand.pending or operand.broken):
            raise TraceError(
                f"{encoder.line}: {encoder.name} must encode the input, not what was made of it"
            )
        if not ours and (operand.gain is not None or operand.offsets):
            note = (
                f"samples are scaled or shifted before {encoder.name}: do so before encoding them"
            )
            tracer.trace.notes += [note] * (note not in tracer.trace.notes)
    # Some encoders refuse samples of zeros.
    half = {id(operand): plain_of(operand) for operand in operands if operand.encoder is not None}
    half |= {id(operand): torch.full_like(plain_of(operand), 0.5) for operand in operands
             if operand.encoder is None}  # fmt: skip
    plain = func(*replaced(args, half), **replaced(kwargs, half))
    return tracer.wrap(plain, operands, encoder=encoder, biased=False, offsets=frozenset())


def assigned(tracer: Any, name: str, args: tuple, plain: Any) -> Any:
    """Return a tensor all of whose values are overwritten, or None for another function."""
    if name in {"zero_", "fill_"} and not any(isinstance(index, Traced) for index in args[1:]):
        return tracer.wrap(plain, [], terms=())
    source = args[1] if name == "copy_" and len(args) > 1 else None
    if not isinstance(source, Traced) or source.shape != plain.shape or plain.dtype not in EXACT:
        return None
    return tracer.wrap(
        plain, [source], terms=source.terms, raw=source.raw, broken=source.broken,
        pending=source.pending, gain=source.gain,
    )  # fmt: skip


def written(tracer: Any, target: Any, result: Traced) -> Traced:
    """Give a tensor the sources of the values that were written into it."""
    whole = target._base if target._is_view() else None
    if not isinstance(target, Traced):
        target.__class__ = Traced
    values = plain_of(target)
    if values.data_ptr() != result.data_ptr():
        values.copy_(plain_of(result))
    vars(target).clear()
    vars(target).update(vars(result))
    target.version = values._version
    if whole is not None and whole is not target:
        whole.__class__ = Traced
        reason = f"{where()}: writing into a part of a tensor"
        tracer.mark(whole, broken=reason, seen=result.seen)
    return target
