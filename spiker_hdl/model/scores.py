"""The scores of a readout: their number, their range, and their update in each step."""

from typing import TYPE_CHECKING

import numpy as np

from .graph import GROUPED, SPIKE_READOUTS, Readout

if TYPE_CHECKING:
    from .network import Network

__all__ = ["MOST_SCORE", "Scorer", "check_readout", "check_scores", "class_count", "score_range"]

MOST_SCORE = 2**63 - 2**32
"""Maximum magnitude of a score, so that a score and a margin together fit in 64 bits."""


def class_count(network: "Network", readout: Readout) -> int:
    """Return how many scores a readout has."""
    return readout.groups or network.population[readout.population].size


def score_range(network: "Network", readout: Readout) -> tuple[int, int]:
    """Return the range of the scores of a readout."""
    population = network.population[readout.population]
    share = population.size // class_count(network, readout)
    if readout.kind in SPIKE_READOUTS:
        return 0, share * network.max_steps
    low, high = network.bounds[population.name].states[population.neuron.potential]
    times = share * (network.max_steps if readout.kind == "sum" else 1)
    return low * times, high * times


def check_readout(network: "Network", readout: Readout) -> None:
    """Raise :exc:`ValueError` unless a network has the population, and state, of a readout."""
    what = f"Readout {readout.name!r}"
    if readout.population not in network.population:
        raise ValueError(f"{what}: must read a population, not {readout.population!r}")
    population = network.population[readout.population]
    neuron, kind = population.neuron, type(population.neuron).__name__
    if readout.kind in SPIKE_READOUTS and not neuron.spiking:
        raise ValueError(f"{what}: {readout.kind!r} must read neurons that fire, not {kind}")
    if readout.kind not in SPIKE_READOUTS and neuron.potential not in neuron.states:
        raise ValueError(
            f"{what}: {readout.kind!r} must read neurons with a state {neuron.potential!r}, "
            f"not {kind}"
        )
    if readout.groups is None:
        return
    if readout.kind not in GROUPED:
        kinds = ", ".join(map(repr, GROUPED))
        raise ValueError(f"{what}: groups must be of one of {kinds}, not {readout.kind!r}")
    if population.size % readout.groups:
        raise ValueError(
            f"{what}: groups must be a divisor of the {population.size} neurons of "
            f"{population.name!r}, not {readout.groups}"
        )


def check_scores(network: "Network", readout: Readout) -> None:
    """Raise :exc:`ValueError` if a score, with any margin added to it, may not fit in 64 bits."""
    largest = max(map(abs, score_range(network, readout)))
    if largest > MOST_SCORE:
        raise ValueError(
            f"Readout {readout.name!r}: scores must be in -{MOST_SCORE}..{MOST_SCORE}, "
            f"not reach {largest}"
        )


class Scorer:
    """Scores of one readout during a window.

    Parameters
    ----------
    network : Network
    readout : Readout

    Attributes
    ----------
    reports : list of array of int, shape (samples, classes)
        Scores that were reported so far.
    """

    def __init__(self, network: "Network", readout: Readout):
        self.kind = readout.kind
        self.classes = class_count(network, readout)
        self.score: np.ndarray | None = None
        self.reports: list[np.ndarray] = []

    def add(self, value: np.ndarray) -> None:
        """Update the scores by the spikes or potentials of a step, shape (samples, neurons)."""
        if value.shape[1] != self.classes:
            value = value.reshape(len(value), self.classes, -1).sum(axis=2)
        before = self.score
        if before is None:
            self.score = np.array(value)
        elif self.kind in {"count", "sum"}:
            self.score = before + value
        elif self.kind == "largest":
            self.score = np.maximum(before, value)
        elif self.kind == "last":
            self.score = np.array(value)
        else:  # first: counts on once a spike has been seen
            self.score = before + ((before > 0) | (value > 0))

    def report(self, *, over: bool) -> None:
        """Store the scores in ``reports``, and start anew if the window is ``over``."""
        assert self.score is not None  # a window has steps
        self.reports.append(self.score)
        if over:
            self.score = None
