"""The handshake of a queue."""

import numpy as np

from .part import Part

__all__ = ["Queue"]


class Queue(Part):
    """A first-in first-out memory with an output register: ``rtl.streams.queue``.

    Attributes
    ----------
    valid : array of bool
        Where the output register holds an item.
    place : array of int
        Position of that item in the stream.
    """

    def __init__(self, machines: int, depth: int):
        self.depth = depth
        self.inner = np.zeros(machines, np.int32)
        self.valid = np.zeros(machines, bool)
        self.place = np.zeros(machines, np.int32)

    def ready(self) -> np.ndarray:
        """Tell where an item is accepted."""
        return ~self.valid if self.depth == 1 else self.inner != self.depth - 1

    def clock(self, written: np.ndarray, taking: np.ndarray) -> None:
        """Advance by a cycle.

        ``written`` is where an item was accepted, ``taking`` where the reader was ready.
        """
        taken = self.valid & taking
        self.place += taken
        self.advanced = written | taken
        if self.depth == 1:
            self.valid = (self.valid & ~taking) | written
            return
        advanced = (self.inner != 0) & (~self.valid | taking)
        self.inner += written
        self.inner -= advanced
        self.valid = advanced | (self.valid & ~taking)
        self.advanced |= advanced

    def changed(self) -> np.ndarray:
        return self.advanced
