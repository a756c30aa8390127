"""Tests of learning on tensors: in integers, every weight is that of the reference."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from spiker_hdl.model import (
    Convolution,
    Decay,
    Input,
    Lif,
    MaxPooling,
    Network,
    PairStdp,
    Population,
    PostStdp,
    Projection,
    Readout,
    WinnerTakeAll,
)
from spiker_hdl.model import learn as reference
from spiker_train.plasticity import floating_rule, learn

from support.learning import RULES, lessons, random_learner

LEAK = Decay.shift(2)
STDP = PairStdp(pre_decay=LEAK, post_decay=LEAK, potentiation=40, depression=30, shift=2)


def check(network, spikes, options):
    own, expected = learn(network, spikes, **options), reference(network, spikes, **options)
    assert own.network == expected.network
    for name, answer in expected.result.answers.items():
        assert np.array_equal(own.scores[name], answer.scores)
    return expected.network.projections != network.projections


def check_random(seed, kind):
    random = Random(f"tensors {seed} {kind.__name__}")
    network = random_learner(random, kind)
    return check(network, *lessons(network, random, samples=4))


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_integers_on_tensors_are_those_of_the_reference(kind):
    assert sum(check_random(seed, kind) for seed in range(2))


@pytest.mark.slow
@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_many_networks_learn_on_tensors_as_in_the_reference(kind):
    assert sum(check_random(seed, kind) for seed in range(2, 80)) > 50


def competing(**changes):
    """Make a network with a winner-take-all, behind a convolution that does not learn."""
    draw = np.random.default_rng(0)
    convolution = Convolution(draw.integers(-1, 4, (2, 1, 2, 2)), (1, 5, 5))
    pooling = MaxPooling(convolution.target_shape, 2)
    size = pooling.target_size
    neuron = Lif(threshold=60, width=12, decay=LEAK, reset="zero")
    return Network(
        [Input("in", (1, 5, 5))],
        [
            Population("maps", pooling.target_shape, Lif(threshold=3, width=9, decay=LEAK)),
            Population("out", 6, neuron, coupling=WinnerTakeAll(2), **changes),
        ],
        [
            Projection("in", "maps", convolution, pooling=pooling),
            Projection("maps", "out", draw.integers(9, 60, (6, size)), bits=7, rule=STDP),
        ],
        [Readout("out"), Readout("out", "sum", name="potentials")],
    )


def test_coupled_populations_behind_fixed_convolutions_learn():
    spikes = (np.random.default_rng(1).random((3, 12, 25)) < 0.5).astype(int)
    assert check(competing(), spikes, {})


def test_floating_point_stays_near_the_integers():
    # Wide weights and traces, so that rounding is small against the changes.
    rule = replace(STDP, potentiation=2**14, depression=2**13, trace_bits=20, shift=8)
    neuron = Lif(threshold=2**12, width=20, decay=LEAK)
    draw = np.random.default_rng(0)
    network = Network(
        [Input("in", 6)],
        [Population("out", 3, neuron)],
        [Projection("in", "out", draw.integers(0, 2**11, (3, 6)), bits=16, rule=rule)],
        [Readout("out")],
    )
    spikes = (draw.random((1, 20, 6)) < 0.3).astype(int)
    integers = learn(network, spikes).weights["in->out"]
    floating = learn(network, spikes, reading="floating").weights["in->out"]
    start = torch.tensor(network.projections[0].synapses.values.tolist())
    assert 0 < (floating - integers).abs().max() < 4 < 100 < (integers - start).abs().max()
    assert learn(network, spikes, reading="floating").network is None


def test_floating_point_takes_other_rules():
    spikes = np.ones((2, 9, 25), dtype=int)
    rule = floating_rule(PostStdp, pre_decay=0.5, potentiation=0.0, target=0.25, low=0, high=63)
    learned = learn(competing(), spikes, reading="floating", rules={"maps->out": rule})
    change = learned.weights["maps->out"] - torch.tensor(
        competing().projections[1].synapses.values.tolist()
    )
    fired = learned.scores["out"].sum(axis=0)
    assert fired.sum() > 0
    assert torch.allclose(change[:, 0], torch.as_tensor(-0.25 * fired))


def test_what_cannot_be_learned_on_tensors_is_refused():
    network, spikes = competing(), np.ones((1, 3, 25), dtype=int)
    with pytest.raises(ValueError, match="Network must have a rule of learning"):
        learn(network.frozen(), spikes)
    with pytest.raises(ValueError, match="Reading must be one of 'integers', 'floating', not 'x'"):
        learn(network, spikes, reading="x")
    with pytest.raises(ValueError, match="Rules must be None in integers"):
        learn(network, spikes, rules={"maps->out": STDP})
    with pytest.raises(ValueError, match="Projection of a rule must be one of 'maps->out'"):
        learn(network, spikes, reading="floating", rules={"in->maps": STDP})
