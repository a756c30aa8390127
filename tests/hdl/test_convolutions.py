# amaranth: UnusedElaboratable=no

"""Kernels that are stored once: the same bits in every engine, and the cycles that were predicted.

What is compared, on random networks of maps and with drawn mappings: spikes and states of every
population in every step, scores and counts, alone and back to back, with stalls on both sides.
"""

import re
from collections import Counter
from random import Random

import numpy as np
import pytest
from amaranth.back import rtlil

import spiker_hdl
from spiker_hdl import run
from spiker_hdl.export import emit
from spiker_hdl.model import (
    AnswerPolicy,
    Convolution,
    Core,
    If,
    Input,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    timing,
)
from spiker_hdl.model.bounds import bounds, position_sums
from spiker_hdl.model.mapping import microarchitecture
from spiker_hdl.model.mapping.reload import beats_between
from spiker_hdl.rtl import PopulationCore
from spiker_hdl.simulate import compiled, interpreted

from support.convolutions import (
    random_map_mapping,
    random_map_network,
    with_fitting_banks,
    with_sums_by_parity,
)
from support.emitted import simulate
from support.events import Bounded
from support.networks import everything, random_spikes
from support.writable import another, as_rows, random_writable

SMALL = {"axes": (2, 3), "layers": (1, 1), "channels": (1, 4), "pooling": False}
LARGER = {"axes": (2, 5), "layers": (1, 3), "channels": (1, 6)}


@pytest.fixture(autouse=True)
def bounded(monkeypatch):
    """Let nothing run forever."""
    monkeypatch.setattr(interpreted, "Simulator", Bounded)


def drawn(seed, limits, samples=2, steps=4):
    """Draw a network with a mapping that stores some kernel once, and spikes."""
    random = Random(seed)
    while True:
        network = random_map_network(random, static=random.random() < 0.3, **limits)
        mapping = random_map_mapping(network, random)
        if "kernel" in kept(network, mapping):
            return network, random_spikes(network, random, samples, (1, steps)), mapping, random


def kept(network, mapping):
    """Return how the weights of each projection are stored."""
    return [mapping.store(network, projection) for projection in network.projections]


def stalls(random):
    """Draw pauses at input and output."""
    source, sink = random.choice([0.1, 0.6]), random.choice([0.3, 0.97])
    return (lambda: random.random() < source, lambda: random.random() < sink)


def compare(network, spikes, mapping):
    """Run alone and back to back, and compare results and cycles; return what was expected."""
    names = everything(network)
    expected = run(network, spikes, record=names)
    alone = run(network, spikes, engine="amaranth", mapping=mapping, record=names)
    assert expected.differences(alone) == []
    assert (timing.predict(network, spikes, mapping=mapping).cycles == alone.cycles).all()
    crowded = interpreted.run(network, spikes, mapping=mapping, record=names, back_to_back=True)
    assert expected.differences(crowded) == []
    predicted = timing.predict(network, spikes, mapping=mapping, streams=1)
    assert (predicted.cycles == crowded.cycles).all()
    return expected


# A delay, a static graded input, two lanes with overlap, recurrence beside an input,
# and an event that alone moves on.
@pytest.mark.parametrize("seed", [0, 4, 6, 10, 36])
def test_random_maps_give_the_same_bits_and_the_predicted_cycles(seed):
    compare(*drawn(seed, SMALL)[:3])


@pytest.mark.parametrize("seed", [12, pytest.param(0, marks=pytest.mark.slow)])
def test_sums_that_are_cleared_give_the_same_bits_in_as_many_cycles(seed, monkeypatch):
    monkeypatch.setattr(microarchitecture, "FLAGS", 1)
    compare(*drawn(seed, SMALL)[:3])


@pytest.mark.parametrize("seed", [4, pytest.param(8, marks=pytest.mark.slow)])
def test_sums_by_parity_give_the_same_bits_and_the_predicted_cycles(seed):
    network, spikes, mapping, _ = drawn(seed, SMALL)
    mapping = with_sums_by_parity(network, mapping)
    assert "uninitialized" in {own.sums for own in mapping.cores.values()}
    compare(network, spikes, mapping)


def test_the_first_sample_waits_until_all_sums_are_cleared():
    synapses = Convolution([[[[1]]], [[[2]]]], (1, 10, 10))
    network = Network(
        [Input("in", (1, 10, 10))],
        [Population("map", (2, 10, 10), If(threshold=0, width=4))],
        [Projection("in", "map", synapses)],
        [Readout("map", "count")],
    )
    mapping = Mapping.folded(network, 1, form="events")
    spikes = np.zeros((1, 1, 100), int)
    spikes[..., -1] = 1  # it is added to the rows that are cleared last
    assert compare(network, spikes, mapping).counts["map"].tolist() == [2]


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 40, 10))
def test_many_sums_by_parity_give_the_same_bits_and_the_predicted_cycles(start):
    count = 0
    for seed in range(start, start + 10):
        network, spikes, mapping, _ = drawn(4000 + seed, LARGER)
        mapping = with_sums_by_parity(network, mapping)
        count += sum(own.sums == "uninitialized" for own in mapping.cores.values())
        compare(network, spikes, mapping)
    assert count >= 4


@pytest.mark.parametrize("seed", [2, 8, 24, 29])
def test_random_maps_of_pooled_sums_give_the_same_bits_and_the_predicted_cycles(seed):
    network, spikes, mapping, _ = drawn(seed, SMALL | {"pooling": True})
    assert any(projection.pooling for projection in network.projections)
    compare(network, spikes, mapping)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 100, 10))
def test_many_random_maps_give_the_same_bits_and_the_predicted_cycles(start):
    for seed in range(start, start + 10):
        network, spikes, mapping, random = drawn(1000 + seed, LARGER)
        expected = compare(network, spikes, mapping)
        names, pauses = everything(network), stalls(random)
        stalled = interpreted.run(
            network, spikes, mapping=mapping, record=names, back_to_back=True, pauses=pauses
        )
        assert expected.differences(stalled) == [], seed


@pytest.mark.slow
def test_many_random_maps_have_every_kind_of_projection():
    options = Counter()
    for seed in range(100):
        network, _, mapping, _ = drawn(1000 + seed, LARGER)
        for projection in network.projections:
            store = mapping.store(network, projection)
            options[store, projection.synapses.kind] += 1
            if store != "kernel":
                continue
            synapses, target = projection.synapses, mapping.cores[projection.target]
            options["delayed"] += projection.delay > 0
            options["recurrent"] += projection.source == projection.target
            options["static"] += network.holds(projection.target)
            options["graded"] += network.nodes[projection.source].graded
            options["overlap"] += target.overlap
            options["groups"] += synapses.groups > 1
            options["several rows"] += len(synapses.kernel) // synapses.groups > target.lanes
            options["gathered"] += target.gather > 1
            options["from a map"] += projection.source in network.population
            options["serialized"] += mapping.banks(network, projection.source) > 1
            options["pooled"] += projection.pooling is not None
            options["pooled static"] += bool(projection.pooling) and network.holds(
                projection.target
            )
            options["one axis"] += len(synapses.shape) == 2
            options[target.positions] += 1
            readers = [readout.population for readout in network.readouts]
            options["read"] += projection.target in readers
    # Rare, since the words of a map must be as wide as the banks of who else reads its source.
    assert options.pop("serialized") >= 3, options
    assert min(options.values()) >= 10, options
    assert options["kernel", "convolution"] >= 100


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 40, 10))
def test_verilog_of_random_maps_gives_the_same_bits_and_cycles(start):
    for seed in range(start, start + 10):
        network, spikes, mapping, _ = drawn(2000 + seed, LARGER, samples=3, steps=8)
        names = everything(network)
        expected = run(network, spikes, record=names)
        result = compiled.run(network, spikes, mapping=mapping, record=names, back_to_back=True)
        assert expected.differences(result) == [], seed
        predicted = timing.predict(network, spikes, mapping=mapping, streams=1)
        assert (predicted.cycles == result.cycles).all(), seed


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_vhdl_of_random_maps_gives_the_same_bits(tmp_path, seed):
    network, spikes, mapping, _ = drawn(3000 + seed, LARGER)
    expected = spiker_hdl.run(network, spikes, engine="amaranth", mapping=mapping)
    emit(
        network,
        tmp_path,
        mapping=mapping,
        language="vhdl",
        samples=spikes,
        expected=expected,
        generated=0,
    )
    assert simulate("vhdl", tmp_path) == (0, "PASS 2 samples\n")


@pytest.mark.parametrize("early", [1, "exact"])
def test_early_answers_of_maps_are_those_of_the_reference(early):
    network, _, mapping, random = drawn(2, SMALL)
    while network.readout.kind != "count":
        network, _, mapping, random = drawn(random.randrange(1000), SMALL)
    spikes = random_spikes(network, random, 2, (3, 5))
    names = everything(network)
    expected = run(network, spikes, record=names, early=early)
    result = interpreted.run(
        network,
        spikes,
        mapping=mapping,
        record=names,
        reports=AnswerPolicy(early=early),
        pauses=stalls(random),
    )
    assert expected.differences(result) == []


# -- weights that are loaded ---------------------------------------------------------------------


def loaded(seed, limits):
    """Run networks in hardware that was built for another one of the same structure."""
    network, spikes, mapping, random = drawn(seed, limits)
    mapping = with_fitting_banks(network, random_writable(random, network, mapping))
    other, built = another(random, network, mapping), as_rows(network, mapping)
    names = everything(other)
    expected = run(other, spikes, record=names)
    result = interpreted.run(other, spikes, mapping=mapping, record=names, built=built)
    assert expected.differences(result) == [], seed
    return [
        mapping.store(network, projection)
        for projection in network.projections
        if projection.target in mapping.writable
    ]


def test_kernels_are_loaded_into_built_hardware():
    assert "kernel" in loaded(6, SMALL)


@pytest.mark.parametrize("seed, pooling", [(1, False), (12, True)])
def test_every_bank_gets_a_loaded_kernel(seed, pooling):
    limits = SMALL | {"pooling": pooling}
    network, _, mapping, _ = drawn(seed, limits)
    assert mapping.cores["map0"].positions == "window"
    assert bool(network.into("map0")[0].pooling) == pooling
    assert "kernel" in loaded(seed, limits)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 40, 10))
def test_many_kernels_are_loaded_into_built_hardware(start):
    stores = Counter()
    for seed in range(start, start + 10):
        stores.update(loaded(4000 + seed, LARGER))
    assert stores["kernel"] >= 3


def test_bounds_of_a_loaded_kernel_are_those_of_its_windows():
    synapses = Convolution(np.ones((1, 2, 3), int), (2, 4), padding=1)
    network = Network(
        [Input("in", (2, 4), 0, 3)],
        [Population("map", (1, 4), If(threshold=3, width=10))],
        [Projection("in", "map", synapses, bits=3, shift=1)],
        [Readout("map")],
    )
    widest = bounds(network, {"map"})["map"]
    # Three positions of two channels, of which each has a value of 3 at the most, by a weight of 3
    # bits that is shifted by one.
    assert (widest.sum_low, widest.sum_high) == (6 * 3 * 2 * -4, 6 * 3 * 2 * 3)
    # Sums by position are shifted later.
    (projection,), source = network.projections, network.nodes["in"]
    assert position_sums(projection, source, True) == (6 * 3 * -4, 6 * 3 * 3)
    assert position_sums(projection, source, False) == (0, 6 * 3)


def test_kernel_of_another_size_is_not_loaded():
    def network(kernel):
        synapses = Convolution(kernel, (1, 6), stride=2)
        neuron = If(threshold=3, width=10)
        return Network(
            [Input("in", (1, 6))],
            [Population("map", (2, 3), neuron), Population("head", 2, neuron)],
            [
                Projection("in", "map", synapses, bits=4),
                Projection("map", "head", np.ones((2, 6), int)),
            ],
            [Readout("head")],
        )

    # Both have windows at the same three positions.
    built, other = network(np.ones((2, 1, 1), int)), network(np.ones((2, 1, 2), int))
    mapping = Mapping.default(built).with_writable(built, ["map"])
    assert len(beats_between(built, network(np.full((2, 1, 1), -8)), mapping))
    with pytest.raises(ValueError, match=r"^Network 'network' must differ from that for which"):
        beats_between(built, other, mapping)


# -- parameters of channels ----------------------------------------------------------------------


@pytest.mark.parametrize("channels, units", [(4, 2), (3, 1), (2, 2)])
def test_parameters_of_channels_are_stored_once(channels, units):
    draw = np.random.default_rng(channels)
    synapses = Convolution(draw.integers(-2, 5, (channels, 1, 2)), (1, 4))
    thresholds, biases = (np.repeat(draw.permutation(5)[:channels], 3).tolist() for _ in range(2))
    neuron = If(threshold=tuple(value + 3 for value in thresholds), width=8)
    network = Network(
        [Input("in", (1, 4))],
        [
            Population("map", (channels, 3), neuron, tuple(biases)),
            Population("out", 2, If(threshold=5, width=10)),
        ],
        [
            Projection("in", "map", synapses),
            Projection("map", "out", draw.integers(-3, 4, (2, 3 * channels))),
        ],
        [Readout("out")],
    )
    cores = {"map": Core(channels, units), "out": Core(2, 2)}
    mapping = Mapping.default(network, cores=cores)
    compare(network, draw.integers(0, 2, (2, 4, 4)), mapping)
    text = rtlil.convert(PopulationCore(network, "map", mapping=mapping), emit_src=False)
    (rows,) = re.findall(r"memory width \d+ size (\d+) \\\\?parameters", text)
    assert int(rows) == channels // units


def test_thresholds_and_biases_are_loaded_in_the_order_of_the_machine():
    def network(bias):
        synapses = Convolution(np.ones((2, 1, 1), int), (1, 3))
        neuron = If(threshold=3, width=10)
        return Network(
            [Input("in", (1, 3))],
            [Population("map", (2, 3), neuron, bias), Population("head", 6, neuron)],
            [
                Projection("in", "map", synapses, bits=3),
                Projection("map", "head", np.eye(6, dtype=int) * 4, bits=4),
            ],
            [Readout("head")],
        )

    built, other = network((0, 1, 2, 3, 0, 1)), network((3, 0, 1, 0, 2, 1))
    mapping = Mapping.default(built).with_writable(built, ["map"])
    spikes = np.ones((1, 6, 3), int)
    expected = run(other, spikes, record=everything(other))
    result = interpreted.run(other, spikes, mapping=mapping, record=everything(other), built=built)
    assert expected.differences(result) == []
