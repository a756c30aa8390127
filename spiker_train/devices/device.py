"""A memory device, and an array of such devices that was programmed."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from spiker_hdl.base.checks import shown
from spiker_hdl.base.frozen import set_fields

from .checks import check_number, check_tensor, fork, normal
from .drift import Arrhenius
from .faults import NONE, Faults
from .levels import MeasuredLevels, check_levels
from .noise import Spread
from .pulses import PulseUpdate

__all__ = ["Device", "Programmed"]

NEAR = 1e-9
"""Share of the range by which a target may lie outside of it, from rounding."""


@dataclass(frozen=True, kw_only=True)
class Device:
    r"""A memory cell whose conductance is programmed, drifts, and is read.

    A target conductance :math:`G_T` goes through the stages in this order, each of which may be
    left out:

    .. math::
        G_L &= \operatorname{level}(G_T) & \text{levels} \\
        G_0 &= \max(G_L\,s + \sigma_p z_p, 0) & \text{spread, programming} \\
        G(t) &= \max(\operatorname{drift}(G_0, a t), 0) & \text{drift, temperature} \\
        G_R &= \max(G(t) + \sigma_r z_r, 0) & \text{reading}

    and a faulty cell has its fixed conductance instead. All numbers are float64; conductances are
    in siemens and times in seconds after programming.

    Parameters
    ----------
    high, low : float
        Greatest and least conductance that can be programmed, in siemens.
    levels : int, sequence of float, or levels, optional
        Number of uniform levels, or measured conductances; see :mod:`~.levels`.
    programming : GaussianNoise, optional
        Noise of programming.
    spread : Spread, optional
        Spread between devices.
    drift : PowerLawDrift or TabulatedDrift, optional
    reading : GaussianNoise or FlickerNoise, optional
        Noise of a read, drawn anew each time.
    faults : Faults, optional
        Stuck and open cells.
    pulses : PulseUpdate, optional
        Changes by pulses.
    temperature : Arrhenius, optional
        Acceleration of the drift.
    kelvin : float, optional
        Temperature of operation; the reference of ``temperature`` where none is given.
    source : str
        Where the numbers are from.

    Raises
    ------
    TypeError, ValueError
        If a number is of another type or out of range.
    """

    high: float
    low: float = 0.0
    levels: Any = None
    programming: Any = None
    spread: Spread | None = None
    drift: Any = None
    reading: Any = None
    faults: Faults | None = None
    pulses: PulseUpdate | None = None
    temperature: Arrhenius | None = None
    kelvin: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        low = check_number("Least conductance", self.low, 0)
        set_fields(
            self,
            low=low,
            high=check_number("Greatest conductance", self.high, above=low),
            levels=check_levels(self.levels),
        )
        if isinstance(self.levels, MeasuredLevels):
            ends, span = self.levels.values, self.high - low
            for level in (ends[0], ends[-1]):
                if not low - NEAR * span <= level <= self.high + NEAR * span:
                    raise ValueError(
                        f"Levels must be in the range of the device, {low:g}..{self.high:g} S, "
                        f"not {level:g}"
                    )
        for name, method in (
            ("programming", "sigma"),
            ("spread", "factors"),
            ("drift", "after"),
            ("reading", "sigma"),
            ("faults", "draw"),
            ("pulses", "apply"),
            ("temperature", "acceleration"),
        ):
            stage = getattr(self, name)
            if stage is not None and not hasattr(stage, method):
                raise TypeError(
                    f"Device {name} must have a method {method!r} or be None, not {shown(stage)}"
                )
        if self.kelvin is not None:
            set_fields(self, kelvin=check_number("Temperature", self.kelvin, above=0))
            if self.temperature is None:
                raise ValueError(
                    "Device with a temperature of operation must say what it changes, by an "
                    "Arrhenius law"
                )

    @property
    def acceleration(self) -> float:
        """Factor by which time runs faster than at the temperature of the measurements."""
        if self.temperature is None or self.kelvin is None:
            return 1.0
        return self.temperature.acceleration(self.kelvin)

    def program(self, target: Any, rng: torch.Generator) -> "Programmed":
        """Program cells.

        Parameters
        ----------
        target : tensor or array of float
            Conductances in siemens, of any shape.
        rng : torch.Generator
            Random numbers: see :func:`~.checks.generator`.

        Returns
        -------
        Programmed

        Raises
        ------
        ValueError
            If a target is not finite or not within the range of the device.
        """
        target = check_tensor("Target conductance", target)
        span = self.high - self.low
        if target.numel():
            for extreme in (float(target.min()), float(target.max())):
                if not self.low - NEAR * span <= extreme <= self.high + NEAR * span:
                    raise ValueError(
                        f"Target conductance must be in {self.low:g}..{self.high:g} S, "
                        f"not {extreme:g}"
                    )
        target = target.clamp(self.low, self.high)
        # All stages have their generator, whether they are there or not: see fork().
        for_faults, for_spread, for_noise, for_drift = (fork(rng) for _ in range(4))
        if self.levels is not None:
            target = self.levels.nearest(target, self.low, self.high)
        cells = (
            torch.zeros(target.shape, dtype=torch.int8)
            if self.faults is None
            else self.faults.draw(tuple(target.shape), for_faults)
        )
        gain = (
            torch.ones((), dtype=torch.float64)
            if self.spread is None
            else self.spread.factors(normal(target.shape, for_spread))
        )
        conductance = target * gain
        if self.programming is not None:
            sigma = self.programming.sigma(target, target, self.high, 0.0)
            conductance = conductance + sigma * normal(target.shape, for_noise)
        z = torch.zeros(()).double() if self.drift is None else normal(target.shape, for_drift)
        return Programmed(self, target, conductance.clamp(min=0), z, cells)


@dataclass(frozen=True)
class Programmed:
    """Cells of a device after they were programmed.

    Members
    -------
    device : Device
    target : tensor of float64
        Conductances that should have been reached, in siemens, on the device's levels.
    initial : tensor of float64
        Conductances just after programming, in siemens.
    z : tensor of float64
        Standard normal number of each cell, which decides its drift.
    cells : tensor of int8
        State of each cell: see :mod:`~.faults`.
    seconds : float
        Present time after programming.
    """

    device: Device
    target: torch.Tensor
    initial: torch.Tensor
    z: torch.Tensor
    cells: torch.Tensor
    seconds: float = 0.0

    @property
    def conductance(self) -> torch.Tensor:
        """Conductances at the present time, without the noise of a read, in siemens."""
        device, now = self.device, self.initial
        if device.drift is not None:
            now = device.drift.after(
                now, self.target, device.high, self.z, self.seconds * device.acceleration
            ).clamp(min=0)
        return Faults.apply(now, self.cells, device.low, device.high)

    def at(self, seconds: float) -> "Programmed":
        """Return the same cells at a time after programming, in seconds."""
        return replace(self, seconds=check_number("Time after programming", seconds, 0))

    def read(self, rng: torch.Generator) -> torch.Tensor:
        """Return the conductances as they are read once, in siemens; a faulty cell has no noise."""
        now, device = self.conductance, self.device
        own = fork(rng)
        if device.reading is None:
            return now
        elapsed = self.seconds * device.acceleration
        sigma = device.reading.sigma(now, self.target, device.high, elapsed)
        noisy = (now + sigma * normal(now.shape, own)).clamp(min=0)
        return torch.where(self.cells == NONE, noisy, now)

    def update(self, pulses: Any, rng: torch.Generator) -> "Programmed":
        """Return the cells after pulses, from which drift starts anew.

        Parameters
        ----------
        pulses : tensor or array of int
            Pulses of each cell, up where positive, down where negative.
        rng : torch.Generator

        Raises
        ------
        ValueError
            If the device does not say what a pulse changes, a number is no whole one, or their
            shape is not that of the cells.
        """
        if self.device.pulses is None:
            raise ValueError("Device must have pulses to be updated by them, not None")
        counts = check_tensor("Pulses", pulses)
        if not counts.equal(counts.round()):
            raise ValueError("Pulses must be whole numbers")
        try:
            counts = counts.expand(self.target.shape)
        except RuntimeError:
            raise ValueError(
                f"Pulses must have the shape of the cells, {tuple(self.target.shape)}, not "
                f"{tuple(counts.shape)}"
            ) from None
        device = self.device
        changed = self.device.pulses.apply(
            self.conductance.clamp(device.low, device.high),
            counts,
            device.low,
            device.high,
            fork(rng),
        )
        return replace(self, target=changed, initial=changed, seconds=0.0)
