"""A node whose events go to sinks."""

from typing import Any

import numpy as np

from ..components.broadcast import Branches
from ..traces import Train
from .batch import Batch

__all__ = ["Source"]


class Source:
    """A node whose events go to sinks."""

    branches: Branches
    place: np.ndarray  # position in the trace of the item that is offered

    def __init__(self, batch: Batch, train: Train):
        self.train = train
        self.sinks: list[Any] = []
        self.trace = batch.add(train.items())

    def offer(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item, and its kind."""
        raise NotImplementedError

    def clock(self, taken, finish):
        """Advance by a cycle, given where the offered item is taken, and where a sample ends."""
        raise NotImplementedError

    def flow(self, valid, item, finish):
        """Offer the item to the sinks, and return where all of them have taken it."""
        ready = [sink.ready(item, finish) for sink in self.sinks]
        self.waiting = valid & ~self.branches.done
        into, taken = self.branches.clock(valid, ready)
        for sink, taking in zip(self.sinks, into, strict=True):
            sink.take(taking, item, finish)
        return taken

    def offered(self, sink) -> np.ndarray:
        """Return where a sink is offered an item in this cycle."""
        return self.waiting[self.sinks.index(sink)]
