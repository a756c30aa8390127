"""Tests of convolutions: against their definition, loop by loop, and in networks."""

import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from spiker_hdl.model import (
    Convolution,
    If,
    Input,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    canonical,
    load,
    reference,
)

from support import naive
from support.convolutions import random_convolution, random_map_network
from support.networks import everything, random_spikes


def by_hand(synapses):
    matrix = np.zeros((synapses.target_size, synapses.source_size), dtype=np.int64)
    for source, target, weight in naive.convolution(synapses):
        matrix[target, source] = weight
    return matrix


def test_convolutions_are_their_definition():
    kinds = set()
    for seed in range(120):
        random = Random(seed)
        axes = random.randint(1, 2)
        shape = (random.randint(1, 4), *(random.randint(1, 7) for _ in range(axes)))
        synapses = random_convolution(random, shape, share=0.8)
        matrix = by_hand(synapses)
        assert synapses.matrix().tolist() == matrix.tolist()
        assert synapses.fan_out().tolist() == np.count_nonzero(matrix, axis=0).tolist()
        sources, targets, weights = synapses.pairs()
        rebuilt = np.zeros_like(matrix)
        rebuilt[targets, sources] = weights
        assert rebuilt.tolist() == matrix.tolist()
        assert (weights != 0).all()
        assert [*zip(sources, targets, strict=True)] == sorted(zip(sources, targets, strict=True))
        low, high = synapses.reach(-2, 3)
        assert low.tolist() == np.minimum(-2 * matrix, 3 * matrix).sum(axis=1).tolist()
        assert high.tolist() == np.maximum(-2 * matrix, 3 * matrix).sum(axis=1).tolist()
        events = np.random.default_rng(seed).integers(-2, 4, (3, 2, synapses.source_size))
        for kind in (np.float32, np.float64, object):
            sums = synapses.sums(events.astype(kind))
            assert sums.dtype == kind
            assert sums.astype(int).tolist() == (events @ matrix.T).tolist()
        kinds |= {len(synapses.stride), f"groups {synapses.groups > 1}", max(synapses.stride)}
        kinds |= {f"dilation {max(synapses.dilation)}", f"depthwise {synapses.groups == shape[0]}"}
    assert kinds >= {1, 2, 3, "groups True", "groups False", "dilation 2", "depthwise True"}


def test_large_maps_are_summed_in_blocks():
    draw = np.random.default_rng(0)
    synapses = Convolution(draw.integers(-7, 8, (4, 3, 3, 3)), (3, 20, 20), padding=1)
    events = draw.integers(0, 2, (90, synapses.source_size))
    expected = events @ synapses.matrix().T
    assert (synapses.sums(events.astype(np.float32)) == expected).all()


def test_bounds_beyond_64_bits_are_exact():
    most = 2**31 - 1
    synapses = Convolution(np.full((1, 2**17, 1), most), (2**17, 1))
    assert synapses.reach(0, 2**16 - 1)[1].tolist() == [most * (2**16 - 1) * 2**17]


def test_identity_is_what_it_computes():
    kernel = np.arange(9).reshape(1, 1, 3, 3)
    synapses = Convolution(kernel, (1, 4, 5), padding=1)
    assert synapses == Convolution(kernel.astype(np.int8), (1, 4, 5), 1, ((1, 1), (1, 1)))
    assert hash(synapses) == hash(Convolution(kernel, (1, 4, 5), padding=1))
    assert repr(synapses) == "Convolution(1x4x5 from 1x4x5, kernel 3x3)"
    others = [
        Convolution(kernel, (1, 5, 4), padding=1),
        Convolution(kernel + 1, (1, 4, 5), padding=1),
        Convolution(kernel, (1, 4, 5), padding=((2, 0), (1, 1))),
        Convolution(np.zeros((1, 1, 3, 3), int), (1, 4, 5), padding=1),
    ]
    assert all(synapses != other for other in others)
    assert synapses.with_values(kernel + 1) == others[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 2), int), (2, 4)), "Kernel must have the shape (output channels, channels /"),
        ((np.ones((2, 1, 3, 3), int), (1, 8)), "Source of a convolution must have channels and 2"),
        ((np.ones((2, 1, 3, 3), int), 64), "Source of a convolution must have channels and 2 axes"),
        ((np.ones((2, 3, 3), int), (2, 8)), "Source of a convolution must have 3 channels, which "),
        ((np.ones((3, 1, 3), int), (2, 8), 1, 0, 1, 2), "Groups must divide the 3 output channels"),
        ((np.ones((1, 1, 3, 3), int), (1, 2, 8)), "Window must fit into its axis of 2 positions"),
        ((np.full((1, 1, 1), 2**31), (1, 2)), "Weight must be within 32 bits, not 2147483648"),
    ],
)
def test_bad_convolutions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Convolution(*arguments)


def test_convolution_that_is_too_large_for_a_matrix_is_refused_there_alone():
    kernel = np.ones((8, 8, 3, 3), dtype=np.int64)
    synapses = Convolution(kernel, (8, 64, 64), padding=1)
    assert synapses.fan_out().max() == 72
    with pytest.raises(ValueError, match=r"must join at most 268435456 pairs for a matrix"):
        synapses.matrix()


# -- in networks -----------------------------------------------------------------------------------


def drawn(seed, **options):
    random = Random(seed)
    network = random_map_network(random, **options)
    return network, random_spikes(network, random, 3, 6)


def test_random_networks_of_maps_answer_as_a_naive_simulation():
    used = set()
    for seed in range(14):
        network, spikes = drawn(seed, axes=(2, 5), channels=(1, 3))
        result = reference.run(network, spikes, record=everything(network))
        for n in range(3):
            sample = {name: spike[n].tolist() for name, spike in spikes.items()}
            answers, record = naive.simulate(network, sample)
            for name, expected in record.items():
                assert result.spikes[name][n].tolist() == expected, (seed, name)
            for name, ((winner, scores),) in answers.items():
                own = result.answers[name]
                assert (int(own.classes[n]), own.scores[n].tolist()) == (winner, scores)
        used |= {projection.pooling is not None for projection in network.projections}
        used |= {"late" for projection in network.projections if projection.delay}
    assert used == {True, False, "late"}


def test_random_networks_of_maps_are_alive():
    shares = []
    for seed in range(16):
        network, spikes = drawn(seed)
        names = [p.name for p in network.populations if p.neuron.spiking]
        result = reference.run(network, spikes, record=names)
        shares += [result.spikes[name].mean() for name in names]
    alive = np.mean([0.01 < share < 0.7 for share in shares])
    assert alive > 0.75, alive


def test_network_of_maps_is_the_same_network_after_a_file(tmp_path):
    for seed in range(5):
        network, _ = drawn(seed)
        network.save(tmp_path / "net.spiker")
        loaded = load(tmp_path / "net.spiker")
        assert canonical.version(network) == 3
        assert loaded == network
        assert loaded.digest == network.digest


def test_digest_depends_on_the_geometry():
    kernel = np.ones((1, 1, 3), dtype=int)
    digests = {
        small(Convolution(kernel, (1, 8), padding=padding)).digest
        for padding in (1, ((2, 0),), ((0, 2),))
    }
    assert len(digests) == 3


def small(synapses, shape=None, **options):
    return Network(
        [Input("in", synapses.shape)],
        [Population("map", shape or synapses.target_shape, If(threshold=2, width=8))],
        [Projection("in", "map", synapses, **options)],
        [Readout("map")],
    )


def test_shape_of_a_population_must_be_that_of_its_maps():
    synapses = Convolution(np.ones((2, 1, 3), int), (1, 8))
    assert small(synapses, 12).population["map"].size == 12
    with pytest.raises(ValueError, match=r"the shape of 'map' must be \(2, 6\), or a size alone"):
        small(synapses, (6, 2))
    with pytest.raises(ValueError, match=r"the shape of 'map' must be \(2, 6\), or a size alone"):
        small(synapses, (2, 8))  # of another size


def test_writable_population_takes_any_kernel():
    network = small(Convolution(np.ones((2, 1, 3), int), (1, 8)))
    mapping = Mapping.default(network).with_writable(network, ["map"])
    # The count of spikes needs no order of neurons, so that the kernel is stored once.
    assert mapping.store(network, network.projections[0]) == "kernel"
    assert replace(mapping, cores=Mapping.default(network).cores).writable == frozenset()
