"""What is proved of a rule when a network is made: ranges, and that rows not visited stay."""

import warnings
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from spiker_hdl.model.neurons.intervals import Interval, Ranges

from .base import Rule

if TYPE_CHECKING:
    from spiker_hdl.model.graph import Projection
    from spiker_hdl.model.network import Network

__all__ = ["RuleBounds", "check_rule", "rule_bounds"]

_LARGEST = 2**62
"""Limit of all intermediate results: the reference computes in 64 bits."""


@dataclass(frozen=True)
class RuleBounds:
    """Ranges of the numbers that a rule computes for a projection.

    Members
    -------
    change_low, change_high : int
        Range of a change before it is rounded, with ``apply="sample"`` of the sum of a sample's.
    largest : int
        Maximum magnitude of all intermediate results.
    idle_without_third : bool
        Whether no weight changes where the third factor is 0, which is proved.
    """

    change_low: int
    change_high: int
    largest: int
    idle_without_third: bool


class _Case:
    """Intervals of the operands of a rule, for all pairs or for those that are not visited."""

    def __init__(self, rule: Rule, ranges: Ranges, weights: tuple[int, int], potential: Any):
        self.rule = rule
        self.ranges = ranges
        self.p = rule.bind({
            name: ranges.interval(value.value, value.value)
            for name, value in rule.parameters.items()
        })
        self.p.low, self.p.high = (ranges.interval(end, end) for end in weights)
        self.weights = weights
        self.potential = potential

    def operands(self, visited: bool) -> tuple[Any, Any, Any]:
        """Return source, target and pair before a step, after the decay of their traces."""
        visits = self.rule.visits
        dead = not visited and "while_alive" in visits
        sides = []
        for side in ("pre", "post", "pair"):
            traces = {
                trace.name: self.ranges.interval(0, 0)
                if dead and side != "post"
                else self.ranges.interval(*self.rule.range_of(trace))
                for trace in self.rule.of_side(side)
            }
            sides.append(SimpleNamespace(**self.rule.decayed(side, self.p, traces, self.ranges)))
        pre, post, pair = sides
        pre.event = self.event(visited or "on_pre" not in visits)
        post.event = self.event(visited or "on_post" not in visits)
        if self.rule.reads_potential:
            post.potential = self.ranges.interval(*self.potential)
        pair.weight = self.ranges.interval(*self.weights)
        return pre, post, pair

    def event(self, possible: bool) -> Any:
        return self.ranges.interval(0, int(possible)) > 0

    def at_the_end(self, visited: bool) -> tuple[Any, Any, Any]:
        """Return the operands after the last step, when no event is present."""
        pre, post, pair = self.operands(visited)
        pre.event, post.event = self.event(False), self.event(False)
        return pre, post, pair


def _ends(value: Any) -> tuple[int, int]:
    if isinstance(value, Interval):
        return int(np.min(value.low)), int(np.max(value.high))
    return int(value), int(value)


def rule_bounds(
    rule: Rule, bits: int, steps: int, potential: tuple[int, int] = (0, 0), what: str = "Rule"
) -> RuleBounds:
    """Prove the ranges of a rule's traces and that rows which are not visited stay as they are.

    Parameters
    ----------
    rule : Rule
    bits : int
        Declared bits of a weight.
    steps : int
        Greatest number of steps of a sample.
    potential : (int, int)
        Range of the target's potential.
    what : str
        Name in messages.

    Raises
    ------
    TypeError
        If the rule branches on an operand.
    ValueError
        If a trace may leave its range, a weight that is not visited may change, no change can ever
        reach a weight, or more than 63 bits are necessary.
    """
    ranges = Ranges()
    case = _Case(rule, ranges, rule.weight_range(bits), potential)
    what = f"{what}: {type(rule).__name__}"
    _check_traces(case, what)
    low, high = _change(case, True)
    _check_visits(case, what)
    idle = rule.third is not None and _change(case, True, third=(0, 0)) == (0, 0)
    _check_rounding(rule, low, high, what)
    if rule.apply == "sample":
        low, high = low * steps, high * steps
    spare = 2**rule.shift
    largest = max(ranges.largest, -low + spare, high + spare)
    if largest >= _LARGEST:
        raise ValueError(f"{what} must compute in 63 bits, not {largest.bit_length() + 1}")
    return RuleBounds(low, high, largest, idle)


def _change(case: _Case, visited: bool, third: tuple[int, int] | None = None) -> tuple[int, int]:
    rule, ranges = case.rule, case.ranges
    if rule.third is None:
        return _ends(rule.update(case.p, *case.operands(visited), None, ranges))
    factor = ranges.interval(*(rule.third.range() if third is None else third))
    return _ends(rule.update(case.p, *case.at_the_end(visited), factor, ranges))


def _check_traces(case: _Case, what: str) -> None:
    rule, ranges = case.rule, case.ranges
    pre, post, pair = case.operands(True)
    after = {
        "pre": rule.pre_step(case.p, pre, ranges),
        "post": rule.post_step(case.p, post, ranges),
        "pair": rule.pair_step(case.p, pre, post, pair, ranges),
    }
    for side, traces in after.items():
        declared = {trace.name: trace for trace in rule.of_side(side)}
        if set(traces) != set(declared):
            raise ValueError(
                f"{what}.{side}_step must return the traces {sorted(declared)}, not "
                f"{sorted(traces)}"
            )
        for name, value in traces.items():
            (low, high), (least, most) = _ends(value), rule.range_of(declared[name])
            if low < least or high > most:
                raise ValueError(
                    f"{what} must keep trace {name!r} in {least}..{most}, not {low}..{high}: use "
                    "via.saturate"
                )


def _check_visits(case: _Case, what: str) -> None:
    """Prove that weights and traces of pairs that no visit names stay as they are."""
    rule, ranges = case.rule, case.ranges
    every_row = rule.third is not None and "at_sample_end" in rule.visits
    ends = (0, 0) if every_row else _change(case, False)
    if ends != (0, 0):
        raise ValueError(
            f"{what} must not change weights of rows that it does not visit, {rule.visits}, not by "
            f"{ends[0]}..{ends[1]}: add a visit, or let traces be 0 there"
        )
    pre, post, pair = case.operands(False)
    if rule.of_side("pair") and "while_alive" not in rule.visits:
        raise ValueError(f"{what} has traces of pairs, and must visit rows 'while_alive'")
    for name, value in rule.pair_step(case.p, pre, post, pair, ranges).items():
        if _ends(value) != (0, 0):
            raise ValueError(
                f"{what} must keep trace {name!r} of rows that it does not visit, {rule.visits}, "
                f"at 0, not in {_ends(value)[0]}..{_ends(value)[1]}"
            )


def _check_rounding(rule: Rule, low: int, high: int, what: str) -> None:
    """Refuse a rule that can never change a weight; warn of a direction that rounds to nothing."""
    unit = 2**rule.shift
    up, down = {
        "down": (high >= unit, low < 0),
        "nearest": (2 * high >= unit, 2 * low < -unit),
        "stochastic": (high > 0, low < 0),
    }[rule.rounding]
    if rule.apply == "sample" and rule.rounding != "stochastic":
        up, down = up or high > 0, down or low < 0  # a sum of several changes
    if not up and not down:
        raise ValueError(
            f"{what} must be able to change a weight: changes of {low}..{high} in units of "
            f"1/{unit} round to 0; let `shift` be less, or rounding 'stochastic'"
        )
    for name, lost in (("rise", high > 0 and not up), ("fall", low < 0 and not down)):
        if lost:
            warnings.warn(
                f"{what}: every {name} of a weight rounds to 0, of changes of {low}..{high} in "
                f"units of 1/{unit}; let `shift` be less, or rounding 'stochastic'",
                stacklevel=2,
            )


def check_rule(network: "Network", projection: "Projection") -> RuleBounds:
    """Check the rule of a projection against its network; raises as :func:`rule_bounds`."""
    rule, what = projection.rule, f"Projection {projection.name!r}"
    assert rule is not None
    assert projection.bits is not None  # checked with the projection
    source, target = network.nodes[projection.source], network.population[projection.target]
    if getattr(source, "static", False):
        raise ValueError(
            f"{what}: a rule must learn from events of each step, not from the static input "
            f"{source.name!r}: declare it as not static"
        )
    if not target.neuron.emits and ("on_post" in rule.visits or rule.of_side("post")):
        raise ValueError(
            f"{what}: {type(rule).__name__} must have a target that emits events, not "
            f"{type(target.neuron).__name__}"
        )
    potential = (0, 0)
    if rule.reads_potential:
        states = network.bounds[target.name].states
        if target.neuron.potential not in states:
            raise ValueError(
                f"{what}: {type(rule).__name__} must have a target with a potential, not "
                f"{type(target.neuron).__name__}"
            )
        potential = states[target.neuron.potential]
    if rule.third is not None:
        rule.third.check(network, projection)
    return rule_bounds(rule, projection.bits, network.max_steps, potential, what)
