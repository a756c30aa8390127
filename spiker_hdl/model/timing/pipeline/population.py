"""A population with the projections that lead to it, and its output."""

import numpy as np

from spiker_hdl.model.graph import Projection
from spiker_hdl.model.mapping import microarchitecture
from spiker_hdl.model.mapping.interleave import sums_clocked
from spiker_hdl.model.mapping.layout import (
    in_machine_order,
    kernel_events,
    neuron_order,
    pooled_rows,
    summed_apart,
    updates_by_window,
)
from spiker_hdl.model.mapping.mapping import Mapping

from ..components.convolution_lookup import ConvolutionLookup
from ..components.delay import Delay
from ..components.event_merger import EventMerger
from ..components.pooled_convolution import PooledConvolution
from ..components.queue import Queue
from ..components.serializer import Serializer
from ..components.sparse_lookup import SparseLookup
from ..components.spike_output import PacedSpikeOutput, SpikeOutput
from ..components.window_sequencer import WindowSequencer
from ..traces import EVENT, LAST, TOKEN, Trace, Train
from .batch import Batch
from .source import Source

__all__ = ["Core", "Line", "Output"]

Lookup = SparseLookup | ConvolutionLookup | PooledConvolution


class Line:
    """A projection from a source to a core: a queue, with what its mapping puts behind it.

    Behind the queue are, in this order and as needed, a delay, a serializer and a look-up. A
    line that ``ticks`` passes only tokens.
    """

    def __init__(self, queue: Queue, trace: Trace, *, ticks: bool = False):
        self.queue = queue
        self.trace = trace
        self.ticks = ticks
        self.delay: Delay | None = None
        self.serializer: Serializer | None = None
        self.turns: Trace | None = None  # of each item, for the serializer
        self.lookup: Lookup | None = None
        self.added: Trace | None = None  # what the look-up makes of each event
        self.firsts: Trace | None = None  # first event of each item

    def ready(self, item, finish):
        ready = self.queue.ready()
        return ready | (item == EVENT) if self.ticks else ready

    def take(self, taken, item, finish):
        self.written = taken & (item != EVENT) if self.ticks else taken

    def offer(self):
        """Return where the core is offered an item, where that is a token, and where a last one."""
        self.item = self.trace.read(self.queue.place)
        self.valid, self.token = self.queue.valid, self.item != EVENT
        last = self.item == LAST
        if self.delay is not None:
            self.valid, self.token = self.delay.offer(self.valid, self.item)
            last = np.zeros_like(last)
        if self.lookup is None:
            return self.valid, self.token, last
        return *self.lookup.offer(self.valid, self.token), last

    def clock(self, ready, finish):
        place = self.queue.place
        if self.lookup is not None and self.added is not None and self.firsts is not None:
            event = self.firsts.read(place)
            if self.serializer is not None:
                event = event + self.serializer.turns_taken
            added = self.added.read(event)
            ready = self.lookup.clock(self.valid, self.token, ready, added)
        if self.serializer is not None and self.turns is not None:
            turns = np.where(self.token, 1, self.turns.read(place))
            ready = self.serializer.clock(self.valid, ready, turns)
        if self.delay is not None:
            ready = self.delay.clock(self.queue.valid, self.item, ready, finish)
        self.queue.clock(self.written, ready)


class Core:
    """A population: ``rtl.population.core``."""

    def __init__(self, batch: Batch, mapping: Mapping, name: str):
        self.batch = batch
        self.mapping = mapping
        network = batch.network
        size, core = network.population[name].size, mapping.cores[name]
        projections = network.into(name)
        self.core = core
        self.groups = -(-size // core.units)
        self.lines: list[Line] = []
        self.spike_outputs: list[SpikeOutput] = []
        coupled = network.population[name].coupling is not None
        cycles = microarchitecture.interval(core, self.groups, coupled)
        self.slowest = max(-(-size // core.lanes), cycles if coupled else self.groups)
        self.by_window = updates_by_window(network, mapping, name)
        if self.by_window:
            self.window_sequencer = batch.add(
                WindowSequencer(
                    batch.count,
                    groups=self.groups,
                    parts=-(-core.lanes // core.units),
                    interval=microarchitecture.window_interval(core, self.groups),
                )
            )
            return
        direct = [mapping.store(network, projection) != "rows" for projection in projections]
        self.event_merger = batch.add(
            EventMerger(
                batch.count,
                [*direct, False],
                folds=-(-size // core.lanes),
                interval=cycles,
                overlap=microarchitecture.overlaps(network, name, core),
            )
        )

    def connect(self, source: Source, projection: Projection) -> None:
        """Add the line of a projection."""
        batch, count = self.batch, self.batch.count
        queue = batch.add(Queue(count, self.mapping.queues[projection.name]))
        line = Line(queue, source.trace)
        if projection.delay:
            line.delay = batch.add(Delay(count, projection.delay))
        banks = self.core.banks
        if self.mapping.store(batch.network, projection) != "rows":
            banks = 1
            lookup, added = self._lookup(projection)
            line.lookup = batch.add(lookup)
            fan_out, firsts = source.train.fan_out(np.append(added, 0))
            line.added, line.firsts = batch.add(fan_out), batch.add(firsts)
        if source.train.banks > banks:
            line.serializer = batch.add(Serializer(count))
            line.turns = batch.add(source.train.turns(banks))
        self._line(source, line)

    def _lookup(self, projection: Projection) -> tuple[Lookup, np.ndarray]:
        """Return the look-up of a projection, and how many items the event of each source is."""
        network, count = self.batch.network, self.batch.count
        if self.mapping.store(network, projection) == "kernel":
            added = kernel_events(projection.synapses, self.core.lanes, self.core.positions)
            order = neuron_order(network, self.mapping, projection.source)
            axes = len(projection.synapses.shape) - 1
            added = added if order is None else added[order]
            lookup = ConvolutionLookup(count, axes)
            if not summed_apart(network, self.mapping, projection):
                return lookup, added
            sizes = [len(rows) for rows in pooled_rows(projection, self.core.lanes)]
            lanes, positions, states = self.core.lanes, self.core.positions, self.core.states
            clocked = sums_clocked(projection.synapses, lanes, positions, states)
            return PooledConvolution(lookup, sizes, clocked=clocked), added
        synapses = in_machine_order(network, self.mapping, projection).synapses
        return SparseLookup(count, synapses.kind == "one_to_one"), synapses.fan_out()

    def tick(self, source: Source) -> None:
        """Add a line of tokens alone, which says when the population is updated."""
        queue = self.batch.add(Queue(self.batch.count, microarchitecture.TOKEN_QUEUE_DEPTH))
        tokens = [np.full(len(sample), TOKEN, np.int8) for sample in source.train.samples]
        for kinds in tokens:
            kinds[-1] = LAST
        self._line(source, Line(queue, self.batch.add(source.train.trace(tokens)), ticks=True))

    def _line(self, source: Source, line: Line) -> None:
        self.lines.append(line)
        source.sinks.append(line)

    def clock(self) -> None:
        """Advance by a cycle the lines, and what updates the neurons."""
        offers = [line.offer() for line in self.lines]
        valid, token, last = zip(*offers, strict=True)
        free = np.logical_and.reduce([output.free for output in self.spike_outputs])
        if self.by_window:
            taken, self.go, self.start = self.window_sequencer.clock(valid[0], token[0], free)
            ready, event, firing = [taken], np.zeros_like(taken), self.go
            finish = valid[0] & taken & token[0] & last[0]
        else:
            firing = self.event_merger.pause > 0
            ready, event, self.start = self.event_merger.clock(valid, token, free)
            finish = self.start & np.logical_or.reduce(last)
            self.go = firing
        for line, taken in zip(self.lines, ready, strict=True):
            line.clock(taken, finish)
        self.busy = np.stack([event, firing & ~event])


class Output(Source):
    """The spikes or potentials that leave a population: ``rtl.streams.spike_output``."""

    def __init__(self, batch: Batch, train: Train, core: Core, gather: int = 1):
        super().__init__(batch, train)
        self.core = core
        words = train.words()
        self.words = batch.add(train.trace(words))
        self.kept = batch.add(train.trace([sample[sample > 0] for sample in words]))
        groups, kind = core.groups, PacedSpikeOutput if core.by_window else SpikeOutput
        delay = microarchitecture.group_delay if core.by_window else microarchitecture.outcome_delay
        self.spike_output = batch.add(
            kind(
                batch.count,
                groups=groups,
                gather=gather,
                depth=microarchitecture.spike_output_depth(-(-groups // gather)),
                max_steps=microarchitecture.WAITING_STEPS,
                delay=delay(core.core),
                silent=batch.add(train.trace([_empty_words(sample) for sample in words])),
            )
        )
        core.spike_outputs.append(self.spike_output)

    def offer(self):
        self.place = self.spike_output.scanner.place
        self.item = self.trace.read(self.place)
        return self.spike_output.scanner.valid, self.item

    def clock(self, taken, finish):
        self.spike_output.clock(
            self.core.start, self.core.go, taken, self.item != EVENT, self.words, self.kept
        )


def _empty_words(words: np.ndarray) -> np.ndarray:
    """Return for each word how many from it on are empty; the last word never is."""
    full = words.nonzero()[0]
    return full[np.searchsorted(full, np.arange(len(words)))] - np.arange(len(words))
