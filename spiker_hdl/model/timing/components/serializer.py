"""The handshake of a serializer."""

import numpy as np

from .part import Part

__all__ = ["Serializer"]


class Serializer(Part):
    """A serializer, which passes the events of an item on in turns: ``rtl.streams.serializer``.

    Attributes
    ----------
    turns_taken : array of int
        Number of turns of the item that were taken.
    """

    def __init__(self, machines: int):
        self.turns_taken = np.zeros(machines, np.int32)

    def clock(self, valid, ready, turns) -> np.ndarray:
        """Advance by a cycle, and return where items of so many ``turns`` are taken."""
        taking = ready & (self.turns_taken == turns - 1)
        self.turns_taken = np.where(taking, 0, self.turns_taken + (valid & ready))
        return taking
