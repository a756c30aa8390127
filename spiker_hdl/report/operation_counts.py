"""Operation counts of samples: a proxy of energy, by which mappings are compared."""

from collections.abc import Mapping as Table
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model import Mapping, Network, Population, Projection, reference, stimulus
from spiker_hdl.model.mapping.layout import (
    kernel_events,
    pooled_rows,
    pooled_width,
    summed_apart,
    updates_by_window,
)
from spiker_hdl.model.mapping.microarchitecture import clears
from spiker_hdl.model.mapping.reload import with_worst_case_bounds
from spiker_hdl.model.parameters import field_width, fields_of
from spiker_hdl.model.stimulus import transmitted
from spiker_hdl.model.timing import predict

__all__ = ["Work", "total", "work"]


@dataclass(frozen=True)
class Work:
    """The operations of a population for each sample; every member has the shape (samples,).

    A row is one word of a memory; bits are those of all rows that are read or written.

    Members
    -------
    events : array of int
        Events of all projections that the population processes.
    synaptic_operations : array of int
        Weights other than zero, over these events.
    additions : array of int
        Weights that are added to others or to a sum, including weights that are zero or in unused
        lanes.
    updates : array of int
        Updates of neurons.
    spikes : array of int
        Events that the population sends.
    weight_reads, weight_bits : array of int
        Rows of weights that are read; with sparse synapses, the synapses and the place of each
        source's first one.
    sum_reads, sum_writes, sum_bits : array of int
        Rows of sums that are read and written where sums are in memory: for the events that come
        together, one row in each fold is read and written; for each group of neurons that is
        updated, one is read. Sums by position are always in memory: they are read by windows too,
        and a row is written once more in each pass, to be zero. A population that is updated window
        by window has no other sums.
    state_reads, state_writes, state_bits : array of int
        Rows of states.
    parameter_reads, parameter_bits : array of int
        Rows of parameters, biases and rest values that differ between neurons or are writable.
    """

    events: np.ndarray
    synaptic_operations: np.ndarray
    additions: np.ndarray
    updates: np.ndarray
    spikes: np.ndarray
    weight_reads: np.ndarray
    weight_bits: np.ndarray
    sum_reads: np.ndarray
    sum_writes: np.ndarray
    sum_bits: np.ndarray
    state_reads: np.ndarray
    state_writes: np.ndarray
    state_bits: np.ndarray
    parameter_reads: np.ndarray
    parameter_bits: np.ndarray

    @property
    def memory_bits(self) -> np.ndarray:
        """Bits that are read from and written to memories, shape (samples,)."""
        return self.weight_bits + self.sum_bits + self.state_bits + self.parameter_bits

    def to_json(self) -> dict[str, float]:
        """Return the means over the samples as JSON values."""
        names = [*(field.name for field in fields(self)), "memory_bits"]
        return {name: round(float(getattr(self, name).mean()), 3) for name in names}


def work(network: Network, spikes: Any, *, mapping: Mapping | None = None) -> dict[str, Work]:
    """Count the operations of each population, exactly, without simulating the hardware.

    All steps of a sample are counted, also where an answer may come earlier. Reads ahead of their
    use, and cycles in which a memory is enabled but not read, are not counted.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        As :func:`spiker_hdl.run` takes them.
    mapping : Mapping, optional
        :meth:`Mapping.default` if none is given.

    Returns
    -------
    dict of str to Work
        By population.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network takes.
    """
    check_kind("Network", network, Network)
    mapping = Mapping.default(network) if mapping is None else mapping
    check_kind("Mapping", mapping, Mapping)
    mapping.check(network)
    network = with_worst_case_bounds(network, mapping.writable)
    stimuli = stimulus(network, spikes)
    populations = network.populations
    emitting = [population.name for population in populations if population.neuron.emits]
    recorded = reference.run(network, spikes, record=emitting).spikes
    trains = {name: [*recorded[name]] for name in emitting}
    for node in network.inputs:
        trains[node.name] = [
            transmitted(node, np.asarray(sample)) for sample in stimuli.values[node.name]
        ]
    sum_rows: dict[str, np.ndarray] = {}
    if any(
        _folded(network, mapping, population) and _banks(mapping, population) > 1
        for population in populations
    ):
        # Events of several banks may share a row of sums: the timing model knows which do.
        spent = predict(network, spikes, mapping=mapping).spent
        sum_rows = {name: counts.events for name, counts in spent.items()}
    return {
        population.name: _population(
            network, mapping, population, trains, stimuli.steps, sum_rows.get(population.name)
        )
        for population in populations
    }


def total(work_by_population: Table[str, Work]) -> Work:
    """Return the work of all populations together."""
    parts = [*work_by_population.values()]
    return Work(**{
        field.name: np.sum([getattr(part, field.name) for part in parts], axis=0)
        for field in fields(Work)
    })


def _population(
    network: Network,
    mapping: Mapping,
    population: Population,
    trains: Table[str, list[np.ndarray]],
    steps: np.ndarray,
    sum_rows: np.ndarray | None,
) -> Work:
    """Return the work of a population; ``sum_rows`` are the rows of sums that are written."""
    core, bounds = mapping.cores[population.name], network.bounds[population.name]
    groups = steps * -(-population.size // core.units)
    none = np.zeros(len(steps), dtype=np.int64)
    weights = _Weights(network, mapping, population, len(steps))
    for projection in network.into(population.name):
        weights.add(projection, trains[projection.source])
    # With a lane for each neuron, sums are in registers; with updates by window, there are none.
    folded = _folded(network, mapping, population)
    sum_writes = (weights.rows_added if sum_rows is None else sum_rows) if folded else none
    # A step reads the sums of every receptor that a projection reaches.
    widths = {
        link.receptor: bounds.receptors[link.receptor].sum_width
        for link in network.into(population.name)
    }
    sum_reads = sum_writes + len(widths) * groups if folded else none
    sum_bits = groups * sum(widths.values()) if folded else none
    if folded and sum_rows is None:
        for receptor, rows in weights.rows_of_receptor.items():
            sum_bits = sum_bits + 2 * rows * widths[receptor]
    elif folded:
        # Which receptors share a row is not known: at most as many bits as the widest has.
        sum_bits = sum_bits + 2 * sum_writes * max(widths.values())
    if folded and clears(network, mapping, population.name):
        # A row is cleared once its sums are read, those that are kept with the last step.
        kept = network.holds(population.name)
        cleared = -(-population.size // core.lanes) * (np.ones_like(steps) if kept else steps)
        sum_writes = sum_writes + len(widths) * cleared
        sum_bits = sum_bits + cleared * sum(widths.values())
    state_row = core.units * sum(
        field_width(*bounds.states[name]) for name in population.neuron.states
    )
    parameter_row = core.units * _parameter_bits(population, core.writable)
    spikes = none
    if population.neuron.emits:
        spikes = np.array([np.count_nonzero(train) for train in trains[population.name]])
    return Work(
        events=weights.events,
        synaptic_operations=weights.operations,
        additions=weights.additions,
        updates=steps * population.size,
        spikes=spikes,
        weight_reads=weights.reads,
        weight_bits=weights.bits,
        sum_reads=sum_reads + weights.pooled_reads,
        sum_writes=sum_writes + weights.pooled_writes,
        sum_bits=sum_bits * core.lanes + weights.pooled_bits,
        state_reads=groups if state_row else none,
        state_writes=groups if state_row else none,
        state_bits=2 * groups * state_row,
        parameter_reads=groups if parameter_row else none,
        parameter_bits=groups * parameter_row,
    )


class _Weights:
    """Counts of what a population reads and adds for the events of its projections, per sample."""

    def __init__(self, network: Network, mapping: Mapping, population: Population, samples: int):
        self.network, self.mapping = network, mapping
        self.lanes = mapping.cores[population.name].lanes
        self.by_window = updates_by_window(network, mapping, population.name)
        self.folds = -(-population.size // self.lanes)
        into = network.into(population.name)
        self.in_rows = [
            projection for projection in into if mapping.store(network, projection) != "synapses"
        ]
        # Kernels whose sums are pooled have a memory of their own.
        shared = [link.width for link in self.in_rows if not summed_apart(network, mapping, link)]
        self.row_bits = self.lanes * max(shared, default=0)
        self.events, self.operations, self.additions, self.reads, self.bits, self.rows_added = (
            np.zeros(samples, dtype=np.int64) for _ in range(6)
        )
        self.pooled_reads, self.pooled_writes, self.pooled_bits = (
            np.zeros(samples, dtype=np.int64) for _ in range(3)
        )
        self.rows_of_receptor = {link.receptor: np.zeros(samples, dtype=np.int64) for link in into}

    def add(self, projection: Projection, trains: list[np.ndarray]) -> None:
        """Add the events of a projection, of each sample an array of shape (steps, sources)."""
        events = _events(projection, trains)
        count = events.sum(axis=1)
        self.events += count
        self.operations += events @ _nonzero(projection)
        if summed_apart(self.network, self.mapping, projection):
            self._pool(projection, trains, events)
            return
        if projection in self.in_rows:
            # Each event reads a row of weights, one for each lane, in each fold; or the rows of its
            # windows, where a kernel is stored once.
            rows = self.folds * count
            if self.mapping.store(self.network, projection) == "kernel":
                rows = events @ kernel_events(projection.synapses, self.lanes)
            self.reads += rows
            self.bits += rows * self.row_bits
            self.additions += rows * self.lanes
            self._add_rows(projection, rows)
            return
        # Sparse synapses are read one by one, after the place of the source's first.
        entries = events @ projection.synapses.fan_out()
        self.reads += entries
        self.bits += entries * _entry_bits(projection, self.lanes)
        self.additions += entries
        self._add_rows(projection, entries)
        if projection.synapses.kind != "one_to_one":
            self.reads += count
            self.bits += count * _place_bits(projection)

    def _pool(self, projection: Projection, trains: list[np.ndarray], events: np.ndarray) -> None:
        """Add what pooled sums take: rows of the kernel, and a pass over the windows of a step."""
        added = kernel_events(projection.synapses, self.lanes)
        windows = pooled_rows(projection, self.lanes)
        # A step without a row of the kernel is not pooled.
        passes = np.array([
            np.count_nonzero((train[: max(0, len(train) - projection.delay)] != 0) @ added)
            for train in trains
        ])
        rows, read = events @ added, passes * sum(map(len, windows))
        self.reads += rows
        self.bits += rows * self.lanes * projection.width
        self.pooled_reads += rows + read
        # Each row is set to zero as it is read for the last time in a pass.
        cleared = passes * len({row for own in windows for row in own})
        self.pooled_writes += rows + cleared
        width = pooled_width(self.network, self.mapping, projection)
        self.pooled_bits += (2 * rows + read + cleared) * self.lanes * width
        self.additions += rows * self.lanes
        if not self.by_window:  # which adds maxima to nothing
            self.additions += passes * len(windows) * self.lanes
            self._add_rows(projection, passes * len(windows))

    def _add_rows(self, projection: Projection, rows: np.ndarray) -> None:
        self.rows_added += rows
        self.rows_of_receptor[projection.receptor] += rows


def _folded(network: Network, mapping: Mapping, population: Population) -> bool:
    """Return whether a population's own sums are in memory, since lanes are fewer than neurons."""
    fewer = mapping.cores[population.name].lanes < population.size
    by_window = updates_by_window(network, mapping, population.name)
    return fewer and bool(network.into(population.name)) and not by_window


def _banks(mapping: Mapping, population: Population) -> int:
    return mapping.cores[population.name].banks


def _events(projection: Projection, trains: list[np.ndarray]) -> np.ndarray:
    """Return how many events of each source are processed, shape (samples, sources)."""
    # Events that are still delayed after a sample's last step are dropped.
    return np.array([
        np.count_nonzero(train[: max(0, len(train) - projection.delay)], axis=0) for train in trains
    ])


def _nonzero(projection: Projection) -> np.ndarray:
    """Return the number of weights other than zero of each source."""
    synapses = projection.synapses
    return (synapses.values != 0) * 1 if synapses.kind == "one_to_one" else synapses.fan_out()


def _entry_bits(projection: Projection, lanes: int) -> int:
    """Return the bits of a sparse synapse: its fold, lane and weight, and a mark of the last."""
    folds = -(-projection.synapses.target_size // lanes)
    return (folds - 1).bit_length() + (lanes - 1).bit_length() + projection.width + 1


def _place_bits(projection: Projection) -> int:
    """Return the bits of the place of a source's first synapse, and whether it has any."""
    synapses = max(1, int(projection.synapses.fan_out().sum()))
    return (synapses - 1).bit_length() + 1


def _parameter_bits(population: Population, writable: bool) -> int:
    return sum(field_width(*ends) for ends in fields_of(population, writable).values())
