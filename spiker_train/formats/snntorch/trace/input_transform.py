"""Elementwise operations of a module on its input: factors, offsets and bounds.

A part of the input is described by the index of each of its values in the whole. Until step and
samples of the part are known, a factor is kept for each value. Offsets need no record: the module
runs on zeros, and so computes the bias that an offset causes in each neuron, the borders of padded
convolutions included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from spiker_train.linear.compose import LinearMap, Scale

from .flow import Traced, TraceError, plain_of, where

__all__ = ["BOUNDS", "SPIKES", "Gain", "Levels", "acted", "scale_of"]

FACTORS = {"div", "divide", "itruediv", "imul", "mul", "multiply", "rmul", "true_divide", "truediv"}
DIVIDE = {"div", "divide", "itruediv", "true_divide", "truediv"}
OFFSETS = {"add", "iadd", "isub", "radd", "rsub", "sub", "subtract"}
BOUNDS = {"clamp", "clamp_max", "clamp_min", "clip", "hardtanh", "maximum", "minimum", "relu",
          "relu6"}  # fmt: skip
EXACT = 1e-6  # relative rounding error of a bound in float32


@dataclass(frozen=True)
class Gain:
    """Factors of the values of a part of the input, and their name in messages."""

    values: torch.Tensor
    name: str


@dataclass(frozen=True)
class Levels:
    """The values that the input can have, in the units of the module.

    Members
    -------
    low, high : float
        Smallest and greatest value.
    count : int
        Number of equidistant values from ``low`` to ``high``, both included.
    """

    low: float
    high: float
    count: int


SPIKES = Levels(0.0, 1.0, 2)


def acted(tracer: Any, func: Callable, name: str, args: tuple, kwargs: dict, plain: Any) -> Any:
    """Return the result of an elementwise function of the input; None for another function.

    Raises
    ------
    TraceError
        If a bound does more to the values than a factor and an offset do.
    """
    name = name.strip("_")
    operands = [argument for argument in args if isinstance(argument, Traced)]
    if len(operands) != 1 or operands[0].raw is None or operands[0].broken:
        return None
    operand = operands[0]
    if name in OFFSETS and not kwargs and len(args) == 2:
        minus = name == "rsub" or (name in {"sub", "subtract"} and args[1] is operand)
        factor = torch.tensor(-1.0 if minus else 1.0, dtype=torch.float64)
        return _kept(tracer, operand, plain, factor, offset=tracer.label())
    if name == "neg" and not kwargs:
        return _kept(tracer, operand, plain, torch.tensor(-1.0, dtype=torch.float64))
    if name in FACTORS and not kwargs and len(args) == 2:
        other = args[1] if args[0] is operand else args[0]
        if name in DIVIDE and args[0] is not operand:
            return None
        factor = torch.as_tensor(other, dtype=torch.float64)
        return _kept(tracer, operand, plain, 1 / factor if name in DIVIDE else factor)
    if name in BOUNDS and not operand.pending:
        return _bounded(tracer, operand, func, name, args, kwargs)
    return None


def _kept(
    tracer: Any, operand: Traced, plain: torch.Tensor, factor: torch.Tensor, offset: str = ""
) -> Any:
    """Return the same part of the input, with a factor of its values."""
    offsets = operand.offsets | ({offset} if offset else frozenset())
    biased = operand.biased or bool(offset)
    if operand.pending:
        # Rows have been mapped, and so a factor must be the same in all rows.
        row = factor.reshape(factor.shape[-1:] if factor.ndim and factor.shape[-1] > 1 else ())
        if plain.shape != operand.shape or row.numel() != factor.numel():
            return None
        pending = operand.pending
        if bool((row != 1).any()):
            pending = (*pending, scale_of(tracer, row, tracer.label()))
        return tracer.wrap(
            plain, [operand], raw=operand.raw, gain=operand.gain, pending=pending, biased=biased,
            offsets=offsets,
        )  # fmt: skip
    assert operand.raw is not None  # acted saw to it
    raw = operand.raw.broadcast_to(plain.shape)
    gain = operand.gain
    if bool((factor != 1).any()):
        before = torch.ones((), dtype=torch.float64) if gain is None else gain.values
        name = tracer.label() if gain is None else gain.name
        gain = Gain((before * factor).broadcast_to(plain.shape), name)
    elif gain is not None:
        gain = Gain(gain.values.broadcast_to(plain.shape), gain.name)
    return tracer.wrap(plain, [operand], raw=raw, gain=gain, biased=biased, offsets=offsets)


def _bounded(
    tracer: Any, operand: Traced, func: Callable, name: str, args: tuple, kwargs: dict
) -> Any:
    """Return the part between bounds, if that is a factor and an offset of each value."""
    levels: Levels = tracer.levels
    gain = torch.ones((), dtype=torch.float64) if operand.gain is None else operand.gain.values
    shift = plain_of(operand).double()

    def bounded(value: torch.Tensor) -> torch.Tensor:
        return func(*(value if argument is operand else _double(argument) for argument in args), **{
            key: _double(argument) for key, argument in kwargs.items()
        })  # fmt: skip

    ends = [(gain * end + shift).broadcast_to(operand.shape) for end in (levels.low, levels.high)]
    low, high = (bounded(end.clone()) for end in ends)
    if low.shape != operand.shape:
        return None
    near = [
        (after - end).abs() <= EXACT * end.abs().clamp(min=1)
        for after, end in zip((low, high), ends, strict=True)
    ]
    inside = near[0] & near[1]
    straight = inside | (low == high) if levels.count > 2 else torch.ones_like(inside)
    if not bool(straight.all()):
        lowest, highest = float(torch.minimum(*ends).min()), float(torch.maximum(*ends).max())
        raise TraceError(
            f"{where()}: {name} must leave all values of the input as they are, which are "
            f"{lowest:.6g} to {highest:.6g} here: give the range of the input "
            "as values=(low, high), "
            "with input_scale, or bound samples before the network"
        )
    if bool(inside.all()):
        plain = plain_of(operand).clone()
        return tracer.wrap(
            plain, [operand], raw=operand.raw, gain=operand.gain, offsets=operand.offsets
        )  # fmt: skip
    span = (levels.high - levels.low) or 1.0
    factor = torch.where(inside, gain, (high - low) / span)
    plain = torch.where(inside, shift, low - factor * levels.low).to(operand.dtype)
    label = tracer.label()
    return tracer.wrap(
        plain, [operand], raw=operand.raw, gain=Gain(factor, label), biased=True,
        offsets=operand.offsets | {label},
    )  # fmt: skip


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, torch.Tensor) else value


def scale_of(tracer: Any, factor: torch.Tensor, name: str) -> LinearMap:
    """Return the map that multiplies by factors, the same object for equal factors."""
    if factor.numel() > 1 and bool((factor == factor.flatten()[0]).all()):
        factor = factor.flatten()[0]
    values = factor.detach().cpu().double().numpy()
    key = (values.shape, values.tobytes(), name)
    return tracer.known.setdefault((Scale, key), Scale(values, name=name))
