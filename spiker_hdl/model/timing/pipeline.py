"""The accelerator put together from its components' handshakes, for many machines in lockstep."""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from spiker_hdl.model.graph import SPIKE_READOUTS, Input, Projection
from spiker_hdl.model.mapping import microarchitecture
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network
from spiker_hdl.model.stimulus import Stimulus, transmitted

from .components import (
    FAR,
    Branches,
    Delay,
    EventMerger,
    Feed,
    Part,
    Queue,
    Readout,
    Scanner,
    Serializer,
    SparseLookup,
    SpikeOutput,
    Starts,
)
from .traces import EVENT, LAST, SAMPLE_ENDS, TOKEN, Trace, Train

__all__ = ["DeadlockError", "Elapsed", "Machines", "Spent"]

COMPACT = 64
"""Rounds after which machines that are done are left behind."""

WORTHWHILE = 4
"""Cycles that an event or a step of some population takes where it pays to look for equal ones."""

SELDOM = 256
"""Rounds after which it is looked whether anything moves at all, where it does not pay."""


class DeadlockError(RuntimeError):
    """An accelerator in which nothing moves any more, and that has not answered."""


@dataclass(frozen=True)
class Spent:
    """Where a population's cycles went, of each sample or stream of samples.

    Members
    -------
    events : array of int
        Cycles in which an event was added to sums.
    firing : array of int
        Cycles in which no event was accepted since a step was computed.
    waiting : array of int
        All others, from the first sample's begin to the last one's result.
    """

    events: np.ndarray
    firing: np.ndarray
    waiting: np.ndarray

    @classmethod
    def join(cls, parts: Sequence["Spent"]) -> "Spent":
        """Return the parts one after the other."""
        events, firing, waiting = (
            np.concatenate([getattr(one, name) for one in parts])
            for name in ("events", "firing", "waiting")
        )
        return cls(events, firing, waiting)


@dataclass(frozen=True)
class Elapsed:
    """Cycles of a batch of machines.

    Members
    -------
    cycles : array of int, shape (samples,)
        From a sample's begin to its result.
    finished : array of int, shape (samples,)
        From a machine's start to a sample's result.
    spent : dict of str to Spent
        For each population, of each machine.
    """

    cycles: np.ndarray
    finished: np.ndarray
    spent: dict[str, Spent]


class Machines:
    """Accelerators side by side, each with samples of its own.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    given : Stimulus
    trains : mapping of str to array or list of array
        For each input and population that fires, its events in each sample, shape (steps, size).
    chunks : list of array of int
        For each machine, its samples.
    """

    def __init__(
        self,
        network: Network,
        mapping: Mapping,
        given: Stimulus,
        trains: Table[str, Any],
        chunks: list[np.ndarray],
    ):
        self.network = network
        self.count = len(chunks)
        self.samples = np.array([len(chunk) for chunk in chunks])
        members = np.concatenate(chunks)
        machines = np.repeat(np.arange(self.count), self.samples)
        self.parts: list[Part | Trace] = []
        self.room = microarchitecture.max_in_flight(network)

        def train(name: str) -> Train:
            node = network.nodes[name]
            samples = [trains[name][n] != 0 for n in members]
            if isinstance(node, Input):
                samples = [transmitted(node, one) for one in samples]
            scanned, banks = mapping.scanned(node), mapping.banks(network, name)
            return Train(samples, machines, self.count, scanned, banks)

        self.entries = {
            one.name: _Entry(self, train(one.name), mapping, one) for one in network.inputs
        }
        self.starts = self.add(Starts(self.count, self.room))
        self.sources: dict[str, _Source] = dict(self.entries)
        self.potentials: dict[str, _Source] = {}
        self.cores = {name: _Core(self, mapping, name) for name in network.order}
        for name, core in self.cores.items():
            spikes = train(name) if name in trains else None
            if spikes is not None:
                self.sources[name] = _Output(self, spikes, core)
            if microarchitecture.reads_potential(network, name):
                size = network.population[name].size
                steps = [np.ones((given.steps[n], size), bool) for n in members]
                every = Train(steps, machines, self.count, core.core.units, 1)
                self.potentials[name] = _Output(self, every, core)
        self._connect()

    def add(self, part: Any) -> Any:
        """Keep a part, so that it goes with its machine."""
        self.parts.append(part)
        return part

    def _connect(self) -> None:
        network = self.network
        for name, core in self.cores.items():
            for one in network.into(name):
                core.connect(self.sources[one.source], one)
            if microarchitecture.clocked(network, name):
                core.tick(self.sources[network.inputs[0].name])
        self.readouts = []
        for one in network.readouts:
            spikes = one.kind in SPIKE_READOUTS
            source = (self.sources if spikes else self.potentials)[one.population]
            part = self.add(Readout(self.count))
            self.readouts.append(part)
            scores = _Scores(part)
            source.sinks.append(
                scores if source.train.banks == 1 else _InTurns(self, source, scores)
            )
        self.counters = []
        for name in self.cores:
            if name in self.sources:
                queue = self.add(Queue(self.count, self.room))
                self.counters.append(queue)
                self.sources[name].sinks.append(_Count(queue))
        self.counting = [one for one in self.parts if isinstance(one, EventMerger | SpikeOutput)]
        self.all = [*self.sources.values(), *self.potentials.values()]
        for source in self.all:
            source.branches = self.add(Branches(self.count, len(source.sinks)))

    def run(self) -> Elapsed:
        """Run all machines until their last results."""
        begun = np.zeros((self.count, self.samples.max()), np.int64)
        done = np.zeros_like(begun)
        where = np.arange(self.count)
        starts, ends = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        spent = {name: np.zeros((2, self.count), np.int64) for name in self.cores}
        left, now = self.samples.copy(), np.zeros(self.count, np.int64)
        often = any(one.longest >= WORTHWHILE for one in self.cores.values())
        for n in count(1):
            begin, finish = self._cycle()
            begun[where[begin], starts[where[begin]]] = now[begin]
            starts[where[begin]] += 1
            done[where[finish], ends[where[finish]]] = now[finish] + 1
            ends[where[finish]] += 1
            left -= finish
            cycles = self._skip(left > 0) + 1 if often or n % SELDOM == 0 else 1
            for name, core in self.cores.items():
                spent[name][:, where] += core.busy * cycles
            now += cycles
            if n % COMPACT == 0 and not left.all():
                kept = left > 0
                where, left, now = where[kept], left[kept], now[kept]
                for part in self.parts:
                    part.select(kept)
            if not left.any():
                break
        valid = np.arange(begun.shape[1]) < self.samples[:, None]
        total = done.max(axis=1)
        each = {n: Spent(busy[0], busy[1], total - busy.sum(axis=0)) for n, busy in spent.items()}
        return Elapsed((done - begun)[valid], done[valid], each)

    def _skip(self, runs: np.ndarray) -> np.ndarray:
        """Skip the cycles that are as the last one was, and return how many these are.

        Raises
        ------
        DeadlockError
            If that are all that will ever come, in a machine that ``runs``.
        """
        changes = [one.changed() for one in self.parts if isinstance(one, Part)]
        still = ~np.logical_or.reduce([one for one in changes if one is not None])
        if not still.any():
            return np.zeros(len(runs), np.int64)
        ends = [one.horizon() for one in self.counting]
        cycles = np.minimum.reduce(ends)
        if (still & runs & (cycles == FAR)).any():
            raise DeadlockError("Accelerator must go on until it has answered, not wait for ever")
        cycles = np.where(still & (cycles < FAR), cycles, 0)
        for one in self.counting:
            one.skip(cycles)
        return cycles.astype(np.int64)

    def _cycle(self) -> tuple[np.ndarray, np.ndarray]:
        """Run a cycle; return where the first input begins a sample, and where one ends."""
        finish = np.logical_and.reduce([one.valid for one in (*self.readouts, *self.counters)])
        if len(self.entries) > 1:
            finish = finish & self.starts.queue.valid
            for one in self.entries.values():
                finish = finish & (one.samples > 0)
        # What a queue accepts follows from its state, which readers must not have changed yet.
        moves = [source.flow(*source.offer(), finish) for source in self.all]
        for core in self.cores.values():
            core.clock()
        for source, taken in zip(self.all, moves, strict=True):
            source.clock(taken, finish)
        begin = self.entries[self.network.inputs[0].name].begin
        self.starts.clock(begin, finish)
        return begin, finish


class _Line:
    """What lies between a source and a core: a queue, and maybe a delay and an expander."""

    def __init__(self, queue: Queue, tape: Trace, *, ticks: bool = False):
        self.queue = queue
        self.tape = tape
        self.ticks = ticks
        self.delay: Delay | None = None
        self.serializer: Serializer | None = None
        self.turns: Trace | None = None  # of each item, where there is a serializer
        self.sparse_lookup: SparseLookup | None = None
        self.synapses: Trace | None = None  # of each event, where there is an expander
        self.firsts: Trace | None = None  # event of each item

    def ready(self, item, finish):
        ready = self.queue.ready()
        return ready | (item == EVENT) if self.ticks else ready

    def take(self, taken, item, finish):
        self.written = taken & (item != EVENT) if self.ticks else taken

    def offer(self):
        """Return where the core is offered an item, where that is a token, and where a last one."""
        self.item = self.tape.read(self.queue.place)
        self.valid, self.token = self.queue.valid, self.item != EVENT
        last = self.item == LAST
        if self.delay is not None:
            self.valid, self.token = self.delay.offer(self.valid, self.item)
            last = np.zeros_like(last)
        if self.sparse_lookup is None:
            return self.valid, self.token, last
        return *self.sparse_lookup.offer(self.valid, self.token), last

    def clock(self, ready, finish):
        place = self.queue.place
        if self.sparse_lookup is not None and self.synapses is not None and self.firsts is not None:
            event = self.firsts.read(place)
            if self.serializer is not None:
                event = event + self.serializer.given
            synapses = self.synapses.read(event)
            ready = self.sparse_lookup.clock(self.valid, self.token, ready, synapses)
        if self.serializer is not None and self.turns is not None:
            turns = np.where(self.token, 1, self.turns.read(place))
            ready = self.serializer.clock(self.valid, ready, turns)
        if self.delay is not None:
            ready = self.delay.clock(self.queue.valid, self.item, ready, finish)
        self.queue.clock(self.written, ready)


class _Count:
    """A spike counter, as a sink: what it says waits in a queue."""

    def __init__(self, queue: Queue):
        self.queue = queue

    def ready(self, item, finish):
        return self.queue.ready() | (item != LAST)

    def take(self, taken, item, finish):
        self.written = taken & (item == LAST)
        self.queue.clock(self.written, finish)


class _InTurns(Part):
    """A sink that takes the events of an item one by one."""

    def __init__(self, machines: "Machines", source: "_Source", sink: "_Scores"):
        self.source = source
        self.sink = sink
        self.turns = machines.add(source.train.turns(1))
        self.given = np.zeros(machines.count, np.int32)
        machines.add(self)

    def ready(self, item, finish):
        self.able = self.sink.ready(item, finish)
        return self.able & (self.given == self.turns.read(self.source.place) - 1)

    def take(self, taken, item, finish):
        self.moved = self.source.offered(self) & self.able
        given = self.given + self.moved
        self.given = np.where(taken, 0, given)
        self.sink.take(taken, item, finish)

    def changed(self) -> np.ndarray:
        return self.moved


class _Scores:
    """A readout, as a sink."""

    def __init__(self, readout: Readout):
        self.readout = readout

    def ready(self, item, finish):
        return self.readout.ready(item, finish)

    def take(self, taken, item, finish):
        self.readout.clock(taken, item, finish)


class _Source:
    """Where events come from, and the sinks that they go to."""

    branches: Branches
    place: np.ndarray  # of the item that is offered

    def __init__(self, machines: "Machines", train: Train):
        self.train = train
        self.sinks: list[Any] = []
        self.tape = machines.add(train.items())

    def offer(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where there is an item, and what it is."""
        raise NotImplementedError

    def clock(self, taken, finish):
        """Move on, where what was offered is taken, and where a sample ends."""
        raise NotImplementedError

    def flow(self, valid, item, finish):
        """Give what is offered to the sinks, and return where all have it."""
        ready = [one.ready(item, finish) for one in self.sinks]
        self.waiting = valid & ~self.branches.done
        into, taken = self.branches.clock(valid, ready)
        for sink, each in zip(self.sinks, into, strict=True):
            sink.take(each, item, finish)
        return taken

    def offered(self, sink) -> np.ndarray:
        """Return where a sink is offered an item in this cycle."""
        return self.waiting[self.sinks.index(sink)]


class _Entry(_Source, Part):
    """An input: ``rtl.entry``, and what ``rtl.control`` says of it."""

    def __init__(self, machines: "Machines", train: Train, mapping: Mapping, node: Input):
        super().__init__(machines, train)
        self.room = machines.room
        self.samples = np.zeros(machines.count, np.int32)
        self.inside = np.zeros(machines.count, bool)
        self.scanner: Scanner | None = None
        self.words = self.tape
        if mapping.form == "words":
            words = train.words(static=node.static)
            self.words = machines.add(train.tape(words))
            self.scanner = machines.add(Scanner(machines.count))
        self.feed = machines.add(Feed(self.words))
        machines.add(self)

    def offer(self):
        self.through = self.feed.valid & (self.inside | (self.samples < self.room))
        self.place = (self.feed if self.scanner is None else self.scanner).place
        item = self.tape.read(self.place)
        return (self.through if self.scanner is None else self.scanner.valid), item

    def clock(self, taken, finish):
        word = self.words.read(self.feed.place)
        if self.scanner is None:
            moved, ends = taken, word == LAST
        else:
            ready = self.scanner.ready(taken)
            moved, ends = self.through & ready, (word & SAMPLE_ENDS) > 0
            self.scanner.clock(taken, ready, self.through, word)
        self.begin = moved & ~self.inside
        self.inside = np.where(moved, ~ends, self.inside)
        self.samples = self.samples + self.begin - finish
        self.feed.clock(moved)


class _Output(_Source):
    """What leaves a population: ``rtl.emitter``."""

    def __init__(self, machines: "Machines", train: Train, core: "_Core"):
        super().__init__(machines, train)
        self.core = core
        words = train.words()
        self.words = machines.add(train.tape(words))
        self.kept = machines.add(train.tape([one[one > 0] for one in words]))
        groups = core.groups
        self.spike_output = machines.add(
            SpikeOutput(
                machines.count,
                groups=groups,
                depth=microarchitecture.emitter_depth(groups),
                room=microarchitecture.STEP_ROOM,
                delay=microarchitecture.outcome_delay(core.core),
                silent=machines.add(train.tape([_silent(one) for one in words])),
            )
        )
        core.emitters.append(self.spike_output)

    def offer(self):
        self.place = self.spike_output.scanner.place
        self.item = self.tape.read(self.place)
        return self.spike_output.scanner.valid, self.item

    def clock(self, taken, finish):
        self.spike_output.clock(
            self.core.complete, taken, self.item != EVENT, self.words, self.kept
        )


def _silent(words: np.ndarray) -> np.ndarray:
    """Return for each word how many from it on are empty; the last one never is."""
    full = words.nonzero()[0]
    return full[np.searchsorted(full, np.arange(len(words)))] - np.arange(len(words))


class _Core:
    """A population: ``rtl.population``."""

    def __init__(self, machines: "Machines", mapping: Mapping, name: str):
        self.machines = machines
        self.mapping = mapping
        network = machines.network
        size, core = network.population[name].size, mapping.cores[name]
        projections = network.into(name)
        self.core = core
        self.groups = -(-size // core.units)
        self.lines: list[_Line] = []
        self.emitters: list[SpikeOutput] = []
        self.longest = max(-(-size // core.lanes), self.groups)
        direct = [mapping.store(network, one) == "synapses" for one in projections]
        self.event_merger = machines.add(
            EventMerger(
                machines.count,
                [*direct, False],
                folds=-(-size // core.lanes),
                interval=microarchitecture.interval(core, self.groups),
                overlap=microarchitecture.overlaps(network, name, core),
            )
        )

    def connect(self, source: _Source, projection: Projection) -> None:
        """Add the line of a projection."""
        machines, count = self.machines, self.machines.count
        queue = machines.add(Queue(count, self.mapping.queues[projection.name]))
        line = _Line(queue, source.tape)
        if projection.delay:
            line.delay = machines.add(Delay(count, projection.delay))
        banks = self.core.banks
        if self.mapping.store(machines.network, projection) == "synapses":
            banks, synapses = 1, projection.synapses
            line.sparse_lookup = machines.add(SparseLookup(count, synapses.kind == "one_to_one"))
            each, firsts = source.train.fan_out(np.append(synapses.fan_out(), 0))
            line.synapses, line.firsts = machines.add(each), machines.add(firsts)
        if source.train.banks > banks:
            line.serializer = machines.add(Serializer(count))
            line.turns = machines.add(source.train.turns(banks))
        self._line(source, line)

    def tick(self, source: _Source) -> None:
        """Add the line of bare tokens."""
        queue = self.machines.add(Queue(self.machines.count, microarchitecture.TICK_ROOM))
        tokens = [np.full(len(one), TOKEN, np.int8) for one in source.train.samples]
        for each in tokens:
            each[-1] = LAST
        self._line(source, _Line(queue, self.machines.add(source.train.tape(tokens)), ticks=True))

    def _line(self, source: _Source, line: _Line) -> None:
        self.lines.append(line)
        source.sinks.append(line)

    def clock(self) -> None:
        """Move the lines and the intake on."""
        offers = [one.offer() for one in self.lines]
        valid, token, last = zip(*offers, strict=True)
        free = np.logical_and.reduce([one.free for one in self.emitters])
        firing = self.event_merger.pause > 0
        ready, event, self.complete = self.event_merger.clock(valid, token, free)
        finish = self.complete & np.logical_or.reduce(last)
        for line, taken in zip(self.lines, ready, strict=True):
            line.clock(taken, finish)
        self.busy = np.stack([event, firing & ~event])
