"""Tests of the reference: against a naive simulation of random networks, and by hand."""

from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    Accumulator,
    AnswerPolicy,
    Decay,
    If,
    Input,
    Integrator,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
    reference,
)

from support import naive
from support.networks import (
    assert_alive,
    describe,
    everything,
    liveness,
    random_network,
    random_spikes,
)


def same(network, spikes, result, window=None):
    """Fail unless ``result`` is what a naive simulation answers."""
    samples = len(next(iter(spikes.values())))
    for n in range(samples):
        sample = {name: spike[n].tolist() for name, spike in spikes.items()}
        answers, record = naive.simulate(network, sample, window)
        for name, answer in answers.items():
            classes, scores = result.answers[name].classes[n], result.answers[name].scores[n]
            if window is None:
                classes, scores = [classes], [scores]
            results = [(int(c), s.tolist()) for c, s in zip(classes, scores, strict=True)]
            assert results == answer, (name, n)
        for name, expected in record.items():
            assert result.spikes[name][n].tolist() == expected, (name, n)
            if "." not in name:
                events = sum(value != 0 for step in expected for value in step)
                assert result.counts[name][n] == events
        assert result.steps[n] == len(next(iter(sample.values())))


# -- random networks -----------------------------------------------------------------------------


def test_random_networks_answer_as_a_naive_simulation():
    drawn = []
    for seed in range(250):
        random = Random(seed)
        network = random_network(random, neurons=(1, 20), channels=(1, 12))
        window = random.choice([None, None, None, 1, 3, 4])
        if window is None:
            steps = random.choice([8, (1, 12), (1, network.max_steps)])
            spikes = random_spikes(network, random, 3, steps)
        else:
            spikes = random_spikes(network, random, 2, window * random.randint(1, 3))
        result = reference.run(
            network, spikes, record=everything(network), reports=AnswerPolicy(window)
        )
        same(network, spikes, result, window)
        drawn.append(liveness(network, result, spikes))
    print(describe(drawn))
    assert_alive(drawn)


def test_networks_drawn_of_one_seed_are_the_same():
    for seed in range(20):
        a, b = Random(seed), Random(seed)
        network = random_network(a)
        assert network == random_network(b)
        mine, theirs = random_spikes(network, a, 2, (1, 9)), random_spikes(network, b, 2, (1, 9))
        for name in mine:
            for left, other in zip(mine[name], theirs[name], strict=True):
                assert np.array_equal(left, other)


def test_answer_of_a_sample_does_not_depend_on_the_others():
    for seed in range(15):
        random = Random(seed)
        network = random_network(random, neurons=(1, 12))
        spikes = random_spikes(network, random, 12, (1, 6))
        names = everything(network)
        together = reference.run(network, spikes, record=names)
        for n in range(12):
            alone = reference.run(
                network, {name: [sample[n]] for name, sample in spikes.items()}, record=names
            )
            assert np.array_equal(alone.scores[0], together.scores[n])
            assert alone.classes[0] == together.classes[n]
            for name in names:
                assert np.array_equal(alone.spikes[name][0], together.spikes[name][n])


def test_many_samples_are_run_in_parts():
    random = Random(4)
    network = random_network(random, neurons=(1, 8))
    spikes = random_spikes(network, random, reference.BATCH + 3, 5)
    done = []
    result = reference.run(network, spikes, progress=done.append)
    assert done == [reference.BATCH, 3]
    last = {name: sample[-4:] for name, sample in spikes.items()}
    assert np.array_equal(reference.run(network, last).scores, result.scores[-4:])
    assert len(result.classes) == reference.BATCH + 3


# -- by hand -------------------------------------------------------------------------------------


def relay(*projections, **options):
    """Make a network whose one neuron fires where anything of it is heard."""
    neuron = If(width=8, threshold=0, reset="zero", **options)
    return Network(
        [Input("x", 1)], [Population("p", 1, neuron)], [*projections], [Readout("p")], max_steps=999
    )


def train(text):
    return np.array([[[int(spike)] for spike in text]])


ONE = np.array([[1]])


@pytest.mark.parametrize(
    "delay, spikes, heard",
    [
        (0, "10110", "10110"),
        (1, "10110", "01011"),
        (2, "10110", "00101"),
        (4, "10110", "00001"),
        (5, "11111", "00000"),  # what is still delayed is dropped
        (1023, "11111", "00000"),
    ],
)
def test_delays_by_hand(delay, spikes, heard):
    result = reference.run(relay(Projection("x", "p", ONE, delay)), train(spikes), record=["p"])
    assert result.spikes["p"].tolist() == train(heard).tolist()
    assert result.counts["p"].tolist() == [heard.count("1")]


def test_nothing_delayed_enters_the_next_sample():
    network = relay(Projection("x", "p", ONE, 2))
    result = reference.run(network, np.ones((3, 3, 1), int), record=["p"])
    assert result.spikes["p"].tolist() == [[[0], [0], [1]]] * 3


@pytest.mark.parametrize(
    "delay, spikes, heard",
    [
        (1, "100000", "111111"),
        (2, "100000", "101010"),
        (3, "110000", "110110"),
        (2, "010010", "010111"),
    ],
)
def test_recurrence_by_hand(delay, spikes, heard):
    network = relay(Projection("x", "p", ONE), Projection("p", "p", ONE, delay))
    result = reference.run(network, train(spikes), record=["p"])
    assert result.spikes["p"].tolist() == train(heard).tolist()


def test_several_projections_of_a_pair_add_up():
    network = Network(
        [Input("x", 2)],
        [Population("p", 2, Accumulator(width=10), (100, -100))],
        [
            Projection("x", "p", np.array([[1, 2], [3, 4]])),
            Projection("x", "p", OneToOne(np.array([10, 20])), name="lone"),
            Projection("x", "p", Sparse.from_matrix(np.array([[0, 50], [0, 0]])), 1),
        ],
        [Readout("p", "last")],
    )
    result = reference.run(network, np.array([[[1, 0], [0, 1]]]), record=["p.v"])
    # 100 + 1 + 10, -100 + 3; then 100 + 2 more and -100 + 4 + 20 more, nothing late of neuron 1.
    assert result.spikes["p.v"].tolist() == [[[111, -97], [213, -173]]]
    result = reference.run(network, np.array([[[0, 1], [0, 0]]]), record=["p.v"])
    assert result.spikes["p.v"].tolist() == [[[102, -76], [252, -176]]]


def test_a_chain_passes_a_spike_on_within_a_step():
    names = [f"p{n}" for n in range(6)]
    populations = [Population(n, 1, If(width=8, threshold=0, reset="zero")) for n in names[::-1]]
    arrows = [Projection(a, b, ONE) for a, b in zip(["x", *names], names, strict=False)]
    network = Network([Input("x", 1)], populations, arrows, [Readout("p5", "first")])
    result = reference.run(network, train("0100"), record=names)
    assert all(result.spikes[name].tolist() == train("0100").tolist() for name in names)
    assert result.scores.tolist() == [[3]]


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("count", [[2, 2, 0]]),
        ("first", [[4, 2, 0]]),  # of 5 steps: fires in step 1, in step 3, never
    ],
)
def test_scores_of_spikes_by_hand(kind, expected):
    network = Network(
        [Input("x", 3)],
        [Population("p", 3, If(width=8, threshold=0, reset="zero"))],
        [Projection("x", "p", np.eye(3, dtype=int))],
        [Readout("p", kind)],
    )
    spikes = np.array([[[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]]])
    result = reference.run(network, spikes)
    assert (result.scores.tolist(), result.classes.tolist()) == (expected, [0])


@pytest.mark.parametrize(
    "kind, expected, winner",
    [
        ("last", [2, -5, -4], 0),
        ("largest", [4, -1, -3], 0),
        ("sum", [9, -8, -11], 0),
    ],
)
def test_scores_of_potentials_by_hand(kind, expected, winner):
    # Potentials: 3 4 2; -2 -1 -5; -4 -3 -4.
    network = Network(
        [Input("x", 3, -8, 8)],
        [Population("p", 3, Accumulator(width=6))],
        [Projection("x", "p", np.eye(3, dtype=int))],
        [Readout("p", kind)],
    )
    spikes = np.array([[[3, -2, -4], [1, 1, 1], [-2, -4, -1]]])
    result = reference.run(network, spikes)
    assert (result.scores.tolist(), result.classes.tolist()) == ([expected], [winner])
    turned = reference.run(network, spikes[:, :, ::-1])
    assert turned.classes.tolist() == [2]


def test_ties_go_to_the_lowest_class():
    network = Network(
        [Input("x", 4)],
        [Population("p", 4, If(width=8, threshold=0, reset="zero"))],
        [Projection("x", "p", np.eye(4, dtype=int))],
        [Readout("p")],
    )
    spikes = np.array([[[0, 1, 0, 1]], [[0, 0, 0, 0]], [[0, 0, 1, 1]], [[1, 1, 1, 1]]])
    assert reference.run(network, spikes).classes.tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize(
    "weight, high, sources",
    [
        (2**31 - 1, 2**16 - 1, 3),  # beyond float32
        (2**31 - 1, 2**16 - 1, 400),  # beyond float64
        (-(2**31) + 1, 2**16 - 1, 400),
        (2**24 - 1, 1, 1),
        (2**23 + 1, 1, 3),
    ],
)
@pytest.mark.parametrize("lone", [False, True])
def test_large_sums_are_exact(weight, high, sources, lone):
    synapses = OneToOne(np.array([weight] * sources))
    size = sources
    if not lone:
        synapses, size = np.full((1, sources), weight), 1
    network = Network(
        [Input("x", sources, 0, high)],
        [Population("p", size, Integrator(width=48, decay=Decay(0, 0), v=-1))],
        [Projection("x", "p", synapses)],
        [Readout("p", "last")],
    )
    result = reference.run(network, np.full((1, 1, sources), high))
    total = weight * high * (1 if lone else sources) - 1
    assert result.scores.tolist() == [[max(-(2**47), min(2**47 - 1, total))] * size]
    if not lone:
        below = np.full((1, 1, sources), high)
        below[0, 0, 1:] = 0
        scores = reference.run(network, below).scores.tolist()
        assert scores == [[max(-(2**47), min(2**47 - 1, weight * high - 1))]]


def test_large_sums_that_cancel_are_exact():
    # All of one sign first: on the way, the sums are far beyond what float64 holds.
    random = Random(1)
    up = [random.randrange(2**29, 2**30) | 1 for _ in range(60_000)]
    down = [random.randint(0, 9) - weight for weight in up]
    network = Network(
        [Input("x", 120_000, 0, 65535)],
        [Population("p", 1, Accumulator(width=48))],
        [Projection("x", "p", np.array([up + down]))],
        [Readout("p", "last")],
    )
    result = reference.run(network, np.full((1, 1, 120_000), 65535))
    assert result.scores.tolist() == [[65535 * (sum(up) + sum(down))]]


def test_unrecorded_spikes_are_not_stored():
    result = reference.run(relay(Projection("x", "p", ONE)), train("101"))
    assert dict(result.spikes) == {}
    assert result.cycles is None
    assert result.engine == "reference"
    assert result.steps.tolist() == [3]
