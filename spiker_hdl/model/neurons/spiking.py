"""The base class of spiking neurons: the firing condition, the reset and the refractory period."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int, check_ints

from .arithmetic import Arithmetic
from .base import Neuron, parameter, signed_range, state
from .leak import check_floor, is_used

__all__ = ["RESETS", "RESET_TIMINGS", "SpikingNeuron", "check_reset_timing"]

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
    refractory : int or tuple of int
        Number of steps after a spike in which the neuron cannot fire, 0 to 255, one for all neurons
        or one per neuron.
    refractory_input : {"lost", "kept"}
        Whether the input of these steps is discarded or integrated.
    floor : int, optional
        Lower bound of the membrane potential; by default the minimum of ``width`` bits.
    v, countdown, pending : int or tuple of int
        States at the start of a sample: the potential, the number of remaining refractory steps, at
        most ``refractory``, and 1 if a spike of the previous step still has to reset the potential.

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
    refractory: Any = parameter((0, 255), default=0, counts=True)
    refractory_input: str = field(default="lost", kw_only=True)
    floor: int | None = field(default=None, kw_only=True, metadata={"scales": True})
    v: Any = state("width")
    countdown: Any = state(lambda n: (0, n.max_refractory), scales=False)
    pending: Any = state(lambda n: (0, int(n.resets_in_next_step)), scales=False)

    def __post_init__(self) -> None:
        check_int("Potential width", self.width, 2, 32)
        if self.floor is not None:
            check_int("Floor", self.floor, signed_range(self.width)[0], 0)
        self.check_settings()
        check_ints("Refractory steps", self.refractory, 0, 255)
        super().__post_init__()
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
        self._check_countdown()

    def check_settings(self) -> None:
        check_choice("Reset", self.reset, RESETS)
        check_reset_timing(self.reset, self.reset_timing)
        check_choice("Fire", self.fire, (">", ">="))
        check_choice("Refractory input", self.refractory_input, ("lost", "kept"))
        check_floor(self.floor)

    def _check_countdown(self) -> None:
        if not isinstance(self.refractory, tuple):
            return  # the range of the state is that of every neuron
        size = len(self.refractory)
        countdown = (
            self.countdown if isinstance(self.countdown, tuple) else (self.countdown,) * size
        )
        for n, (steps, limit) in enumerate(zip(countdown, self.refractory, strict=False)):
            if steps > limit:
                raise ValueError(
                    f"{type(self).__name__} countdown of neuron {n} must be at most {limit}, its "
                    f"refractory steps, not {steps}"
                )

    @property
    def max_refractory(self) -> int:
        """Greatest number of refractory steps of any neuron."""
        return max(self.refractory) if isinstance(self.refractory, tuple) else self.refractory

    @cached_property
    def can_be_refractory(self) -> bool:
        """Whether any neuron has a refractory period."""
        return is_used(self.refractory)

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
        if self.can_be_refractory and self.refractory_input == "lost":
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
        if self.can_be_refractory:
            fired = via.both(fired, via.invert(s.countdown > 0))
            resting = via.select(s.countdown > 0, s.countdown - p.time_step, 0)
            after["countdown"] = via.select(fired, p.refractory, resting)
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
