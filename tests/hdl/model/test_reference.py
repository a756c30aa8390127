"""Tests of the reference: against a naive simulation of random networks, by hand, and bad input."""

from random import Random

import naive
import numpy as np

from networks import assert_alive, describe, everything, liveness, random_network, random_spikes
from spiker_hdl.model import Reports, reference


def array(*rows):
    return np.array(rows, dtype=np.int64)


def same(network, spikes, result, window=None):
    """Fail unless ``result`` is what a naive simulation answers."""
    samples = len(next(iter(spikes.values())))
    for n in range(samples):
        sample = {name: each[n].tolist() for name, each in spikes.items()}
        answers, record = naive.simulate(network, sample, window)
        for name, wanted in answers.items():
            classes, scores = result.answers[name].classes[n], result.answers[name].scores[n]
            if window is None:
                classes, scores = [classes], [scores]
            found = [(int(c), s.tolist()) for c, s in zip(classes, scores, strict=True)]
            assert found == wanted, (name, n)
        for name, wanted in record.items():
            assert result.spikes[name][n].tolist() == wanted, (name, n)
            if "." not in name:
                assert result.counts[name][n] == sum(map(sum, wanted))
        assert result.steps[n] == len(next(iter(sample.values())))


# -- random networks -----------------------------------------------------------------------------


def test_random_networks_answer_as_a_naive_simulation(capsys):
    drawn = []
    for seed in range(250):
        random = Random(seed)
        network = random_network(random, neurons=(1, 20), channels=(1, 12))
        window = random.choice([None, None, None, 1, 3, 4])
        if window is None:
            steps = random.choice([8, (1, 12), (1, network.longest)])
            spikes = random_spikes(network, random, 3, steps)
        else:
            spikes = random_spikes(network, random, 2, window * random.randint(1, 3))
        result = reference.run(network, spikes, record=everything(network), reports=Reports(window))
        same(network, spikes, result, window)
        drawn.append(liveness(network, result, spikes))
    if True:
        print("\n" + describe(drawn))
    assert_alive(drawn)
