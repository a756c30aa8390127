"""The base class of rules of learning: traces, the change of a weight, and visited rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_choice, check_int, check_kind, check_name, shown
from spiker_hdl.base.conversions import plain
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic, Decay
from spiker_hdl.model.neurons.base import Component, signed_range

from .rounding import MOST_SHIFT, ROUNDINGS
from .third import ThirdFactor

__all__ = ["APPLY", "SIDES", "VISITS", "Rule", "Trace", "trace_range"]

SIDES = ("pre", "post", "pair")
"""Where a trace is kept: one for each source, for each target, or for each pair."""

LONGEST = 2**16
"""One more than the greatest number of steps of a sample."""

VISITS = {
    "on_pre": "the row of a source with an event in this step",
    "while_alive": "rows of which a trace, of the source or of a pair, is not 0",
    "on_post": "in all rows, the targets that have an event in this step",
    "at_sample_end": "all rows, after the last step",
}
"""Rows whose weights may change. A row is what one source leads to."""

APPLY = {
    "step": "in the step of the change, for the sums of the next step on",
    "sample": "after the last step of a sample, all changes of the sample at once",
}
"""When changes reach the weights."""


def trace_range(rule: Any) -> tuple[int, int]:
    """Return the range of traces of ``trace_bits`` bits, as a parameter's ``within``."""
    return 0, 2**rule.trace_bits - 1


@dataclass(frozen=True)
class Trace:
    """A trace of a rule: a value that events raise, and that decays to exactly 0.

    Parameters
    ----------
    name : str
        Attribute by which the rule reads it.
    side : {"pre", "post", "pair"}
        See :data:`SIDES`.
    bits : int or str
        Bits of its range, ``0..2**bits - 1``, or the name of the setting that holds them.
    jump : int or str, optional
        What an event adds to it, or the name of the parameter that holds it; without it,
        ``pre_step`` or ``post_step`` of the rule says how it changes. A trace of pairs has none.
    decay : str, optional
        Name of the rule's field that holds its :class:`~..neurons.arithmetic.Decay`. In each step,
        it loses at least 1 until it is 0. Without it, it does not decay before the sample's end.
    nearest : bool
        Whether an event sets it to ``jump``, so that the nearest event alone counts.
    signed : bool
        Whether its range is that of two's complement.
    """

    name: str
    side: str
    bits: int | str
    jump: int | str | None = None
    decay: str | None = None
    nearest: bool = False
    signed: bool = False

    def __post_init__(self) -> None:
        check_name("Trace name", self.name)
        for name in ("bits", "jump"):
            value = plain(getattr(self, name))
            named = isinstance(value, str) and value.isidentifier()
            if not named and (value is not None or name == "bits"):
                value = check_int(f"Trace {shown(self.name)} {name}", value, 1)
            set_fields(self, **{name: value})
        check_choice(f"Side of trace {self.name!r}", self.side, SIDES)
        if self.name in {"event", "potential", "weight"}:
            raise ValueError(f"Trace must not be named {self.name!r}, which each update reads")
        if self.side == "pair" and self.jump is not None:
            raise ValueError(
                f"Trace {self.name!r} of pairs must have no jump: pair_step says how it changes"
            )


@dataclass(frozen=True)
class Rule(Component):
    r"""A rule of learning: a frozen dataclass with traces and one ``update``.

    A subclass is a frozen dataclass with the fields of a component: those made by
    :func:`~spiker_hdl.model.parameter` are parameters, one for all pairs, those that hold a
    :class:`~spiker_hdl.model.Decay` are parameters too, and all others are settings. Its class
    attribute ``traces`` declares the traces.

    In each step, after all populations are updated, for each pair of source and target:

    1. Every trace decays.
    2. :meth:`update` computes the change of the weight from the decayed traces and from the events
       of the step. Where the projection has a delay, the events of the source are the delayed ones.
    3. :meth:`pre_step`, :meth:`post_step` and :meth:`pair_step` compute the new traces, which
       events raise.
    4. The change, in units of :math:`2^{-\text{shift}}`, is rounded and added, and the weight
       saturates once:

    .. math::

        w \leftarrow \operatorname{clamp}
        (w + \operatorname{round}(2^{-\text{shift}} \Delta w), \, \text{low}, \, \text{high})

    Sums read the new weight from the next step on. With ``apply="sample"``, changes are summed and
    rounded once after the last step. A rule with a third factor computes its change once, after the
    last step, from the last traces; no event is then present. Traces start at 0 in every sample.

    Attributes
    ----------
    traces : tuple of Trace
    visits : tuple of str
        Rows whose weights the rule may change: see :data:`VISITS`. That no other weight would
        change is proved by intervals when a network is made. With a third factor, ``"while_alive"``
        means the rows with a living trace after the last step.
    reads_potential : bool
        Whether ``post.potential`` is read: the membrane potential of the target after its update.
    has_third : bool
        Whether the rule must have a third factor; without it, it must have none.

    Parameters
    ----------
    shift : int
        Bits that are rounded off a change, 0 to 24: the rate of learning is ``2**-shift``.
    rounding : {"stochastic", "nearest", "down"}
        See :data:`~.rounding.ROUNDINGS`.
    apply : {"step", "sample"}
        See :data:`APPLY`.
    low, high : int, optional
        Range to which weights saturate; by default that of the declared bits of the projection.
    third : ThirdFactor, optional
        Third factor, for a rule that has one.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If one is out of range.
    """

    traces: ClassVar[tuple[Trace, ...]] = ()
    visits: ClassVar[Any] = ()
    reads_potential: ClassVar[bool] = False
    has_third: ClassVar[bool] = False

    shift: int = field(default=0, kw_only=True)
    rounding: str = field(default="stochastic", kw_only=True)
    apply: str = field(default="step", kw_only=True)
    low: int | None = field(default=None, kw_only=True)
    high: int | None = field(default=None, kw_only=True)
    third: ThirdFactor | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._make_plain()
        name = type(self).__name__
        check_int(f"{name} shift", self.shift, 0, MOST_SHIFT)
        for trace in self.traces:
            self.range_of(trace)
        self.check_settings()
        super().__post_init__()
        if self.sizes:
            raise ValueError(f"Parameters of {name} must be one for all pairs, not one per neuron")
        if self.low is not None:
            check_int(f"{name} low", self.low, -(2**31), 2**31 - 1)
        if self.high is not None:
            check_int(f"{name} high", self.high, -(2**31) if self.low is None else self.low + 1)
        for trace in self.traces:
            self._check_trace(trace)

    def check_settings(self) -> None:
        """Check the settings that mean the same in integers and in floating point."""
        name = type(self).__name__
        check_choice(f"{name} rounding", self.rounding, ROUNDINGS)
        check_choice(f"{name} apply", self.apply, APPLY)
        for visit in self.visits:
            check_choice(f"{name} visits", visit, VISITS)
        if self.third is not None:
            check_kind(f"{name} third factor", self.third, ThirdFactor)
        if self.has_third != (self.third is not None):
            need = "a third factor" if self.has_third else "no third factor"
            raise ValueError(f"{name} must have {need}, not {self.third!r}")
        if self.has_third and self.apply != "step":
            raise ValueError(
                f"{name} apply must be 'step', not {self.apply!r}: a third factor comes at the end "
                "of a sample already"
            )

    def _check_trace(self, trace: Trace) -> None:
        what = f"{type(self).__name__} trace {trace.name!r}"
        low, high = self.range_of(trace)
        check_int(f"{what} bits", (high - low).bit_length(), 1, 32)
        if trace.jump is not None:
            check_int(f"{what}: the jump at an event", self.jump_of(trace), low, high)
        if trace.decay is not None:
            decay = getattr(self, trace.decay)
            check_kind(f"{what} decay", decay, Decay)
            if decay.numerator == 0:
                raise ValueError(f"{what} must decay, not by {decay!r}: let `decay` be None")

    def range_of(self, trace: Trace) -> tuple[int, int]:
        """Return the declared range of a trace."""
        bits = getattr(self, trace.bits) if isinstance(trace.bits, str) else trace.bits
        bits = check_int(f"{type(self).__name__} bits of trace {trace.name!r}", bits, 1, 32)
        return signed_range(bits) if trace.signed else (0, 2**bits - 1)

    def jump_of(self, trace: Trace) -> Any:
        """Return what an event adds to a trace, as declared."""
        return getattr(self, trace.jump) if isinstance(trace.jump, str) else trace.jump

    def of_side(self, side: str) -> tuple[Trace, ...]:
        """Return the traces of a side."""
        return tuple(trace for trace in self.traces if trace.side == side)

    def weight_range(self, bits: int) -> tuple[int, int]:
        """Return the range to which weights of so many declared bits saturate."""
        low, high = signed_range(bits)
        return low if self.low is None else self.low, high if self.high is None else self.high

    @cached_property
    def lifetimes(self) -> dict[str, int | None]:
        """Greatest number of steps until a trace is 0 without an event; None without a decay.

        65536 stands for more steps than a sample has.
        """
        return {trace.name: self._lifetime(trace) for trace in self.traces}

    def _lifetime(self, trace: Trace) -> int | None:
        if trace.decay is None:
            return None
        steps = 0
        for value in self.range_of(trace):
            own = 0
            while value and own < LONGEST:
                value = INTEGERS.vanish(value, getattr(self, trace.decay))
                own += 1
            steps = max(steps, own)
        return steps

    def decayed(self, side: str, p: Any, traces: Mapping[str, Any], via: Arithmetic) -> dict:
        """Return the traces of a side, by name, after their decay."""
        return {
            trace.name: traces[trace.name]
            if trace.decay is None
            else via.vanish(traces[trace.name], getattr(p, trace.decay))
            for trace in self.of_side(side)
        }

    def raised(self, side: str, p: Any, own: Any, via: Arithmetic) -> dict[str, Any]:
        """Return the traces of a side after events have raised them."""
        after = {}
        for trace in self.of_side(side):
            value = getattr(own, trace.name)
            if trace.jump is not None:
                jump = getattr(p, trace.jump) if isinstance(trace.jump, str) else trace.jump
                total = jump if trace.nearest else via.saturate(value + jump, *self.range_of(trace))
                value = via.select(own.event, total, value)
            after[trace.name] = value
        return after

    def pre_step(self, p: Any, pre: Any, via: Arithmetic = INTEGERS) -> dict[str, Any]:
        """Return the traces of sources after a step, by name.

        Parameters
        ----------
        p, pre, via
            As for :meth:`update`.
        """
        return self.raised("pre", p, pre, via)

    def post_step(self, p: Any, post: Any, via: Arithmetic = INTEGERS) -> dict[str, Any]:
        """Return the traces of targets after a step, by name; operands as for :meth:`update`."""
        return self.raised("post", p, post, via)

    def pair_step(
        self, p: Any, pre: Any, post: Any, synapse: Any, via: Arithmetic = INTEGERS
    ) -> dict[str, Any]:
        """Return the traces of pairs after a step, by name; operands as for :meth:`update`."""
        return {trace.name: getattr(synapse, trace.name) for trace in self.of_side("pair")}

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        """Return the change of a weight, in units of ``2**-shift``.

        Parameters
        ----------
        p : namespace
            Parameters by name, ``time_step``, and ``low`` and ``high``, the range of a weight.
        pre, post : namespace
            Traces of source and target, and ``event``: a test, whether there is an event in this
            step. ``post.potential`` is the target's potential, where ``reads_potential`` is True.
        synapse : namespace
            ``weight``, and traces of the pair.
        third : operand or None
            Third factor of the target.
        via : Arithmetic
            Operations on such operands.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define update(p, pre, post, synapse, third, via)"
        )
