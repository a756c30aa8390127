r"""Rules with a third factor, which change weights at the end of a sample.

In the equations, :math:`x_i` and :math:`y_j` are traces of source :math:`i` and target :math:`j`
after their decay and before the events of the present step, :math:`s_i` and :math:`s_j` are 1 where
there is an event in this step, and :math:`w_{ji}` is the weight from :math:`i` to :math:`j`.
Changes are in units of :math:`2^{-\text{shift}}`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_int
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic, Decay
from spiker_hdl.model.neurons.base import parameter

from .base import Rule, Trace, trace_range

__all__ = ["DeltaRule", "EProp", "RewardStdp"]


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
    potentiation: int = parameter(trace_range)
    depression: int = parameter(trace_range)
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

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("gate_low", "gate_high") if self.gated else ():
            what = f"{type(self).__name__} {name.replace('_', ' ')}"
            check_int(what, getattr(self, name), -(2**47), 2**47)

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
        """Tell whether the potential of a target lies within the gate."""
        return via.both(post.potential > self.gate_low, post.potential < self.gate_high)


@dataclass(frozen=True)
class DeltaRule(_Gated):
    r"""Delta rule: error of the target times the events of the source, at the end of the sample.

    .. math:: \Delta w_{ji} = L_j \, G(g_j) \, n_i

    :math:`L_j`
        third factor: the error of a class, or the error that comes back to a hidden neuron
    :math:`n_i`
        number of events of the source in the sample, up to :math:`2^\text{count_bits} - 1`
    :math:`g_j`
        number of steps after which the potential of the target was in ``gate_low < v < gate_high``:
        the box pseudo-derivative. :math:`G(g)` is the greatest power of two that is at most
        :math:`g`, and 0 for 0. Without a gate, :math:`G = 1`. With a reset by subtraction and the
        gate from 0 to the threshold, a target counts whose potential before the reset is less than
        a threshold away from it, whether it fires or not.

    With an :class:`~.third.OutputDelta`, it is the rule of Widrow and Hoff on numbers of spikes;
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
        pseudo-derivative: 1 where the potential of the target after the step is in
        ``gate_low < v < gate_high``, else 0, as for :class:`DeltaRule`
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
    jump: int = parameter(trace_range)
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
