"""The handshake of a broadcast."""

from collections.abc import Sequence

import numpy as np

from .part import Part

__all__ = ["Branches"]


class Branches(Part):
    """A broadcast of one stream to several readers: ``rtl.streams.broadcast``."""

    def __init__(self, machines: int, branches: int):
        self.done = np.zeros((branches, machines), bool)

    def clock(self, valid: np.ndarray, ready: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Advance by a cycle; return who takes the item, and where the source is done with it.

        The first is where each branch takes it, shape (branches, machines).
        """
        if not ready:
            self.advanced = valid
            return self.done, valid
        able = np.stack(ready)
        taken = valid & (self.done | able).all(axis=0)
        into = valid & ~self.done & able
        self.done = np.where(valid, (self.done | able) & ~taken, self.done)
        self.advanced = into.any(axis=0) | taken
        return into, taken

    def changed(self) -> np.ndarray:
        return self.advanced
