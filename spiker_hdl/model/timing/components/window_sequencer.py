"""The handshake of a population that is updated window by window."""

import numpy as np

from .part import FAR, Part

__all__ = ["WindowSequencer"]


class WindowSequencer(Part):
    """A sequencer that reads a group of sums in each cycle in which maxima, or a token, are there.

    Its twin is ``rtl.population.window_sequencer``.

    Parameters
    ----------
    machines : int
    groups, parts : int
        Groups of neurons in a step, and in a row of maxima.
    interval : int
        Minimum number of cycles from the last group of a step to the first one of the next.
    """

    def __init__(self, machines: int, *, groups: int, parts: int, interval: int):
        self.groups = groups
        self.parts = parts
        self.interval = interval
        self.group = np.zeros(machines, np.int32)
        self.part = np.zeros(machines, np.int32)
        self.pause = np.zeros(machines, np.int32)
        self.updated = np.zeros(machines, bool)

    def clock(self, valid: np.ndarray, token: np.ndarray, free: np.ndarray):
        """Advance by a cycle.

        Returns
        -------
        ready, go, start : array of bool
            Where the item is taken, where a group is read, and where that is a step's first.
        """
        begins, final = self.group == 0, self.group == self.groups - 1
        over = (self.part == self.parts - 1) | final
        go = valid & ~self.updated & (~begins | (free & (self.pause == 0)))
        start = go & begins
        ready = np.where(token, self.updated | (go & final), go & over)
        taken = valid & ready
        self.advanced = start | taken | (go & final) | (self.pause == 1)
        self.updated = (self.updated | (go & final)) & ~(taken & token)
        self.part = np.where(go, np.where(over, 0, self.part + 1), self.part)
        self.group = np.where(go, np.where(final, 0, self.group + 1), self.group)
        self.pause = np.where(go & final, self.interval - 1, self.pause - (self.pause > 0))
        self.go, self.token = go, token
        return ready, go, start

    def changed(self) -> np.ndarray:
        return self.advanced

    def horizon(self) -> np.ndarray:
        left = self.groups - 1 - self.group
        left = np.where(self.token, left, np.minimum(left, self.parts - 1 - self.part))
        left = np.where(self.go, left, FAR)
        return np.where(self.pause > 0, np.minimum(left, self.pause), left)

    def skip(self, cycles: np.ndarray) -> None:
        counts = cycles * self.go
        self.group += counts
        self.part = np.where(self.go, (self.part + counts) % self.parts, self.part)
        self.pause -= np.minimum(cycles, self.pause)
