"""The golden reference: the answers of a network in integers, vectorised over samples."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from spiker_hdl.model.neurons.arithmetic import ARRAYS
from spiker_hdl.model.neurons.base import Neuron

from .answer_policy import AnswerPolicy
from .bounds import float_format
from .graph import SPIKE_READOUTS, Population, Projection
from .network import Network
from .result import Answer, Result
from .rules.refusal import refuse_rules
from .scores import Scorer
from .stimulus import check_record, stimulus

__all__ = ["Core", "Projector", "event_type", "run"]

AT_THE_END = AnswerPolicy()
BATCH = 1024
WINNER, LEFT = "-winner", "-left"
"""States of a coupled population, by names that no state of a neuron has."""


def run(
    network: Network,
    spikes: Any,
    *,
    record: Sequence[str] = (),
    reports: AnswerPolicy = AT_THE_END,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Run samples through a network.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        See :func:`~.stimulus.stimulus`.
    record : sequence of str
        Populations whose spikes or outputs are recorded, and ``"population.state"`` for states.
    reports : AnswerPolicy
        When a sample is answered.
    progress : callable, optional
        Called with the number of samples that were completed since the last call.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If the spikes or the names to record are not what the network has, or it has a rule of
        learning: :func:`~.learning.learn` runs it.
    """
    refuse_rules(network, "Run")
    reports.check(network)
    stimuli = stimulus(network, spikes, window=reports.window)
    record = check_record(network, record)
    cores = [Core(network, network.population[name]) for name in network.order]
    parts: list[tuple[np.ndarray, _Batch]] = []
    for steps in np.unique(stimuli.steps):
        members = np.flatnonzero(stimuli.steps == steps)
        for start in range(0, len(members), BATCH):
            samples = members[start : start + BATCH]
            batch = _Batch(network, cores, stimuli.group(samples), record, reports)
            parts.append((samples, batch))
            if progress is not None:
                progress(len(samples))
    return _gather(network, parts, record, reports, len(stimuli))


def event_type(neuron: Neuron) -> type[np.integer]:
    """Return the type of arrays of a neuron's spikes, or of its outputs."""
    return np.uint8 if neuron.spiking else np.int64


class Projector:
    """Sums of a projection's weights, by floating-point products where these are exact."""

    def __init__(self, network: Network, projection: Projection):
        self.source = projection.source
        self.delay = projection.delay
        self.receptor = projection.receptor
        source = network.nodes[projection.source]
        most = max(-source.low, source.high)
        low, high = projection.synapses.reach(-most, most)
        reach = max(-int(low.min()), int(high.max()))
        kind = float_format(reach) or object
        self.shift = projection.shift
        self.kind = kind
        self.synapses = projection.synapses
        self.pooling = projection.pooling
        self.matrix: np.ndarray | None = None
        if self.synapses.kind in {"dense", "sparse"}:
            self.matrix = self.synapses.matrix().T.astype(kind)

    def __call__(self, events: np.ndarray) -> np.ndarray:
        events = events.astype(self.kind)
        sums = self.synapses.sums(events) if self.matrix is None else events @ self.matrix
        if self.pooling is not None:
            sums = self.pooling.maxima(sums)
        return sums.astype(np.int64) << self.shift


class Core:
    """A population whose operands are arrays.

    A current has a column for each neuron, the neurons of the first receptor first.
    """

    def __init__(self, network: Network, population: Population):
        self.name = population.name
        self.size = population.size
        self.neuron = population.neuron
        self.coupling = population.coupling
        self.projectors = [
            Projector(network, projection) for projection in network.into(population.name)
        ]
        self.receptors = self.neuron.receptors
        self.columns = self.receptors * self.size
        self.bias = np.asarray(population.bias, dtype=np.int64)
        if self.receptors > 1:
            bias = np.zeros((self.receptors, self.size), dtype=np.int64)
            bias[self.neuron.bias_receptor] = self.bias
            self.bias = bias.ravel()
        self.operands = {
            name: np.asarray(p.value, dtype=np.int64) for name, p in self.neuron.parameters.items()
        }
        self.parameters = self.neuron.bind(self.operands)

    def rest(self, samples: int) -> dict[str, np.ndarray]:
        shape = (samples, self.size)
        states = {
            name: np.broadcast_to(np.asarray(s.rest, dtype=np.int64), shape)
            for name, s in self.neuron.states.items()
        }
        if self.coupling is not None:
            states |= {WINNER: np.zeros(shape, bool), LEFT: np.zeros((samples, 1), np.int64)}
        return states

    def step(self, states: dict[str, np.ndarray], current: np.ndarray) -> tuple[Any, dict]:
        return self.advance(self.parameters, states, current + self.bias)

    def add(self, current: np.ndarray, projector: Projector, events: np.ndarray) -> None:
        """Add the weighted events of a projection to a current, shape (..., columns)."""
        first = projector.receptor * self.size
        current[..., first : first + self.size] += projector(events)

    def by_receptor(self, current: np.ndarray) -> np.ndarray:
        """Return a current as a step takes it: with several receptors, one array for each."""
        if self.receptors == 1:
            return current
        split = current.reshape(*current.shape[:-1], self.receptors, self.size)
        return np.moveaxis(split, -2, 0)

    def advance(
        self, parameters: SimpleNamespace, states: dict[str, np.ndarray], current: np.ndarray
    ) -> tuple[Any, dict]:
        """Return which neurons emit a spike, or their outputs, and the states after a step."""
        if self.coupling is None:
            current = self.by_receptor(current)
            return self.neuron.step(parameters, SimpleNamespace(**states), current, ARRAYS)
        winner, left = states[WINNER], states[LEFT]
        current = self.by_receptor(current)
        current = np.where(self.coupling.inhibited(winner, left), 0, current)
        fired, after = self.neuron.step(parameters, SimpleNamespace(**states), current, ARRAYS)
        fired = np.broadcast_to(fired, winner.shape)
        fired, winner, left = self.coupling.emit(fired, winner, left)
        return fired, after | {WINNER: winner, LEFT: left}


class _Batch:
    """A run of samples that have the same number of steps."""

    def __init__(
        self,
        network: Network,
        cores: Sequence[Core],
        inputs: dict[str, np.ndarray],
        record: Sequence[str],
        reports: AnswerPolicy,
    ):
        samples, steps, _ = next(iter(inputs.values())).shape
        self.network = network
        self._trains: dict[str, Any] = dict(inputs)
        self.counts, self.traces = {}, {}
        states = {}
        for core in cores:
            states[core.name] = core.rest(samples)
            if core.neuron.emits:
                shape = samples, steps, core.size
                self._trains[core.name] = np.zeros(shape, event_type(core.neuron))
        for name in record:
            if "." in name:
                size = network.population[name.split(".")[0]].size
                self.traces[name] = np.zeros((samples, steps, size), dtype=np.int64)
        scorers = {readout.name: Scorer(network, readout) for readout in network.readouts}
        for t in range(steps):
            for core in cores:
                current = self._current(core, samples, t)
                fired, states[core.name] = core.step(states[core.name], current)
                if core.neuron.emits:
                    self._trains[core.name][:, t] = fired
                for name in self.traces:
                    if name.split(".")[0] == core.name:
                        self.traces[name][:, t] = states[core.name][name.split(".")[1]]
            for readout in network.readouts:
                self._score(
                    network.population[readout.population], scorers[readout.name], states, t
                )
            if reports.early is not None or (t + 1) % (reports.window or steps) == 0:
                for scorer in scorers.values():
                    scorer.report(over=reports.early is None)
        self._finish(cores, scorers, record, reports, samples, steps)

    def _finish(
        self,
        cores: Sequence[Core],
        scorers: dict[str, Scorer],
        record: Sequence[str],
        reports: AnswerPolicy,
        samples: int,
        steps: int,
    ) -> None:
        """Take the answers that the policy asks for, and end counts and traces with them."""
        self.scores = {name: np.stack(scorer.reports, axis=1) for name, scorer in scorers.items()}
        self.steps = np.full(samples, steps)
        if reports.early is not None:
            stops = reports.stops(self.network, self.scores[self.network.readout.name])
            self.steps = stops + 1
            self.scores = {
                n: scores[np.arange(samples), stops] for n, scores in self.scores.items()
            }
        elif reports.window is None:
            self.scores = {name: scores[:, 0] for name, scores in self.scores.items()}
        ran = np.arange(steps) < self.steps[:, None]
        for core in cores:
            if core.neuron.emits:
                train = self._trains[core.name]
                events = np.count_nonzero(train, axis=2)
                self.counts[core.name] = (events * ran).sum(axis=1)
                if core.name in record:
                    self.traces[core.name] = train
        if reports.early is not None:
            self.traces = {
                name: [recorded[:end] for recorded, end in zip(trace, self.steps, strict=True)]
                for name, trace in self.traces.items()
            }

    def _current(self, core: Core, samples: int, t: int) -> np.ndarray:
        current = np.zeros((samples, core.columns), dtype=np.int64)
        for projector in core.projectors:
            if t >= projector.delay:
                events = self._trains[projector.source][:, t - projector.delay]
                core.add(current, projector, events)
        return current

    def _score(self, population: Population, scorer: Scorer, states: dict, t: int) -> None:
        if scorer.kind in SPIKE_READOUTS:
            scorer.add(self._trains[population.name][:, t].astype(np.int64))
        else:
            scorer.add(states[population.name][population.neuron.potential])


def _gather(
    network: Network,
    parts: list[tuple[np.ndarray, _Batch]],
    record: Sequence[str],
    reports: AnswerPolicy,
    count: int,
) -> Result:
    def spread(pick: Callable[[_Batch], Any]) -> Any:
        values: list[Any] = [None] * count
        for samples, batch in parts:
            for n, value in zip(samples, pick(batch), strict=True):
                values[n] = value
        same = len({np.shape(value) for value in values}) == 1
        return np.stack(values) if same else values

    answers = {}
    for readout in network.readouts:
        scores = spread(lambda batch, name=readout.name: batch.scores[name])
        if isinstance(scores, list):
            answers[readout.name] = Answer([sample.argmax(axis=-1) for sample in scores], scores)
        else:
            answers[readout.name] = Answer(scores.argmax(axis=-1), scores)
    counts = {
        population.name: spread(lambda batch, name=population.name: batch.counts[name])
        for population in network.populations
        if population.neuron.emits
    }
    spikes = {name: spread(lambda batch, name=name: batch.traces[name]) for name in record}
    first, steps = answers[network.readout.name], spread(lambda batch: batch.steps)
    return Result(
        first.classes, first.scores, steps, counts, spikes, None, answers, "reference", network
    )
