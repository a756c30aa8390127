"""Which samples detect a flipped bit: those whose answers it changes."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np

from spiker_hdl.model import Network, reference
from spiker_hdl.model.graph import SPIKE_READOUTS
from spiker_hdl.model.neurons.arithmetic import ARRAYS
from spiker_hdl.model.scores import Scorer

from .bit_flips import Flip
from .faulty_run import FaultyRun, train_type
from .wide_flips import added_currents, changed_neurons, is_wide

__all__ = ["Detector"]

_ROWS = 8192
"""Number of rows, each with one flip and one sample, that are computed at once."""
_EVENTS = 2**27
"""Number of events of all rows that are computed at once, so that they fit into memory."""


class Detector:
    """Samples, and which flips each of them detects.

    Of a network with a flip, only what the flip can change is computed: its neurons alone first,
    and, if one of them fires differently, the populations that their spikes reach. Most flips
    change one neuron. One in a kernel changes a channel, and one in a weight of sums that are
    pooled may change every neuron.

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
        size = max(core.size for core in self.cores.values())
        self.rows = max(1, min(_ROWS, _EVENTS // (self.steps * size)))
        self.reached = {name: self._reached_from(name) for name in network.order}
        for name, core in self.cores.items():
            if core.coupling is not None:  # a spike of a neuron changes the others' spikes
                self.reached[name].add(name)
        self.potential_readouts = {
            readout.population for readout in network.readouts if readout.kind not in SPIKE_READOUTS
        }
        self._run()
        self.scores = self._scores({}, np.arange(self.count))
        self.counts = {
            population.name: np.count_nonzero(self.trains[population.name], axis=(1, 2))
            for population in network.populations
            if population.neuron.emits
        }

    def _reached_from(self, name: str) -> set[str]:
        """Return the populations that the spikes of a population reach."""
        reached: set[str] = set()
        left = [name]
        while left:
            for projection in self.network.out_of(left.pop()):
                if projection.target not in reached:
                    reached.add(projection.target)
                    left.append(projection.target)
        return reached

    def _run(self) -> None:
        """Run the network without a flip, and keep its currents, spikes and potentials."""
        states = {name: core.rest(self.count) for name, core in self.cores.items()}
        for name, core in self.cores.items():
            shape = (self.count, self.steps, core.size)
            self.currents[name] = np.zeros((*shape[:2], core.columns), dtype=np.int64)
            self.potentials[name] = np.zeros(
                shape if name in self.potential_readouts else (0,), dtype=np.int64
            )
            if core.neuron.emits:
                self.trains[name] = np.zeros(shape, dtype=train_type(core))
        for t in range(self.steps):
            for name, core in self.cores.items():
                current = self.currents[name][:, t]
                for projector in core.projectors:
                    if t >= projector.delay:
                        events = self.trains[projector.source][:, t - projector.delay]
                        core.add(current, projector, events)
                fired, states[name] = core.step(states[name], current)
                if core.neuron.emits:
                    self.trains[name][:, t] = fired
                if name in self.potential_readouts:
                    self.potentials[name][:, t] = states[name][core.neuron.potential]

    def detects(self, flips: Sequence[Flip]) -> np.ndarray:
        """Return for each flip which samples have another answer with it.

        Returns
        -------
        array of bool, shape (flips, samples)
        """
        detected = np.zeros((len(flips), self.count), dtype=bool)
        batch = max(1, _ROWS // self.count)
        for name in self.cores:
            members = [n for n, flip in enumerate(flips) if flip.population == name]
            if self.cores[name].coupling is None:
                for n in members:
                    if is_wide(flips[n]):
                        detected[n] = self._wide(name, flips[n])
                members = [n for n in members if not is_wide(flips[n])]
            for start in range(0, len(members), batch):
                some = members[start : start + batch]
                detected[some] = self._population(name, [flips[n] for n in some])
        return detected

    def _population(self, name: str, flips: list[Flip]) -> np.ndarray:
        """Return what :meth:`detects` does, for flips in one population."""
        neurons = np.array([flip.neuron for flip in flips])
        if self.cores[name].coupling is not None:
            return self._coupled(name, flips)
        train, potential = self._neurons(name, flips, neurons)
        own = np.moveaxis(self.trains[name][:, :, neurons], 2, 0) if name in self.trains else train
        changed = (train != own).any(axis=2)
        if name in self.potential_readouts:
            before = np.moveaxis(self.potentials[name][:, :, neurons], 2, 0)
            changed |= (potential != before).any(axis=2)
        detected = np.zeros_like(changed)
        if name in self.trains and name not in self.reached[name]:
            # Another number of events of one neuron changes the count, whatever those events reach.
            detected = np.count_nonzero(train, axis=2) != np.count_nonzero(own, axis=2)
        rows = np.argwhere(changed & ~detected)
        for start in range(0, len(rows), self.rows):
            n, sample = rows[start : start + self.rows].T
            detected[n, sample] = self._network(
                name, [flips[k] for k in n], sample, train[n, sample], potential[n, sample]
            )
        return detected

    def _wide(self, name: str, flip: Flip) -> np.ndarray:
        """Return what :meth:`detects` does, for one flip that may change several neurons."""
        core, projection, neurons = self.cores[name], flip.projection, changed_neurons(flip)
        assert projection is not None
        shape = (core.receptors, len(neurons), self.count, self.steps)
        added, delay = np.zeros(shape, dtype=np.int64), projection.delay
        if delay < self.steps:
            events = self.trains[projection.source][:, : self.steps - delay]
            own = np.moveaxis(added_currents(flip, events), 2, 0)
            added[projection.receptor, :, :, delay:] = own
        train, potential = self._neurons(name, [flip] * len(neurons), neurons, added)
        own = np.moveaxis(self.trains[name][:, :, neurons], 2, 0) if name in self.trains else train
        changed = (train != own).any(axis=(0, 2))
        if name in self.potential_readouts:
            before = np.moveaxis(self.potentials[name][:, :, neurons], 2, 0)
            changed |= (potential != before).any(axis=(0, 2))
        detected = np.zeros_like(changed)
        if name in self.trains and name not in self.reached[name]:
            detected = np.count_nonzero(train, axis=(0, 2)) != np.count_nonzero(own, axis=(0, 2))
        rows = np.flatnonzero(changed & ~detected)
        for start in range(0, len(rows), self.rows):
            samples = rows[start : start + self.rows]
            detected[samples] = self._network(
                name, [flip] * len(samples), samples, train[:, samples], potential[:, samples]
            )
        return detected

    def _coupled(self, name: str, flips: list[Flip]) -> np.ndarray:
        """Return what :meth:`detects` does, for flips in a population whose neurons are coupled."""
        detected = np.zeros((len(flips), self.count), dtype=bool)
        rows = np.argwhere(~detected)
        for start in range(0, len(rows), self.rows):
            n, sample = rows[start : start + self.rows].T
            faulty = [flips[k] for k in n]
            detected[n, sample] = self._network(name, faulty, sample, None, None)
        return detected

    def _neurons(
        self, name: str, flips: list[Flip], neurons: np.ndarray, added: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run the neurons of flips, each on its own, with all samples.

        ``added`` is what the flips add to their currents, of shape (receptors, flips, samples,
        steps); without it, each flip changes one weight or parameter.
        """
        core = self.cores[name]
        shape = (len(flips), self.count)
        states = {
            key: np.broadcast_to(value[0, neurons][:, None], shape)
            for key, value in core.rest(1).items()
        }
        operands = {key: _column(value, neurons) for key, value in core.operands.items()}
        columns = np.arange(core.receptors)[:, None] * core.size + neurons
        bias = np.array(np.broadcast_to(core.bias, core.columns)[columns])[:, :, None]
        for n, flip in enumerate(flips):
            if flip.parameter == "bias":
                bias[core.neuron.bias_receptor, n] += flip.change
            elif flip.parameter:
                operands[flip.parameter] = np.array(
                    np.broadcast_to(operands[flip.parameter], (len(flips), 1))
                )
                operands[flip.parameter][n] += flip.change
        parameters = core.neuron.bind(operands)
        read = name in self.potential_readouts
        train = np.zeros((*shape, self.steps), dtype=train_type(core))
        potential = np.zeros((*shape, self.steps if read else 0), dtype=np.int64)
        added = self._added(flips, core.receptors) if added is None else added
        for t in range(self.steps):
            current = np.moveaxis(self.currents[name][:, t][:, columns], 0, 2) + bias
            current = current + added[:, :, :, t]
            if core.receptors == 1:
                current = current[0]
            fired, states = core.neuron.step(parameters, SimpleNamespace(**states), current, ARRAYS)
            if core.neuron.emits:
                train[:, :, t] = fired
            if read:
                potential[:, :, t] = states[core.neuron.potential]
        return train, potential

    def _added(self, flips: list[Flip], receptors: int) -> np.ndarray:
        """Return what flips of weights add to a neuron's current while no spike has changed."""
        shape = (receptors, len(flips), self.count, self.steps)
        added = np.zeros(shape, dtype=np.int64)
        for n, flip in enumerate(flips):
            if flip.projection is not None and flip.projection.delay < self.steps:
                train = self.trains[flip.projection.source][:, :, flip.source]
                delay = flip.projection.delay
                own = added[flip.projection.receptor, n]
                own[:, delay:] = train[:, : self.steps - delay].astype(np.int64) * flip.change
        return added

    def _network(self, name, flips, samples, train, potential) -> np.ndarray:
        """Run the populations that flips change, one row for each flip and sample.

        Returns
        -------
        array of bool, shape (rows,)
            Whether the answer changes.
        """
        wide = is_wide(flips[0])  # then all of them are the same, unless neurons are coupled
        neurons = np.array([flip.neuron for flip in flips])
        at: tuple = (np.arange(len(flips)), slice(None), neurons)
        if wide:
            at = (slice(None), slice(None), changed_neurons(flips[0]))
        trains: dict[str, np.ndarray] = {}
        potentials: dict[str, np.ndarray] = {}
        changing = [other for other in self.network.order if other in self.reached[name]]
        if name not in changing:
            if name in self.trains:
                trains[name] = self.trains[name][samples]
                trains[name][at] = np.moveaxis(train, 0, 2) if wide else train
            if name in self.potential_readouts:
                potentials[name] = self.potentials[name][samples]
                potentials[name][at] = np.moveaxis(potential, 0, 2) if wide else potential
        FaultyRun(self, name, flips, samples, trains, potentials).run(changing)
        detected = np.zeros(len(flips), dtype=bool)
        for key, spikes in trains.items():
            detected |= np.count_nonzero(spikes, axis=(1, 2)) != self.counts[key][samples]
        scores = self._scores({**potentials}, samples, trains)
        for key, score in scores.items():
            detected |= (score != self.scores[key][samples]).any(axis=1)
        return detected

    def _scores(
        self, potentials, samples, trains: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the scores of the readouts whose population may have changed."""
        trains = trains or {}
        scores = {}
        for readout in self.network.readouts:
            spikes = readout.kind in SPIKE_READOUTS
            changed, kept = (trains, self.trains) if spikes else (potentials, self.potentials)
            if readout.population not in changed and hasattr(self, "scores"):
                continue
            values = changed.get(readout.population, kept[readout.population][samples])
            scorer = Scorer(self.network, readout)
            for t in range(self.steps):
                scorer.add(values[:, t].astype(np.int64))
            scorer.report(over=True)
            scores[readout.name] = scorer.reports[0]
        return scores


def _column(value: np.ndarray, neurons: np.ndarray) -> np.ndarray:
    """Return the values of some neurons as a column; a value for all neurons stays one value."""
    return value[neurons][:, None] if value.ndim else value
