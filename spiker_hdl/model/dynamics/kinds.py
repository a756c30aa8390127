r"""Synaptic dynamics of first and second order.

:func:`first_order` and :func:`second_order` state the equations once, for integers and for floating
point.
"""

from dataclasses import dataclass, field
from typing import Any

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model.neurons.arithmetic import INTEGERS, Arithmetic, Decay
from spiker_hdl.model.neurons.base import signed_range, state

from .base import Dynamics

__all__ = ["DYNAMICS", "FirstOrder", "SecondOrder", "first_order", "second_order"]


def first_order(i: Any, x: Any, decay: Any, via: Arithmetic) -> Any:
    """Return a current that decays and gets the events of a step, before it is stored."""
    return via.decay(i, decay) + x


def second_order(
    slow: Any, fast: Any, x: Any, decay: Any, rise: Any, via: Arithmetic
) -> tuple[Any, Any]:
    """Return the two exponentials whose difference is the current, before they are stored."""
    return first_order(slow, x, decay, via), first_order(fast, x, rise, via)


@dataclass(frozen=True)
class FirstOrder(Dynamics):
    r"""A synaptic current that jumps with each event and decays exponentially.

    .. math:: i_t = \operatorname{leak}_\beta(i_{t-1}) + x_t

    :math:`i_t`
        current after step :math:`t`, the state ``i``, which reaches the neuron in this step
    :math:`\beta`
        decay of the current, ``decay``
    :math:`x_t`
        weighted events of step :math:`t`, and the bias

    The current saturates to its ``width``. With a :class:`~spiker_hdl.model.Lif` neuron, it is the
    synaptic current of a :class:`~spiker_hdl.model.CurrentLif`.

    Parameters
    ----------
    decay : Decay
        Leak of the current in each step, one or one per neuron.
    width : int
        Bits of the current, in two's complement, 2 to 32.
    i : int or tuple of int
        Current at the start of a sample.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If one is out of range.
    """

    decay: Decay = field(kw_only=True)
    width: int = field(kw_only=True)
    i: Any = state("width")

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        check_int("Current width", self.width, 2, 32)
        super().__post_init__()

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        i = first_order(s.i, x, p.decay, via)
        i = via.saturate(i, *signed_range(self.width))
        return i, {"i": i}


@dataclass(frozen=True)
class SecondOrder(Dynamics):
    r"""A synaptic current with a rise and a decay: the difference of two exponentials.

    .. math::

        a_t &= \operatorname{leak}_\beta(a_{t-1}) + x_t \\
        b_t &= \operatorname{leak}_\rho(b_{t-1}) + x_t \\
        i_t &= a_t - b_t

    :math:`a_t, b_t`
        the exponentials after step :math:`t`, the states ``slow`` and ``fast``
    :math:`\beta, \rho`
        their decays, ``decay`` and ``rise``
    :math:`x_t`
        weighted events of step :math:`t`, and the bias
    :math:`i_t`
        current of step :math:`t`, which reaches the neuron

    In the step of an event the current does not change; it has its peak some steps later. Each
    exponential saturates to ``width`` by itself; their difference has one bit more.

    Parameters
    ----------
    decay, rise : Decay
        Leaks of the slow and of the fast exponential in each step, one or one per neuron.
    width : int
        Bits of each exponential, in two's complement, 2 to 32.
    slow, fast : int or tuple of int
        States at the start of a sample.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If one is out of range.
    """

    decay: Decay = field(kw_only=True)
    rise: Decay = field(kw_only=True)
    width: int = field(kw_only=True)
    slow: Any = state("width")
    fast: Any = state("width")

    def __post_init__(self) -> None:
        check_kind("Decay", self.decay, Decay)
        check_kind("Rise", self.rise, Decay)
        check_int("Current width", self.width, 2, 32)
        super().__post_init__()

    def step(self, p: Any, s: Any, x: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        slow, fast = second_order(s.slow, s.fast, x, p.decay, p.rise, via)
        slow, fast = (via.saturate(value, *signed_range(self.width)) for value in (slow, fast))
        return slow - fast, {"slow": slow, "fast": fast}


DYNAMICS: dict[str, type[Dynamics]] = {kind.__name__: kind for kind in (FirstOrder, SecondOrder)}
