"""Tests of the maximum of sums over windows."""

import re
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    Convolution,
    If,
    Input,
    Mapping,
    MaxPooling,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    reference,
)

from support import naive
from support.convolutions import random_pooling


def test_maxima_are_their_definition():
    for seed in range(40):
        random = Random(seed)
        shape = tuple(random.randint(1, 6) for _ in range(random.randint(2, 3)))
        pooling = random_pooling(random, shape)
        sums = np.random.default_rng(seed).integers(-9, 0, (2, 3, pooling.source_size))
        maxima = pooling.maxima(sums)
        assert maxima.shape == (2, 3, pooling.target_size)
        expected = [naive.maxima(pooling, row) for row in sums.reshape(6, -1).tolist()]
        assert maxima.reshape(6, -1).tolist() == expected  # padding never is the maximum


def network(pooling, **options):
    synapses = OneToOne(np.array([1, -2, 3, -4, 5, -6]))
    return Network(
        [Input("in", 6)],
        [Population("map", pooling.target_size, If(threshold=2, width=8), bias=1)],
        [
            Projection("in", "map", synapses, pooling=pooling, **options),
            Projection("in", "map", np.ones((pooling.target_size, 6), int), name="beside"),
        ],
        [Readout("map")],
    )


def test_bounds_are_the_maxima_of_the_bounds():
    pooled = network(MaxPooling((1, 6), 2), shift=1)
    low, high = pooled.projections[0].reach(0, 1)
    assert low.tolist() == [0, 0, 0]
    assert high.tolist() == [2, 6, 10]
    bounds = pooled.bounds["map"]
    assert (bounds.sum_low, bounds.sum_high) == (0, 16)
    assert bounds.current_high == 17


def test_format_of_numbers_suffices_for_the_sums_that_are_pooled():
    weights = OneToOne(np.array([-(2**25), 0] * 3))  # each maximum is 0
    pooled = {"pooling": MaxPooling((1, 6), 2), "shift": 2}
    wide = Network(
        [Input("in", 6)],
        [Population("map", 3, If(threshold=2, width=8))],
        [Projection("in", "map", weights, **pooled)],
        [Readout("map")],
    )
    assert (wide.bounds["map"].sum_low, wide.bounds["map"].sum_high) == (0, 0)
    assert wide.bounds["map"].largest == 2**27


def test_maximum_is_of_one_projection_alone():
    pooled = network(MaxPooling((1, 6), 2))
    spikes = np.array([[[0, 1, 0, 1, 1, 1]]])
    result = reference.run(pooled, {"in": spikes}, record=["map.v"])
    # Maxima 0, 0 and 5; the other projection adds 4 and the bias 1: then 2 is subtracted.
    assert result.spikes["map.v"][0, 0].tolist() == [3, 3, 8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((6, 2), "Sums that are pooled must have channels and one or two axes of positions, not"),
        (((1, 6), 7), "Window must fit into its axis of 6 positions with 0 of padding, not have 7"),
        (((1, 6), 2, 2, 2), "Padding of a window of (2,) must leave each window a position, not"),
        (((1, 6), 0), "Size of a window must be at least 1, not 0"),
    ],
)
def test_bad_windows_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        MaxPooling(*arguments)


def test_pooled_sums_must_meet_their_ends():
    with pytest.raises(ValueError, match=r"\(1, 8\) sums must be pooled, which are 8, not 6"):
        network(MaxPooling((1, 8), 2))
    with pytest.raises(ValueError, match=r"weights must have the shape \(3, 6\), not \(2, 6\)"):
        Network(
            [Input("in", 6)],
            [Population("map", 3, If(threshold=2, width=8))],
            [Projection("in", "map", OneToOne(np.ones(6, int)), pooling=MaxPooling((1, 6), 3))],
            [Readout("map")],
        )
    with pytest.raises(ValueError, match=r"the shape of 'map' must be \(2, 2\), or a size alone"):
        Network(
            [Input("in", 8)],
            [Population("map", (1, 4), If(threshold=2, width=8))],
            [Projection("in", "map", OneToOne(np.ones(8, int)), pooling=MaxPooling((2, 4), 2))],
            [Readout("map")],
        )
    synapses = Convolution(np.ones((2, 1, 3), int), (1, 8))
    with pytest.raises(ValueError, match=r"sums of the shape \(2, 6\) must be pooled, not \(1, 12"):
        Network(
            [Input("in", 8)],
            [Population("map", 6, If(threshold=2, width=8))],
            [Projection("in", "map", synapses, pooling=MaxPooling((1, 12), 2))],
            [Readout("map")],
        )


def test_hardware_pools_the_sums_of_convolutions_alone():
    message = "Projection 'in->map' must be a convolution, not one_to_one, for hardware that"
    with pytest.raises(ValueError, match=message):
        Mapping.default(network(MaxPooling((1, 6), 2)))
