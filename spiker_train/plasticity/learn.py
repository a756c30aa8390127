"""Learning on tensors: all synapses at once, bit for bit as the reference, or in floating point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from spiker_hdl.base.checks import check_choice, check_kind
from spiker_hdl.model import LearningState, Network, Rule, Sparse, stimulus
from spiker_hdl.model.bounds import FLOAT64_EXACT
from spiker_hdl.model.graph import SPIKE_READOUTS, Projection
from spiker_hdl.model.learning import Teacher, teachers
from spiker_hdl.model.reference import Projector
from spiker_hdl.model.rules.rounding import step_word
from spiker_hdl.model.rules.third import Feedback
from spiker_hdl.model.scores import Scorer

from .pairs import Pairs, arithmetic_of

__all__ = ["TensorsLearned", "learn"]

READINGS = ("integers", "floating")


@dataclass(frozen=True)
class TensorsLearned:
    """What learning on tensors returns.

    Members
    -------
    weights : dict of str to tensor of float64, shape (target size, source size)
        Weights of the projections with rules, after the last sample.
    scores : dict of str to array, shape (samples, classes)
        Scores of each readout.
    network : Network or None
        In integers, the network after the last sample; None in floating point.
    """

    weights: dict[str, torch.Tensor]
    scores: dict[str, np.ndarray]
    network: Network | None


def learn(
    network: Network,
    spikes: Any,
    *,
    labels: Any = None,
    rewards: Any = None,
    reading: str = "integers",
    rules: Mapping[str, Rule] | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[int], None] | None = None,
) -> TensorsLearned:
    """Run samples through a network, one after the other, while its rules change its weights.

    Parameters
    ----------
    network : Network
        One with a rule of learning at least.
    spikes, labels, rewards
        As for :func:`spiker_hdl.model.learn`.
    reading : {"integers", "floating"}
        In integers, every weight is that of the reference. In floating point, the same equations
        are computed without rounding, traces do not saturate, and weights stay in their range;
        third factors stay integers, of rounded scores.
    rules : mapping of str to Rule, optional
        In floating point, rules of :func:`~.floating.floating_rule` in place of those of the
        network, by name of the projection.
    device : str or torch.device
    progress : callable, optional
        Called with 1 after each sample.

    Returns
    -------
    TensorsLearned

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the network takes, or integers are beyond 53 bits.
    """
    check_kind("Network", network, Network)
    check_choice("Reading", reading, READINGS)
    if network.learning is None:
        raise ValueError("Network must have a rule of learning to learn: give a projection a rule")
    integers = reading == "integers"
    if rules and integers:
        raise ValueError("Rules must be None in integers: the network has them")
    for name in rules or {}:
        check_choice("Projection of a rule", name, list(network.rule_bounds))
    reach = [bounds.largest for bounds in network.bounds.values()]
    reach += [bounds.largest for bounds in network.rule_bounds.values()]
    if integers and max(reach) >= FLOAT64_EXACT:
        raise ValueError(f"Integers must be within 53 bits on tensors, not up to {max(reach)}")
    stimuli = stimulus(network, spikes)
    machine = _Machine(network, integers, dict(rules or {}), torch.device(device))
    with torch.no_grad():
        for n, teacher in enumerate(teachers(network, len(stimuli), labels, rewards)):
            machine.learn(stimuli.sample(n), teacher)
            if progress is not None:
                progress(1)
    return machine.learned()


class _Machine:
    """A network on tensors of float64 during learning, one sample at a time."""

    def __init__(
        self, network: Network, integers: bool, rules: dict[str, Rule], device: torch.device
    ):
        assert network.learning is not None  # as checked
        self.network = network
        self.integers = integers
        self.device = device
        self.state = network.learning
        self.via = arithmetic_of(integers, torch.float64)
        self.pairs = {
            link.name: self._pairs(number, link, rules.get(link.name, link.rule))
            for number, link in enumerate(network.projections)
            if link.rule is not None
        }
        self.fixed = {
            link.name: self._fixed(link) for link in network.projections if link.rule is None
        }
        self.parameters = {
            population.name: population.neuron.bind({
                name: self._tensor(p.value) for name, p in population.neuron.parameters.items()
            })
            for population in network.populations
        }
        self.scores: dict[str, list[np.ndarray]] = {r.name: [] for r in network.readouts}

    def _tensor(self, values: Any) -> torch.Tensor:
        return torch.as_tensor(np.array(values), dtype=torch.float64, device=self.device)

    def _pairs(self, number: int, link: Projection, rule: Any) -> Pairs:
        mask = None
        if link.synapses.kind != "dense":
            pairs = np.zeros((link.synapses.source_size, link.synapses.target_size), dtype=bool)
            if isinstance(link.synapses, Sparse):
                pairs[link.synapses.sources, link.synapses.targets] = True
            else:
                np.fill_diagonal(pairs, True)
            mask = torch.as_tensor(pairs, device=self.device)
        assert link.bits is not None  # as checked with the projection
        return Pairs(
            rule,
            self._tensor(link.synapses.matrix().T),
            rule.weight_range(link.bits),
            integers=self.integers,
            number=number,
            mask=mask,
        )

    def _fixed(self, link: Projection) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function that sums the events of a projection without a rule."""
        if link.pooling is None and link.synapses.kind in {"dense", "sparse"}:
            matrix = self._tensor(link.synapses.matrix().T) * 2.0**link.shift
            return lambda events: events @ matrix
        # Sums of convolutions are computed with NumPy, whose maxima are those of the reference.
        projector = Projector(self.network, link)
        return lambda events: self._tensor(projector(events.cpu().numpy()))

    def learn(self, sample: dict[str, np.ndarray], teacher: Teacher) -> None:
        """Run a sample and change the weights."""
        network = self.network
        trains: dict[str, list[torch.Tensor]] = {
            name: list(self._tensor(values)) for name, values in sample.items()
        }
        steps = len(next(iter(trains.values())))
        states = {population.name: self._rest(population) for population in network.populations}
        trains |= {p.name: [] for p in network.populations if p.neuron.emits}
        coupling = {
            p.name: (
                torch.zeros(1, p.size, dtype=torch.bool, device=self.device),
                torch.zeros(1, 1, dtype=torch.int64, device=self.device),
            )
            for p in network.populations
        }
        for pairs in self.pairs.values():
            pairs.begin()
        scorers = {readout.name: Scorer(network, readout) for readout in network.readouts}
        for t in range(steps):
            for name in network.order:
                self._advance(name, trains, states, coupling, t)
            for readout in network.readouts:
                name = readout.population
                neuron = network.population[name].neuron
                spiking = readout.kind in SPIKE_READOUTS
                value = trains[name][t] if spiking else states[name][neuron.potential]
                scorers[readout.name].add(value.cpu().numpy()[None])
            self._update(trains, states, t)
        for name, scorer in scorers.items():
            scorer.report(over=True)
            self.scores[name].append(scorer.reports[0][0])
        self._finish(teacher, trains, steps)

    def _rest(self, population: Any) -> dict[str, torch.Tensor]:
        return {
            name: self._tensor(np.broadcast_to(state.rest, (population.size,)).copy())
            for name, state in population.neuron.states.items()
        }

    def _advance(self, name: str, trains: dict, states: dict, coupling: dict, t: int) -> None:
        """Update a population in step ``t``."""
        population = self.network.population[name]
        neuron = population.neuron
        currents = [
            torch.zeros(population.size, dtype=torch.float64, device=self.device)
            for _ in range(neuron.receptors)
        ]
        currents[neuron.bias_receptor] += self._tensor(population.bias)
        for link in self.network.into(name):
            if t < link.delay:
                continue
            events = trains[link.source][t - link.delay]
            if link.name in self.pairs:
                sums = (events @ self.pairs[link.name].weights) * 2.0**link.shift
            else:
                sums = self.fixed[link.name](events)
            currents[link.receptor] += sums
        winner, left = coupling[name]
        if population.coupling is not None:
            inhibited = population.coupling.inhibited(winner, left)[0]
            currents = [torch.where(inhibited, 0.0, current) for current in currents]
        before = SimpleNamespace(**states[name])
        current = neuron.as_current(currents)
        fired, states[name] = neuron.step(self.parameters[name], before, current, self.via)
        states[name] = {
            key: torch.as_tensor(value, dtype=torch.float64).expand(population.size)
            for key, value in states[name].items()
        }
        if not neuron.emits:
            return
        fired = torch.as_tensor(fired).detach().to(torch.float64).expand(population.size)
        if population.coupling is not None:
            emitted, *coupling[name] = population.coupling.emit(fired[None] > 0.5, winner, left)
            fired = emitted[0].to(torch.float64)
        trains[name].append(fired)

    def _update(self, trains: dict, states: dict, t: int) -> None:
        for name, pairs in self.pairs.items():
            link = next(link for link in self.network.projections if link.name == name)
            sources, targets = pairs.weights.shape
            pre = torch.zeros(sources, dtype=torch.bool, device=self.device)
            if t >= link.delay:
                pre = trains[link.source][t - link.delay] != 0
            post = torch.zeros(targets, dtype=torch.bool, device=self.device)
            if link.target in trains:
                post = trains[link.target][t] != 0
            potential = None
            if pairs.rule.reads_potential:
                neuron = self.network.population[link.target].neuron
                potential = states[link.target][neuron.potential]
            word = step_word(self.state.seed, self.state.samples, t, pairs.number)
            pairs.step(word, pre, post, potential)

    def _finish(self, teacher: Teacher, trains: dict, steps: int) -> None:
        """End a sample: third factors are computed before any weight changes."""
        scores = {
            name: np.rint(values[-1]).astype(np.int64) for name, values in self.scores.items()
        }
        thirds = {name: self._third(pairs, scores, teacher) for name, pairs in self.pairs.items()}
        for name, pairs in self.pairs.items():
            word = step_word(self.state.seed, self.state.samples, steps, pairs.number)
            pairs.end(word, thirds[name])
        for population in self.network.populations:
            if population.homeostasis is not None:
                spikes = torch.stack(trains[population.name]).sum(dim=0)
                p = self.parameters[population.name]
                p.threshold = population.homeostasis.update(p.threshold, spikes, self.via)
        self.state = LearningState(self.state.seed, self.state.samples + 1)

    def _third(self, pairs: Pairs, scores: dict[str, np.ndarray], teacher: Teacher) -> Any:
        third, weights = pairs.rule.third, {}
        if third is None:
            return None
        if isinstance(third, Feedback):
            weights[third.projection] = self._integers(third.projection)
        factor = third.compute(scores, weights, teacher.label, teacher.reward)
        return self._tensor(np.repeat(factor, pairs.weights.shape[1] // len(factor)))

    def _integers(self, name: str) -> np.ndarray:
        """Return the weights of a projection, rounded, of the shape (sources, targets)."""
        if name in self.pairs:
            return self.pairs[name].weights.round().to(torch.int64).cpu().numpy()
        link = next(link for link in self.network.projections if link.name == name)
        return link.synapses.matrix().T

    def _adapted(self, population: Any) -> Any:
        """Return a population with its present thresholds."""
        if population.homeostasis is None:
            return population
        threshold = self.parameters[population.name].threshold.expand(population.size)
        values = {"threshold": tuple(int(value) for value in threshold.tolist())}
        return replace(population, neuron=population.neuron.with_values(values))

    def learned(self) -> TensorsLearned:
        """Return weights and scores so far."""
        weights = {name: pairs.weights.T.clone() for name, pairs in self.pairs.items()}
        scores = {name: np.stack(values) for name, values in self.scores.items()}
        if not self.integers:
            return TensorsLearned(weights, scores, None)
        values = {}
        for link in self.network.projections:
            if link.name in self.pairs:
                matrix = self._integers(link.name)
                if isinstance(link.synapses, Sparse):
                    values[link.name] = matrix[link.synapses.sources, link.synapses.targets]
                else:
                    dense = link.synapses.kind == "dense"
                    values[link.name] = matrix.T if dense else np.diag(matrix)
        populations = tuple(self._adapted(population) for population in self.network.populations)
        network = replace(self.network, populations=populations).with_weights(values)
        network = replace(network, learning=self.state)
        integer = {name: np.rint(own).astype(np.int64) for name, own in scores.items()}
        return TensorsLearned(weights, integer, network)
