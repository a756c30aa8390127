"""Changes of conductance by pulses, which are neither linear nor equal in both directions."""

from dataclasses import dataclass
from math import exp, isinf

import torch

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.frozen import set_fields

from .checks import check_number, normal

__all__ = ["PulseUpdate"]


@dataclass(frozen=True, kw_only=True)
class PulseUpdate:
    r"""Exponential change by pulses, from the least to the greatest conductance and back.

    From :math:`G_\mathrm{low}`, :math:`P` pulses up lead to, and from :math:`G_\mathrm{high}`,
    :math:`P` pulses down lead to

    .. math::
        G_\uparrow &= G_\mathrm{low} + B_\uparrow (1 - e^{-P / A_\uparrow}) \\
        G_\downarrow &= G_\mathrm{high} - B_\downarrow (1 - e^{-P / A_\downarrow}) \\
        B &= (G_\mathrm{high} - G_\mathrm{low}) / (1 - e^{-P_\mathrm{max} / A})

    and from any other conductance, pulses go on along the same curve. :math:`A` is in pulses:
    infinite for a linear change, small for one that saturates early, negative for one that speeds
    up. Each pulse adds noise of ``noise`` times the range.

    Parameters
    ----------
    pulses : int
        :math:`P_\mathrm{max}`, the number of pulses from end to end.
    up, down : float
        :math:`A_\uparrow` and :math:`A_\downarrow`, not 0.
    noise : float
        Standard deviation from pulse to pulse, as a share of the range.

    References
    ----------
    P.-Y. Chen, X. Peng, S. Yu, "NeuroSim: a circuit-level macro model for benchmarking
    neuro-inspired architectures in online learning", IEEE Transactions on Computer-Aided Design
    37 (2018), 3067-3080: the equations of the non-linear weight update.
    """

    pulses: int
    up: float = float("inf")
    down: float = float("inf")
    noise: float = 0.0

    def __post_init__(self) -> None:
        set_fields(
            self,
            pulses=check_int("Pulses from end to end", self.pulses, 1),
            noise=check_number("Noise of a pulse", self.noise, 0),
        )
        for name in ("up", "down"):
            value = getattr(self, name)
            if not (isinstance(value, float) and isinf(value) and value > 0):
                value = check_number(f"Curvature {name}", value)
            if value == 0:
                raise ValueError(f"Curvature {name} must not be 0")
            set_fields(self, **{name: value})

    def apply(
        self,
        conductance: torch.Tensor,
        pulses: torch.Tensor,
        low: float,
        high: float,
        rng: torch.Generator,
    ) -> torch.Tensor:
        """Return the conductances after pulses, in siemens, within the range.

        Parameters
        ----------
        conductance : tensor
            In siemens.
        pulses : tensor of int
            Number of pulses of each cell: up where positive, down where negative.
        low, high : float
        rng : Generator
        """
        up = self._moved(conductance - low, pulses.clamp(min=0), self.up, high - low)
        down = self._moved(high - conductance, (-pulses).clamp(min=0), self.down, high - low)
        changed = torch.where(pulses > 0, low + up, high - down)
        changed = torch.where(pulses == 0, conductance, changed)
        if self.noise:
            noise = self.noise * (high - low) * pulses.abs().double().sqrt()
            changed = changed + noise * normal(changed.shape, rng)
        return torch.where(pulses == 0, conductance, changed.clamp(low, high))

    def _moved(
        self, way: torch.Tensor, pulses: torch.Tensor, curvature: float, span: float
    ) -> torch.Tensor:
        """Return how far from its start a conductance is after pulses, which was ``way`` before."""
        if isinf(curvature):
            return way + pulses * span / self.pulses
        whole = span / (1 - exp(-self.pulses / curvature))
        return whole - (whole - way) * (-pulses.double() / curvature).exp()
