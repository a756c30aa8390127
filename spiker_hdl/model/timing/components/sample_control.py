"""The handshake of the control of samples."""

import numpy as np

from spiker_hdl.model.mapping.microarchitecture import start_queue_depth

from .part import Part
from .queue import Queue

__all__ = ["Starts"]


class Starts(Part):
    """The queue of the start times of samples: ``rtl.sample_control``.

    Attributes
    ----------
    queue : Queue
        An entry for each sample that has not finished.
    """

    def __init__(self, machines: int, max_in_flight: int):
        self.queue = Queue(machines, start_queue_depth(max_in_flight))
        self.comes = np.zeros(machines, bool)

    def clock(self, begin: np.ndarray, finish: np.ndarray) -> None:
        """Advance by a cycle in which samples begin and end where the arguments are true."""
        self.queue.clock(self.comes, finish)
        self.comes = begin
        self.ends = begin | finish

    def changed(self) -> np.ndarray:
        return self.ends | self.queue.advanced

    def select(self, kept: np.ndarray) -> None:
        super().select(kept)
        self.queue.select(kept)
