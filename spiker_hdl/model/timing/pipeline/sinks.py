"""Readouts and spike counters as sinks of events."""

import numpy as np

from ..components.part import Part
from ..components.queue import Queue
from ..components.readout import Readout
from ..traces import LAST
from .batch import Batch
from .source import Source

__all__ = ["Scores", "SerialScores", "SpikeCount"]


class Scores:
    """A readout as a sink."""

    def __init__(self, readout: Readout):
        self.readout = readout

    def ready(self, item, finish):
        return self.readout.ready(item, finish)

    def take(self, taken, item, finish):
        self.readout.clock(taken, item, finish)


class SerialScores(Part):
    """A readout as a sink that takes the events of an item one by one."""

    def __init__(self, batch: Batch, source: Source, sink: Scores):
        self.source = source
        self.sink = sink
        self.turns = batch.add(source.train.turns(1))
        self.turns_taken = np.zeros(batch.count, np.int32)
        batch.add(self)

    def ready(self, item, finish):
        self.able = self.sink.ready(item, finish)
        return self.able & (self.turns_taken == self.turns.read(self.source.place) - 1)

    def take(self, taken, item, finish):
        self.advanced = self.source.offered(self) & self.able
        turns_taken = self.turns_taken + self.advanced
        self.turns_taken = np.where(taken, 0, turns_taken)
        self.sink.take(taken, item, finish)

    def changed(self) -> np.ndarray:
        return self.advanced


class SpikeCount:
    """A spike counter as a sink: the counts of finished samples wait in a queue."""

    def __init__(self, queue: Queue):
        self.queue = queue

    def ready(self, item, finish):
        return self.queue.ready() | (item != LAST)

    def take(self, taken, item, finish):
        self.written = taken & (item == LAST)
        self.queue.clock(self.written, finish)
