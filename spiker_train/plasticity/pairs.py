"""Weights and traces of a projection as tensors: a rule for all pairs at once."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import torch

from spiker_hdl.model import Arithmetic, Decay, Rule
from spiker_hdl.model.rules.rounding import rounded, scramble, target_words
from spiker_train.network.arithmetic import FloatingPoint, FloatingPointDecay, Tensors

__all__ = ["Pairs", "arithmetic_of"]

SIDES = ("pre", "post", "pair")


def arithmetic_of(integers: bool, dtype: torch.dtype) -> Arithmetic:
    """Return operations on tensors: of integers in floating-point formats, or not rounded."""
    return Tensors(dtype=dtype) if integers else FloatingPoint(dtype=dtype)


class Pairs:
    """Weights and traces of a rule, for all pairs of sources and targets at once.

    Parameters
    ----------
    rule : Rule
    weights : tensor, shape (sources, targets)
    ends : (number, number)
        Range of a weight.
    integers : bool
        Whether changes are rounded, and traces saturate.
    number : int
        Number of the projection in its network, for the bits of stochastic rounding.
    mask : tensor of bool, shape (sources, targets), optional
        Pairs that have a synapse; by default all.
    """

    def __init__(
        self,
        rule: Rule,
        weights: torch.Tensor,
        ends: tuple[Any, Any],
        *,
        integers: bool = True,
        number: int = 0,
        mask: torch.Tensor | None = None,
    ):
        self.rule = rule
        self.weights = weights
        self.ends = ends
        self.integers = integers
        self.number = number
        self.mask = mask
        self.via = arithmetic_of(integers, weights.dtype)
        self.p = self._bound()
        device = weights.device
        self._sources = torch.arange(weights.shape[0], device=device)
        self._words = target_words(torch.arange(weights.shape[1], device=device))
        self.begin()

    def _bound(self) -> SimpleNamespace:
        """Return the parameters of an update: those of the rule, and the range of a weight."""
        p = SimpleNamespace(time_step=1, low=self.ends[0], high=self.ends[1])
        for field in fields(self.rule):
            value = getattr(self.rule, field.name)
            if isinstance(value, Decay | FloatingPointDecay):
                setattr(p, field.name, value)
            elif field.metadata.get("role") == "parameter":
                setattr(p, field.name, self._tensor(value))
        return p

    def _tensor(self, value: Any) -> torch.Tensor:
        return torch.as_tensor(value, dtype=self.weights.dtype, device=self.weights.device)

    def begin(self) -> None:
        """Begin a sample: all traces are 0."""
        sources, targets = self.weights.shape
        shapes = {"pre": (sources, 1), "post": (1, targets), "pair": (sources, targets)}
        self.traces = {
            side: {
                trace.name: self.weights.new_zeros(shapes[side])
                for trace in self.rule.of_side(side)
            }
            for side in SIDES
        }
        self.kept = torch.zeros_like(self.weights) if self.rule.apply == "sample" else None

    def step(
        self, word: int, pre_events: torch.Tensor, post_events: torch.Tensor, potential: Any
    ) -> None:
        """Take the events of a step.

        Parameters
        ----------
        word : int
            :func:`~spiker_hdl.model.rules.rounding.step_word` of the step.
        pre_events, post_events : tensor of bool, shape (sources,) or (targets,)
        potential : tensor, shape (targets,), or None
            Potentials of the targets after the step, for a rule that reads them.
        """
        rule, p, via = self.rule, self.p, self.via
        seen = {side: rule.decayed(side, p, self.traces[side], via) for side in SIDES}
        pre = SimpleNamespace(event=pre_events[:, None], **seen["pre"])
        post = SimpleNamespace(event=post_events[None], **seen["post"])
        if potential is not None:
            post.potential = potential[None]
        synapse = SimpleNamespace(weight=self.weights, **seen["pair"])
        if rule.third is None:
            change = rule.update(p, pre, post, synapse, None, via)
            if self.kept is None:
                self._change(word, change)
            else:
                self.kept = self.kept + change
        self.traces = {
            "pre": rule.pre_step(p, pre, via),
            "post": rule.post_step(p, post, via),
            "pair": rule.pair_step(p, pre, post, synapse, via),
        }

    def end(self, word: int, third: Any) -> None:
        """End a sample.

        Parameters
        ----------
        word : int
            :func:`~spiker_hdl.model.rules.rounding.step_word` after the last step.
        third : tensor, shape (targets,), or None
            Third factor of each target.
        """
        if self.kept is not None:
            self._change(word, self.kept)
        if third is None:
            return
        nothing = self.weights.new_zeros(1, 1)
        never = nothing != 0
        pre = SimpleNamespace(event=never, **self.traces["pre"])
        post = SimpleNamespace(event=never, potential=nothing, **self.traces["post"])
        synapse = SimpleNamespace(weight=self.weights, **self.traces["pair"])
        factor = self._tensor(third)[None]
        self._change(word, self.rule.update(self.p, pre, post, synapse, factor, self.via))

    def _change(self, word: int, change: torch.Tensor) -> None:
        rule, random = self.rule, None
        if self.integers and rule.rounding == "stochastic" and rule.shift:
            rows = scramble(word ^ self._sources)[:, None]
            random = (((rows + self._words) & (2**32 - 1)) >> (32 - rule.shift)).to(change.dtype)
        if self.integers and rule.shift:
            change = rounded(change, rule.shift, rule.rounding, random, self.via)
        elif rule.shift:
            change = change / 2**rule.shift
        changed = (self.weights + change).clamp(*self.ends)
        self.weights = changed if self.mask is None else torch.where(self.mask, changed, 0.0)
