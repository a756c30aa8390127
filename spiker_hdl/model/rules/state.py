"""Where a network that learns stands: what its next sample depends on beside the weights."""

from dataclasses import dataclass

from spiker_hdl.base.checks import check_int
from spiker_hdl.base.frozen import set_fields

__all__ = ["LearningState"]


@dataclass(frozen=True)
class LearningState:
    """The seed of stochastic rounding, and the number of samples that were learned.

    Traces are not part of it: they start at 0 in every sample.

    Parameters
    ----------
    seed : int
        Seed of 32 bits.
    samples : int
        Samples so far, of which each has its own bits of stochastic rounding.
    """

    seed: int = 0
    samples: int = 0

    def __post_init__(self) -> None:
        set_fields(
            self,
            seed=check_int("Seed of learning", self.seed, 0, 2**32 - 1),
            samples=check_int("Samples that were learned", self.samples, 0, 2**62),
        )
