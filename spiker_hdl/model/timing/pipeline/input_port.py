"""An input and the test bench in front of it."""

import numpy as np

from spiker_hdl.model.graph import Input
from spiker_hdl.model.mapping.mapping import Mapping

from ..components.part import Part
from ..components.scanner import Scanner
from ..traces import LAST, SAMPLE_ENDS, Trace, Train
from .batch import Batch
from .source import Source

__all__ = ["Feed", "InputPort"]


class Feed(Part):
    """A test bench that offers an item in every cycle until its stream ends."""

    def __init__(self, trace: Trace):
        self.place = np.zeros(len(trace.lengths), np.int32)
        self.length = trace.lengths

    @property
    def valid(self) -> np.ndarray:
        """Where there is an item."""
        return self.place < self.length

    def clock(self, taken: np.ndarray) -> None:
        """Advance by a cycle, given where an item was taken."""
        self.place += taken
        self.advanced = taken

    def changed(self) -> np.ndarray:
        return self.advanced


class InputPort(Source, Part):
    """An input: ``rtl.input_port``, and the count of its samples in ``rtl.sample_control``."""

    def __init__(self, batch: Batch, train: Train, mapping: Mapping, node: Input):
        super().__init__(batch, train)
        self.max_in_flight = batch.max_in_flight
        self.samples = np.zeros(batch.count, np.int32)
        self.in_sample = np.zeros(batch.count, bool)
        self.scanner: Scanner | None = None
        self.words = self.trace
        if mapping.form == "words":
            words = train.words(static=node.static)
            self.words = batch.add(train.trace(words))
            self.scanner = batch.add(Scanner(batch.count))
        self.feed = batch.add(Feed(self.words))
        batch.add(self)

    def offer(self):
        self.passes = self.feed.valid & (self.in_sample | (self.samples < self.max_in_flight))
        self.place = (self.feed if self.scanner is None else self.scanner).place
        item = self.trace.read(self.place)
        return (self.passes if self.scanner is None else self.scanner.valid), item

    def clock(self, taken, finish):
        word = self.words.read(self.feed.place)
        if self.scanner is None:
            advanced, ends = taken, word == LAST
        else:
            ready = self.scanner.ready(taken)
            advanced, ends = self.passes & ready, (word & SAMPLE_ENDS) > 0
            self.scanner.clock(taken, ready, self.passes, word)
        self.begin = advanced & ~self.in_sample
        self.in_sample = np.where(advanced, ~ends, self.in_sample)
        self.samples = self.samples + self.begin - finish
        self.feed.clock(advanced)
