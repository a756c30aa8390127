"""Tests of when a sample is answered: early answers by hand and against trials, and bad input."""

import re
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    Accumulator,
    AnswerPolicy,
    If,
    Input,
    Network,
    Population,
    Projection,
    Readout,
    reference,
)

from support import naive
from support.networks import everything, random_network, random_spikes


def relay(kind, classes=3):
    """Make a network whose neurons fire where their channel does."""
    neuron = If(width=4, threshold=0, reset="zero")
    if kind not in {"count", "first"}:
        neuron = Accumulator(width=6)
    return Network(
        [Input("x", classes)],
        [Population("p", classes, neuron)],
        [Projection("x", "p", np.eye(classes, dtype=int))],
        [Readout("p", kind)],
    )


# Columns are steps.
A = "1101 0000 0010"
B = "0000 1011 0100"
C = "0111 0111 0000"
D = "0000 0000 0001"


@pytest.mark.parametrize(
    "kind, trains, early, steps, winner, scores",
    [
        # 2 to 0 with 2 to go could still be 2 to 2, which the lower class wins.
        ("count", A, "exact", 2, 0, [2, 0, 0]),
        # 1 to 0 with 3 to go; 1 to 0 with 2; 2 to 0 with 1: overtaken never.
        ("count", B, "exact", 3, 1, [0, 2, 1]),
        # Even, and a tie goes to class 0: after 3 steps 1 may overtake, after 4 it has not.
        ("count", C, "exact", 4, 0, [3, 3, 0]),
        ("count", D, "exact", 4, 2, [0, 0, 1]),
        ("count", A, 1, 1, 0, [1, 0, 0]),
        ("count", A, 2, 2, 0, [2, 0, 0]),
        ("count", A, 3, 4, 0, [3, 0, 1]),
        ("count", A, 9, 4, 0, [3, 0, 1]),  # never: after the last step
        ("count", B, 1, 1, 1, [0, 1, 0]),
        ("first", A, "exact", 1, 0, [1, 0, 0]),
        ("first", C, "exact", 2, 0, [1, 1, 0]),
        ("first", D, "exact", 4, 2, [0, 0, 1]),
        ("first", A, 2, 2, 0, [2, 0, 0]),
        ("last", A, 2, 2, 0, [2, 0, 0]),
        ("sum", A, 2, 2, 0, [3, 0, 0]),  # 1, then 1 + 2
        ("largest", B, 2, 4, 1, [0, 3, 1]),
    ],
)
def test_early_answers_by_hand(kind, trains, early, steps, winner, scores):
    spikes = np.array([[int(spike) for spike in train] for train in trains.split()]).T
    result = reference.run(
        relay(kind), spikes[None], reports=AnswerPolicy(early=early), record=["p.v"]
    )
    assert (result.steps.tolist(), result.classes.tolist()) == ([steps], [winner])
    assert result.scores.tolist() == [scores]
    assert len(result.spikes["p.v"][0]) == steps
    for name, counts in result.counts.items():
        assert (name, counts.tolist()) == ("p", [int(spikes[:steps].sum())])


def test_a_lone_class_is_sure_at_once():
    result = reference.run(
        relay("count", 1), np.zeros((1, 5, 1), int), reports=AnswerPolicy(early="exact")
    )
    assert result.steps.tolist() == [1]


@pytest.mark.parametrize("early", ["exact", 1, 2, 5])
def test_early_answers_are_those_of_trials(early):
    stopped = grouped = 0
    for seed in range(60):
        random = Random(seed)
        network = random_network(random, neurons=(1, 6), channels=(1, 6), populations=(1, 2))
        kind = network.readout.kind
        if early == "exact" and kind not in {"count", "first"}:
            continue
        spikes = random_spikes(network, random, 3, random.choice([1, 6, (1, 9)]))
        result = reference.run(
            network, spikes, reports=AnswerPolicy(early=early), record=everything(network)
        )
        whole = reference.run(network, spikes, record=everything(network))
        for n in range(3):
            sample = {name: train[n].tolist() for name, train in spikes.items()}
            total = len(next(iter(sample.values())))
            for steps in range(1, total + 1):
                prefix = {name: train[:steps] for name, train in sample.items()}
                answers, _ = naive.simulate(network, prefix)
                ((winner, scores),) = answers[network.readout.name]
                share = network.population[network.readout.population].size // len(scores)
                if steps == total or naive.settled(kind, scores, total - steps, early, share):
                    break
            assert result.steps[n] == steps, (seed, n)
            assert (result.classes[n], result.scores[n].tolist()) == (winner, scores)
            for name, ((also, others),) in answers.items():
                answer = result.answers[name]
                assert (answer.classes[n], answer.scores[n].tolist()) == (also, others)
            for name, values in result.spikes.items():
                assert np.array_equal(values[n], whole.spikes[name][n][:steps])
                if "." not in name:
                    assert result.counts[name][n] == np.count_nonzero(values[n])
            if early == "exact":
                assert result.classes[n] == whole.classes[n]
            stopped += steps < total
            grouped += steps < total and share > 1
    assert stopped > 10
    assert grouped > 1


def test_windows_go_on_where_they_were():
    network = relay("sum")
    spikes = np.ones((1, 6, 3), dtype=int)
    result = reference.run(network, spikes, reports=AnswerPolicy(window=2))
    assert result.scores.tolist() == [[[3] * 3, [7] * 3, [11] * 3]]  # 1 + 2, 3 + 4, 5 + 6
    assert result.classes.tolist() == [[0, 0, 0]]
    assert result.steps.tolist() == [6]


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: AnswerPolicy(window=0), ValueError, "Window must be at least 1, not 0"),
        (lambda: AnswerPolicy(window=65536), ValueError, "Window must be at most 65535, not 65536"),
        (lambda: AnswerPolicy(window="4"), TypeError, "Window must be an int, not '4'"),
        (
            lambda: AnswerPolicy(early="soon"),
            ValueError,
            "Early must be 'exact' or a margin, not 'soon'",
        ),
        (lambda: AnswerPolicy(early=0), ValueError, "Early margin must be at least 1, not 0"),
        (lambda: AnswerPolicy(early=1.5), TypeError, "Early margin must be an int, not 1.5"),
        (lambda: AnswerPolicy(early=True), TypeError, "Early margin must be an int, not True"),
        (
            lambda: AnswerPolicy(4, "exact"),
            ValueError,
            "A run must have a window or an early answer, not both",
        ),
        (
            lambda: reference.run(
                relay("last"), np.zeros((1, 2, 3), int), reports=AnswerPolicy(early="exact")
            ),
            ValueError,
            "An early answer must be by a margin where the readout compares potentials, which have "
            "no bound to come: 'last' is never exact",
        ),
    ],
)
def test_reports_reject(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
