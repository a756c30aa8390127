r"""The neuron models that come with the library.

All models compute on integers, in units that quantisation chooses. The input current of a step is
the sum of the weighted events and the bias. A state saturates to its declared range once, at the
end of the sum that is stored in it. :math:`\operatorname{leak}_d(x)` is a decay ``d`` applied to
``x``: ``x - floor(x * numerator / 2**bits)``, see :class:`~.arithmetic.Decay`.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from spiker_hdl.base.checks import check_int, check_kind

from .arithmetic import INTEGERS, Arithmetic, Decay
from .base import Neuron, parameter, signed_range, state
from .leak import Leaky, check_floor
from .spiking import SpikingNeuron

__all__ = [
    "NEURONS",
    "Accumulator",
    "AdaptiveLif",
    "CurrentLif",
    "Dendrite",
    "If",
    "Integrator",
    "Lif",
]


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
class Lif(Leaky, SpikingNeuron):
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
    rest : int or tuple of int
        Rest potential, towards which the potential leaks, one or one per neuron.
    """

    decay: Decay = field(kw_only=True)
    rest: Any = parameter("width", default=0, scales=True, since=2)

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        return self.spike(p, s, self.gain(p, s, self.leaked(p, s.v, via), current, via), via)


@dataclass(frozen=True)
class CurrentLif(Leaky, SpikingNeuron):
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
    rest : int or tuple of int
        Rest potential, towards which the potential leaks, one or one per neuron.
    current_decay : Decay
        Leak of the synaptic current in each step.
    current_width : int
        Bits of the synaptic current, 2 to 32.
    i : int or tuple of int
        Synaptic current at the start of a sample.
    """

    decay: Decay = field(kw_only=True)
    rest: Any = parameter("width", default=0, scales=True, since=2)
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
        fired, after = self.spike(p, s, self.gain(p, s, self.leaked(p, s.v, via), i, via), via)
        return fired, after | {"i": i}


@dataclass(frozen=True)
class AdaptiveLif(Leaky, SpikingNeuron):
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
    rest : int or tuple of int
        Rest potential, towards which the potential leaks, one or one per neuron.
    rise : int or tuple of int
        Increment of the threshold at each spike, at least 0.
    rise_decay : Decay
        Leak of the rise in each step.
    a : int or tuple of int
        Rise of the threshold at the start of a sample.
    """

    decay: Decay = field(kw_only=True)
    rest: Any = parameter("width", default=0, scales=True, since=2)
    rise: Any = parameter(lambda n: (0, signed_range(n.width)[1]), scales=True)
    rise_decay: Decay = field(kw_only=True)
    a: Any = state(lambda n: (0, signed_range(n.width)[1]))

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        check_kind("Rise decay", self.rise_decay, Decay)
        super().__post_init__()

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        threshold = p.threshold + s.a
        v = self.gain(p, s, self.leaked(p, s.v, via), current, via, threshold)
        fired, after = self.spike(p, s, v, via, threshold)
        a = via.decay(s.a, p.rise_decay)
        a = via.saturate(via.select(fired, a + p.rise, a), 0, signed_range(self.width)[1])
        return fired, after | {"a": a}


@dataclass(frozen=True)
class Integrator(Leaky, Neuron):
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
    rest : int or tuple of int
        Rest potential, towards which the potential leaks, one or one per neuron.
    floor : int, optional
        Lower bound of the potential; by default the minimum of ``width`` bits.
    v : int or tuple of int
        Potential at the start of a sample.
    """

    spiking: ClassVar[bool] = False

    width: int = field(kw_only=True)
    decay: Decay = field(kw_only=True)
    rest: Any = parameter("width", default=0, scales=True, since=2)
    floor: int | None = field(default=None, kw_only=True, metadata={"scales": True, "later": 2})
    v: Any = state("width")

    def __post_init__(self) -> None:
        check_int("Potential width", self.width, 2, 48)
        check_kind("Decay", self.decay, Decay)
        if self.floor is not None:
            check_int("Floor", self.floor, signed_range(self.width)[0], 0)
        self.check_settings()
        super().__post_init__()
        for value in self.v if isinstance(self.v, tuple) else (self.v,):
            if self.floor is not None and value < self.floor:
                raise ValueError(
                    f"{type(self).__name__} v must be at least the floor {self.floor}, not {value}"
                )

    def check_settings(self) -> None:
        check_floor(self.floor)

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        total = self.leaked(p, s.v, via) + current
        if self.floor is not None:
            total = via.maximum(total, self.floor)
        return None, {"v": via.saturate(total, *signed_range(self.width))}


@dataclass(frozen=True)
class Dendrite(Integrator):
    r"""Dendritic compartment: a leaky integrator whose output in each step is a value.

    .. math::

        v_t &= \operatorname{leak}_\beta(v_{t-1}) + x_t \\
        y_t &= \min\left(\max\left(\left\lfloor \frac{v_t}{r} + \frac{1}{2} \right\rfloor,
        y_\text{min}\right), y_\text{max}\right)

    :math:`v_t`
        potential after step :math:`t`, the state ``v``
    :math:`\beta`
        decay of the potential, ``decay``
    :math:`x_t`
        input current of step :math:`t`
    :math:`r`
        ``resolution``
    :math:`y_t`
        output of step :math:`t`: where it is not 0, an event whose value multiplies the weights
    :math:`y_\text{min}, y_\text{max}`
        ``low`` and ``high``

    Each neuron of a population is a compartment. Projections between populations of dendrites, and
    from them to spiking neurons, make a dendritic tree.

    Parameters
    ----------
    width : int
        Bits of the potential, in two's complement, 2 to 48.
    decay : Decay
        Leak of the potential in each step, one or one per neuron.
    resolution : int
        Potential that makes a value of 1, a power of two of at most ``2**(width - 1)``.
    low, high : int
        Range of the output, with ``-32768 <= low <= 0 < high <= 65535``.
    rest : int or tuple of int
        Rest potential, towards which the potential leaks, one or one per neuron.
    floor : int, optional
        Lower bound of the potential; by default the minimum of ``width`` bits.
    v : int or tuple of int
        Potential at the start of a sample.
    """

    output: ClassVar[Any] = lambda neuron: (neuron.low, neuron.high)

    resolution: int = field(kw_only=True, metadata={"scales": True, "power_of_two": True})
    low: int = field(kw_only=True)
    high: int = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("Dendrite resolution", self.resolution, 1, 2 ** (self.width - 1))
        if self.resolution & (self.resolution - 1):
            raise ValueError(f"Dendrite resolution must be a power of two, not {self.resolution}")

    def check_settings(self) -> None:
        super().check_settings()
        check_int("Dendrite low", self.low, -(2**15), 0)
        check_int("Dendrite high", self.high, 1, 2**16 - 1)

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        _, after = super().step(p, s, current, via)
        value = via.divide(after["v"], self.resolution)
        return via.clamp(value, self.low, self.high), after


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
    model.__name__: model
    for model in (If, Lif, CurrentLif, AdaptiveLif, Integrator, Dendrite, Accumulator)
}
