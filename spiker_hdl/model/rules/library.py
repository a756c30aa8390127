r"""The rules of learning that come with the library.

:math:`x_i` and :math:`y_j` are traces of source :math:`i` and target :math:`j` after their decay
and before the events of the present step, :math:`s_i` and :math:`s_j` are 1 where there is an event
in this step, and :math:`w_{ji}` is the weight from :math:`i` to :math:`j`. :math:`[x]_+` is the
greater of :math:`x` and 0. Changes are in units of :math:`2^{-\text{shift}}`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_choice, check_int, check_kind
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic, Decay
from spiker_hdl.model.neurons.base import parameter

from .base import Rule, Trace

__all__ = [
    "BOUNDS",
    "RULES",
    "DeltaRule",
    "EProp",
    "PairStdp",
    "PostStdp",
    "RewardStdp",
    "TripletStdp",
    "Voltage",
]

BOUNDS = ("hard", "soft")
"""Whether changes shrink with the distance of a weight from the bound that it moves to."""

_FACTOR = (-128, 127)
"""Range of a parameter that is subtracted from, or compared with, traces and potentials."""


def _trace_range(rule: Any) -> tuple[int, int]:
    return 0, 2**rule.trace_bits - 1


def _softened(rule: Any, p: Any, synapse: Any, up: Any, down: Any, via: Arithmetic) -> Any:
    """Return the change by a rise and a fall, with hard or soft bounds."""
    if rule.bounds == "hard":
        return up - down
    above = via.shift(p.high - synapse.weight, rule.distance_shift)
    below = via.shift(synapse.weight - p.low, rule.distance_shift)
    return up * above - down * below


@dataclass(frozen=True)
class PairStdp(Rule):
    r"""Pair-based STDP: a pair of spikes changes the weight by the time between them.

    .. math::

        \Delta w_{ji} &= s_j \, x_i - s_i \, y_j \\
        x_i &\leftarrow \operatorname{leak}_+(x_i) + A_+ s_i \\
        y_j &\leftarrow \operatorname{leak}_-(y_j) + A_- s_j

    :math:`A_+, A_-`
        ``potentiation`` and ``depression``, which are the jumps of the traces, so that no product
        is computed
    :math:`\operatorname{leak}_\pm`
        ``pre_decay`` and ``post_decay``

    A target's spike :math:`n \ge 1` steps after a source's raises the weight by
    :math:`A_+ \beta_+^n`, and one that comes :math:`n` steps before lowers it by
    :math:`A_- \beta_-^n`. Spikes of the same step are no pair. With ``pairing="all"``, all pairs
    count; with ``"nearest"``, each spike is paired with the last one of the other side. With
    ``bounds="soft"``, a rise is multiplied by the distance from the upper bound, and a fall by that
    from the lower bound, each shifted right by ``distance_shift``: in hardware, few shifted sums.

    References
    ----------
    S. Song, K. D. Miller, L. F. Abbott, "Competitive Hebbian learning through
    spike-timing-dependent synaptic plasticity", Nature Neuroscience 3 (2000), 919-926. A. Morrison,
    M. Diesmann, W. Gerstner, "Phenomenological models of synaptic plasticity based on spike
    timing", Biological Cybernetics 98 (2008), 459-478: pairings and bounds.

    Parameters
    ----------
    pre_decay, post_decay : Decay
        Decays of the traces in each step.
    potentiation, depression : int
        Rise of a trace at an event.
    trace_bits : int
        Bits of a trace, to which it saturates.
    pairing : {"all", "nearest"}
    bounds : {"hard", "soft"}
    distance_shift : int
        With soft bounds, the lowest bits of a distance that do not count.
    """

    visits: ClassVar[Any] = ("on_pre", "on_post")

    pre_decay: Decay = field(kw_only=True)
    post_decay: Decay = field(kw_only=True)
    potentiation: int = parameter(_trace_range)
    depression: int = parameter(_trace_range)
    trace_bits: int = field(default=8, kw_only=True)
    pairing: str = field(default="all", kw_only=True)
    bounds: str = field(default="hard", kw_only=True)
    distance_shift: int = field(default=0, kw_only=True)

    @property
    def traces(self) -> tuple[Trace, ...]:  # type: ignore[override]
        nearest = self.pairing == "nearest"
        return (
            Trace("x", "pre", "trace_bits", "potentiation", "pre_decay", nearest),
            Trace("y", "post", "trace_bits", "depression", "post_decay", nearest),
        )

    def check_settings(self) -> None:
        super().check_settings()
        check_choice("Pairing", self.pairing, ("all", "nearest"))
        check_choice("Bounds of weights", self.bounds, BOUNDS)
        check_int("Shift of a distance", self.distance_shift, 0, 31)

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        up = via.select(post.event, pre.x, 0)
        down = via.select(pre.event, post.y, 0)
        return _softened(self, p, synapse, up, down, via)


@dataclass(frozen=True)
class PostStdp(Rule):
    r"""STDP at spikes of the target alone: inputs that came before it gain, all others lose.

    .. math:: \Delta w_{ji} = s_j \, (x_i - x_\text{target})

    :math:`x_i`
        trace of the source, which an event sets to ``potentiation``, decayed by ``pre_decay``;
        it includes an event of the present step
    :math:`x_\text{target}`
        ``target``: with it, weights of a neuron compete without a normalisation

    References
    ----------
    P. U. Diehl, M. Cook, "Unsupervised learning of digit recognition using spike-timing-dependent
    plasticity", Frontiers in Computational Neuroscience 9 (2015), 99: the rule with a target trace.

    Parameters
    ----------
    pre_decay : Decay
    potentiation : int
        Trace at an event.
    target : int
        Trace that leaves the weight as it is.
    trace_bits : int
    bounds : {"hard", "soft"}
        With soft bounds, rises are multiplied by the distance from the upper bound, and falls by
        that from the lower bound.
    distance_shift : int
        As for :class:`PairStdp`.
    """

    visits: ClassVar[Any] = ("on_post",)
    traces: ClassVar[tuple[Trace, ...]] = (
        Trace("x", "pre", "trace_bits", "potentiation", "pre_decay", nearest=True),
    )

    pre_decay: Decay = field(kw_only=True)
    potentiation: int = parameter(_trace_range)
    target: int = parameter(_trace_range)
    trace_bits: int = field(default=8, kw_only=True)
    bounds: str = field(default="hard", kw_only=True)
    distance_shift: int = field(default=0, kw_only=True)

    def check_settings(self) -> None:
        super().check_settings()
        check_choice("Bounds of weights", self.bounds, BOUNDS)
        check_int("Shift of a distance", self.distance_shift, 0, 31)

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        excess = via.select(pre.event, p.potentiation, pre.x) - p.target
        up, down = via.maximum(excess, 0), via.maximum(0 - excess, 0)
        change = _softened(self, p, synapse, up, down, via)
        return via.select(post.event, change, 0)


@dataclass(frozen=True)
class TripletStdp(Rule):
    r"""Triplet STDP: pairs count more where the target, or the source, has fired before.

    .. math::

        \Delta w_{ji} = s_j \, (x_i + \lfloor 2^{-h} x_i y^{(2)}_j \rfloor)
        - s_i \, (y_j + \lfloor 2^{-h} y_j x^{(2)}_i \rfloor)

    :math:`x_i, y_j`
        fast traces, with jumps ``pair_potentiation`` or ``pair_depression``
    :math:`x^{(2)}_i, y^{(2)}_j`
        slow traces, with jumps ``slow_pre_jump`` and ``slow_post_jump``
    :math:`h`
        ``product_shift``

    All traces are those just before the spikes of the step. In Pfister and Gerstner's names,
    :math:`A_2^+` and :math:`A_2^-` are the jumps of the fast traces,
    :math:`A_3^+ = 2^{-h} A_2^+ \cdot` ``slow_post_jump`` and :math:`A_3^- = 2^{-h} A_2^- \cdot`
    ``slow_pre_jump``. A jump of 0 leaves a triplet out, as in their minimal models. The minimal
    all-to-all model of the visual cortex has no :math:`A_2^+`: ``pair_term=False`` omits the pair
    term of potentiation. Slow traces should have few bits: products with them are shifted sums in
    hardware.

    References
    ----------
    J.-P. Pfister, W. Gerstner, "Triplets of spikes in a model of spike timing-dependent
    plasticity", Journal of Neuroscience 26 (2006), 9673-9682: equations 3 and 4.

    Parameters
    ----------
    pre_decay, post_decay, slow_pre_decay, slow_post_decay : Decay
    pair_potentiation, pair_depression, slow_pre_jump, slow_post_jump : int
    trace_bits, slow_bits : int
        Bits of fast and of slow traces.
    product_shift : int
        Bits that are rounded off a product, toward minus infinity.
    pair_term : bool
        Whether pairs alone potentiate.
    """

    visits: ClassVar[Any] = ("on_pre", "on_post")
    traces: ClassVar[tuple[Trace, ...]] = (
        Trace("x", "pre", "trace_bits", "pair_potentiation", "pre_decay"),
        Trace("y", "post", "trace_bits", "pair_depression", "post_decay"),
        Trace("slow_x", "pre", "slow_bits", "slow_pre_jump", "slow_pre_decay"),
        Trace("slow_y", "post", "slow_bits", "slow_post_jump", "slow_post_decay"),
    )

    pre_decay: Decay = field(kw_only=True)
    post_decay: Decay = field(kw_only=True)
    slow_pre_decay: Decay = field(kw_only=True)
    slow_post_decay: Decay = field(kw_only=True)
    pair_potentiation: int = parameter(_trace_range)
    pair_depression: int = parameter(_trace_range)
    slow_pre_jump: int = parameter(lambda rule: (0, 2**rule.slow_bits - 1), default=0)
    slow_post_jump: int = parameter(lambda rule: (0, 2**rule.slow_bits - 1), default=0)
    trace_bits: int = field(default=8, kw_only=True)
    slow_bits: int = field(default=4, kw_only=True)
    product_shift: int = field(default=0, kw_only=True)
    pair_term: bool = field(default=True, kw_only=True)

    def check_settings(self) -> None:
        super().check_settings()
        check_int("Shift of a product", self.product_shift, 0, 31)
        check_kind("Pair term", self.pair_term, bool)

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        up = via.shift(pre.x * post.slow_y, self.product_shift)
        if self.pair_term:
            up = up + pre.x
        down = post.y + via.shift(post.y * pre.slow_x, self.product_shift)
        return via.select(post.event, up, 0) - via.select(pre.event, down, 0)


@dataclass(frozen=True)
class RewardStdp(Rule):
    r"""STDP whose changes wait in an eligibility trace for a reward at the end of the sample.

    .. math::

        e_{ji} &\leftarrow \operatorname{leak}_e(e_{ji}) + s_j \, x_i - s_i \, y_j \\
        \Delta w_{ji} &= R \, e_{ji}

    :math:`x_i, y_j`
        traces as in :class:`PairStdp`
    :math:`e_{ji}`
        eligibility of the pair, which decays by ``eligibility_decay``
    :math:`R`
        third factor, such as a :class:`~.third.Reward`

    References
    ----------
    R. V. Florian, "Reinforcement learning through modulation of spike-timing-dependent synaptic
    plasticity", Neural Computation 19 (2007), 1468-1502. E. M. Izhikevich, "Solving the distal
    reward problem through linkage of STDP and dopamine signaling", Cerebral Cortex 17 (2007),
    2443-2452.

    Parameters
    ----------
    pre_decay, post_decay, eligibility_decay : Decay
    potentiation, depression : int
        As for :class:`PairStdp`.
    trace_bits, eligibility_bits : int
        Bits of the traces of sources and targets, and of an eligibility, with sign.
    """

    visits: ClassVar[Any] = ("on_pre", "on_post", "while_alive")
    has_third: ClassVar[bool] = True
    traces: ClassVar[tuple[Trace, ...]] = (
        Trace("x", "pre", "trace_bits", "potentiation", "pre_decay"),
        Trace("y", "post", "trace_bits", "depression", "post_decay"),
        Trace("e", "pair", "eligibility_bits", decay="eligibility_decay", signed=True),
    )

    pre_decay: Decay = field(kw_only=True)
    post_decay: Decay = field(kw_only=True)
    eligibility_decay: Decay = field(kw_only=True)
    potentiation: int = parameter(_trace_range)
    depression: int = parameter(_trace_range)
    trace_bits: int = field(default=8, kw_only=True)
    eligibility_bits: int = field(default=10, kw_only=True)

    def pair_step(
        self, p: Any, pre: Any, post: Any, synapse: Any, via: Arithmetic = INTEGERS
    ) -> dict[str, Any]:
        up = via.select(post.event, pre.x, 0)
        down = via.select(pre.event, post.y, 0)
        low, high = self.range_of(self.of_side("pair")[0])
        return {"e": via.saturate(synapse.e + up - down, low, high)}

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        return third * synapse.e


@dataclass(frozen=True)
class _Gated(Rule):
    """A rule with the box pseudo-derivative of a spiking target."""

    gate_low: int | None = field(default=None, kw_only=True)
    gate_high: int | None = field(default=None, kw_only=True)

    @property
    def gated(self) -> bool:
        """Whether the potential of the target counts."""
        return self.gate_low is not None or self.gate_high is not None

    @property
    def reads_potential(self) -> bool:  # type: ignore[override]
        return self.gated

    def check_settings(self) -> None:
        super().check_settings()
        if (self.gate_low is None) != (self.gate_high is None):
            raise ValueError(
                f"{type(self).__name__} gate must have both ends, not "
                f"{self.gate_low!r} and {self.gate_high!r}"
            )

    def is_open(self, post: Any, via: Arithmetic) -> Any:
        """Tell whether a target fires, or its potential lies within the gate."""
        inside = via.both(post.potential > self.gate_low, post.potential < self.gate_high)
        return via.either(post.event, inside)


@dataclass(frozen=True)
class DeltaRule(_Gated):
    r"""Delta rule: error of the target times the events of the source, at the end of the sample.

    .. math:: \Delta w_{ji} = L_j \, G(g_j) \, n_i

    :math:`L_j`
        third factor: the error of a class, or the error that comes back to a hidden neuron
    :math:`n_i`
        number of events of the source in the sample, up to :math:`2^\text{count_bits} - 1`
    :math:`g_j`
        number of steps in which the target fired, or its potential after the step was in
        ``gate_low < v < gate_high``: the box pseudo-derivative. :math:`G(g)` is the greatest power
        of two that is at most :math:`g`, and 0 for 0. Without a gate, :math:`G = 1`.

    With an :class:`~.third.OutputError`, it is the rule of Widrow and Hoff on numbers of spikes;
    with a :class:`~.third.Feedback` and a gate, hidden layers learn by backpropagation through the
    sample's averages.

    References
    ----------
    B. Widrow, M. E. Hoff, "Adaptive switching circuits", IRE WESCON Convention Record 4 (1960),
    96-104. F. Zenke, S. Ganguli, "SuperSpike", Neural Computation 30 (2018), 1514-1541:
    pseudo-derivatives in rules with three factors.

    Parameters
    ----------
    count_bits : int
        Bits of the number of events.
    gate_low, gate_high : int, optional
        Ends of the gate, in units of the potential.
    gate_bits : int
        Bits of the number of steps within the gate, 1 to 4.
    """

    visits: ClassVar[Any] = ("while_alive",)
    has_third: ClassVar[bool] = True

    count_bits: int = field(default=4, kw_only=True)
    gate_bits: int = field(default=3, kw_only=True)

    @property
    def traces(self) -> tuple[Trace, ...]:  # type: ignore[override]
        count = Trace("n", "pre", "count_bits", 1)
        return (count, Trace("g", "post", "gate_bits")) if self.gated else (count,)

    def check_settings(self) -> None:
        super().check_settings()
        check_int("Bits of the number of steps within the gate", self.gate_bits, 1, 4)

    def post_step(self, p: Any, post: Any, via: Arithmetic = INTEGERS) -> dict[str, Any]:
        if not self.gated:
            return {}
        count = via.saturate(post.g + 1, 0, 2**self.gate_bits - 1)
        return {"g": via.select(self.is_open(post, via), count, post.g)}

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        if not self.gated:
            return third * pre.n
        factor = via.select(post.g >= 1, third, 0)
        for bit in range(1, self.gate_bits):
            factor = via.select(post.g >= 2**bit, third * 2**bit, factor)
        return factor * pre.n


@dataclass(frozen=True)
class EProp(_Gated):
    r"""E-prop for leaky integrate-and-fire neurons: an eligibility times a learning signal.

    .. math::

        \bar{x}_i &\leftarrow \operatorname{leak}_\beta(\bar{x}_i) + A \, s_i \\
        e_{ji} &\leftarrow e_{ji} + \lfloor 2^{-h} \psi_j \, \bar{x}_i \rfloor \\
        \Delta w_{ji} &= L_j \, e_{ji}

    :math:`\bar{x}_i`
        trace of the source, with the decay :math:`\beta` of the target's potential; it includes the
        events of the present step
    :math:`\psi_j`
        pseudo-derivative: 1 where the target fires, or its potential after the step is in
        ``gate_low < v < gate_high``, else 0
    :math:`e_{ji}`
        eligibility, summed over the sample
    :math:`L_j`
        learning signal at the end of the sample, a :class:`~.third.Feedback`; symmetric or random

    For neurons in one layer whose output is summed over the sample, and whose resets carry no
    gradient, it is the gradient of backpropagation through time.

    References
    ----------
    G. Bellec, F. Scherr, A. Subramoney, E. Hajek, D. Salaj, R. Legenstein, W. Maass, "A solution to
    the learning dilemma for recurrent networks of spiking neurons", Nature Communications 11
    (2020), 3625.

    Parameters
    ----------
    pre_decay : Decay
        Decay of the trace of the source: that of the target's potential.
    jump : int
        Rise of this trace at an event.
    gate_low, gate_high : int
        Range of the potential, without its ends, in which the pseudo-derivative is 1.
    trace_bits, eligibility_bits : int
        Bits of the trace of the source, and of the eligibility, with sign.
    eligibility_shift : int
        Bits that are rounded off an increase of the eligibility, toward minus infinity.
    """

    visits: ClassVar[Any] = ("on_pre", "while_alive")
    has_third: ClassVar[bool] = True
    traces: ClassVar[tuple[Trace, ...]] = (
        Trace("x", "pre", "trace_bits", "jump", "pre_decay"),
        Trace("e", "pair", "eligibility_bits", signed=True),
    )

    pre_decay: Decay = field(kw_only=True)
    jump: int = parameter(_trace_range)
    trace_bits: int = field(default=8, kw_only=True)
    eligibility_bits: int = field(default=12, kw_only=True)
    eligibility_shift: int = field(default=0, kw_only=True)

    def check_settings(self) -> None:
        super().check_settings()
        check_int("Shift of an eligibility", self.eligibility_shift, 0, 31)
        if not self.gated:
            raise ValueError("EProp must have gate_low and gate_high, its pseudo-derivative")

    def pair_step(
        self, p: Any, pre: Any, post: Any, synapse: Any, via: Arithmetic = INTEGERS
    ) -> dict[str, Any]:
        x = via.select(pre.event, pre.x + p.jump, pre.x)
        gain = via.shift(via.saturate(x, 0, 2**self.trace_bits - 1), self.eligibility_shift)
        gain = via.select(self.is_open(post, via), gain, 0)
        low, high = self.range_of(self.of_side("pair")[0])
        return {"e": via.saturate(synapse.e + gain, low, high)}

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        return third * synapse.e


@dataclass(frozen=True)
class Voltage(Rule):
    r"""Voltage-dependent STDP of Clopath et al., in which potentials take the place of spikes.

    .. math::

        \Delta w_{ji} = [u_j - \theta_+]_+ \, [\bar{u}^+_j - \theta_-]_+ \, x_i
        - s_i \, [\bar{u}^-_j - \theta_-]_+

    :math:`u_j`
        potential of the target after the step; a neuron that fires has ``spike_potential``. It and
        both averages are taken in units of :math:`2^\text{potential_shift}`
    :math:`\bar{u}^\pm_j`
        averages of the potential,
        :math:`\bar{u} \leftarrow \bar{u} + \lfloor 2^{-k_\pm} (u - \bar{u}) \rfloor`, with
        ``plus_shift`` and ``minus_shift``, before the present step
    :math:`\theta_+, \theta_-`
        ``threshold_plus`` and ``threshold_minus``
    :math:`x_i`
        trace of the source, with the jump ``potentiation``

    The factor of depression is 1, to which ``potentiation`` is relative. The distances above the
    thresholds saturate to ``distance_bits`` bits, so that products are few shifted sums in
    hardware.

    References
    ----------
    C. Clopath, L. Büsing, E. Vasilaki, W. Gerstner, "Connectivity reflects coding: a model of
    voltage-based STDP with homeostasis", Nature Neuroscience 13 (2010), 344-352.

    Parameters
    ----------
    pre_decay : Decay
    potentiation : int
    threshold_plus, threshold_minus, spike_potential : int
        In units of ``2**potential_shift``, -128 to 127.
    plus_shift, minus_shift : int
        Shifts of the averages, 1 to 16: their time constants are about ``2**shift`` steps.
    potential_shift : int
    average_bits : int
        Bits of an average, with sign, of which all but 8 are fractional.
    trace_bits, distance_bits : int
    """

    visits: ClassVar[Any] = ("on_pre", "while_alive")
    reads_potential: ClassVar[bool] = True
    traces: ClassVar[tuple[Trace, ...]] = (
        Trace("x", "pre", "trace_bits", "potentiation", "pre_decay"),
        Trace("plus", "post", "average_bits", signed=True),
        Trace("minus", "post", "average_bits", signed=True),
    )

    pre_decay: Decay = field(kw_only=True)
    potentiation: int = parameter(_trace_range)
    threshold_plus: int = parameter(_FACTOR)
    threshold_minus: int = parameter(_FACTOR)
    spike_potential: int = parameter(_FACTOR)
    plus_shift: int = field(default=3, kw_only=True)
    minus_shift: int = field(default=3, kw_only=True)
    potential_shift: int = field(default=0, kw_only=True)
    average_bits: int = field(default=12, kw_only=True)
    trace_bits: int = field(default=8, kw_only=True)
    distance_bits: int = field(default=4, kw_only=True)

    def check_settings(self) -> None:
        super().check_settings()
        for name in ("plus_shift", "minus_shift"):
            check_int(f"Voltage {name.replace('_', ' ')}", getattr(self, name), 1, 16)
        check_int("Voltage potential shift", self.potential_shift, 0, 31)
        check_int("Bits of a distance", self.distance_bits, 1, 8)
        check_int("Bits of an average", self.average_bits, 8, 24)

    def _potential(self, p: Any, post: Any, via: Arithmetic) -> Any:
        u = via.saturate(via.shift(post.potential, self.potential_shift), *_FACTOR)
        return via.select(post.event, p.spike_potential, u)

    def _above(self, value: Any, threshold: Any, via: Arithmetic) -> Any:
        return via.clamp(value - threshold, 0, 2**self.distance_bits - 1)

    def post_step(self, p: Any, post: Any, via: Arithmetic = INTEGERS) -> dict[str, Any]:
        u = self._potential(p, post, via)
        after = {}
        # Averages have fractional bits, so that they come near to a constant potential.
        for name, shift in (("plus", self.plus_shift), ("minus", self.minus_shift)):
            average = getattr(post, name)
            scaled = u * 2 ** (self.average_bits - 8)
            low, high = self.range_of(self.of_side("post")[0])
            after[name] = via.saturate(average + via.shift(scaled - average, shift), low, high)
        return after

    def update(
        self, p: Any, pre: Any, post: Any, synapse: Any, third: Any, via: Arithmetic = INTEGERS
    ) -> Any:
        fraction = self.average_bits - 8
        plus = self._above(via.shift(post.plus, fraction), p.threshold_minus, via)
        minus = self._above(via.shift(post.minus, fraction), p.threshold_minus, via)
        now = self._above(self._potential(p, post, via), p.threshold_plus, via)
        return now * plus * pre.x - via.select(pre.event, minus, 0)


RULES: dict[str, type[Rule]] = {
    rule.__name__: rule
    for rule in (PairStdp, PostStdp, TripletStdp, RewardStdp, DeltaRule, EProp, Voltage)
}
"""Rules that come with the library, by name."""
