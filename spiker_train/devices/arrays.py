"""Arrays of devices that hold signed weights."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from spiker_hdl.base.checks import shown
from spiker_hdl.base.frozen import set_fields

from .checks import check_number, check_tensor
from .device import Device, Programmed
from .wires import WireResistance

__all__ = ["DifferentialPair", "ProgrammedWeights", "ReferenceColumn", "as_array"]


@dataclass(frozen=True, kw_only=True)
class _Array:
    """What all arrays have: a device, a greatest weight, wires, and a compensation of drift."""

    device: Device
    limit: float | None = None
    wires: WireResistance | None = None
    compensate: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.device, Device):
            raise TypeError(f"Array must be of a Device, not {shown(self.device)}")
        if self.wires is not None and not hasattr(self.wires, "effective"):
            raise TypeError(f"Wires must be a WireResistance or None, not {shown(self.wires)}")
        if not isinstance(self.compensate, bool):
            raise TypeError(f"Compensation must be True or False, not {shown(self.compensate)}")
        if self.limit is not None:
            set_fields(self, limit=check_number("Greatest weight", self.limit, above=0))

    def _limit(self, weights: torch.Tensor) -> float:
        greatest = float(weights.abs().max()) if weights.numel() else 0.0
        if self.limit is None:
            return greatest or 1.0
        if greatest > self.limit:
            raise ValueError(
                f"Weights must be at most {self.limit:g} in magnitude, the limit of their array, "
                f"not {greatest:g}"
            )
        return self.limit


class DifferentialPair(_Array):
    r"""Two devices for each weight, whose currents are subtracted.

    .. math::
        G_+ &= l + (h - l) \max(w, 0) / w_\mathrm{max} \\
        G_- &= l + (h - l) \max(-w, 0) / w_\mathrm{max} \\
        w &= (G_+ - G_-)\,w_\mathrm{max} / (h - l)

    Parameters
    ----------
    device : Device
        With the range :math:`l..h` in siemens.
    limit : float, optional
        :math:`w_\mathrm{max}`, in the unit of the weights; where none is given, the greatest
        magnitude of the weights that are programmed together.
    wires : WireResistance, optional
        Wires of the two crossbars.
    compensate : bool
        Whether drift is compensated by one factor for each array: the total current of all cells
        at the start over the total current now. The noise of this calibration is left out, since
        it averages over all cells.

    References
    ----------
    M. Le Gallo et al., "Collective structural relaxation in phase-change memory devices", Advanced
    Electronic Materials 4 (2018), 1700627, for the compensation by a periodic read.
    """

    def program(self, weights: Any, rng: torch.Generator) -> "ProgrammedWeights":
        """Program weights of any shape; wires need the shape (targets, sources).

        Raises
        ------
        ValueError
            If a weight is not finite or greater than the limit.
        """
        weights = check_tensor("Weights", weights)
        limit, device = self._limit(weights), self.device
        scale = (device.high - device.low) / limit
        parts = tuple(
            device.program(device.low + part.clamp(min=0) * scale, rng)
            for part in (weights, -weights)
        )
        return ProgrammedWeights(self, parts, scale)


class ReferenceColumn(_Array):
    r"""One device for each weight, and an ideal reference in the middle of the range.

    .. math::
        G &= l + (h - l) (w / w_\mathrm{max} + 1) / 2 \\
        w &= (2 (G - l) / (h - l) - 1)\,w_\mathrm{max}

    Parameters are those of :class:`DifferentialPair`.
    """

    def program(self, weights: Any, rng: torch.Generator) -> "ProgrammedWeights":
        """Program weights, as :meth:`DifferentialPair.program` does."""
        weights = check_tensor("Weights", weights)
        limit, device = self._limit(weights), self.device
        scale = (device.high - device.low) / (2 * limit)
        target = device.low + (weights + limit) * scale
        return ProgrammedWeights(self, (device.program(target, rng),), scale)


@dataclass(frozen=True)
class ProgrammedWeights:
    """Weights that an array of devices holds.

    Members
    -------
    array : DifferentialPair or ReferenceColumn
    parts : tuple of Programmed
        The devices of the positive and of the negative parts, or the only ones.
    scale : float
        Siemens for a weight of 1.
    seconds : float
        Time after programming.
    """

    array: Any
    parts: tuple[Programmed, ...]
    scale: float
    seconds: float = 0.0

    def at(self, seconds: float) -> "ProgrammedWeights":
        """Return the same devices at a time after programming, in seconds."""
        parts = tuple(part.at(seconds) for part in self.parts)
        return replace(self, parts=parts, seconds=parts[0].seconds)

    def read(self, rng: torch.Generator) -> torch.Tensor:
        """Return the weights as they are read once, as float64 in the unit of the weights."""
        device, wires = self.array.device, self.array.wires
        conductances = [part.read(rng) for part in self.parts]
        if wires is not None:
            conductances = [wires.effective(conductance) for conductance in conductances]
        factor = self.compensation
        if len(conductances) == 2:
            return factor * (conductances[0] - conductances[1]) / self.scale
        middle = (device.low + device.high) / 2
        return (factor * conductances[0] - middle) / self.scale

    @property
    def compensation(self) -> float:
        """Factor that compensates drift: 1 where the array does not."""
        if not self.array.compensate:
            return 1.0
        start, now = (
            sum(float(part.conductance.sum()) for part in parts)
            for parts in ([part.at(0.0) for part in self.parts], self.parts)
        )
        return start / now if now > 0 else 1.0

    def update(self, pulses: Any, rng: torch.Generator) -> "ProgrammedWeights":
        """Return the weights after pulses: up where positive, down where negative.

        Of a pair, a pulse up goes to the positive device, and a pulse down is one up of the
        negative device.
        """
        counts = check_tensor("Pulses", pulses)
        if len(self.parts) == 1:
            parts = (self.parts[0].update(counts, rng),)
        else:
            parts = tuple(
                part.update(ups.clamp(min=0), rng)
                for part, ups in zip(self.parts, (counts, -counts), strict=True)
            )
        return replace(self, parts=parts, seconds=0.0)


def as_array(device: Any) -> Any:
    """Return an array that holds weights; a bare device is made a differential pair.

    Raises
    ------
    TypeError
        If ``device`` cannot be programmed.
    """
    if isinstance(device, Device):
        return DifferentialPair(device=device)
    if not hasattr(device, "program"):
        raise TypeError(f"Devices must have a method 'program', not {shown(device)}")
    return device
