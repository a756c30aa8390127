"""The handshake of a sparse lookup."""

import numpy as np

from .part import Part

__all__ = ["SparseLookup"]


class SparseLookup(Part):
    """A sparse lookup, which makes an event for each synapse of an event.

    Its twin is ``rtl.synapses.sparse_lookup``.
    """

    WAIT, LOOK_UP, READ = 0, 1, 2

    def __init__(self, machines: int, straight: bool):
        self.begin = self.READ if straight else self.LOOK_UP
        self.state = np.zeros(machines, np.int8)
        self.left = np.zeros(machines, np.int32)

    def offer(self, valid: np.ndarray, token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item behind the lookup, and where that is a token."""
        reads = self.state == self.READ
        return reads | ((self.state == self.WAIT) & valid & token), ~reads

    def clock(self, valid, token, ready, synapses) -> np.ndarray:
        """Advance by a cycle, and return where items before the lookup are taken.

        ``ready`` is where the item that it offers is taken, ``synapses`` how many an event has.
        """
        waits, looks = self.state == self.WAIT, self.state == self.LOOK_UP
        reads = self.state == self.READ
        begins = waits & valid & ~token
        done = reads & ready & (self.left == 1)
        taking = done | (looks & (synapses == 0)) | (waits & ready & token)
        self.left = np.where(begins, synapses, self.left - (reads & ready))
        self.state[looks] = self.READ
        self.state[begins] = self.begin
        self.state[taking] = self.WAIT
        self.advanced = begins | looks
        return taking

    def changed(self) -> np.ndarray:
        return self.advanced
