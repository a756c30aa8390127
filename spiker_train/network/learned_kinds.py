"""Values of synapse kinds that are learned: as parameters, in runs, and as numbers."""

from collections.abc import Mapping
from copy import copy
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from .synapse_kinds import LearnedTau, Summed, SynapseKind, is_decay
from .time import Tau

__all__ = ["in_run", "learned_names", "parameters_of", "valued"]


def parameters_of(kind: SynapseKind) -> dict[str, nn.Parameter]:
    """Return a parameter for each value that a kind learns.

    Of a time constant in seconds it is the logarithm, of all others the value. Those of part ``n``
    of a :class:`~.synapse_kinds.Summed` are named ``"tau_n"``.
    """
    if isinstance(kind, Summed):
        return {
            f"{name}_{n}": value
            for n, part in enumerate(kind.kinds)
            for name, value in parameters_of(part).items()
        }
    parameters = {}
    for name in kind.learn:
        value = getattr(kind, name)
        if isinstance(value, Tau):
            number = np.log(value.seconds)
        else:
            number = getattr(value, "factor", value)
        parameters[name] = nn.Parameter(torch.from_numpy(np.array(number, np.float64)).float())
    return parameters


def learned_names(kind: SynapseKind) -> tuple[str, ...]:
    """Return the names of :func:`parameters_of`."""
    if isinstance(kind, Summed):
        return tuple(
            f"{name}_{n}" for n, part in enumerate(kind.kinds) for name in learned_names(part)
        )
    return tuple(kind.learn)


def in_run(kind: SynapseKind, parameters: Mapping[str, torch.Tensor]) -> SynapseKind:
    """Return a kind for a run, whose learned values are tensors with gradients.

    Parameters
    ----------
    kind : SynapseKind
    parameters : mapping of str to tensor
        As of :func:`parameters_of`.
    """
    if isinstance(kind, Summed):
        return _with(kind, {"kinds": _parts(kind, parameters, in_run)})
    values: dict[str, Any] = {}
    for declared in fields(kind):
        if declared.name not in kind.learn:
            continue
        value, own = parameters[declared.name], getattr(kind, declared.name)
        if isinstance(own, Tau):
            value = LearnedTau(value.exp(), own.method)
        elif is_decay(declared):
            value = value.clamp(0, 1)
        values[declared.name] = value
    return _with(kind, values)


def valued(kind: SynapseKind, parameters: Mapping[str, torch.Tensor]) -> SynapseKind:
    """Return a kind with the present values of what it learns, as numbers.

    Parameters
    ----------
    kind : SynapseKind
    parameters : mapping of str to tensor
        As of :func:`parameters_of`.

    Raises
    ------
    ValueError
        If no such kind can have these values.
    """
    if isinstance(kind, Summed):
        return Summed(*_parts(kind, parameters, valued), per_pair=kind.per_pair)
    values: dict[str, Any] = {}
    for declared in fields(kind):
        if declared.name not in kind.learn:
            continue
        own = getattr(kind, declared.name)
        value: Any = parameters[declared.name].detach().cpu().double().numpy()
        if isinstance(own, Tau):
            value = Tau(_plain(np.exp(value)), own.method)
        else:
            value = _plain(value.clip(0, 1) if is_decay(declared) else value)
        values[declared.name] = value
    return replace(kind, **values) if values else kind


def _parts(kind: Summed, parameters: Mapping[str, torch.Tensor], change: Any) -> tuple:
    return tuple(
        change(part, {name: parameters[f"{name}_{n}"] for name in learned_names(part)})
        for n, part in enumerate(kind.kinds)
    )


def _plain(value: np.ndarray) -> Any:
    return value if value.ndim else float(value)


def _with(kind: SynapseKind, values: Mapping[str, Any]) -> SynapseKind:
    """Return a copy with other values, which are not checked."""
    other = copy(kind)
    for name, value in values.items():
        object.__setattr__(other, name, value)
    return other
