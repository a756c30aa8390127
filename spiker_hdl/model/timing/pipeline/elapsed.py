"""How many cycles samples take, and where populations spend them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Elapsed", "Spent"]


@dataclass(frozen=True)
class Spent:
    """How a population spent its cycles, for each sample or stream of samples.

    Members
    -------
    events : array of int
        Cycles in which an event was added to sums.
    firing : array of int
        Cycles in which no event was accepted since a step was computed.
    waiting : array of int
        All other cycles, from the begin of the first sample to the result of the last one.
    """

    events: np.ndarray
    firing: np.ndarray
    waiting: np.ndarray

    @classmethod
    def join(cls, parts: Sequence["Spent"]) -> "Spent":
        """Return the parts, concatenated."""
        events, firing, waiting = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("events", "firing", "waiting")
        )
        return cls(events, firing, waiting)


@dataclass(frozen=True)
class Elapsed:
    """Cycles of a batch of machines.

    Members
    -------
    cycles : array of int, shape (samples,)
        From the begin of a sample to its result.
    finished : array of int, shape (samples,)
        From the start of a machine to the result of a sample.
    spent : dict of str to Spent
        For each population, of each machine.
    """

    cycles: np.ndarray
    finished: np.ndarray
    spent: dict[str, Spent]
