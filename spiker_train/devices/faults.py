"""Cells that cannot be programmed: stuck at an end of the range, or open."""

from dataclasses import dataclass

import torch

from spiker_hdl.base.frozen import set_fields

from .checks import check_share

__all__ = ["HIGH", "LOW", "NONE", "OPEN", "Faults"]

NONE, LOW, HIGH, OPEN = range(4)
"""States of a cell: sound, stuck at the least or greatest conductance, without a connection."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Shares of cells that are stuck or open, independently of each other.

    Parameters
    ----------
    stuck_low, stuck_high : float
        Probabilities that a cell stays at the least or greatest conductance of the device.
    open : float
        Probability that a cell conducts nothing.
    """

    stuck_low: float = 0.0
    stuck_high: float = 0.0
    open: float = 0.0

    def __post_init__(self) -> None:
        names = ("stuck_low", "stuck_high", "open")
        shares = {
            name: check_share(f"Share of {name.replace('_', ' ')} cells", getattr(self, name))
            for name in names
        }
        set_fields(self, **shares)
        total = sum(shares.values())
        if total > 1:
            raise ValueError(f"Shares of faulty cells must sum to at most 1, not {total:g}")

    def draw(self, shape: tuple[int, ...], rng: torch.Generator) -> torch.Tensor:
        """Return the state of each cell as int8.

        The same random numbers with greater shares have the same faults and more.
        """
        u = torch.rand(shape, generator=rng, dtype=torch.float64)
        kind = torch.rand(shape, generator=rng, dtype=torch.float64)
        total = self.stuck_low + self.stuck_high + self.open
        if not total:
            return torch.zeros(shape, dtype=torch.int8)
        ends = torch.tensor([self.stuck_low, self.stuck_low + self.stuck_high]).double() / total
        which = torch.bucketize(kind, ends, right=True) + LOW
        # Where the last shares are 0, rounding must not make a fault of them.
        present = [
            n for n, share in enumerate((self.stuck_low, self.stuck_high, self.open), LOW) if share
        ]
        which = which.clamp(max=max(present))
        return torch.where(u < total, which, torch.zeros_like(which)).to(torch.int8)

    @staticmethod
    def apply(
        conductance: torch.Tensor, cells: torch.Tensor, low: float, high: float
    ) -> torch.Tensor:
        """Return the conductances with those of the faulty cells, in siemens."""
        for state, value in ((LOW, low), (HIGH, high), (OPEN, 0.0)):
            conductance = torch.where(cells == state, value, conductance)
        return conductance
