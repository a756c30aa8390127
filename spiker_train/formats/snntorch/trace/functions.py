"""Maps that correspond to functions of PyTorch."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
import torch

from spiker_train.linear.compose import (
    Affine,
    AvgPool,
    BatchNorm,
    Conv,
    LinearMap,
    MaxPool,
    Pad,
    Reshape,
    Scale,
    SumPool,
    maximum_of_bias,
)

from .flow import Traced, TraceError, plain_of, where

__all__ = ["convert"]

Found = tuple[Traced, LinearMap | tuple[LinearMap, ...] | None, bool] | None


def convert(tracer: Any, name: str, args: tuple, kwargs: dict, label: str) -> Found:
    """Return operand, map or maps and whether a bias was added; None for another function."""
    name = name.strip("_")
    reader = READERS.get(name)
    return None if reader is None else reader(tracer, label, *args, **kwargs)


def _array(value: Any) -> np.ndarray | None:
    if value is None:
        return None
    return torch.as_tensor(value).detach().cpu().double().numpy()


def _digest(tracer: Any, value: Any) -> Any:
    """Return a key that is the same for equal arrays."""
    if value is None:
        return None
    known = (id(value), getattr(value, "_version", 0))
    if known not in tracer.digests:
        array = np.asarray(_array(value))
        # A reference to the value keeps its id from being used again.
        tracer.digests[known] = (value, (array.shape, blake2b(array.tobytes()).digest()))
    return tracer.digests[known][1]


def _make(tracer: Any, kind: Callable[..., LinearMap], arrays: tuple, *more: Any, **named: Any):
    """Return a map, the same object for the same arguments."""
    digest = tuple(_digest(tracer, array) for array in arrays)
    key = (kind, digest, repr(more), repr(sorted(named.items(), key=str)))
    if key not in tracer.known:
        try:
            tracer.known[key] = kind(*map(_array, arrays), *more, **named)
        except (TypeError, ValueError) as error:
            raise TraceError(str(error)) from None
    return tracer.known[key]


def _linear(tracer, label, operand, weight, bias=None) -> Found:
    if not isinstance(operand, Traced) or isinstance(weight, Traced):
        return None
    return operand, _make(tracer, Affine, (weight,), name=label), bias is not None


def _matmul(tracer, label, operand, other) -> Found:
    if not isinstance(operand, Traced) or isinstance(other, Traced) or other.ndim != 2:
        return None
    return operand, _make(tracer, Affine, (other.T,), name=label), False


def _conv(tracer, label, operand, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if not isinstance(operand, Traced) or operand.ndim != weight.ndim:
        return None
    kind = _make(
        tracer, Conv, (weight,), stride=_numbers(stride), padding=_numbers(padding),
        dilation=_numbers(dilation), groups=groups, name=label,
    )  # fmt: skip
    return operand, kind, bias is not None


def _numbers(value: Any) -> Any:
    many = list(value) if isinstance(value, list | tuple) else [value]
    return tuple(many) if len(many) > 1 else many[0]


def _batch_norm(
    tracer, label, operand, mean, variance, weight=None, bias=None, training=False, momentum=0.1,
    eps=1e-5,
) -> Found:  # fmt: skip
    if not isinstance(operand, Traced):
        return None
    if training or mean is None or variance is None:
        raise TraceError(
            f"BatchNorm {label!r} must have the statistics of training "
            "(track_running_stats=True), not those of each batch"
        )
    # The shift is a part of the constant already.
    kind = _make(tracer, BatchNorm, (mean * 0, variance, weight, None), eps, name=label)
    return operand, kind, True


def _avg_pool(dimensions: int) -> Callable:
    def read(
        tracer, label, operand, kernel_size, stride=None, padding=0, ceil_mode=False,
        count_include_pad=True, divisor_override=None,
    ) -> Found:  # fmt: skip
        if not isinstance(operand, Traced) or operand.ndim < dimensions + tracer.lead:
            return None
        options = {
            "stride": None if stride in (None, [], ()) else _numbers(stride),
            "padding": _numbers(padding),
            "dimensions": dimensions,
            "name": label,
        }
        if not divisor_override:
            options["padded"] = count_include_pad
        kernel = _numbers(kernel_size)
        pool = _make(tracer, SumPool if divisor_override else AvgPool, (), kernel, **options)
        if ceil_mode and pool.window.remainders(operand.shape[-dimensions:]):
            raise TraceError(
                f"AvgPool {label!r}: ceil_mode must be False where its windows leave a remainder, "
                "not True: pad, or take windows that leave none"
            )
        if divisor_override is None or divisor_override == 1:
            return operand, pool, False
        share = _make(tracer, Scale, (1 / divisor_override,), name=label)
        return operand, (pool, share), False

    return read


def _max_pool(dimensions: int) -> Callable:
    def read(
        tracer, label, operand, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
        return_indices=False,
    ) -> Found:  # fmt: skip
        if not isinstance(operand, Traced) or operand.ndim < dimensions + tracer.lead:
            return None
        if return_indices:
            raise TraceError(f"MaxPool {label!r}: return_indices must be False, not True")
        pool = _make(
            tracer, MaxPool, (), _numbers(kernel_size), dimensions=dimensions, ceil=ceil_mode,
            stride=None if stride in (None, [], ()) else _numbers(stride),
            padding=_numbers(padding), dilation=_numbers(dilation), name=label,
        )  # fmt: skip
        return _maximum(tracer, operand, pool)

    return read


def _maximum(tracer: Any, operand: Traced, pool: MaxPool) -> Found:
    """Return a maximum of one operand, after a check that it is of one linear map and a bias."""
    terms = tracer.terms(operand)
    if terms is None:
        return None
    if len(terms) != 1:
        raise TraceError(
            f"{pool} must be of one convolution, not of a sum of {len(terms)} maps ({where()}): "
            "pool each, or put neurons in front"
        )
    shape = tuple(operand.shape[tracer.lead :])
    bias = plain_of(operand)[(0,) * tracer.lead].double().reshape(-1).cpu().numpy()
    try:
        maximum_of_bias(str(pool), pool.pooling(shape, "its input"), bias)
    except ValueError as error:
        raise TraceError(f"{error} ({where()})") from None
    return operand, pool, False


def _adaptive(dimensions: int, *, maximum: bool = False) -> Callable:
    """Return the reader of a pooling whose windows follow from the size of its output."""

    def read(tracer, label, operand, output_size, return_indices=False) -> Found:
        if not isinstance(operand, Traced) or operand.ndim < dimensions + tracer.lead:
            return None
        kind = "AdaptiveMaxPool" if maximum else "AdaptiveAvgPool"
        if return_indices:
            raise TraceError(f"{kind} {label!r}: return_indices must be False, not True")
        sizes = tuple(operand.shape[-dimensions:])
        wanted = _numbers(output_size)
        many = wanted if isinstance(wanted, tuple) else (wanted,) * dimensions
        many = tuple(
            size if result is None else int(result)
            for result, size in zip(many, sizes, strict=True)
        )
        if any(size % result for size, result in zip(sizes, many, strict=True)):
            raise TraceError(
                f"{kind} {label!r} must have an output size that divides {sizes}, so that its "
                f"windows are alike, not {many}"
            )
        size = tuple(size // result for size, result in zip(sizes, many, strict=True))
        named = {"dimensions": dimensions, "name": label}
        if maximum:
            return _maximum(tracer, operand, _make(tracer, MaxPool, (), size, **named))
        return operand, _make(tracer, AvgPool, (), size, **named), False

    return read


def _over_positions(kind: type[SumPool] | type[MaxPool]) -> Callable:
    """Return the reader of a sum, mean or maximum over whole axes of positions."""

    def read(tracer, label, operand, dim=None, keepdim=False, dtype=None) -> Found:
        if not isinstance(operand, Traced) or dim is None or dtype is not None:
            return None
        if operand.raw is not None:  # the input, perhaps with all steps
            return None
        ranks, lead = operand.ndim, tracer.lead
        axes = {axis % ranks for axis in (dim if isinstance(dim, list | tuple) else [dim])}
        # Channels are no positions, and axes before those of a sample are steps and samples.
        if ranks - lead not in {2, 3} or min(axes) <= lead:
            return None
        sizes = [operand.shape[n] if n in axes else 1 for n in range(lead + 1, ranks)]
        pool = _make(tracer, kind, (), tuple(sizes), dimensions=len(sizes), name=label)
        kept = tuple(operand.shape[n] for n in range(lead, ranks) if n not in axes)
        maps = (pool,) if keepdim else (pool, _make(tracer, Reshape, (), kept))
        if isinstance(pool, MaxPool):
            checked = _maximum(tracer, operand, pool)
            return None if checked is None else (operand, maps, False)
        return operand, maps, False

    return read


def _pad(tracer, label, operand, pad, mode="constant", value=None) -> Found:
    axes = operand.ndim - tracer.lead - 1 if isinstance(operand, Traced) else 0
    if mode != "constant" or value or axes not in {1, 2} or len(pad) > 2 * axes or min(pad) < 0:
        return None
    ends = [(int(pad[n]), int(pad[n + 1])) for n in range(0, len(pad), 2)]
    ends = [(0, 0)] * (axes - len(ends)) + ends[::-1]
    return operand, _make(tracer, Pad, (), tuple(ends), name=label), False


def _scaled(tracer, label, operand, factor) -> Found:
    if isinstance(operand, Traced) and isinstance(factor, Traced):
        return None
    if not isinstance(operand, Traced):
        operand, factor = factor, operand
    values = torch.as_tensor(factor)
    if values.ndim > operand.ndim - tracer.lead:
        if any(size != 1 for size in values.shape[: values.ndim - operand.ndim + tracer.lead]):
            return None
        values = values.reshape(values.shape[values.ndim - operand.ndim + tracer.lead :])
    return operand, _make(tracer, Scale, (values,), name=label), False


def _divided(tracer, label, operand, factor) -> Found:
    if not isinstance(operand, Traced) or isinstance(factor, Traced):
        return None
    return _scaled(tracer, label, operand, 1 / torch.as_tensor(factor, dtype=torch.float64))


READERS: dict[str, Callable] = {
    "adaptive_avg_pool1d": _adaptive(1),
    "adaptive_avg_pool2d": _adaptive(2),
    "adaptive_max_pool1d": _adaptive(1, maximum=True),
    "adaptive_max_pool2d": _adaptive(2, maximum=True),
    "amax": _over_positions(MaxPool),
    "avg_pool1d": _avg_pool(1),
    "avg_pool2d": _avg_pool(2),
    "batch_norm": _batch_norm,
    "conv1d": _conv,
    "conv2d": _conv,
    "div": _divided,
    "imul": _scaled,
    "itruediv": _divided,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool1d": _max_pool(1),
    "max_pool1d_with_indices": _max_pool(1),
    "max_pool2d": _max_pool(2),
    "max_pool2d_with_indices": _max_pool(2),
    "mean": _over_positions(AvgPool),
    "mm": _matmul,
    "mul": _scaled,
    "multiply": _scaled,
    "pad": _pad,
    "neg": lambda tracer, label, operand: _scaled(tracer, label, operand, -1.0),
    "rmul": _scaled,
    "sum": _over_positions(SumPool),
    "truediv": _divided,
}
