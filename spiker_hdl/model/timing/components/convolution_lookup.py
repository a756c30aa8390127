"""The handshake of the look-up of a kernel's rows."""

import numpy as np

from .part import Part

__all__ = ["ConvolutionLookup"]


class ConvolutionLookup(Part):
    """A look-up that makes an item of each row of a kernel that an event adds.

    Its twin is ``rtl.synapses.convolution_lookup``.

    Parameters
    ----------
    machines : int
    axes : int
        Axes of positions, each of which has a register for the event that comes next.
    """

    def __init__(self, machines: int, axes: int):
        self.axes = axes
        self.waiting = np.zeros((axes, machines), bool)
        self.coming = np.zeros((axes, machines), np.int32)
        self.left = np.zeros(machines, np.int32)

    def offer(self, valid: np.ndarray, token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item behind the look-up, and where that is a token."""
        walks = self.left > 0
        self.empty = ~walks & ~self.waiting.any(axis=0)
        return walks | (self.empty & valid & token), ~walks

    def clock(self, valid, token, ready, added) -> np.ndarray:
        """Advance by a cycle, and return where items before the look-up are taken.

        ``ready`` is where the item that it offers is taken, ``added`` how many items an event is.
        """
        walks = self.left > 0
        free = ~walks | (ready & (self.left == 1))
        left = self.left - (walks & ready)
        self.advanced = free & self.waiting[-1]
        self.left = np.where(free, np.where(self.waiting[-1], self.coming[-1], 0), left)
        moves = free
        for n in reversed(range(self.axes)):
            moves = ~self.waiting[n] | moves
            before = self.waiting[n - 1] if n else valid & ~token
            coming = self.coming[n - 1] if n else added
            self.coming[n] = np.where(moves, coming, self.coming[n])
            self.waiting[n] = np.where(moves, before, self.waiting[n])
            self.advanced = self.advanced | (moves & before)
        return np.where(token, ready & self.empty, moves)

    def changed(self) -> np.ndarray:
        return self.advanced
