"""Tests of samples near the thresholds of neurons."""

from random import Random

import numpy as np
import pytest

from spiker_hdl.export.samples.near_threshold import _Kernel, _Weights, near_threshold_samples
from spiker_hdl.model import (
    Dense,
    Input,
    Lif,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    reference,
)
from spiker_hdl.model.neurons.arithmetic import Decay

from support.convolutions import random_convolution


def test_samples_bring_neurons_of_all_synapses_near_their_thresholds():
    random = np.random.default_rng(1)
    neuron = Lif(width=10, threshold=20, decay=Decay.shift(3))
    network = Network(
        inputs=(Input("a", 6), Input("b", 5, -1, 2)),
        populations=(Population("p", 5, neuron), Population("q", 5, neuron)),
        projections=(
            Projection("a", "p", Dense(random.integers(-7, 8, (5, 6))), shift=1),
            Projection("b", "q", OneToOne(np.array([7, 6, 5, 4, 3]))),
        ),
        readouts=(Readout("q"),),
        max_steps=20,
    )
    samples = near_threshold_samples(network, 20, 40, np.random.default_rng(2))
    assert {name: array.shape for name, array in samples.items()} == {
        "a": (40, 20, 6),
        "b": (40, 20, 5),
    }
    assert (samples["b"].min(), samples["b"].max()) == (-1, 2)
    counts = reference.run(network, samples, record=["p", "q"]).spikes
    for name in "pq":
        fired = counts[name].any(axis=1)  # of each sample and neuron
        assert 0.1 < fired.mean() < 0.9
        assert fired.any(axis=0).sum() >= 4


@pytest.mark.parametrize("seed", range(6))
def test_kernels_have_the_sums_and_gradients_of_their_matrix(seed):
    random, draw = Random(seed), np.random.default_rng(seed)
    shape = (random.randint(1, 4), *(random.randint(2, 5) for _ in range(random.choice([1, 2]))))
    synapses = random_convolution(random, shape)
    kernel, unrolled = _Kernel(synapses, 1.5), _Weights(synapses, 1.5)
    rates, error = draw.random((3, synapses.source_size)), draw.random((3, synapses.target_size))
    np.testing.assert_allclose(kernel.sums(rates), unrolled.sums(rates))
    np.testing.assert_allclose(kernel.gradient(error), unrolled.gradient(error))
    np.testing.assert_allclose(kernel.reach(), unrolled.reach())
    assert kernel.squares == pytest.approx(unrolled.squares)
