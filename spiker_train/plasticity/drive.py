"""A rule of learning, driven by given trains of spikes."""

from typing import Any

import torch

from spiker_hdl.base.checks import check_kind, shown
from spiker_hdl.model import Rule
from spiker_hdl.model.rules.rounding import step_word
from spiker_train.network.arithmetic import FloatingPointDecay

from .pairs import Pairs

__all__ = ["drive"]


def drive(
    rule: Rule,
    weights: Any,
    pre: Any,
    post: Any,
    *,
    potential: Any = None,
    third: Any = None,
    floating: bool = True,
    seed: int = 0,
) -> torch.Tensor:
    """Return the weights after a sample whose spikes on both sides are given.

    Parameters
    ----------
    rule : Rule
        One of :func:`~.floating.floating_rule`, or of integers.
    weights : array or tensor, shape (sources, targets)
    pre, post : array or tensor, shape (steps, sources) and (steps, targets)
        Where there is an event.
    potential : array or tensor, shape (steps, targets), optional
        Potentials of the targets after each step, for a rule that reads them.
    third : array or tensor, shape (targets,), optional
        Third factor, for a rule that has one.
    floating : bool
        Whether to compute in floating point, without rounding. In integers otherwise.
    seed : int
        Of stochastic rounding.

    Returns
    -------
    tensor of float64, shape (sources, targets)

    Raises
    ------
    TypeError, ValueError
        If shapes do not meet, or what the rule needs is missing.
    """
    check_kind("Rule", rule, Rule)
    matrix = torch.as_tensor(weights, dtype=torch.float64)
    before, after = (torch.as_tensor(events) != 0 for events in (pre, post))
    expected = (len(before), *matrix.shape)
    if (len(before), before.shape[-1], after.shape[-1]) != expected or len(after) != len(before):
        raise ValueError(
            f"Events must be of {matrix.shape[0]} sources and {matrix.shape[1]} targets in as many "
            f"steps, not of shapes {tuple(before.shape)} and {tuple(after.shape)}"
        )
    for what, value, needed in (
        ("Potential", potential, rule.reads_potential),
        ("Third factor", third, rule.has_third),
    ):
        if (value is not None) != needed:
            must = "be given" if needed else "be None"
            raise ValueError(f"{what} must {must} for {type(rule).__name__}, not {shown(value)}")
    if not floating and any(isinstance(v, FloatingPointDecay) for v in vars(rule).values()):
        raise ValueError("Rule in floating point must be driven with floating=True")
    ends = (
        float("-inf") if rule.low is None else rule.low,
        float("inf") if rule.high is None else rule.high,
    )
    pairs = Pairs(rule, matrix, ends, integers=not floating)
    for t in range(len(before)):
        own = None if potential is None else torch.as_tensor(potential[t], dtype=torch.float64)
        pairs.step(step_word(seed, 0, t, 0), before[t], after[t], own)
    pairs.end(step_word(seed, 0, len(before), 0), third)
    return pairs.weights
