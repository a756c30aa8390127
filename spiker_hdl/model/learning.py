"""Learning in integers: the reference of a network whose rules change its weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spiker_hdl.base.checks import check_kind, shown
from spiker_hdl.base.conversions import integer_array

from .graph import SPIKE_READOUTS, Population
from .network import Network
from .neurons.arithmetic import ARRAYS
from .reference import Core, Projector
from .result import Answer, Result
from .rules.plastic import plastic
from .rules.rounding import step_word
from .rules.state import LearningState
from .rules.third import Feedback, OutputDelta, Reward
from .scores import Scorer, class_count
from .stimulus import check_record, stimulus

__all__ = ["Learned", "Teacher", "learn", "teachers"]


@dataclass(frozen=True)
class Learned:
    """What learning returns.

    Members
    -------
    network : Network
        The network after the last sample, which goes on learning where it stands.
    result : Result
        The answers to all samples, each with the weights before it was learned.
    """

    network: Network
    result: Result


@dataclass(frozen=True)
class Teacher:
    """What is told to third factors about a sample.

    Members
    -------
    label : int or None
    reward : int
    """

    label: int | None = None
    reward: int = 0


def learn(
    network: Network,
    spikes: Any,
    *,
    labels: Any = None,
    rewards: Any = None,
    record: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Learned:
    """Run samples through a network, one after the other, while its rules change its weights.

    The network itself stays as it is. To learn in two calls is the same as to learn in one.

    Parameters
    ----------
    network : Network
        One with a rule of learning at least.
    spikes : array of int, list of arrays, or a mapping from input names to such
        See :func:`~.stimulus.stimulus`.
    labels : array of int, shape (samples,), optional
        Class of each sample, -1 where it is unknown, for rules that learn from errors.
    rewards : array of int, shape (samples,), optional
        Reward of each sample, for rules that learn from rewards.
    record : sequence of str
        As for :func:`~.reference.run`.
    progress : callable, optional
        Called with 1 after each sample.

    Returns
    -------
    Learned

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network takes.
    """
    check_kind("Network", network, Network)
    if network.learning is None:
        raise ValueError(
            "Network must have a rule of learning to learn: give one of its projections a rule"
        )
    stimuli, record = stimulus(network, spikes), check_record(network, record)
    taught = teachers(network, len(stimuli), labels, rewards)
    machine = _Machine(network, record)
    for n, teacher in enumerate(taught):
        machine.learn(stimuli.sample(n), teacher)
        if progress is not None:
            progress(1)
    return Learned(machine.network(), machine.result(stimuli.steps))


def teachers(network: Network, samples: int, labels: Any, rewards: Any) -> list[Teacher]:
    """Check labels and rewards against what the rules of a network need, for each sample.

    Raises
    ------
    TypeError, ValueError
        If they are missing or not needed, or one is out of range.
    """
    thirds = [p.rule.third for p in network.projections if p.rule is not None and p.rule.third]
    errors = [
        third.error if isinstance(third, Feedback) else third
        for third in thirds
        if isinstance(third, Feedback | OutputDelta)
    ]
    own = [third for third in thirds if isinstance(third, Reward)]
    known = len(errors) + len(own) < len(thirds)  # of the user's own, which may read either
    least = min((class_count(network, _readout(network, e.readout)) for e in errors), default=2**31)
    label = _told("Labels", labels, samples, bool(errors), known, (-1, least - 1))
    ends = max((t.low for t in own), default=-(2**15)), min((t.high for t in own), default=2**15)
    reward = _told("Rewards", rewards, samples, bool(own), known, ends)
    return [
        Teacher(None if label is None or label[n] < 0 else int(label[n]), _item(reward, n))
        for n in range(samples)
    ]


def _item(values: np.ndarray | None, n: int) -> int:
    return 0 if values is None else int(values[n])


def _readout(network: Network, name: str) -> Any:
    return next(readout for readout in network.readouts if readout.name == name)


def _told(
    what: str, values: Any, samples: int, needed: bool, possible: bool, ends: tuple[int, int]
) -> np.ndarray | None:
    if values is None:
        if needed:
            raise ValueError(f"{what} must be given for each sample: a rule learns from them")
        return None
    if not needed and not possible:
        raise ValueError(f"{what} must be None: no rule learns from them")
    array = integer_array(what, values)
    if array.shape != (samples,):
        raise ValueError(f"{what} must have the shape {(samples,)}, not {array.shape}")
    beyond = (array < ends[0]) | (array > ends[1])
    if beyond.any():
        value = shown(int(array[beyond][0]))
        raise ValueError(f"{what} must be in {ends[0]}..{ends[1]}, not {value}")
    return array


class _Machine:
    """A network during learning, one sample at a time."""

    def __init__(self, network: Network, record: Sequence[str]):
        assert network.learning is not None  # as checked
        self.start = network
        self.state = network.learning
        self.record = record
        self.cores = [_LearningCore(network, name) for name in network.order]
        self.rules = {
            projector.projection.name: projector
            for core in self.cores
            for projector in core.learned
        }
        self.fixed = {
            link.name: np.ascontiguousarray(link.synapses.matrix().T)
            for link in network.projections
            if link.rule is None and link.name in self._read_back()
        }
        self.scores: dict[str, list[np.ndarray]] = {r.name: [] for r in network.readouts}
        self.counts: dict[str, list[int]] = {
            core.name: [] for core in self.cores if core.neuron.emits
        }
        self.traces: dict[str, list[np.ndarray]] = {name: [] for name in record}

    def _read_back(self) -> set[str]:
        """Return the projections through which errors come back."""
        thirds = [link.rule.third for link in self.start.projections if link.rule is not None]
        return {third.projection for third in thirds if isinstance(third, Feedback)}

    def learn(self, sample: dict[str, np.ndarray], teacher: Teacher) -> None:
        """Run a sample and change the weights."""
        network = self.start
        steps = len(next(iter(sample.values())))
        trains = {
            name: values if network.nodes[name].graded else np.asarray(values) != 0
            for name, values in sample.items()
        }
        states = {}
        for core in self.cores:
            states[core.name] = core.rest(1)
            if core.neuron.emits:
                kind = np.int64 if core.population.graded else bool
                trains[core.name] = np.zeros((steps, core.size), dtype=kind)
        recorded = {name: [] for name in self.record if "." in name}
        for rule in self.rules.values():
            rule.begin()
        scorers = {readout.name: Scorer(network, readout) for readout in network.readouts}
        for t in range(steps):
            for core in self.cores:
                fired, states[core.name] = core.step(
                    states[core.name], core.current(trains, t)[None]
                )
                if core.neuron.emits:
                    trains[core.name][t] = np.broadcast_to(fired, (1, core.size))[0]
            for name, values in recorded.items():
                population, state = name.split(".")
                values.append(states[population][state][0])
            self._score(scorers, trains, states, t)
            self._update(trains, states, t)
        self._answer(scorers, trains, recorded)
        self._finish(teacher, steps)

    def _score(self, scorers: dict[str, Scorer], trains: dict, states: dict, t: int) -> None:
        for readout in self.start.readouts:
            population = self.start.population[readout.population]
            if readout.kind in SPIKE_READOUTS:
                value = trains[population.name][t : t + 1].astype(np.int64)
            else:
                value = states[population.name][population.neuron.potential]
            scorers[readout.name].add(value)

    def _update(self, trains: dict, states: dict, t: int) -> None:
        """Let the rules change traces and weights after all populations were updated."""
        for rule in self.rules.values():
            link = rule.projection
            pre = np.zeros(rule.sizes[0], dtype=bool)
            if t >= link.delay:
                pre = trains[link.source][t - link.delay] != 0
            post = np.zeros(rule.sizes[1], dtype=bool)
            if link.target in trains:
                post = trains[link.target][t] != 0
            potential = np.zeros(rule.sizes[1], dtype=np.int64)
            if rule.rule.reads_potential:
                neuron = self.start.population[link.target].neuron
                potential = states[link.target][neuron.potential][0]
            word = step_word(self.state.seed, self.state.samples, t, rule.number)
            rule.step(word, pre, post, potential)

    def _answer(self, scorers: dict[str, Scorer], trains: dict, recorded: dict) -> None:
        for name, scorer in scorers.items():
            scorer.report(over=True)
            self.scores[name].append(scorer.reports[0][0])
        self.spikes = {name: trains[name].sum(axis=0) for name in self.counts}
        for name, counts in self.counts.items():
            counts.append(int(np.count_nonzero(trains[name])))
        for name, traces in self.traces.items():
            kind = np.int64 if "." in name or self.start.nodes[name].graded else np.uint8
            values = recorded[name] if "." in name else trains[name]
            traces.append(np.array(values, dtype=kind))

    def _finish(self, teacher: Teacher, steps: int) -> None:
        """End the sample: third factors are computed before any weight changes."""
        thirds: dict[str, Any] = dict.fromkeys(self.rules)
        scores = {name: values[-1] for name, values in self.scores.items()}
        weights = self.fixed | {name: rule.weights for name, rule in self.rules.items()}
        for name, rule in self.rules.items():
            if rule.rule.third is not None:
                factor = rule.rule.third.compute(scores, weights, teacher.label, teacher.reward)
                thirds[name] = _for_targets(factor, rule.sizes[1])
        for name, rule in self.rules.items():
            word = step_word(self.state.seed, self.state.samples, steps, rule.number)
            rule.end(word, thirds[name])
        for core in self.cores:
            core.adapt(self.spikes.get(core.name))
        self.state = LearningState(self.state.seed, self.state.samples + 1)

    def network(self) -> Network:
        """Return the network with its present weights."""
        weights = {name: rule.values for name, rule in self.rules.items()}
        adapted = {core.name: core.adapted() for core in self.cores}
        populations = tuple(adapted[population.name] for population in self.start.populations)
        learned = replace(self.start, populations=populations)
        return replace(learned.with_weights(weights), learning=self.state)

    def result(self, steps: np.ndarray) -> Result:
        """Return the answers to all samples so far."""
        answers = {}
        for name, scores in self.scores.items():
            stacked = np.stack(scores)
            answers[name] = Answer(stacked.argmax(axis=-1), stacked)
        first = answers[self.start.readout.name]
        counts = {name: np.array(values) for name, values in self.counts.items()}
        spikes = {
            name: np.stack(v) if len({len(s) for s in v}) == 1 else v
            for name, v in self.traces.items()
        }
        return Result(
            first.classes,
            first.scores,
            np.array(steps),
            counts,
            spikes,
            None,
            answers,
            "reference",
            self.start,
        )


def _for_targets(factor: np.ndarray, size: int) -> np.ndarray:
    """Return a factor for each target: one for all, or one for each class of several neurons."""
    return np.repeat(factor, size // len(factor))


class _LearningCore(Core):
    """A population some of whose projections learn."""

    def __init__(self, network: Network, name: str):
        super().__init__(network, network.population[name])
        self.population = network.population[name]
        self.learned = [plastic(network, p) for p in network.into(name) if p.rule is not None]
        fixed = {p.name for p in network.into(name) if p.rule is None}
        self.projectors = [Projector(network, p) for p in network.into(name) if p.name in fixed]

    def adapt(self, spikes: np.ndarray | None) -> None:
        """Adapt thresholds to the numbers of spikes of a sample, where there is homeostasis."""
        if self.population.homeostasis is not None:
            threshold = self.population.homeostasis.update(
                self.operands["threshold"], spikes, ARRAYS
            )
            self.operands["threshold"] = threshold
            self.parameters = self.neuron.bind(self.operands)

    def adapted(self) -> Population:
        """Return the population with its present thresholds."""
        if self.population.homeostasis is None:
            return self.population
        threshold = np.broadcast_to(self.operands["threshold"], (self.size,))
        neuron = self.neuron.with_values({"threshold": tuple(threshold.tolist())})
        return replace(self.population, neuron=neuron)

    def current(self, trains: dict[str, np.ndarray], t: int) -> np.ndarray:
        """Return the weighted events of a step, shape (columns,)."""
        current = np.zeros(self.columns, dtype=np.int64)
        for projector in self.projectors:
            if t >= projector.delay:
                self.add(current, projector, trains[projector.source][t - projector.delay])
        for rule in self.learned:
            link = rule.projection
            if t >= link.delay:
                first = link.receptor * self.size
                sums = rule.sums(trains[link.source][t - link.delay]) << link.shift
                current[first : first + self.size] += sums
        return current
