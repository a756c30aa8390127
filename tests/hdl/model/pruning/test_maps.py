"""Tests of pruning where neurons are maps: channels go as a whole, and convolutions stay."""

from random import Random

import numpy as np

from spiker_hdl.model import (
    Convolution,
    Dense,
    If,
    Input,
    MaxPooling,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    reference,
)
from spiker_hdl.model.pruning.maps import map_channels
from spiker_hdl.model.pruning.prune import prune

from support.convolutions import random_map_network
from support.networks import everything, random_spikes


def dead_channel(*, groups=1, pooled=False):
    """Return a network of maps whose channel 1 of three never fires."""
    kernel = np.ones((3, 2, 3), dtype=np.int64)
    kernel[1] = -1
    kernel[:, 1] = 0
    first = Convolution(kernel, (2, 8), padding=1)
    pooling = MaxPooling((3, 8), 2) if pooled else None
    length = 4 if pooled else 8
    outputs = 3 if groups == 3 else 2
    second = Convolution(
        np.ones((outputs, 3 // groups, 3), dtype=np.int64), (3, length), groups=groups
    )
    return Network(
        [Input("in", (2, 8))],
        [
            Population("a", (3, length), If(threshold=2, width=8), bias=tuple([0] * 3 * length)),
            Population("b", second.target_shape, If(threshold=2, width=8)),
            Population("head", 2, If(threshold=2, width=9)),
        ],
        [
            Projection("in", "a", first, pooling=pooling),
            Projection("a", "b", second),
            Projection("b", "head", Dense(np.ones((2, second.target_size), dtype=np.int64))),
        ],
        [Readout("head")],
        8,
    )


def same(network, seed=0):
    """Fail unless the pruned network answers as the network; return it."""
    pruned = prune(network)
    spikes = random_spikes(network, Random(seed), 3, 6)
    names = [name for name in everything(network) if "." not in name]
    expected = reference.run(network, spikes, record=names)
    result = reference.run(pruned.network, pruned.select(spikes), record=names)
    assert expected.differences(pruned.expand(result)) == []
    return pruned.network


def test_channel_that_never_fires_is_removed_from_both_convolutions():
    pruned = same(dead_channel())
    first, second, _ = (projection.synapses for projection in pruned.projections)
    # The second input channel has no weight either.
    assert (first.kernel.shape, first.shape) == ((2, 1, 3), (1, 8))
    assert (second.kernel.shape, second.shape) == ((2, 2, 3), (2, 8))
    assert pruned.population["a"].shape == (2, 8)
    assert pruned.population["a"].bias == (0,) * 16
    assert pruned.inputs[0].shape == (1, 8)


def test_pooled_sums_lose_the_channel_too():
    pruned = same(dead_channel(pooled=True))
    assert pruned.projections[0].pooling == MaxPooling((2, 8), 2)
    assert pruned.projections[0].synapses.target_shape == (2, 8)
    assert pruned.population["a"].shape == (2, 4)


def test_channels_in_groups_stay():
    pruned = same(dead_channel(groups=3))
    assert map_channels(dead_channel(groups=3)) == {"in": 2, "a": 1, "b": 1}
    assert pruned.projections[1].synapses == dead_channel(groups=3).projections[1].synapses
    assert pruned.inputs[0].shape == (1, 8)


def test_pooled_sums_of_single_weights_are_pruned_by_channel():
    weights = np.array([3, 3, 3, 3, -1, -1, -1, -1])
    network = Network(
        [Input("in", (2, 4))],
        [
            Population("a", (2, 2), If(threshold=2, width=8)),
            Population("head", 2, If(threshold=2, width=8)),
        ],
        [
            Projection("in", "a", OneToOne(weights), pooling=MaxPooling((2, 4), 2)),
            Projection("a", "head", np.ones((2, 4), int)),
        ],
        [Readout("head")],
        8,
    )
    pruned = same(network)
    assert pruned.population["a"].shape == (1, 2)
    assert pruned.inputs[0].size == 4


def test_random_networks_of_maps_answer_as_before():
    changed = 0
    for seed in range(8):
        network = random_map_network(Random(seed), axes=(2, 5), channels=(1, 4))
        pruned = same(network, seed)
        changed += pruned != network
        for old, new in zip(network.projections, pruned.projections, strict=True):
            assert type(new.synapses) is type(old.synapses)
    assert changed
