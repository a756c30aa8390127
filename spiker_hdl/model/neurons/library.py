"""The neuron models that come with the library.

All compute on integers, in units that quantisation chooses. ``x`` is the input current of a step:
the weighted events and the bias. Saturation is to the declared range of a state, and happens once.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_choice, check_int, check_kind

from .arithmetic import INTEGERS, Arithmetic, Decay
from .base import Neuron, parameter, signed_range, state

__all__ = [
    "NEURONS",
    "Accumulator",
    "AdaptiveLif",
    "CurrentLif",
    "If",
    "Integrator",
    "Lif",
    "SpikingNeuron",
    "check_reset",
]

RESETS = ("subtract", "zero", "value", "none")


def check_reset(reset: str, late: bool, late_input: str, owing: bool) -> None:
    """Check how a reset takes place, as :class:`SpikingNeuron` does."""
    check_kind("Late", late, bool)
    check_choice("Late input", late_input, ("lost", "kept"))
    check_kind("Owing", owing, bool)
    when = f"with reset={reset!r} and late={late}"
    if late_input == "kept" and not (late and reset in {"zero", "value"}):
        raise ValueError(f"Late input must be 'lost' {when}, not 'kept'")
    if owing and (late or reset != "subtract"):
        raise ValueError(f"Owing must be False {when}, not True")


@dataclass(frozen=True)
class SpikingNeuron(Neuron):
    """What spiking neurons share: when they fire, and what becomes of the potential then.

    With the threshold ``theta``, a neuron fires where ``v > theta`` (or ``v >= theta``, as ``fire``
    says), unless it is refractory; then the potential

    - gives up ``theta`` (``reset="subtract"``), goes to zero (``"zero"``), to ``reset_value``
      (``"value"``) or stays (``"none"``);
    - does so in the same step, or, with ``late``, in the following one: there ``theta`` is
      subtracted from the sum of what leaked and the input, or ``"zero"`` and ``"value"`` replace
      that sum (``late_input="lost"``), or only what leaked, so that ``v = 0 + x`` or ``v =
      reset_value + x`` (``"kept"``). In snnTorch 1.0.0 (Eshraghian et al., Proc. IEEE 111(9), 2023)
      ``reset_delay=True`` of ``Synaptic``, ``RLeaky`` and ``RSynaptic`` is a late reset that loses
      that input, as is every reset of ``Lapicque``; ``Leaky`` alone keeps it;
    - with ``owing``, has to pass ``2 theta`` in a step that it begins above ``theta``, and gives up
      ``theta`` once if it does: with ``r`` one where ``v > theta`` before the step, else zero, it
      fires where ``decay(v) + x > theta * (1 + r)``. That is ``reset_mechanism="subtract"``,
      ``reset_delay=False`` of snnTorch 1.0.0 (``_neurons/leaky.py``, ``synaptic.py`` and
      ``rleaky.py``: what ``mem_reset`` takes before the test and ``do_reset`` gives back after it);
    - for ``refractory`` further steps the neuron is silent, and its input is lost or integrated.

    Parameters
    ----------
    width : int
        Bits of the potential, in two's complement, 2 to 32.
    threshold : int or tuple of int
        Potential at which the neuron fires, one or one per neuron.
    reset : {"subtract", "zero", "value", "none"}
        What a spike does to the potential.
    reset_value : int or tuple of int
        Potential after a spike, with ``reset="value"``.
    late : bool
        Whether the reset takes place in the step after the spike.
    late_input : {"lost", "kept"}
        What becomes of the input of that step, with ``late`` and ``reset="zero"`` or ``"value"``.
    owing : bool
        Whether a potential that begins a step above the threshold (or at it, as ``fire`` says) must
        pass (or reach) twice the threshold to fire, with ``reset="subtract"`` that is not late.
    fire : {">", ">="}
        Comparison of potential and threshold.
    refractory : int
        Silent steps after a spike, 0 to 255.
    refractory_input : {"lost", "kept"}
        What becomes of the input of those steps.
    floor : int, optional
        Least potential; the least of ``width`` bits where none is given.
    v, countdown, pending : int or tuple of int
        At rest: the potential, the silent steps still to come, and whether a late reset is due.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If one is out of range, the potential cannot reach the threshold, a reset by subtraction
        has a threshold below zero, or ``late_input`` or ``owing`` is given for a reset that has no
        use for it.
    """

    width: int = field(kw_only=True)
    threshold: Any = parameter("width", scales=True)
    reset: str = field(default="subtract", kw_only=True)
    reset_value: Any = parameter("width", default=0, scales=True)
    late: bool = field(default=False, kw_only=True)
    late_input: str = field(default="lost", kw_only=True, metadata={"later": True})
    owing: bool = field(default=False, kw_only=True, metadata={"later": True})
    fire: str = field(default=">", kw_only=True)
    refractory: int = field(default=0, kw_only=True)
    refractory_input: str = field(default="lost", kw_only=True)
    floor: int | None = field(default=None, kw_only=True, metadata={"scales": True})
    v: Any = state("width")
    countdown: Any = state(lambda n: (0, n.refractory), scales=False)
    pending: Any = state(lambda n: (0, int(n.late)), scales=False)

    def __post_init__(self) -> None:
        check_int("Potential width", self.width, 2, 32)
        check_choice("Reset", self.reset, RESETS)
        check_reset(self.reset, self.late, self.late_input, self.owing)
        check_choice("Fire", self.fire, (">", ">="))
        check_int("Refractory steps", self.refractory, 0, 255)
        check_choice("Refractory input", self.refractory_input, ("lost", "kept"))
        super().__post_init__()
        if self.floor is not None:
            check_int("Floor", self.floor, signed_range(self.width)[0], 0)
        least, most = self.reach
        given = self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)
        for threshold in given:
            if not least <= threshold <= most:
                raise ValueError(
                    f"Threshold must be in {least}..{most}, which a potential of {self.width} bits "
                    f"that fires at {self.fire!r} can reach"
                    f"{' and give up' if threshold < least else ''}, not {threshold}"
                )
        for name, value in (("Rest", self.v), ("Reset value", self.reset_value)):
            for one in value if isinstance(value, tuple) else (value,):
                if one < self.lowest:
                    raise ValueError(f"{name} must be at least the floor {self.floor}, not {one}")

    @property
    def reach(self) -> tuple[int, int]:
        """Least and greatest threshold that the potential can reach and, if it has to, give up."""
        low, high = signed_range(self.width)
        return 0 if self.reset == "subtract" else low, high - (self.fire == ">")

    @property
    def replaceable(self) -> dict[str, tuple[int, int]]:
        found = super().replaceable | {"threshold": self.reach}
        if self.reset == "value":
            return found | {"reset_value": (self.lowest, self.highest)}
        return {name: ends for name, ends in found.items() if name != "reset_value"}

    @property
    def lowest(self) -> int:
        """Least potential."""
        return signed_range(self.width)[0] if self.floor is None else self.floor

    @property
    def highest(self) -> int:
        """Greatest potential."""
        return signed_range(self.width)[1]

    def gain(self, p: Any, s: Any, v: Any, current: Any, via: Arithmetic, threshold: Any = None):
        """Add the input to a potential that has leaked, with the reset of a late spike."""
        if self.refractory and self.refractory_input == "lost":
            current = via.select(s.countdown > 0, 0, current)
        threshold = p.threshold if threshold is None else threshold
        if self.late_input == "kept":
            v = via.select(s.pending > 0, self.fallen(p, v, threshold), v)
        total = v + current
        if self.late and self.late_input == "lost" and self.reset != "none":
            total = via.select(s.pending > 0, self.fallen(p, total, threshold), total)
        if self.floor is not None:
            total = via.maximum(total, self.floor)
        return via.saturate(total, *signed_range(self.width))

    def spike(self, p: Any, s: Any, v: Any, via: Arithmetic, threshold: Any = None):
        """Decide who fires; return that, and the states after an immediate reset."""
        threshold = p.threshold if threshold is None else threshold
        limit = threshold
        if self.owing:
            owed = s.v > threshold if self.fire == ">" else s.v >= threshold
            limit = via.select(owed, threshold + threshold, threshold)
        fired = (via.above if self.fire == ">" else via.reaches)(v, limit)
        after = {"countdown": s.countdown}
        if self.refractory:
            fired = via.both(fired, via.invert(s.countdown > 0))
            resting = via.select(s.countdown > 0, s.countdown - 1, 0)
            after["countdown"] = via.select(fired, self.refractory, resting)
        after["pending"] = via.select(fired, 1, 0) if self.late else s.pending
        if not self.late and self.reset != "none":
            v = via.select(fired, self.fallen(p, v, threshold), v)
        return fired, after | {"v": v}

    def fallen(self, p: Any, v: Any, threshold: Any):
        """Return what a reset leaves of a potential."""
        return {
            "subtract": lambda: v - threshold,
            "zero": lambda: 0,
            "value": lambda: p.reset_value,
        }[self.reset]()


@dataclass(frozen=True)
class If(SpikingNeuron):
    """Integrate-and-fire neuron: ``v = v + x``, without leak (Lapicque 1907)."""

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        return self.spike(p, s, self.gain(p, s, s.v, current, via), via)


@dataclass(frozen=True)
class Lif(SpikingNeuron):
    """Leaky integrate-and-fire neuron: ``v = decay(v) + x`` (Gerstner et al. 2014, chapter 1).

    Parameters
    ----------
    decay : Decay
        Loss of potential in each step, one or one per neuron.
    """

    decay: Decay = field(kw_only=True)

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        return self.spike(p, s, self.gain(p, s, via.decay(s.v, p.decay), current, via), via)


@dataclass(frozen=True)
class CurrentLif(SpikingNeuron):
    """Current-based LIF, of second order: ``i = current_decay(i) + x``, ``v = decay(v) + i``.

    The spike acts in the same step. It is what snnTorch calls ``Synaptic`` and NIR ``CubaLIF``.
    While refractory, an input that is lost does not reach the potential, but the current.

    Parameters
    ----------
    decay : Decay
        Loss of potential in each step.
    current_decay : Decay
        Loss of synaptic current in each step.
    current_width : int
        Bits of the synaptic current, 2 to 32.
    i : int or tuple of int
        Synaptic current at rest.
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
    """LIF whose threshold rises with each spike and decays: ``a = rise_decay(a) + rise * fired``.

    It fires where ``v`` passes ``threshold + a``, with ``a`` as the step before left it (Bellec et
    al., NeurIPS 2018). A reset by subtraction gives up ``threshold + a``; a late one does so with
    the ``a`` that the step of the spike left.

    Parameters
    ----------
    decay : Decay
        Loss of potential in each step.
    rise : int or tuple of int
        What a spike adds to the threshold, at least 0.
    rise_decay : Decay
        Loss of the threshold's rise in each step.
    a : int or tuple of int
        Rise of the threshold at rest.
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
    """Leaky integrator, which never fires: ``v = decay(v) + x`` (NIR's ``LI``).

    Parameters
    ----------
    width : int
        Bits of the potential, in two's complement, 2 to 48.
    decay : Decay
        Loss of potential in each step, one or one per neuron.
    v : int or tuple of int
        Potential at rest.
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
    """Plain accumulator, which never fires: ``v = v + x`` (NIR's ``I``).

    Parameters
    ----------
    width : int
        Bits of the potential, in two's complement, 2 to 48.
    v : int or tuple of int
        Potential at rest.
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
    one.__name__: one for one in (If, Lif, CurrentLif, AdaptiveLif, Integrator, Accumulator)
}
