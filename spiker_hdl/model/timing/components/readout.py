"""The handshake of a readout."""

import numpy as np

from ..traces import LAST
from .part import Part

__all__ = ["Readout"]


class Readout(Part):
    """The register in which an answer waits to be taken: ``rtl.readout``."""

    def __init__(self, machines: int):
        self.valid = np.zeros(machines, bool)

    def ready(self, item: np.ndarray, finish: np.ndarray) -> np.ndarray:
        """Tell where an item is accepted, where ``finish`` is where the answer is taken."""
        return (item != LAST) | ~self.valid | finish

    def clock(self, taken: np.ndarray, item: np.ndarray, finish: np.ndarray) -> None:
        """Advance by a cycle."""
        self.valid = (self.valid & ~finish) | (taken & (item == LAST))
