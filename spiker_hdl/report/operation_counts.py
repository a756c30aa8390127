"""What samples make the hardware do: a stand-in for energy, to compare mappings by."""

from collections.abc import Mapping as Table
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model import Mapping, Network, Population, Projection, reference, stimulus
from spiker_hdl.model.mapping.reload import with_worst_case_bounds
from spiker_hdl.model.parameters import field_width, fields_of
from spiker_hdl.model.stimulus import transmitted
from spiker_hdl.model.timing import predict

__all__ = ["Work", "total", "work"]


@dataclass(frozen=True)
class Work:
    """What a population does for each sample; every member has the shape (samples,).

    A row is what a memory gives or takes at once; bits are those of the rows.

    Members
    -------
    events : array of int
        Events that are taken, of all projections.
    synaptic_operations : array of int
        Weights that are not zero, over these events.
    additions : array of int
        Weights that are added to others or to a sum, those included that are zero or in lanes to
        spare.
    updates : array of int
        Neurons that step.
    spikes : array of int
        Events that are made.
    weight_reads, weight_bits : array of int
        Rows of weights that are asked for; where synapses are stored one by one, these and the
        places of a source's first.
    sum_reads, sum_writes, sum_bits : array of int
        Rows of sums, where those are folded into memory: one for the events that come together and
        each fold, and to read one for each group of neurons that steps.
    state_reads, state_writes, state_bits : array of int
        Rows of states.
    parameter_reads, parameter_bits : array of int
        Rows of parameters, biases and values at rest that differ between neurons, or that can be
        replaced.
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
        """Return the means over the samples in what JSON can hold."""
        names = [*(one.name for one in fields(self)), "memory_bits"]
        return {name: round(float(getattr(self, name).mean()), 3) for name in names}


def work(network: Network, spikes: Any, *, mapping: Mapping | None = None) -> dict[str, Work]:
    """Count what each population does for samples, exactly, without simulating the hardware.

    All steps are counted: of early answers it says nothing. Reads that only look ahead, and cycles
    in which a memory is enabled and nothing asks, do not count.

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
    given = stimulus(network, spikes)
    populations = network.populations
    fired = [one.name for one in populations if one.neuron.spiking]
    recorded = reference.run(network, spikes, record=fired).spikes
    trains = {name: [*recorded[name]] for name in fired}
    for one in network.inputs:
        trains[one.name] = [transmitted(one, np.asarray(each)) for each in given.values[one.name]]
    together: dict[str, np.ndarray] = {}
    if any(_folded(network, mapping, one) and _banks(mapping, one) > 1 for one in populations):
        # Which events come together, the timing model knows.
        found = predict(network, spikes, mapping=mapping).spent
        together = {name: found[name].events for name in found}
    return {
        one.name: _population(network, mapping, one, trains, given.steps, together.get(one.name))
        for one in populations
    }


def total(done: Table[str, Work]) -> Work:
    """Return the work of all populations together."""
    parts = [*done.values()]
    return Work(**{
        one.name: np.sum([getattr(part, one.name) for part in parts], axis=0)
        for one in fields(Work)
    })


def _population(
    network: Network,
    mapping: Mapping,
    population: Population,
    trains: Table[str, list[np.ndarray]],
    steps: np.ndarray,
    together: np.ndarray | None,
) -> Work:
    core, bounds = mapping.cores[population.name], network.bounds[population.name]
    folds = -(-population.size // core.lanes)
    groups = steps * -(-population.size // core.units)
    into = network.into(population.name)
    rowed = [one for one in into if mapping.store(network, one) == "rows"]
    row_bits = core.lanes * max((one.width for one in rowed), default=0)
    none = np.zeros(len(steps), dtype=np.int64)
    events, operations, additions, reads, bits, touched = (none.copy() for _ in range(6))
    for one in into:
        taken = _events(one, trains[one.source])
        count = taken.sum(axis=1)
        events += count
        operations += taken @ _kept(one)
        if one in rowed:
            reads += folds * count
            bits += folds * count * row_bits
            additions += folds * count * core.lanes
            touched += folds * count
            continue
        entries = taken @ one.synapses.fan_out()
        reads += entries
        bits += entries * _entry_bits(one, core.lanes)
        additions += entries
        touched += entries
        if one.synapses.kind != "one_to_one":
            reads += count
            bits += count * _place_bits(one)
    # A lane for each neuron keeps its sum in registers.
    folded = _folded(network, mapping, population)
    sum_writes = (touched if together is None else together) if folded else none
    sum_reads = sum_writes + groups if folded else none
    state_row = core.units * sum(
        field_width(*bounds.states[name]) for name in population.neuron.states
    )
    parameter_row = core.units * _parameter_bits(population, core.writable)
    spikes = none
    if population.neuron.spiking:
        spikes = np.array([np.count_nonzero(one) for one in trains[population.name]])
    return Work(
        events=events,
        synaptic_operations=operations,
        additions=additions,
        updates=steps * population.size,
        spikes=spikes,
        weight_reads=reads,
        weight_bits=bits,
        sum_reads=sum_reads,
        sum_writes=sum_writes,
        sum_bits=(sum_reads + sum_writes) * core.lanes * bounds.sum_width,
        state_reads=groups if state_row else none,
        state_writes=groups if state_row else none,
        state_bits=2 * groups * state_row,
        parameter_reads=groups if parameter_row else none,
        parameter_bits=groups * parameter_row,
    )


def _folded(network: Network, mapping: Mapping, population: Population) -> bool:
    fewer = mapping.cores[population.name].lanes < population.size
    return fewer and bool(network.into(population.name))


def _banks(mapping: Mapping, population: Population) -> int:
    return mapping.cores[population.name].banks


def _events(projection: Projection, train: list[np.ndarray]) -> np.ndarray:
    """Return how often each source's events are taken, shape (samples, sources)."""
    # What a sample's last steps hold back is dropped.
    return np.array([
        np.count_nonzero(one[: max(0, len(one) - projection.delay)], axis=0) for one in train
    ])


def _kept(projection: Projection) -> np.ndarray:
    return np.count_nonzero(projection.synapses.matrix(), axis=0)


def _entry_bits(projection: Projection, lanes: int) -> int:
    folds = -(-projection.synapses.target_size // lanes)
    return (folds - 1).bit_length() + (lanes - 1).bit_length() + projection.width + 1


def _place_bits(projection: Projection) -> int:
    kept = max(1, int(projection.synapses.fan_out().sum()))
    return (kept - 1).bit_length() + 1


def _parameter_bits(population: Population, writable: bool) -> int:
    return sum(field_width(*ends) for ends in fields_of(population, writable).values())
