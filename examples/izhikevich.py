"""A neuron of one's own: Izhikevich's, in integers, with nothing of it in the library.

Run this file to see its classic responses, in integers and in floating point::

    python examples/izhikevich.py
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from spiker_hdl.model import INTEGERS, Arithmetic, Neuron, parameter, signed_range, state

__all__ = ["CLASSIC", "Izhikevich", "classic", "euler"]

COEFFICIENT = 12
"""Binary digits of ``a``, ``b`` and of the coefficient 0.04, which is 164 / 4096."""

START = -65
"""Potential at rest in mV, from which the program of the paper starts, with ``u = b v``."""


def _potential(neuron: "Izhikevich") -> tuple[int, int]:
    return signed_range(8 + neuron.fraction)


def _recovery(neuron: "Izhikevich") -> tuple[int, int]:
    return signed_range(8 + neuron.fraction + neuron.finer)


@dataclass(frozen=True)
class Izhikevich(Neuron):
    """Izhikevich's neuron: two equations that spike, adapt and burst as cortical cells do.

    With ``v`` and ``u`` in mV and time in ms (E. M. Izhikevich, "Simple model of spiking neurons",
    IEEE Trans. Neural Networks 14(6), 2003, equations 1 to 3)::

        v' = 0.04 v**2 + 5 v + 140 - u + I
        u' = a (b v - u)
        if v >= 30 mV: v = c, u = u + d

    A time step is Euler's, of ``2**-halvings`` ms, both equations from the state before it, and the
    test for a spike comes after it. The integers are

    - ``v`` and ``c``: units of ``2**-fraction`` mV, from -128 mV to below 128 mV;
    - ``u`` and ``d``: units of ``2**-(fraction + finer)`` mV, for ``u`` moves slowly;
    - ``a`` and ``b``: units of ``2**-12``;
    - the input ``I``: units of ``2**(gain - fraction)`` mV/ms.

    Each division by a power of two rounds toward minus infinity: ``v**2`` to a unit of ``v``, then
    ``164 / 4096`` of it, ``u`` to a unit of ``v``, and the steps of ``v`` and of ``u``. Both states
    saturate.

    Parameters
    ----------
    a, b, c, d : int or tuple of int
        Izhikevich's parameters, in the units above; one or one per neuron.
    fraction : int
        Binary digits of ``v`` behind the point.
    finer : int
        Binary digits of ``u`` beyond those of ``v``.
    halvings : int
        Binary logarithm of the time steps in a ms.
    gain : int
        Bits by which the input is shifted left.
    v, u : int or tuple of int
        At rest.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.
    """

    peak: ClassVar[int] = 30

    a: Any = parameter((0, 2**COEFFICIENT))
    b: Any = parameter((-(2**COEFFICIENT), 2**COEFFICIENT))
    c: Any = parameter(_potential)
    d: Any = parameter(_recovery)
    fraction: int = field(default=8, kw_only=True)
    finer: int = field(default=8, kw_only=True)
    halvings: int = field(default=1, kw_only=True)
    gain: int = field(default=0, kw_only=True)
    v: Any = state(_potential)
    u: Any = state(_recovery)

    def __post_init__(self) -> None:
        for name in ("fraction", "finer", "halvings", "gain"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= 12:
                raise ValueError(f"Izhikevich {name} must be an int in 0..12, not {value!r}")
        super().__post_init__()

    @classmethod
    def of(cls, a: float, b: float, c: float, d: float, **settings: int) -> "Izhikevich":
        """Make the nearest neuron to parameters as the paper gives them, which starts at -65 mV."""
        neuron = cls(a=0, b=0, c=0, d=0, **settings)
        unit, fine, factor = (
            2**neuron.fraction,
            2 ** (neuron.fraction + neuron.finer),
            2**COEFFICIENT,
        )
        return cls(
            a=round(a * factor),
            b=round(b * factor),
            c=round(c * unit),
            d=round(d * fine),
            v=START * unit,
            u=round(b * START * fine),
            **settings,
        )

    @property
    def scale(self) -> float:
        """What a weight of 1 is, in mV/ms."""
        return 2.0 ** (self.gain - self.fraction)

    def step(self, p: Any, s: Any, current: Any, via: Arithmetic = INTEGERS) -> tuple[Any, dict]:
        square = via.shift(s.v * s.v, self.fraction)
        rise = via.shift(square * 164, COEFFICIENT) + s.v * 5 + 140 * 2**self.fraction
        rise = rise - via.shift(s.u, self.finer) + current * 2**self.gain
        pull = via.shift(s.v * p.b * 2**self.finer, COEFFICIENT) - s.u
        v = via.saturate(s.v + via.shift(rise, self.halvings), *_potential(self))
        u = via.saturate(s.u + via.shift(pull * p.a, COEFFICIENT + self.halvings), *_recovery(self))
        fired = via.reaches(v, self.peak * 2**self.fraction)
        after = {
            "v": via.select(fired, p.c, v),
            "u": via.select(fired, via.saturate(u + p.d, *_recovery(self)), u),
        }
        return fired, after


CLASSIC = {
    "regular spiking": (0.02, 0.2, -65, 8),
    "intrinsically bursting": (0.02, 0.2, -55, 4),
    "chattering": (0.02, 0.2, -50, 2),
    "fast spiking": (0.1, 0.2, -65, 2),
    "low-threshold spiking": (0.02, 0.25, -65, 2),
}
"""Parameters ``a``, ``b``, ``c`` and ``d`` of figure 2 of the paper."""


def classic(kind: str, **settings: int) -> Izhikevich:
    """Return a neuron of :data:`CLASSIC`."""
    return Izhikevich.of(*CLASSIC[kind], **settings)


def euler(
    a: float, b: float, c: float, d: float, current: np.ndarray, step: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate the paper's equations in float64, one neuron, by Euler's rule.

    Parameters
    ----------
    a, b, c, d : float
    current : array of float, shape (steps,)
        Input in mV/ms.
    step : float
        Time step in ms.

    Returns
    -------
    potentials : array of float, shape (steps,)
        After each step, and after the reset where there was one.
    fired : array of bool, shape (steps,)
    """
    v, u = float(START), b * START
    potentials, fired = np.zeros(len(current)), np.zeros(len(current), dtype=bool)
    for n, x in enumerate(current):
        rise = 0.04 * v * v + 5 * v + 140 - u + x
        v, u = v + step * rise, u + step * a * (b * v - u)
        if v >= Izhikevich.peak:
            v, u, fired[n] = c, u + d, True
        potentials[n] = v
    return potentials, fired


def respond(neuron: Izhikevich, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the potentials in mV and the spikes of one neuron, in integers.

    Parameters
    ----------
    neuron : Izhikevich
    current : array of float, shape (steps,)
        Input in mV/ms, rounded to the neuron's units.
    """
    parameters = neuron.bind({name: tensor.value for name, tensor in neuron.parameters.items()})
    states = type(parameters)(**{name: declared.rest for name, declared in neuron.states.items()})
    potentials, fired = np.zeros(len(current)), np.zeros(len(current), dtype=bool)
    for n, x in enumerate(current):
        fired[n], after = neuron.step(parameters, states, round(float(x) / neuron.scale))
        states = type(parameters)(**after)
        potentials[n] = states.v / 2**neuron.fraction
    return potentials, fired


def main() -> None:
    """Compare integers and floating point over 500 ms of a constant input."""
    current = np.where(np.arange(1000) < 20, 0.0, 10.0)
    print(f"{'10 mV/ms from 10 ms to 500 ms':<32}{'spikes':>8}{'float64':>9}  worst shift, ms")
    for kind, values in CLASSIC.items():
        _, expected = euler(*values, current)
        _, potentials = respond(classic(kind), current)
        times, others = np.flatnonzero(expected) / 2, np.flatnonzero(potentials) / 2
        common = min(len(times), len(others))
        shift = np.abs(times[:common] - others[:common]).max(initial=0)
        print(f"{kind:<32}{potentials.sum():>8}{expected.sum():>9}{shift:>17}")


if __name__ == "__main__":
    main()
