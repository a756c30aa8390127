"""Linear maps that correspond to functions of PyTorch."""

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
    Scale,
    SumPool,
)

from .flow import Traced, TraceError

__all__ = ["convert"]

Found = tuple[Traced, LinearMap | None, bool] | None


def convert(tracer: Any, name: str, args: tuple, kwargs: dict, label: str) -> Found:
    """Return operand, map and whether a bias was added; None for a function that is not linear."""
    name = name.strip("_")
    if "max_pool" in name or name == "boolean_dispatch":
        name = "max_pool"
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
        if ceil_mode:
            raise TraceError(f"AvgPool {label!r}: ceil_mode must be False, not True")
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
        if divisor_override not in {None, 1}:
            raise TraceError(
                f"AvgPool {label!r}: divisor_override must be 1 or none, not {divisor_override}"
            )
        return operand, pool, False

    return read


def _max_pool(tracer, label, operand, *args, **kwargs) -> Found:
    return operand, _make(tracer, MaxPool, (), name=label), False


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
    "max_pool": _max_pool,
    "mm": _matmul,
    "mul": _scaled,
    "multiply": _scaled,
    "neg": lambda tracer, label, operand: _scaled(tracer, label, operand, -1.0),
    "rmul": _scaled,
    "truediv": _divided,
}
