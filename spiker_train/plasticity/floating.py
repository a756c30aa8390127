"""Rules of learning in floating point, with time constants in seconds."""

from dataclasses import MISSING, fields
from typing import Any

import torch

from spiker_hdl.base.checks import check_kind
from spiker_hdl.base.frozen import make_unchecked
from spiker_hdl.model import Decay, Rule
from spiker_train.network.arithmetic import FloatingPointDecay
from spiker_train.network.time import Tau, step_length

__all__ = ["floating_rule"]


def floating_rule(kind: type[Rule], *, dt: float | None = None, **values: Any) -> Rule:
    """Make a rule whose parameters are numbers of any kind, for learning in floating point.

    Parameters
    ----------
    kind : type
        Class of the rule.
    dt : float, optional
        Length of a step in seconds, where a decay is a :class:`~spiker_train.Tau`.
    **values
        Fields of the rule: parameters as numbers or tensors, decays as ``Tau``,
        :class:`~spiker_hdl.model.Decay` or factors of a step. Numbers of bits do not count: traces
        do not saturate. ``low`` and ``high`` bound the weights, where they are given.

    Returns
    -------
    Rule
        For :func:`~.drive.drive`, and for ``rules`` of :func:`~.learn.learn`; it is in no network
        of integers.

    Raises
    ------
    TypeError
        If ``kind`` is no class of rules, or a field is unknown or missing.
    ValueError
        If a time constant is in seconds and ``dt`` is not given, or a setting is out of range.
    """
    if not (isinstance(kind, type) and issubclass(kind, Rule)):
        raise TypeError(f"Rule must be a class of rules, not {kind!r}")
    declared = {field.name: field for field in fields(kind)}
    unknown = sorted(set(values) - set(declared))
    if unknown:
        raise TypeError(f"{kind.__name__} must have fields among {sorted(declared)}, not {unknown}")
    own: dict[str, Any] = {}
    for name, field in declared.items():
        value = values.get(name, field.default)
        if value is MISSING:
            raise TypeError(f"{kind.__name__} must have a value for {name!r}, not none")
        is_decay = field.type in {Decay, "Decay"}
        own[name] = _decay(f"{kind.__name__} {name}", value, dt) if is_decay else value
    rule = make_unchecked(kind, **own)
    rule.check_settings()
    return rule


def _decay(what: str, value: Any, dt: float | None) -> Decay | FloatingPointDecay:
    if isinstance(value, Decay | FloatingPointDecay):
        return value
    if isinstance(value, Tau):
        if dt is None:
            raise ValueError(f"{what} must have a length of the step, not None: give dt in seconds")
        return FloatingPointDecay(torch.as_tensor(value.factor(step_length(dt), what)))
    check_kind(what, value, float)
    if not 0 <= value < 1:
        raise ValueError(f"{what} must be a factor of at least 0 and below 1, not {value}")
    return FloatingPointDecay(torch.as_tensor(value, dtype=torch.float64))
