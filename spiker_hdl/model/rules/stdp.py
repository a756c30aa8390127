r"""Rules of spike-timing-dependent plasticity (STDP), without a third factor.

In the equations, :math:`x_i` and :math:`y_j` are traces of source :math:`i` and target :math:`j`
after their decay and before the events of the present step, :math:`s_i` and :math:`s_j` are 1 where
there is an event in this step, and :math:`w_{ji}` is the weight from :math:`i` to :math:`j`.
Changes are in units of :math:`2^{-\text{shift}}`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_choice, check_int, check_kind
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic, Decay
from spiker_hdl.model.neurons.base import parameter

from .base import Rule, Trace, trace_range

__all__ = ["BOUNDS", "PairStdp", "PostStdp", "TripletStdp"]

BOUNDS = ("hard", "soft")
"""Whether changes shrink with the distance of a weight from the bound that it moves to."""


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
    potentiation: int = parameter(trace_range)
    depression: int = parameter(trace_range)
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
    potentiation: int = parameter(trace_range)
    target: int = parameter(trace_range)
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
    pair_potentiation: int = parameter(trace_range)
    pair_depression: int = parameter(trace_range)
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
