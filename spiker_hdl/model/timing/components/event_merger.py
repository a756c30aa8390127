"""The handshake of an event merger."""

from collections.abc import Sequence

import numpy as np

from .part import FAR, Part

__all__ = ["EventMerger"]


class EventMerger(Part):
    """An event merger, which takes events one by one, and the tokens of all inputs at once.

    Its twin is ``rtl.population.event_merger``.
    """

    def __init__(
        self,
        machines: int,
        direct: Sequence[bool],
        *,
        folds: int,
        interval: int,
        overlap: bool = False,
    ):
        self.direct = tuple(direct)
        self.folds = folds
        self.interval = interval
        self.overlap = overlap
        self.turn = np.zeros(machines, np.int32)
        self.kept = np.zeros(machines, np.int64)
        self.pause = np.zeros(machines, np.int32)

    def clock(self, valid: Sequence[np.ndarray], token: Sequence[np.ndarray], free: np.ndarray):
        """Advance by a cycle.

        Returns
        -------
        ready : list of array of bool
            Where each input's item is taken.
        event, complete : array of bool
            Where an event adds to a row of sums, and where a step ends.
        """
        runs = self.pause == 0
        waits = np.stack([v & ~t for v, t in zip(valid, token, strict=True)])
        event = (runs | self.overlap) & waits.any(axis=0)
        complete = runs & free
        for v, t in zip(valid, token, strict=True):
            complete = complete & v & t
        chosen = np.where(self.turn == 0, waits.argmax(axis=0), self.kept)
        done = event & (np.array(self.direct)[chosen] | (self.turn == self.folds - 1))
        ready = [np.where(t, complete, done & (chosen == n)) for n, t in enumerate(token)]
        self.kept = chosen
        self.turn = np.where(done, 0, self.turn + event)
        self.advanced = done | complete | (self.pause == 1)
        self.pause = np.where(complete, self.interval - 1, self.pause - ~runs)
        self.event = event
        return ready, event, complete

    def changed(self) -> np.ndarray:
        return self.advanced

    def horizon(self) -> np.ndarray:
        turns = np.where(self.event, self.folds - 1 - self.turn, FAR)
        return np.where(self.pause > 0, np.minimum(turns, self.pause), turns)

    def skip(self, cycles: np.ndarray) -> None:
        self.turn += cycles * self.event
        self.pause -= cycles * (self.pause > 0)
