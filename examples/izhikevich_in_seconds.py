"""Izhikevich's neuron in floating point, under steps of any length, as a neuron of one's own.

Run this file to see how often it fires at several lengths of the step::

    python examples/izhikevich_in_seconds.py
"""

from dataclasses import dataclass, field
from typing import Any

import torch

from spiker_hdl.model import INTEGERS, Arithmetic, Decay, Input, Neuron, Readout, parameter, state
from spiker_train import Cell, Connection, Layer, SpikingNetwork, Tau

__all__ = ["Izhikevich", "network"]


@dataclass(frozen=True)
class Izhikevich(Neuron):
    r"""Izhikevich's neuron (IEEE Trans. Neural Networks 14(6), 2003, equations 1 to 3).

    .. math::

        v_t &= v_{t-1} + h \, (0.04 \, v_{t-1}^2 + 5 \, v_{t-1} + 140 - u_{t-1} + I_t) \\
        u_t &= u_{t-1} + h \, a \, (b \, v_{t-1} - u_{t-1})

    and where :math:`v_t \ge 30`, the neuron fires, :math:`v_t = c` and :math:`d` is added to
    :math:`u_t`.

    :math:`v_t, u_t`
        membrane potential and recovery after step :math:`t`, in mV
    :math:`I_t`
        input current, in mV/ms
    :math:`h`
        length of the step in ms, of the explicit Euler method

    A step does not know its length. ``millisecond`` is a time constant of 1 ms with
    ``method="euler"``, and so the share that a state loses in a step is the step's length in ms. A
    step longer than 1 ms, for which the method breaks, is refused.

    Parameters
    ----------
    a, b, c, d : float
        Izhikevich's parameters.
    millisecond : Tau
    v, u : float
        States at the start.
    """

    a: Any = parameter(32, default=0.02)
    b: Any = parameter(32, default=0.2)
    c: Any = parameter(32, default=-65.0)
    d: Any = parameter(32, default=8.0)
    millisecond: Decay = field(kw_only=True)
    v: Any = state(32, rest=-65)
    u: Any = state(32, rest=-13)

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        h = p.millisecond.numerator
        v = s.v + h * (0.04 * s.v * s.v + 5 * s.v + 140 - s.u + current)
        u = s.u + h * p.a * (p.b * s.v - s.u)
        fired = via.reaches(v, 30.0)
        return fired, {"v": via.select(fired, p.c, v), "u": via.select(fired, u + p.d, u)}


def network(**values: Any) -> SpikingNetwork:
    """Return a network of one neuron, whose input is its current in mV/ms."""
    cell = Cell(Izhikevich, millisecond=Tau(1e-3, method="euler"), unit=30.0, **values)
    return SpikingNetwork(
        [Input("current", 1, 0, 100)],
        [Layer("cortex", 1, cell)],
        [Connection("current", "cortex", [[1.0]])],
        [Readout("cortex", "count")],
    )


def main() -> None:
    """Print spikes in a second of regular spiking, at several lengths of the step."""
    for dt in (1e-3, 5e-4, 1e-4):
        steps = round(1 / dt)
        with torch.no_grad():
            outcome = network()(torch.full((1, steps, 1), 10.0), dt=dt)
        print(f"steps of {dt * 1e3:g} ms: {int(outcome.scores)} spikes in a second")


if __name__ == "__main__":
    main()
