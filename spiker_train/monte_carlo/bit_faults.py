"""Faults of the bits that a design's weight memories hold."""

from dataclasses import dataclass

import torch

from spiker_hdl.base.frozen import set_fields
from spiker_train.devices.checks import check_share

__all__ = ["BitFaults"]


@dataclass(frozen=True, kw_only=True)
class BitFaults:
    """Faults of single bits of the weights, which are stored in two's complement.

    They are of the memory, and come after devices, rounding and clipping: every word that results
    fits the memory.

    Parameters
    ----------
    stuck_low, stuck_high : float
        Shares of the bits that are always 0 or always 1.
    upset : float
        Share of the bits that were flipped after the memory was loaded.

    Raises
    ------
    ValueError
        If a share is not in 0..1, or the sum of the stuck bits is greater than 1.
    """

    stuck_low: float = 0.0
    stuck_high: float = 0.0
    upset: float = 0.0

    def __post_init__(self) -> None:
        for name in ("stuck_low", "stuck_high", "upset"):
            what = f"Share of {name.replace('_', ' ')} bits"
            set_fields(self, **{name: check_share(what, getattr(self, name))})
        total = self.stuck_low + self.stuck_high
        if total > 1:
            raise ValueError(f"Shares of stuck bits must sum to at most 1, not {total:g}")

    def apply(self, values: torch.Tensor, width: int, rng: torch.Generator) -> torch.Tensor:
        """Return integers after the faults.

        Parameters
        ----------
        values : tensor
            Integers that fit ``width`` bits with sign.
        width : int
        rng : Generator
        """
        shape = (*values.shape, width)
        stuck, flipped = (torch.rand(shape, generator=rng, dtype=torch.float64) for _ in range(2))
        places = 2 ** torch.arange(width)
        bits = values.long()[..., None].bitwise_and(places) != 0
        bits = bits ^ (flipped < self.upset)
        bits = bits & ~(stuck < self.stuck_low)
        bits = bits | ((stuck >= self.stuck_low) & (stuck < self.stuck_low + self.stuck_high))
        places[-1] = -places[-1]  # the sign
        return (bits * places).sum(-1).to(values.dtype)
