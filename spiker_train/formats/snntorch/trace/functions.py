"""Functions of PyTorch as linear maps."""

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
    """Return the operand, the map and whether a bias was added; None for what is not linear."""
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
    """Return what is the same for the same numbers."""
    if value is None:
        return None
    known = (id(value), getattr(value, "_version", 0))
    if known not in tracer.digests:
        found = np.asarray(_array(value))
        # The value is held, so that no other takes its place.
        tracer.digests[known] = (value, (found.shape, blake2b(found.tobytes()).digest()))
    return tracer.digests[known][1]


def _make(tracer: Any, kind: Callable[..., LinearMap], arrays: tuple, *more: Any, **named: Any):
    """Make a map, the same where the same was made before."""
    digest = tuple(_digest(tracer, one) for one in arrays)
    key = (kind, digest, repr(more), repr(sorted(named.items(), key=str)))
    if key not in tracer.known:
        try:
            tracer.known[key] = kind(*map(_array, arrays), *more, **named)
        except (TypeError, ValueError) as error:
            raise TraceError(str(error)) from None
    return tracer.known[key]


def _linear(tracer, label, given, weight, bias=None) -> Found:
    if not isinstance(given, Traced) or isinstance(weight, Traced):
        return None
    return given, _make(tracer, Affine, (weight,), name=label), bias is not None


def _matmul(tracer, label, given, other) -> Found:
    if not isinstance(given, Traced) or isinstance(other, Traced) or other.ndim != 2:
        return None
    return given, _make(tracer, Affine, (other.T,), name=label), False


def _conv(tracer, label, given, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if not isinstance(given, Traced) or given.ndim != weight.ndim:
        return None
    kind = _make(
        tracer, Conv, (weight,), stride=_numbers(stride), padding=_numbers(padding),
        dilation=_numbers(dilation), groups=groups, name=label,
    )  # fmt: skip
    return given, kind, bias is not None


def _numbers(value: Any) -> Any:
    many = list(value) if isinstance(value, list | tuple) else [value]
    return tuple(many) if len(many) > 1 else many[0]


def _batch_norm(
    tracer, label, given, mean, variance, weight=None, bias=None, training=False, momentum=0.1,
    eps=1e-5,
) -> Found:  # fmt: skip
    if not isinstance(given, Traced):
        return None
    if training or mean is None or variance is None:
        raise TraceError(
            f"BatchNorm {label!r} must have the statistics of training "
            "(track_running_stats=True), not those of each batch"
        )
    # Its shift is a part of the constant.
    kind = _make(tracer, BatchNorm, (mean * 0, variance, weight, None), eps, name=label)
    return given, kind, True


def _avg_pool(dimensions: int) -> Callable:
    def read(
        tracer, label, given, kernel_size, stride=None, padding=0, ceil_mode=False,
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
        return given, pool, False

    return read


def _max_pool(tracer, label, given, *args, **kwargs) -> Found:
    return given, _make(tracer, MaxPool, (), name=label), False


def _scaled(tracer, label, given, factor) -> Found:
    if isinstance(given, Traced) and isinstance(factor, Traced):
        return None
    if not isinstance(given, Traced):
        given, factor = factor, given
    values = torch.as_tensor(factor)
    if values.ndim > given.ndim - tracer.lead:
        if any(size != 1 for size in values.shape[: values.ndim - given.ndim + tracer.lead]):
            return None
        values = values.reshape(values.shape[values.ndim - given.ndim + tracer.lead :])
    return given, _make(tracer, Scale, (values,), name=label), False


def _divided(tracer, label, given, factor) -> Found:
    if not isinstance(given, Traced) or isinstance(factor, Traced):
        return None
    return _scaled(tracer, label, given, 1 / torch.as_tensor(factor, dtype=torch.float64))


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
    "neg": lambda tracer, label, given: _scaled(tracer, label, given, -1.0),
    "rmul": _scaled,
    "truediv": _divided,
}
