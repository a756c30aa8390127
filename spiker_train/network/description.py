"""Descriptions of networks, which are equal where networks compute the same with equal arrays."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .cell import IntegerCell
from .time import Duration, Tau

if TYPE_CHECKING:
    from .layers import Layer
    from .network import SpikingNetwork

__all__ = ["described", "network_described"]


def described(value: Any) -> Any:
    """Return a value as lists, numbers and strings, whole arrays by a digest of all they hold.

    A function is known by its name alone.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return ["array", value.dtype.str, list(value.shape), digest]
    if isinstance(value, Tau | Duration):
        return repr(value)
    if is_dataclass(value) and not isinstance(value, type):
        values = {declared.name: getattr(value, declared.name) for declared in fields(value)}
        for declared in fields(value):  # that are newer than studies which were described before
            if declared.metadata.get("optional") and not values[declared.name]:
                del values[declared.name]
        return [_name(type(value)), described(values)]
    if isinstance(value, Mapping):
        return [[str(name), described(value[name])] for name in sorted(value, key=str)]
    if isinstance(value, list | tuple):
        return [described(entry) for entry in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return _name(value)
    return repr(value).partition(" at 0x")[0]


def network_described(net: "SpikingNetwork") -> list[Any]:
    """Return all that a network computes, but for its parameters and buffers.

    These are in its ``state_dict``.
    """
    return [
        described(net.inputs),
        [_layer(layer) for layer in net.layers],
        [
            [part.name, part.source, part.target, part.kind]
            + [described(value) for value in (part.grid, part.delay, part.dynamics)]
            + [described(value) for value in (part.window, part.pooling) if value is not None]
            # Not stated for the first, which is that of all networks before there were others.
            + ([["receptor", part.receptor]] if part.receptor else [])
            for part in net.connections
        ],
        described(net.readouts),
        described(net.dt),
        str(net.like().dtype),
    ]


def _layer(layer: "Layer") -> list[Any]:
    cell = layer.cell
    common = [layer.name, described(layer.shape), _name(cell.kind), described(cell.surrogate)]
    common.append(described(layer.coupling))
    if isinstance(cell, IntegerCell):
        return [*common, described(cell.fixed), cell.scale]
    values = (cell.settings, cell.exact, cell.taus, cell.durations, cell.learned)
    return [*common, *map(described, values)]


def _name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
