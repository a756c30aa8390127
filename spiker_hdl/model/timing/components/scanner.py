"""The handshake of a scanner."""

import numpy as np

from ..traces import ENDS, STEP_ENDS
from .part import Part

__all__ = ["Scanner"]


class Scanner(Part):
    """A scanner, which makes items of one or several events, and tokens, from words.

    Its twin is ``rtl.streams.scanner``.

    Attributes
    ----------
    place : array of int
        Position in the stream of the item that is offered, or will be.
    """

    def __init__(self, machines: int):
        self.full = np.zeros(machines, bool)
        self.left = np.zeros(machines, np.int32)
        self.ends = np.zeros(machines, bool)
        self.place = np.zeros(machines, np.int32)

    @property
    def valid(self) -> np.ndarray:
        """Where there is an item."""
        return self.full & (self.ends | (self.left > 0))

    def ready(self, taken: np.ndarray) -> np.ndarray:
        """Tell where a word is accepted, given where the offered item is ``taken``."""
        none = self.left == 0
        emptied = (taken | none) & (self.left <= 1)
        return ~self.full | np.where(self.ends, taken & none, emptied)

    def clock(self, taken, ready, comes, word) -> None:
        """Advance by a cycle, in which a ``word`` comes: its number of items, and what it ends."""
        self.place += taken
        self.advanced = taken | (ready & (comes | self.full))
        self.full = np.where(ready, comes, self.full)
        self.left = np.where(ready, word >> ENDS, np.maximum(self.left - taken, 0))
        self.ends = np.where(ready, (word & STEP_ENDS) > 0, self.ends)

    def changed(self) -> np.ndarray:
        return self.advanced
