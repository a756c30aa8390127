"""Tests of learning in integers: every weight after every sample, against a second way."""

from random import Random

import numpy as np
import pytest

from spiker_hdl.model import learn

from support.learning import RULES, lessons, naive_learn, random_learner


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
        for population in learned.network.populations:
            if population.homeostasis is not None:
                assert population.neuron.threshold == history[n][population.name]
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
