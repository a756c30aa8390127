"""The populations that flipped bits change, run again with the flips in them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from spiker_hdl.model import reference

from .bit_flips import Flip
from .wide_flips import added_currents, changed_neurons, is_wide

if TYPE_CHECKING:
    from .detector import Detector

__all__ = ["FaultyRun", "train_type"]


class FaultyRun:
    """A run of the populations that flips may change, one row for each flip and sample."""

    def __init__(self, base: "Detector", name, flips, samples, trains, potentials):
        self.base, self.name, self.flips, self.samples = base, name, flips, samples
        self.trains, self.potentials = trains, potentials
        self.weights = list(self._weights())
        self.wide = list(self._wide_flips())

    def run(self, changing: list[str]) -> None:
        base, count = self.base, len(self.flips)
        cores = {name: base.cores[name] for name in changing}
        states = {name: core.rest(count) for name, core in cores.items()}
        updates = {name: self._update(core) for name, core in cores.items()}
        for name, core in cores.items():
            shape = (count, base.steps, core.size)
            if core.neuron.emits:
                self.trains[name] = np.zeros(shape, dtype=train_type(core))
            if name in base.potential_readouts:
                self.potentials[name] = np.zeros(shape, dtype=np.int64)
        for t in range(base.steps):
            for name, core in cores.items():
                current = self._current(name, core, t)
                fired, states[name] = updates[name](states[name], current)
                if core.neuron.emits:
                    self.trains[name][:, t] = fired
                if name in base.potential_readouts:
                    self.potentials[name][:, t] = states[name][core.neuron.potential]

    def _current(self, name: str, core: Any, t: int) -> np.ndarray:
        """Return a step's current: the one without a flip, and what changed events add."""
        base = self.base
        current = base.currents[name][self.samples, t]
        for projector in core.projectors:
            first = projector.receptor * core.size
            own = current[:, first : first + core.size]
            if projector.source in self.trains and t >= projector.delay:
                then = t - projector.delay
                now = self.trains[projector.source][:, then]
                before = base.trains[projector.source][self.samples, then]
                events = now - before
                if projector.pooling is not None:  # maxima are no sums of maxima
                    own += projector(now) - projector(before)
                elif projector.source == self.name and self.name not in base.reached[self.name]:
                    own += self._column_current(projector, events)
                else:
                    own += projector(events)
        if name == self.name:
            self._add_flipped_weights(current, t)
        return current

    def _column_current(self, projector: Any, events: np.ndarray) -> np.ndarray:
        """Return the currents of the neurons in each row that fire differently."""
        if projector.matrix is None or is_wide(self.flips[0]):
            return projector(events)
        rows = np.arange(len(events))
        neurons = np.array([flip.neuron for flip in self.flips])
        return (events[rows, neurons][:, None] * projector.matrix[neurons]).astype(
            np.int64
        ) << projector.shift

    def _add_flipped_weights(self, current: np.ndarray, t: int) -> None:
        """Add what flipped bits of weights contribute in a step."""
        for source, delay, rows, sources, columns, changes in self.weights:
            if t >= delay:
                if source in self.trains:
                    events = self.trains[source][rows, t - delay, sources]
                else:
                    train = self.base.trains[source]
                    events = train[self.samples[rows], t - delay, sources]
                current[rows, columns] += events * changes
        for flip, rows in self.wide:
            projection = flip.projection
            if projection is not None and t >= projection.delay:
                then, source = t - projection.delay, projection.source
                if source in self.trains:
                    events = self.trains[source][rows, then]
                else:
                    events = self.base.trains[source][self.samples[rows], then]
                columns = projection.receptor * self.base.cores[self.name].size
                columns = columns + changed_neurons(flip)
                current[np.ix_(rows, columns)] += added_currents(flip, events)

    def _wide_flips(self) -> Iterator[tuple[Flip, np.ndarray]]:
        """Give each flip that may change several neurons, with its rows."""
        groups: dict[int, list[int]] = {}
        for row, flip in enumerate(self.flips):
            if is_wide(flip):
                groups.setdefault(id(flip), []).append(row)
        for rows in groups.values():
            yield self.flips[rows[0]], np.array(rows)

    def _weights(self) -> Iterator[tuple]:
        """Give the rows whose flip is in a weight, grouped by source and delay."""
        groups: dict[tuple[str, int], list[int]] = {}
        for row, flip in enumerate(self.flips):
            if flip.projection is not None and not is_wide(flip):
                key = flip.projection.source, flip.projection.delay
                groups.setdefault(key, []).append(row)
        for (source, delay), rows in groups.items():
            some = [self.flips[row] for row in rows]
            size = self.base.cores[self.name].size
            columns = [f.projection.receptor * size + f.neuron for f in some if f.projection]
            sources, changes = np.array([(f.source, f.change) for f in some]).T
            yield source, delay, np.array(rows), sources, np.array(columns), changes

    def _update(self, core: Any) -> Callable:
        """Return the update of a population, with the numbers that flips change in it."""
        operands, bias = dict(core.operands), core.bias
        if core.name == self.name:
            for row, flip in enumerate(self.flips):
                if flip.parameter == "bias":
                    bias = _spread(bias, len(self.flips), core.columns)
                    first = core.neuron.bias_receptor * core.size
                    bias[row, first + flip.neuron] += flip.change
                elif flip.parameter:
                    value = _spread(operands[flip.parameter], len(self.flips), core.size)
                    value[row, flip.neuron] += flip.change
                    operands[flip.parameter] = value
        parameters = core.neuron.bind(operands)
        return lambda states, current: core.advance(parameters, states, current + bias)


def train_type(core: reference.Core) -> type[np.signedinteger]:
    """Return the type of arrays of a population's events, of which differences are taken."""
    return np.int8 if core.neuron.spiking else np.int64


def _spread(value: np.ndarray, rows: int, size: int) -> np.ndarray:
    """Return a writable array with a value for each row and neuron."""
    if value.ndim == 2:
        return value
    return np.array(np.broadcast_to(value, (rows, size)))
