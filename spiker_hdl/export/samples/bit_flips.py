"""Single bits of a network's numbers turned over, and which samples show it in the answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from spiker_hdl.model import Network, Population, reference
from spiker_hdl.model.graph import SPIKE_READOUTS, Projection
from spiker_hdl.model.neurons.arithmetic import ARRAYS
from spiker_hdl.model.parameters import field_width
from spiker_hdl.model.scores import Scorer

__all__ = ["Detector", "Flip", "draw_flips"]

_ROWS = 8192
"""Runs of a flip and a sample that are computed at once."""


@dataclass(frozen=True)
class Flip:
    """A bit that is not what it should be: of a weight, a threshold or a bias.

    Members
    -------
    population : str
        Whose neuron it changes.
    neuron : int
    projection : Projection or None
        Whose weight it is.
    source : int
        Where that weight leads from.
    parameter : str
        Whose bit it is else: ``bias``, or a name of the neuron model.
    change : int
        What is added to the number.
    """

    population: str
    neuron: int
    projection: Projection | None
    source: int
    parameter: str
    change: int


# -- drawing -------------------------------------------------------------------------------------


def draw_flips(network: Network, count: int, draw: np.random.Generator) -> list[Flip]:
    """Draw bits, each bit of weights, thresholds and biases as likely as any other.

    Parameters
    ----------
    network : Network
    count : int
    draw : numpy.random.Generator
    """
    stores = list(_stores(network))
    bits = np.array([number * width for _, number, width in stores], dtype=float)
    chosen = draw.choice(len(stores), count, p=bits / bits.sum())
    flips = []
    for n in chosen:
        (owner, name), number, width = stores[n]
        place, bit = int(draw.integers(number)), int(draw.integers(width))
        flips.append(
            _weight_flip(owner, place, bit, width)
            if isinstance(owner, Projection)
            else _number_flip(owner, name, place, bit, width)
        )
    return flips


def _stores(network: Network) -> Iterator[tuple[tuple[Any, str], int, int]]:
    """Give what holds numbers, how many, and the bits of each."""
    for one in network.projections:
        yield (one, ""), one.synapses.values.size, one.width
    for one in network.populations:
        for name, value in _numbers(one).items():
            parts = value if isinstance(value, tuple) else (value,)
            width = field_width(min(parts), max(parts))
            if width:
                yield (one, name), one.size, width


def _numbers(population: Population) -> dict[str, Any]:
    """Return thresholds and the like, and the bias, by name."""
    found = {n: p.value for n, p in population.neuron.parameters.items() if p.scales}
    return found | {"bias": population.bias}


def _turned(value: int, bit: int, width: int, signed: bool) -> int:
    """Return what is added to a number when a bit is turned over."""
    weight = -(1 << bit) if signed and bit == width - 1 else 1 << bit
    return -weight if value >> bit & 1 else weight


def _weight_flip(one: Projection, place: int, bit: int, width: int) -> Flip:
    synapses = one.synapses
    if synapses.kind == "dense":
        neuron, source = divmod(place, synapses.source_size)
    elif synapses.kind == "one_to_one":
        neuron = source = place
    else:
        targets, sources = np.nonzero(synapses.matrix())
        place %= len(targets)
        neuron, source = int(targets[place]), int(sources[place])
    value = (
        int(synapses.values.flat[place])
        if synapses.kind != "sparse"
        else int(synapses.matrix()[neuron, source])
    )
    change = _turned(value, bit, width, True) << one.shift
    return Flip(one.target, neuron, one, source, "", change)


def _number_flip(one: Population, name: str, neuron: int, bit: int, width: int) -> Flip:
    value = _numbers(one)[name]
    parts = value if isinstance(value, tuple) else (value,)
    own = int(parts[neuron] if isinstance(value, tuple) else value)
    change = _turned(own, bit, width, min(parts) < 0)
    return Flip(one.name, neuron, None, 0, name, change)


# -- detecting -----------------------------------------------------------------------------------


class Detector:
    """Tell which samples have other answers where a bit is not what it should be.

    Of a network with a flip, only what the flip changes is computed: its neuron alone first, and
    where that fires otherwise, what reads it.

    Parameters
    ----------
    network : Network
    samples : mapping of str to array of int, shape (samples, steps, size)
        By input.
    """

    def __init__(self, network: Network, samples: Mapping[str, np.ndarray]):
        self.network = network
        self.count, self.steps, _ = next(iter(samples.values())).shape
        self.cores = {
            name: reference.Core(network, network.population[name]) for name in network.order
        }
        self.trains: dict[str, np.ndarray] = dict(samples)
        self.currents: dict[str, np.ndarray] = {}
        self.potentials: dict[str, np.ndarray] = {}
        self.behind = {name: self._behind(name) for name in network.order}
        self.read = {one.population for one in network.readouts if one.kind not in SPIKE_READOUTS}
        self._run()
        self.scores = self._scores({}, np.arange(self.count))
        self.counts = {n: self.trains[n].sum(axis=(1, 2), dtype=np.int64) for n in self._firing()}

    def _firing(self) -> list[str]:
        return [one.name for one in self.network.populations if one.neuron.spiking]

    def _behind(self, name: str) -> set[str]:
        """Return the populations that spikes of one reach."""
        found: set[str] = set()
        left = [name]
        while left:
            for one in self.network.out_of(left.pop()):
                if one.target not in found:
                    found.add(one.target)
                    left.append(one.target)
        return found

    def _run(self) -> None:
        """Run the network as it should be, and keep what flows in it."""
        states = {name: core.rest(self.count) for name, core in self.cores.items()}
        for name, core in self.cores.items():
            shape = (self.count, self.steps, core.size)
            self.currents[name] = np.zeros(shape, dtype=np.int64)
            self.potentials[name] = np.zeros(shape if name in self.read else (0,), dtype=np.int64)
            if core.neuron.spiking:
                self.trains[name] = np.zeros(shape, dtype=np.int8)
        for t in range(self.steps):
            for name, core in self.cores.items():
                current = self.currents[name][:, t]
                for projector in core.projectors:
                    if t >= projector.delay:
                        current += projector(self.trains[projector.source][:, t - projector.delay])
                fired, states[name] = core.step(states[name], current)
                if core.neuron.spiking:
                    self.trains[name][:, t] = fired
                if name in self.read:
                    self.potentials[name][:, t] = states[name][core.neuron.potential]

    def shows(self, flips: Sequence[Flip]) -> np.ndarray:
        """Return of each flip which samples have other answers.

        Returns
        -------
        array of bool, shape (flips, samples)
        """
        found = np.zeros((len(flips), self.count), dtype=bool)
        for name in self.cores:
            members = [n for n, one in enumerate(flips) if one.population == name]
            batch = max(1, _ROWS // self.count)
            for start in range(0, len(members), batch):
                some = members[start : start + batch]
                found[some] = self._population(name, [flips[n] for n in some])
        return found

    def _population(self, name: str, flips: list[Flip]) -> np.ndarray:
        """Return what :meth:`shows` does, of flips in one population."""
        neurons = np.array([one.neuron for one in flips])
        train, potential = self._neurons(name, flips, neurons)
        own = np.moveaxis(self.trains[name][:, :, neurons], 2, 0) if name in self.trains else train
        changed = (train != own).any(axis=2)
        if name in self.read:
            before = np.moveaxis(self.potentials[name][:, :, neurons], 2, 0)
            changed |= (potential != before).any(axis=2)
        shown = np.zeros_like(changed)
        if name in self.trains and name not in self.behind[name]:
            # Other spikes of one neuron are another count, whatever comes behind.
            shown = train.sum(axis=2, dtype=np.int64) != own.sum(axis=2, dtype=np.int64)
        rows = np.argwhere(changed & ~shown)
        for start in range(0, len(rows), _ROWS):
            n, sample = rows[start : start + _ROWS].T
            shown[n, sample] = self._network(
                name, [flips[k] for k in n], sample, train[n, sample], potential[n, sample]
            )
        return shown

    def _neurons(
        self, name: str, flips: list[Flip], neurons: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run the neurons of flips, each on its own, with all samples."""
        core = self.cores[name]
        shape = (len(flips), self.count)
        states = {
            key: np.broadcast_to(value[0, neurons][:, None], shape)
            for key, value in core.rest(1).items()
        }
        given = {key: _column(value, neurons) for key, value in core.operands.items()}
        bias = np.array(np.broadcast_to(core.bias, core.size)[neurons])[:, None]
        for n, one in enumerate(flips):
            if one.parameter == "bias":
                bias[n] += one.change
            elif one.parameter:
                given[one.parameter] = np.array(
                    np.broadcast_to(given[one.parameter], (len(flips), 1))
                )
                given[one.parameter][n] += one.change
        parameters = core.neuron.bind(given)
        train = np.zeros((*shape, self.steps), dtype=np.int8)
        potential = np.zeros((*shape, self.steps if name in self.read else 0), dtype=np.int64)
        added = self._added(flips)
        for t in range(self.steps):
            current = self.currents[name][:, t, neurons].T + bias
            current = current + added[:, :, t]
            fired, states = core.neuron.step(parameters, SimpleNamespace(**states), current, ARRAYS)
            if core.neuron.spiking:
                train[:, :, t] = fired
            if name in self.read:
                potential[:, :, t] = states[core.neuron.potential]
        return train, potential

    def _added(self, flips: list[Flip]) -> np.ndarray:
        """Return what flips of weights add to a neuron's current, as spikes are without them."""
        added = np.zeros((len(flips), self.count, self.steps), dtype=np.int64)
        for n, one in enumerate(flips):
            if one.projection is not None and one.projection.delay < self.steps:
                train = self.trains[one.projection.source][:, :, one.source]
                delay = one.projection.delay
                added[n, :, delay:] = train[:, : self.steps - delay].astype(np.int64) * one.change
        return added

    def _network(self, name, flips, samples, train, potential) -> np.ndarray:
        """Run what a flip changes, a row for each flip and sample; tell whether answers do."""
        rows = np.arange(len(flips))
        neurons = np.array([one.neuron for one in flips])
        trains: dict[str, np.ndarray] = {}
        potentials: dict[str, np.ndarray] = {}
        moving = [one for one in self.network.order if one in self.behind[name]]
        if name not in moving:
            if name in self.trains:
                trains[name] = self.trains[name][samples]
                trains[name][rows, :, neurons] = train
            if name in self.read:
                potentials[name] = self.potentials[name][samples]
                potentials[name][rows, :, neurons] = potential
        run = _Run(self, name, flips, samples, trains, potentials)
        run.run(moving)
        shown = np.zeros(len(flips), dtype=bool)
        for key, each in trains.items():
            shown |= each.sum(axis=(1, 2), dtype=np.int64) != self.counts[key][samples]
        scores = self._scores({**potentials}, samples, trains)
        for key, each in scores.items():
            shown |= (each != self.scores[key][samples]).any(axis=1)
        return shown

    def _scores(
        self, potentials, samples, trains: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        trains = trains or {}
        found = {}
        for one in self.network.readouts:
            spikes = one.kind in SPIKE_READOUTS
            changed, kept = (trains, self.trains) if spikes else (potentials, self.potentials)
            if one.population not in changed and hasattr(self, "scores"):
                continue
            values = changed.get(one.population, kept[one.population][samples])
            scorer = Scorer(self.network, one)
            for t in range(self.steps):
                scorer.add(values[:, t].astype(np.int64))
            scorer.report(over=True)
            found[one.name] = scorer.reports[0]
        return found


class _Run:
    """Rows of a flip and a sample, and the populations that the flip may change."""

    def __init__(self, base: Detector, name, flips, samples, trains, potentials):
        self.base, self.name, self.flips, self.samples = base, name, flips, samples
        self.trains, self.potentials = trains, potentials
        self.weights = list(self._weights())

    def run(self, moving: list[str]) -> None:
        base, count = self.base, len(self.flips)
        cores = {name: base.cores[name] for name in moving}
        states = {name: core.rest(count) for name, core in cores.items()}
        steppers = {name: self._stepper(core) for name, core in cores.items()}
        for name, core in cores.items():
            shape = (count, base.steps, core.size)
            if core.neuron.spiking:
                self.trains[name] = np.zeros(shape, dtype=np.int8)
            if name in base.read:
                self.potentials[name] = np.zeros(shape, dtype=np.int64)
        for t in range(base.steps):
            for name, core in cores.items():
                current = self._current(name, core, t)
                fired, states[name] = steppers[name](states[name], current)
                if core.neuron.spiking:
                    self.trains[name][:, t] = fired
                if name in base.read:
                    self.potentials[name][:, t] = states[name][core.neuron.potential]

    def _current(self, name: str, core: Any, t: int) -> np.ndarray:
        """Return a step's current: as it was, and what differs in the events of all sources."""
        base = self.base
        current = base.currents[name][self.samples, t]
        for projector in core.projectors:
            if projector.source in self.trains and t >= projector.delay:
                then = t - projector.delay
                events = (
                    self.trains[projector.source][:, then]
                    - base.trains[projector.source][self.samples, then]
                )
                if projector.source == self.name and self.name not in base.behind[self.name]:
                    current += self._column(projector, events)
                else:
                    current += projector(events)
        if name == self.name:
            self._add(current, t)
        return current

    def _column(self, projector: Any, events: np.ndarray) -> np.ndarray:
        """Return the currents that the one neuron that fires otherwise makes."""
        rows = np.arange(len(events))
        neurons = np.array([one.neuron for one in self.flips])
        if projector.lone:
            return projector(events)
        return (events[rows, neurons][:, None] * projector.weights[neurons]).astype(
            np.int64
        ) << projector.shift

    def _add(self, current: np.ndarray, t: int) -> None:
        """Add what flipped bits of weights are worth in a step."""
        for source, delay, rows, sources, neurons, changes in self.weights:
            if t >= delay:
                if source in self.trains:
                    events = self.trains[source][rows, t - delay, sources]
                else:
                    train = self.base.trains[source]
                    events = train[self.samples[rows], t - delay, sources]
                current[rows, neurons] += events * changes

    def _weights(self):
        """Give the rows whose flip is that of a weight, those of each source and delay together."""
        groups: dict[tuple[str, int], list[int]] = {}
        for row, one in enumerate(self.flips):
            if one.projection is not None:
                key = one.projection.source, one.projection.delay
                groups.setdefault(key, []).append(row)
        for (source, delay), rows in groups.items():
            some = [self.flips[row] for row in rows]
            sources, neurons, changes = np.array([(f.source, f.neuron, f.change) for f in some]).T
            yield source, delay, np.array(rows), sources, neurons, changes

    def _stepper(self, core: Any):
        """Return what steps a population, with the numbers that flips change in it."""
        given, bias = dict(core.operands), core.bias
        if core.name == self.name:
            for row, one in enumerate(self.flips):
                if one.parameter == "bias":
                    bias = _spread(bias, len(self.flips), core.size)
                    bias[row, one.neuron] += one.change
                elif one.parameter:
                    value = _spread(given[one.parameter], len(self.flips), core.size)
                    value[row, one.neuron] += one.change
                    given[one.parameter] = value
        parameters = core.neuron.bind(given)
        return lambda states, current: core.neuron.step(
            parameters, SimpleNamespace(**states), current + bias, ARRAYS
        )


def _column(value: np.ndarray, neurons: np.ndarray) -> np.ndarray:
    """Return the values of some neurons, one above the other; one for all stays one."""
    return value[neurons][:, None] if value.ndim else value


def _spread(value: np.ndarray, rows: int, size: int) -> np.ndarray:
    """Return a value for each row and neuron that can be written."""
    if value.ndim == 2:
        return value
    return np.array(np.broadcast_to(value, (rows, size)))
