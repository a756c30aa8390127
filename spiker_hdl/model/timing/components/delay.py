"""The handshake of a delay."""

import numpy as np

from ..traces import EVENT, LAST
from .part import Part

__all__ = ["Delay"]


class Delay(Part):
    """A delay: empty steps before those of a sample, and as many dropped at its end.

    Its twin is ``rtl.streams.delay``.
    """

    BEFORE, DURING, AFTER = 0, 1, 2

    def __init__(self, machines: int, delay: int):
        self.delay = delay
        self.state = np.zeros(machines, np.int8)
        self.ahead = np.zeros(machines, np.int32)

    def offer(self, valid: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item behind the delay, and where that is a token."""
        before = self.state == self.BEFORE
        return before | ((self.state == self.DURING) & valid), before | (item != EVENT)

    def clock(self, valid, item, ready, finish) -> np.ndarray:
        """Advance by a cycle, and return where items before the delay are taken.

        ``ready`` is where the item that it offers is taken, ``finish`` where its reader ends a
        sample.
        """
        before, after = self.state == self.BEFORE, self.state == self.AFTER
        taking = np.where(before, False, after | ready)
        token = before & ready
        self.state[token & (self.ahead == self.delay - 1)] = self.DURING
        self.state[finish & ~after] = self.AFTER
        self.state[after & valid & (item == LAST)] = self.BEFORE
        self.ahead = np.where(after, 0, self.ahead + token)
        return taking
