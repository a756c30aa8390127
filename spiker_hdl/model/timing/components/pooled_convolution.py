"""The handshake of a convolution whose sums are pooled."""

from collections.abc import Sequence

import numpy as np

from .convolution_lookup import ConvolutionLookup
from .part import Part

__all__ = ["PooledConvolution"]


class PooledConvolution(Part):
    """A convolution that makes an item of each window of its sums, in steps that add to them.

    Its twin is ``rtl.population.pooled_convolution``.

    Parameters
    ----------
    lookup : ConvolutionLookup
        The look-up of the kernel's rows.
    sizes : sequence of int
        Rows of sums of each window.
    clocked : bool
        Whether sums are read with the clock: the last row must be written before, and each row
        passes a register.
    """

    ADD, WRITE, REQUEST, POOL = range(4)

    def __init__(self, lookup: ConvolutionLookup, sizes: Sequence[int], *, clocked: bool):
        machines = len(lookup.left)
        self.lookup = lookup
        self.clocked = clocked
        self.joined = np.zeros(machines, bool)  # there is a row behind the register
        self.joined_final = np.zeros(machines, bool)
        self.full = np.zeros(machines, bool)  # all rows of a window have joined its maxima
        # By row: whether it is the last of its window.
        self.finals = [n == size - 1 for size in sizes for n in range(size)]
        self.state = np.zeros(machines, np.int8)
        self.some = np.zeros(machines, bool)
        self.offered = np.zeros(machines, bool)
        self.row = np.zeros(machines, np.int32)

    def offer(self, valid: np.ndarray, token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item behind the convolution, and where that is a token."""
        comes, self.ends = self.lookup.offer(valid, token)
        adds = self.state == self.ADD
        self.adding = adds & comes & ~self.ends
        waits = adds & comes & self.ends
        self.begins = waits & self.some
        passes = waits & ~self.some & ~self.joined & ~self.full & ~self.offered
        return self.offered | passes, ~self.offered

    def clock(self, valid, token, ready, added) -> np.ndarray:
        """Advance by a cycle, and return where items before the convolution are taken.

        ``ready`` is where the item that it offers is taken, ``added`` how many rows an event adds.
        """
        adds, pools = self.state == self.ADD, self.state == self.POOL
        passed = adds & ~self.some & ~self.joined & ~self.full & ~self.offered & ready
        taking = self.lookup.clock(valid, token, np.where(self.ends, passed, adds), added)
        free = ~self.offered | ready
        final = np.array(self.finals)[self.row]
        joined, last = (self.joined, self.joined_final) if self.clocked else (pools, final)
        blocked = joined & self.full & ~free
        onward = pools & ~blocked
        over = onward & (self.row == len(self.finals) - 1)
        moves = onward | (joined & ~blocked) | (free & (self.full | self.offered))
        self.offered = np.where(free, self.full, self.offered)
        self.full = (joined & ~blocked & last) | (self.full & ~free)
        if self.clocked:
            self.joined_final = np.where(blocked, last, final)
            self.joined = np.where(blocked, joined, pools)
        requests = (self.state == self.WRITE) | (self.state == self.REQUEST)
        self.advanced = self.lookup.advanced | self.adding | self.begins | requests | moves
        self.row = np.where(over, 0, self.row + onward)
        self.some = (self.some | self.adding) & ~over
        # From writing to requesting, and from that to pooling.
        state = np.where(adds | pools, self.state, self.state + 1)
        state = np.where(over, self.ADD, state)
        first = self.WRITE if self.clocked else self.REQUEST
        self.state = np.where(self.begins, first, state).astype(np.int8)
        return taking

    def changed(self) -> np.ndarray:
        return self.advanced

    def select(self, kept: np.ndarray) -> None:
        super().select(kept)
        self.lookup.select(kept)
