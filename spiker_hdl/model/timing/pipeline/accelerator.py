"""The accelerator composed of its components' handshakes, for many machines in lockstep."""

from collections.abc import Mapping as Table
from itertools import count
from typing import Any

import numpy as np

from spiker_hdl.model.graph import SPIKE_READOUTS, Input
from spiker_hdl.model.graph import Readout as ReadoutNode
from spiker_hdl.model.mapping import microarchitecture
from spiker_hdl.model.mapping.layout import neuron_order
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network
from spiker_hdl.model.stimulus import Stimulus, transmitted

from ..components.broadcast import Branches
from ..components.event_merger import EventMerger
from ..components.part import FAR, Part
from ..components.queue import Queue
from ..components.readout import Readout
from ..components.sample_control import Starts
from ..components.spike_output import SpikeOutput
from ..components.window_sequencer import WindowSequencer
from ..traces import Train
from .batch import Batch
from .elapsed import Elapsed, Spent
from .input_port import InputPort
from .population import Core, Output
from .sinks import Scores, SerialScores, SpikeCount
from .source import Source

__all__ = ["DeadlockError", "Machines"]

COMPACT = 64
"""Rounds after which machines that are done are removed."""

WORTHWHILE = 4
"""Cycles of an event or a step of some population from which on it pays to skip equal cycles."""

SELDOM = 256
"""Rounds after which a deadlock is looked for where skipping does not pay."""


class DeadlockError(RuntimeError):
    """An accelerator in which nothing advances any more, and that has not answered."""


class Machines(Batch):
    """Accelerators side by side, each with samples of its own.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    stimuli : Stimulus
    trains : mapping of str to array or list of array
        For each input and population that fires, its events in each sample, shape (steps, size).
    chunks : list of array of int
        For each machine, its samples.
    """

    def __init__(
        self,
        network: Network,
        mapping: Mapping,
        stimuli: Stimulus,
        trains: Table[str, Any],
        chunks: list[np.ndarray],
    ):
        super().__init__(network, mapping, len(chunks))
        self.mapping = mapping
        self.samples = np.array([len(chunk) for chunk in chunks])
        self.members = np.concatenate(chunks)
        self.machine_of = np.repeat(np.arange(self.count), self.samples)
        self.input_ports = {
            node.name: InputPort(self, self._train(node.name, trains), mapping, node)
            for node in network.inputs
        }
        self.starts = self.add(Starts(self.count, self.max_in_flight))
        self.sources: dict[str, Source] = dict(self.input_ports)
        self.potentials: dict[str, Source] = {}
        self.cores = {name: Core(self, mapping, name) for name in network.order}
        for name, core in self.cores.items():
            spikes = self._train(name, trains) if name in trains else None
            if spikes is not None:
                self.sources[name] = Output(self, spikes, core, core.core.gather)
            if microarchitecture.reads_potential(network, name):
                size = network.population[name].size
                steps = [np.ones((stimuli.steps[n], size), bool) for n in self.members]
                every = Train(steps, self.machine_of, self.count, core.core.units, 1)
                self.potentials[name] = Output(self, every, core)
        self._connect()

    def _train(self, name: str, trains: Table[str, Any]) -> Train:
        """Return the events of a node in the samples of all machines."""
        node = self.network.nodes[name]
        samples = [trains[name][n] != 0 for n in self.members]
        order = neuron_order(self.network, self.mapping, name)
        if order is not None:
            samples = [sample[:, order] for sample in samples]
        if isinstance(node, Input):
            samples = [transmitted(node, sample) for sample in samples]
        scanned, banks = self.mapping.scanned(node), self.mapping.banks(self.network, name)
        return Train(samples, self.machine_of, self.count, scanned, banks)

    def _connect(self) -> None:
        network = self.network
        for name, core in self.cores.items():
            for projection in network.into(name):
                core.connect(self.sources[projection.source], projection)
            if microarchitecture.clocked(network, name):
                core.tick(self.sources[network.inputs[0].name])
        self.readouts = [self._readout(readout) for readout in network.readouts]
        self.counters = []
        for name in self.cores:
            if name in self.sources:
                queue = self.add(Queue(self.count, self.max_in_flight))
                self.counters.append(queue)
                self.sources[name].sinks.append(SpikeCount(queue))
        self.counting = [
            part
            for part in self.parts
            if isinstance(part, EventMerger | WindowSequencer | SpikeOutput)
        ]
        self.all = [*self.sources.values(), *self.potentials.values()]
        for source in self.all:
            source.branches = self.add(Branches(self.count, len(source.sinks)))

    def _readout(self, readout: ReadoutNode) -> Readout:
        """Connect a readout to its population, and return its register."""
        spikes = readout.kind in SPIKE_READOUTS
        source = (self.sources if spikes else self.potentials)[readout.population]
        register = self.add(Readout(self.count))
        scores = Scores(register)
        serial = source.train.banks > 1
        source.sinks.append(SerialScores(self, source, scores) if serial else scores)
        return register

    def run(self) -> Elapsed:
        """Run all machines until their last results."""
        begun = np.zeros((self.count, self.samples.max()), np.int64)
        done = np.zeros_like(begun)
        where = np.arange(self.count)  # which machines are left
        starts, ends = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        spent = {name: np.zeros((2, self.count), np.int64) for name in self.cores}
        left, now = self.samples.copy(), np.zeros(self.count, np.int64)
        often = any(core.slowest >= WORTHWHILE for core in self.cores.values())
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
                self.select(kept)
            if not left.any():
                break
        valid = np.arange(begun.shape[1]) < self.samples[:, None]
        total = done.max(axis=1)
        by_population = {
            name: Spent(busy[0], busy[1], total - busy.sum(axis=0)) for name, busy in spent.items()
        }
        return Elapsed((done - begun)[valid], done[valid], by_population)

    def _skip(self, runs: np.ndarray) -> np.ndarray:
        """Skip the cycles that are like the last one, and return how many these are.

        Raises
        ------
        DeadlockError
            If all cycles to come would be like it, in a machine that ``runs``.
        """
        changes = [part.changed() for part in self.parts if isinstance(part, Part)]
        still = ~np.logical_or.reduce([changed for changed in changes if changed is not None])
        if not still.any():
            return np.zeros(len(runs), np.int64)
        cycles = np.minimum.reduce([part.horizon() for part in self.counting])
        if (still & runs & (cycles == FAR)).any():
            raise DeadlockError("Accelerator must go on until it has answered, not wait for ever")
        cycles = np.where(still & (cycles < FAR), cycles, 0)
        for part in self.counting:
            part.skip(cycles)
        return cycles.astype(np.int64)

    def _cycle(self) -> tuple[np.ndarray, np.ndarray]:
        """Run a cycle; return where the first input begins a sample, and where a sample ends."""
        finish = np.logical_and.reduce([
            readout.valid for readout in (*self.readouts, *self.counters)
        ])
        if len(self.input_ports) > 1:
            # A sample ends only when every input has begun it.
            finish = finish & self.starts.queue.valid
            for port in self.input_ports.values():
                finish = finish & (port.samples > 0)
        # What a queue accepts follows from its state, which readers must not have changed yet.
        moves = [source.flow(*source.offer(), finish) for source in self.all]
        for core in self.cores.values():
            core.clock()
        for source, taken in zip(self.all, moves, strict=True):
            source.clock(taken, finish)
        begin = self.input_ports[self.network.inputs[0].name].begin
        self.starts.clock(begin, finish)
        return begin, finish
