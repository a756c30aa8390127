r"""The neuron models that come with the library.

All models compute on integers, in units that quantisation chooses. The input current of a step is
the sum of the weighted events and the bias. A state saturates to its declared range once, at the
end of the sum that is stored in it. :math:`\operatorname{leak}_d(x)` is a decay ``d`` applied to
``x``: ``x - floor(x * numerator / 2**bits)``, see :class:`~.arithmetic.Decay`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_choice, check_int, check_kind

from .arithmetic import INTEGERS, Arithmetic, Decay
from .base import Neuron, parameter, signed_range, state

__all__ = [
    "NEURONS",
    "RESET_TIMINGS",
    "Accumulator",
    "AdaptiveLif",
    "CurrentLif",
    "If",
    "Integrator",
    "Lif",
    "SpikingNeuron",
    "check_reset_timing",
]

RESETS = ("subtract", "zero", "value", "none")


# A reset to zero or to a value in the next step discards the input of that step, unless the input
# is added after the reset; for a subtraction, the order of the two makes no difference. snnTorch's
# immediate reset differs from ``"immediate"`` only for a subtraction.
RESET_TIMINGS = {
    "immediate": RESETS,
    "next_step": RESETS,
    "next_step_keep_input": ("zero", "value"),
    "snntorch_immediate": ("subtract",),
}
"""Times at which a reset takes place, each with the resets that may take place then."""


def check_reset_timing(reset: str, reset_timing: str) -> None:
    """Check when a reset takes place, as :class:`SpikingNeuron` does."""
    check_choice("Reset timing", reset_timing, RESET_TIMINGS)
    if reset not in RESET_TIMINGS[reset_timing]:
        possible = [name for name, resets in RESET_TIMINGS.items() if reset in resets]
        raise ValueError(
            f"Reset timing must be one of {', '.join(map(repr, possible))} with reset={reset!r}, "
            f"not {reset_timing!r}"
        )


@dataclass(frozen=True)
class SpikingNeuron(Neuron):
    r"""Base class of spiking neurons: the firing condition, the reset and the refractory period.

    A model computes its membrane potential before the reset, :math:`u_t`, from the leaked potential
    :math:`\operatorname{leak}(v_{t-1})` and the input current :math:`x_t`. With an immediate reset,

    .. math::

        u_t &= \operatorname{leak}(v_{t-1}) + x_t \\
        s_t &= \begin{cases} 1 & u_t > \theta \\ 0 & \text{otherwise} \end{cases} \\
        v_t &= \begin{cases} R(u_t) & s_t = 1 \\ u_t & \text{otherwise} \end{cases}

    :math:`v_t`
        membrane potential after step :math:`t`, the state ``v``
    :math:`x_t`
        input current of step :math:`t`: the sum of the weighted input events, and the bias
    :math:`\theta`
        ``threshold``; ``fire=">="`` compares by :math:`u_t \ge \theta`
    :math:`s_t`
        whether the neuron fires in step :math:`t`
    :math:`R`
        the reset: :math:`R(u) = u - \theta` with ``reset="subtract"``, :math:`0` with ``"zero"``,
        ``reset_value`` with ``"value"`` and :math:`u` with ``"none"``

    ``reset_timing`` says when the reset takes place:

    - ``"immediate"``: in the step of the spike, as above.
    - ``"next_step"``: in the step after the spike, on the sum of leaked potential and input. Where
      :math:`s_{t-1} = 1`, the potential is :math:`u_t = R(\operatorname{leak}(v_{t-1}) + x_t)`, so
      that a reset to zero or to a value discards the input of that step. In snnTorch 1.0.0
      (Eshraghian et al., Proc. IEEE 111(9), 2023), ``reset_delay=True`` of ``Synaptic``,
      ``RLeaky`` and ``RSynaptic`` is this, and so is every reset of ``Lapicque``.
    - ``"next_step_keep_input"``: in the step after the spike, on the leaked potential alone. Where
      :math:`s_{t-1} = 1`, the potential is :math:`u_t = R(\operatorname{leak}(v_{t-1})) + x_t`. In
      snnTorch 1.0.0, ``Leaky`` with ``reset_mechanism="zero"`` and ``reset_delay=True`` is this.
    - ``"snntorch_immediate"``: in the step of the spike, but a neuron whose potential was above the
      threshold before the step fires only above twice the threshold:
      :math:`u_t > \theta (1 + r_t)`, with :math:`r_t = 1` where :math:`v_{t-1} > \theta` (or
      :math:`v_{t-1} \ge \theta`, as ``fire`` says), else 0. The reset subtracts :math:`\theta`
      once. In snnTorch 1.0.0 this is ``reset_mechanism="subtract"`` with ``reset_delay=False``
      (``_neurons/leaky.py``, ``synaptic.py`` and ``rleaky.py``: ``mem_reset`` subtracts before the
      comparison, and ``do_reset`` adds the same amount again after it).

    The sum :math:`u_t` is bounded below by ``floor``, if there is one, and saturates to the range
    of the potential before the comparison. For ``refractory`` steps after a spike the neuron cannot
    fire; its input in these steps is discarded (``refractory_input="lost"``) or integrated
    (``"kept"``).

    Parameters
    ----------
    width : int
        Bits of the potential, in two's complement, 2 to 32.
    threshold : int or tuple of int
        Threshold of the potential, one for all neurons or one per neuron.
    reset : {"subtract", "zero", "value", "none"}
        Change of the potential by a spike: :math:`R` above.
    reset_value : int or tuple of int
        Potential after a spike, with ``reset="value"``.
    reset_timing : {"immediate", "next_step", "next_step_keep_input", "snntorch_immediate"}
        When the reset takes place. ``"next_step_keep_input"`` requires ``reset="zero"`` or
        ``"value"``, and ``"snntorch_immediate"`` requires ``reset="subtract"``.
    fire : {">", ">="}
        Comparison of potential and threshold.
    refractory : int
        Number of steps after a spike in which the neuron cannot fire, 0 to 255.
    refractory_input : {"lost", "kept"}
        Whether the input of these steps is discarded or integrated.
    floor : int, optional
        Lower bound of the membrane potential; by default the minimum of ``width`` bits.
    v, countdown, pending : int or tuple of int
        States at the start of a sample: the potential, the number of remaining refractory steps,
        and 1 if a spike of the previous step still has to reset the potential.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If a parameter is out of range, the potential cannot reach the threshold, the threshold is
        negative with a reset by subtraction, or ``reset`` is not possible at ``reset_timing``.
    """

    width: int = field(kw_only=True)
    threshold: Any = parameter("width", scales=True)
    reset: str = field(default="subtract", kw_only=True)
    reset_value: Any = parameter("width", default=0, scales=True)
    reset_timing: str = field(default="immediate", kw_only=True)
    fire: str = field(default=">", kw_only=True)
    refractory: int = field(default=0, kw_only=True)
    refractory_input: str = field(default="lost", kw_only=True)
    floor: int | None = field(default=None, kw_only=True, metadata={"scales": True})
    v: Any = state("width")
    countdown: Any = state(lambda n: (0, n.refractory), scales=False)
    pending: Any = state(lambda n: (0, int(n.resets_in_next_step)), scales=False)

    def __post_init__(self) -> None:
        check_int("Potential width", self.width, 2, 32)
        check_choice("Reset", self.reset, RESETS)
        check_reset_timing(self.reset, self.reset_timing)
        check_choice("Fire", self.fire, (">", ">="))
        check_int("Refractory steps", self.refractory, 0, 255)
        check_choice("Refractory input", self.refractory_input, ("lost", "kept"))
        super().__post_init__()
        if self.floor is not None:
            check_int("Floor", self.floor, signed_range(self.width)[0], 0)
        lowest, highest = self.reach
        several = isinstance(self.threshold, tuple)
        for threshold in self.threshold if several else (self.threshold,):
            if not lowest <= threshold <= highest:
                raise ValueError(
                    f"Threshold must be in {lowest}..{highest}, which a potential of {self.width} "
                    f"bits that fires at {self.fire!r} can reach"
                    f"{' and subtract' if threshold < lowest else ''}, not {threshold}"
                )
        for name, value in (("Rest", self.v), ("Reset value", self.reset_value)):
            for item in value if isinstance(value, tuple) else (value,):
                if item < self.lowest:
                    raise ValueError(f"{name} must be at least the floor {self.floor}, not {item}")

    @property
    def resets_in_next_step(self) -> bool:
        """Whether the reset takes place in the step after the spike."""
        return self.reset_timing in {"next_step", "next_step_keep_input"}

    @property
    def reach(self) -> tuple[int, int]:
        """Minimum and maximum of a threshold that the potential can reach and a reset subtract."""
        low, high = signed_range(self.width)
        return 0 if self.reset == "subtract" else low, high - (self.fire == ">")

    @property
    def replaceable(self) -> dict[str, tuple[int, int]]:
        ranges = super().replaceable | {"threshold": self.reach}
        if self.reset == "value":
            return ranges | {"reset_value": (self.lowest, self.highest)}
        return {name: ends for name, ends in ranges.items() if name != "reset_value"}

    @property
    def lowest(self) -> int:
        """Lower bound of the membrane potential."""
        return signed_range(self.width)[0] if self.floor is None else self.floor

    @property
    def highest(self) -> int:
        """Upper bound of the membrane potential."""
        return signed_range(self.width)[1]

    def gain(self, p: Any, s: Any, v: Any, current: Any, via: Arithmetic, threshold: Any = None):
        """Return the sum of leaked potential and input, with a reset from the previous step."""
        if self.refractory and self.refractory_input == "lost":
            current = via.select(s.countdown > 0, 0, current)
        threshold = p.threshold if threshold is None else threshold
        if self.reset_timing == "next_step_keep_input":
            v = via.select(s.pending > 0, self.after_reset(p, v, threshold), v)
        total = v + current
        if self.reset_timing == "next_step" and self.reset != "none":
            total = via.select(s.pending > 0, self.after_reset(p, total, threshold), total)
        if self.floor is not None:
            total = via.maximum(total, self.floor)
        return via.saturate(total, *signed_range(self.width))

    def spike(self, p: Any, s: Any, v: Any, via: Arithmetic, threshold: Any = None):
        """Return which neurons fire, and the states after an immediate reset."""
        threshold = p.threshold if threshold is None else threshold
        limit = threshold
        if self.reset_timing == "snntorch_immediate":
            above = s.v > threshold if self.fire == ">" else s.v >= threshold
            limit = via.select(above, threshold + threshold, threshold)
        fired = (via.above if self.fire == ">" else via.reaches)(v, limit)
        after = {"countdown": s.countdown}
        if self.refractory:
            fired = via.both(fired, via.invert(s.countdown > 0))
            resting = via.select(s.countdown > 0, s.countdown - 1, 0)
            after["countdown"] = via.select(fired, self.refractory, resting)
        after["pending"] = via.select(fired, 1, 0) if self.resets_in_next_step else s.pending
        if not self.resets_in_next_step and self.reset != "none":
            v = via.select(fired, self.after_reset(p, v, threshold), v)
        return fired, after | {"v": v}

    def after_reset(self, p: Any, v: Any, threshold: Any):
        """Return a potential after its reset."""
        return {
            "subtract": lambda: v - threshold,
            "zero": lambda: 0,
            "value": lambda: p.reset_value,
        }[self.reset]()


@dataclass(frozen=True)
class If(SpikingNeuron):
    r"""Integrate-and-fire neuron, without leak (Lapicque 1907).

    .. math:: u_t = v_{t-1} + x_t

    :math:`u_t`
        membrane potential before the reset, which :class:`SpikingNeuron` compares and resets
    :math:`v_t`
        membrane potential after step :math:`t`, the state ``v``
    :math:`x_t`
        input current of step :math:`t`
    """

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        return self.spike(p, s, self.gain(p, s, s.v, current, via), via)


@dataclass(frozen=True)
class Lif(SpikingNeuron):
    r"""Leaky integrate-and-fire neuron (Gerstner et al. 2014, chapter 1).

    .. math:: u_t = \operatorname{leak}_\beta(v_{t-1}) + x_t

    :math:`u_t`
        membrane potential before the reset, which :class:`SpikingNeuron` compares and resets
    :math:`v_t`
        membrane potential after step :math:`t`, the state ``v``
    :math:`\beta`
        decay of the potential, ``decay``
    :math:`x_t`
        input current of step :math:`t`

    Parameters
    ----------
    decay : Decay
        Leak of the potential in each step, one or one per neuron.
    """

    decay: Decay = field(kw_only=True)

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        return self.spike(p, s, self.gain(p, s, via.decay(s.v, p.decay), current, via), via)


@dataclass(frozen=True)
class CurrentLif(SpikingNeuron):
    r"""Current-based leaky integrate-and-fire neuron, of second order.

    .. math::

        i_t &= \operatorname{leak}_\alpha(i_{t-1}) + x_t \\
        u_t &= \operatorname{leak}_\beta(v_{t-1}) + i_t

    :math:`i_t`
        synaptic current after step :math:`t`, the state ``i``
    :math:`u_t`
        membrane potential before the reset, which :class:`SpikingNeuron` compares and resets
    :math:`v_t`
        membrane potential after step :math:`t`, the state ``v``
    :math:`\alpha, \beta`
        decays of the current and of the potential, ``current_decay`` and ``decay``
    :math:`x_t`
        input current of step :math:`t`

    An input event changes the potential in the step in which it arrives. snnTorch calls this model
    ``Synaptic`` and NIR calls it ``CubaLIF``. With ``refractory_input="lost"``, the input of a
    refractory step is still added to the synaptic current, but the synaptic current is not added to
    the potential in this step.

    Parameters
    ----------
    decay : Decay
        Leak of the potential in each step.
    current_decay : Decay
        Leak of the synaptic current in each step.
    current_width : int
        Bits of the synaptic current, 2 to 32.
    i : int or tuple of int
        Synaptic current at the start of a sample.
    """

    decay: Decay = field(kw_only=True)
    current_decay: Decay = field(kw_only=True)
    current_width: int = field(kw_only=True)
    i: Any = state("current_width")

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        check_kind("Current decay", self.current_decay, Decay)
        check_int("Current width", self.current_width, 2, 32)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        i = via.decay(s.i, p.current_decay) + current
        i = via.saturate(i, *signed_range(self.current_width))
        fired, after = self.spike(p, s, self.gain(p, s, via.decay(s.v, p.decay), i, via), via)
        return fired, after | {"i": i}


@dataclass(frozen=True)
class AdaptiveLif(SpikingNeuron):
    r"""Leaky integrate-and-fire neuron with an adaptive threshold (Bellec et al., NeurIPS 2018).

    .. math::

        u_t &= \operatorname{leak}_\beta(v_{t-1}) + x_t \\
        \theta_t &= \theta + a_{t-1} \\
        a_t &= \operatorname{leak}_\rho(a_{t-1}) + r \, s_t

    :math:`u_t`
        membrane potential before the reset, which :class:`SpikingNeuron` compares with
        :math:`\theta_t` and resets
    :math:`v_t`
        membrane potential after step :math:`t`, the state ``v``
    :math:`\theta`
        ``threshold`` at rest
    :math:`a_t`
        rise of the threshold after step :math:`t`, the state ``a``
    :math:`\beta, \rho`
        decays of the potential and of the rise, ``decay`` and ``rise_decay``
    :math:`r`
        ``rise``, which each spike adds to the threshold
    :math:`s_t`
        1 where the neuron fires in step :math:`t`, else 0

    A reset by subtraction in step :math:`t` subtracts :math:`\theta_t`. If the reset takes place in
    the step after the spike, this threshold already includes the rise from that spike.

    Parameters
    ----------
    decay : Decay
        Leak of the potential in each step.
    rise : int or tuple of int
        Increment of the threshold at each spike, at least 0.
    rise_decay : Decay
        Leak of the rise in each step.
    a : int or tuple of int
        Rise of the threshold at the start of a sample.
    """

    decay: Decay = field(kw_only=True)
    rise: Any = parameter(lambda n: (0, signed_range(n.width)[1]), scales=True)
    rise_decay: Decay = field(kw_only=True)
    a: Any = state(lambda n: (0, signed_range(n.width)[1]))

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        check_kind("Rise decay", self.rise_decay, Decay)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        threshold = p.threshold + s.a
        v = self.gain(p, s, via.decay(s.v, p.decay), current, via, threshold)
        fired, after = self.spike(p, s, v, via, threshold)
        a = via.decay(s.a, p.rise_decay)
        a = via.saturate(via.select(fired, a + p.rise, a), 0, signed_range(self.width)[1])
        return fired, after | {"a": a}


@dataclass(frozen=True)
class Integrator(Neuron):
    r"""Leaky integrator, which never fires (NIR's ``LI``).

    .. math:: v_t = \operatorname{leak}_\beta(v_{t-1}) + x_t

    :math:`v_t`
        potential after step :math:`t`, the state ``v``
    :math:`\beta`
        decay of the potential, ``decay``
    :math:`x_t`
        input current of step :math:`t`

    Parameters
    ----------
    width : int
        Bits of the potential, in two's complement, 2 to 48.
    decay : Decay
        Leak of the potential in each step, one or one per neuron.
    v : int or tuple of int
        Potential at the start of a sample.
    """

    spiking: ClassVar[bool] = False

    width: int = field(kw_only=True)
    decay: Decay = field(kw_only=True)
    v: Any = state("width")

    def __post_init__(self) -> None:
        check_int("Potential width", self.width, 2, 48)
        check_kind("Decay", self.decay, Decay)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        return None, {
            "v": via.saturate(via.decay(s.v, p.decay) + current, *signed_range(self.width))
        }


@dataclass(frozen=True)
class Accumulator(Neuron):
    r"""Integrator without leak, which never fires (NIR's ``I``).

    .. math:: v_t = v_{t-1} + x_t

    :math:`v_t`
        potential after step :math:`t`, the state ``v``
    :math:`x_t`
        input current of step :math:`t`

    Parameters
    ----------
    width : int
        Bits of the potential, in two's complement, 2 to 48.
    v : int or tuple of int
        Potential at the start of a sample.
    """

    spiking: ClassVar[bool] = False

    width: int = field(kw_only=True)
    v: Any = state("width")

    def __post_init__(self) -> None:
        check_int("Potential width", self.width, 2, 48)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        return None, {"v": via.saturate(s.v + current, *signed_range(self.width))}


NEURONS: dict[str, type[Neuron]] = {
    model.__name__: model for model in (If, Lif, CurrentLif, AdaptiveLif, Integrator, Accumulator)
}
