"""Tests of learning in integers: every weight after every sample, against a second way."""

from random import Random

import numpy as np
import pytest

from spiker_hdl.model import Feedback, OutputError, Reward, learn

from support.learning import RULES, naive_learn, random_learner


def lessons(network, random, samples=3, steps=8):
    """Draw spikes, and the labels and rewards that the rules of a network need."""
    node = network.inputs[0]
    spikes = [
        [
            [random.randint(node.low, node.high) if random.random() < 0.5 else 0] * 1
            for _ in range(node.size)
        ]
        for _ in range(samples * steps)
    ]
    spikes = np.array(spikes).reshape(samples, steps, node.size)
    thirds = [link.rule.third for link in network.projections if link.rule is not None]
    options = {}
    if any(isinstance(third, Feedback | OutputError) for third in thirds):
        classes = network.population["classes"].size
        options["labels"] = [random.randint(-1, classes - 1) for _ in range(samples)]
    if any(isinstance(third, Reward) for third in thirds):
        options["rewards"] = [random.choice([-2, -1, 1]) for _ in range(samples)]
    return spikes, options


def check(seed, kind):
    random = Random(f"{seed} {kind.__name__}")
    network = random_learner(random, kind)
    spikes, options = lessons(network, random)
    none = [-1] * len(spikes)
    history, scores = naive_learn(
        network, spikes, options.get("labels", none), options.get("rewards", none)
    )
    changed = False
    for n in range(len(spikes)):
        own = {name: values[n : n + 1] for name, values in options.items()}
        learned = learn(network, spikes[n : n + 1], **own)
        assert learned.result.scores.tolist() == [scores[n]]
        for link in learned.network.projections:
            assert np.array_equal(link.synapses.values, history[n][link.name]), link.name
        changed |= learned.network.projections != network.projections
        network = learned.network
    return changed


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_every_weight_after_every_sample_is_that_of_a_second_way(kind):
    assert sum(check(seed, kind) for seed in range(2))


@pytest.mark.slow
@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_many_networks_learn_as_the_second_way(kind):
    changed = [check(seed, kind) for seed in range(2, 60)]
    assert sum(changed) > 40
