"""Change of conductance with time: power laws, tables of measurements, and temperature."""

from dataclasses import dataclass
from math import exp, log
from typing import Any

import torch

from spiker_hdl.base.frozen import set_fields

from .checks import check_increasing, check_number
from .curves import Curve, check_curve, value_of

__all__ = ["BOLTZMANN", "Arrhenius", "PowerLawDrift", "TabulatedDrift"]

BOLTZMANN = 8.617333262e-5
"""Boltzmann constant in electronvolts per kelvin (exact in the SI since 2019, here rounded)."""


@dataclass(frozen=True, kw_only=True)
class PowerLawDrift:
    r"""Drift by a power law, with an exponent of its own for each device.

    .. math:: G(t) = G(t_0)\,(t / t_0)^{-\nu}, \quad \nu \sim N(\mu(g), \sigma(g))

    with :math:`g` the relative target conductance. Before :math:`t_0` nothing changes.

    Parameters
    ----------
    exponent, deviation : float or callable
        :math:`\mu` and :math:`\sigma`, without unit.
    start : float
        :math:`t_0`, in seconds after programming.
    """

    exponent: Curve
    deviation: Curve = 0.0
    start: float = 1.0

    def __post_init__(self) -> None:
        set_fields(
            self,
            exponent=check_curve("Drift exponent", self.exponent, None),
            deviation=check_curve("Deviation of drift exponents", self.deviation),
            start=check_number("Start of drift", self.start, above=0),
        )

    def after(
        self,
        programmed: torch.Tensor,
        target: torch.Tensor,
        high: float,
        z: torch.Tensor,
        seconds: float,
    ) -> torch.Tensor:
        """Return the conductances at a time after programming, in siemens.

        Parameters
        ----------
        programmed, target : tensor
            Conductances as they were programmed, and as they should have been.
        high : float
        z : tensor
            Standard normal number of each device.
        seconds : float
        """
        g = target / high
        exponent = value_of(self.exponent, g) + value_of(self.deviation, g) * z
        return programmed * (max(seconds, self.start) / self.start) ** -exponent


@dataclass(frozen=True, kw_only=True)
class TabulatedDrift:
    r"""Drift from a table of measurements over time, interpolated over the logarithm of time.

    .. math:: G(t) = G\,f(g, t) + z\,G_\mathrm{high}\,s(g, t), \quad z \sim N(0, 1)

    with a number :math:`z` that each device keeps. Before the first time, the first entries hold;
    times after the last are refused, since nothing is known about them.

    Parameters
    ----------
    times : sequence of float
        Seconds after programming, greater than 0, which increase.
    factors : sequence of float or callable, optional
        :math:`f` at each time, over the relative target conductance; 1 where none are given.
    deviations : sequence of float or callable, optional
        :math:`s` at each time; 0 where none are given.
    """

    times: tuple[float, ...]
    factors: tuple[Curve, ...] = ()
    deviations: tuple[Curve, ...] = ()

    def __post_init__(self) -> None:
        times = check_increasing("Times of drift", self.times)
        check_number("First time of drift", times[0], above=0)
        columns: dict[str, Any] = {}
        for name, start in (("factors", 1.0), ("deviations", 0.0)):
            curves = tuple(getattr(self, name)) or (start,) * len(times)
            if len(curves) != len(times):
                raise ValueError(
                    f"Drift {name} must be {len(times)}, one for each time, not {len(curves)}"
                )
            columns[name] = tuple(check_curve(f"Drift {name}", curve) for curve in curves)
        set_fields(self, times=times, **columns)

    def after(
        self,
        programmed: torch.Tensor,
        target: torch.Tensor,
        high: float,
        z: torch.Tensor,
        seconds: float,
    ) -> torch.Tensor:
        """Return the conductances at a time, as for :meth:`PowerLawDrift.after`."""
        if seconds > self.times[-1]:
            raise ValueError(
                f"Time must be at most {self.times[-1]:g} s, where the table of the drift ends, "
                f"not {seconds:g} s"
            )
        g = target / high
        factor = self._at(self.factors, g, seconds)
        return programmed * factor + z * high * self._at(self.deviations, g, seconds)

    def _at(self, curves: tuple[Curve, ...], g: torch.Tensor, seconds: float) -> torch.Tensor:
        later = next((n for n, time in enumerate(self.times) if time >= seconds), 0)
        if later == 0:
            return value_of(curves[0], g)
        before, after = self.times[later - 1], self.times[later]
        part = log(seconds / before) / log(after / before)
        return (1 - part) * value_of(curves[later - 1], g) + part * value_of(curves[later], g)


@dataclass(frozen=True, kw_only=True)
class Arrhenius:
    r"""Acceleration of drift by temperature.

    A time :math:`t` at the temperature :math:`T` has the effect of the time :math:`a t` at the
    temperature :math:`T_0` of the measurements:

    .. math:: a = \exp\left(\frac{E_a}{k} \left(\frac{1}{T_0} - \frac{1}{T}\right)\right)

    Parameters
    ----------
    energy : float
        Activation energy :math:`E_a` in electronvolts, which the source of a device gives; there
        is no default, since published values differ from stack to stack.
    reference : float
        :math:`T_0` in kelvin.
    """

    energy: float
    reference: float = 300.0

    def __post_init__(self) -> None:
        set_fields(
            self,
            energy=check_number("Activation energy", self.energy, 0),
            reference=check_number("Reference temperature", self.reference, above=0),
        )

    def acceleration(self, kelvin: float) -> float:
        """Return the factor :math:`a` of a temperature."""
        kelvin = check_number("Temperature", kelvin, above=0)
        return exp(self.energy / BOLTZMANN * (1 / self.reference - 1 / kelvin))
