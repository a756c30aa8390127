"""Neurons with several receptors in hardware, loaded and recorded: equal on every engine."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export.samples.bit_flips import Flip
from spiker_hdl.export.samples.detector import Detector
from spiker_hdl.model import (
    INTEGERS,
    Core,
    Decay,
    Dendrite,
    Dense,
    FirstOrder,
    If,
    Input,
    Lif,
    Mapping,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    Sparse,
    WinnerTakeAll,
    WithSynapses,
    parameter,
    signed_range,
    state,
    timing,
)
from spiker_hdl.model.mapping.reload import structure
from spiker_hdl.simulate import interpreted

from support.receptors import FAST, SLOW, neuron, potentials, single, small_network
from support.writable import another, as_rows

X = np.array([[[1, 0], [1, 1], [0, 0], [0, 1], [1, 1]]])
QUEUES = {"in->own": 20, "b": 20, "own->own late 1": 20}


def random_network(seed, size, *, static=False):
    random, draws = Random(seed), np.random.default_rng(seed)
    kinds = [FAST, SLOW, None, FirstOrder(decay=Decay(5, 4), width=8)]
    synapses = random.sample(kinds, random.choice([2, 2, 3]))
    own = WithSynapses(
        neuron=Lif(width=10, threshold=random.randint(5, 20), decay=Decay.shift(2)),
        synapses=synapses,
    )

    def receptor():
        return random.randrange(len(synapses))

    weights = draws.integers(-3, 8, (size, 4))
    targets, sources = np.nonzero(draws.random((size, 4)) < 0.4)
    sparse = Sparse(sources, targets, draws.integers(1, 7, len(sources)), 4, size)
    projections = [
        Projection("in", "own", weights, receptor=receptor(), shift=random.choice([0, 0, 1])),
        Projection("in", "own", sparse, 0 if static else 2, name="b", receptor=receptor()),
        Projection("own", "out", draws.integers(-2, 5, (2, size))),
    ]
    if not static:
        back = draws.integers(-6, 3, (size, size))
        projections.append(Projection("own", "own", back, 1, receptor=receptor()))
    return Network(
        [Input("in", 4, static=static)],
        [
            Population("own", size, own, random.choice([0, tuple(range(size))])),
            Population("out", 2, Lif(width=8, threshold=3, decay=Decay.shift(2))),
        ],
        projections,
        [Readout("out"), Readout("own")],
    )


def mapped(network, seed):
    """Return a random mapping."""
    random, size = Random(seed), network.population["own"].size
    lanes = random.choice([size, random.randint(1, size)])
    units = random.choice([n for n in range(1, lanes + 1) if lanes % n == 0])
    own = Core(lanes, units, 1, overlap=random.random() < 0.5, stages=random.randint(1, 3))
    queues = {projection.name: 4 * size + 40 for projection in network.projections}
    return Mapping({"own": own, "out": Core(2, 1)}, queues)


def assert_the_same_in_hardware(network, mapping, x, engine="amaranth"):
    names = network.population["own"].neuron.states
    record = ["own", *(f"own.{name}" for name in names)]
    expected = spiker_hdl.run(network, x, record=record)
    assert expected.spikes["own"].any()
    actual = spiker_hdl.run(network, x, engine=engine, mapping=mapping, record=record)
    assert expected.differences(actual) == []
    assert timing.predict(network, x, mapping=mapping).cycles.tolist() == [*actual.cycles]


@pytest.mark.parametrize("static", [False, True], ids=["changing", "static"])
@pytest.mark.parametrize("lanes, overlap", [(2, False), (1, False), (1, True)], ids=str)
def test_receptors_are_the_same_in_hardware_with_exact_cycles(static, lanes, overlap):
    network = small_network(static)
    queues = {projection.name: 20 for projection in network.projections}
    mapping = Mapping({"own": Core(lanes, 1, 1, overlap=overlap)}, queues)
    assert_the_same_in_hardware(network, mapping, X | 1 if static else X)


@pytest.mark.parametrize("store", ["rows", "synapses"])
@pytest.mark.parametrize("lanes, banks", [(2, 1), (1, 1), (2, 2), (1, 2)])
def test_values_of_events_reach_their_receptor_from_all_banks(lanes, banks, store):
    network = small_network(False, low=-3, high=2)
    if banks > lanes:  # the events of a loop come from as many units as there are banks
        network = replace(network, projections=network.projections[:2])
    queues = {projection.name: 20 for projection in network.projections}
    mapping = Mapping({"own": Core(lanes, lanes, banks)}, queues, stores={"b": store})
    assert_the_same_in_hardware(network, mapping, X * [-3, 2])


def test_bias_and_events_of_all_receptors_are_discarded_by_inhibition():
    own = neuron(FAST, None, v=(5000 - 3000, 0), fire=">=")
    network = single(own, [(8, 0), (3, 1)], (0, 1), WinnerTakeAll(2), size=2)
    # Neuron 0 fires at the start; the current of neuron 1 goes on as it decays.
    values = potentials(network, {"in0": [1, 1, 1, 1], "in1": [1, 1, 1, 1]}, size=2)
    assert np.diff([0, *values]).tolist() == [8 + 3 + 1, 4, 2, 1 + 8 + 3 + 1]
    mapping = Mapping({"own": Core(2, 1)}, {"in0->own": 20, "in1->own": 20})
    x = dict.fromkeys(("in0", "in1"), np.ones((1, 4, 1), dtype=int))
    assert_the_same_in_hardware(network, mapping, x)


@pytest.mark.parametrize("lanes, banks", [(1, 1), (2, 2)])
def test_weights_of_each_receptor_are_loaded(lanes, banks):
    network = small_network(False)
    core = Core(lanes, lanes, banks, writable=True)
    stores = dict.fromkeys(QUEUES, "rows")
    mapping = Mapping({"own": core}, QUEUES, stores=stores)
    built = as_rows(network, mapping)
    other = another(Random(3), network, mapping)
    record = ["own", "own.v", "own.receptor0_i"]
    expected = spiker_hdl.run(other, X, record=record)
    assert expected.differences(spiker_hdl.run(built, X, record=record)), "loading changes nothing"
    result = interpreted.run(other, X, mapping=mapping, built=built, record=record)
    assert expected.differences(result) == []


def test_decays_per_neuron_of_a_receptor_are_loaded():
    def network(*numerators):
        kinds = (FAST, FirstOrder(decay=Decay(numerators, 4), width=9))
        network = small_network(False)
        (own,) = network.populations
        own = replace(own, neuron=replace(own.neuron, synapses=kinds))
        return replace(network, populations=(own,))

    built, other = network(3, 9), network(9, 3)
    mapping = Mapping(
        {"own": Core(2, 1, writable=True)}, QUEUES, stores=dict.fromkeys(QUEUES, "rows")
    )
    built, other = as_rows(built, mapping), as_rows(other, mapping)
    assert structure(built, mapping) == structure(other, mapping)
    assert structure(as_rows(network(3, 8), mapping), mapping) != structure(built, mapping)
    record = ["own.receptor1_i"]
    expected = spiker_hdl.run(other, X, record=record)
    assert expected.differences(spiker_hdl.run(built, X, record=record)), "loading changes nothing"
    result = interpreted.run(other, X, mapping=mapping, built=built, record=record)
    assert expected.differences(result) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
def test_random_networks_are_the_same_in_hardware(seed):
    static = seed % 4 == 0
    network = random_network(seed, Random(seed + 50).randint(2, 9), static=static)
    x = (np.random.default_rng(seed).random((2, 9, 4)) < 0.5).astype(int)
    x = np.repeat(x[:, :1], 9, 1) if static else x
    engine = "compiled" if seed % 5 == 0 else "amaranth"
    assert_the_same_in_hardware(network, mapped(network, seed), x, engine)


def test_dendrite_with_several_receptors_emits_its_value():
    dendrite = Dendrite(width=8, decay=Decay.shift(1), resolution=2, low=-8, high=31)
    own = WithSynapses(neuron=dendrite, synapses=(FAST, None))
    assert own.event_range == dendrite.event_range
    network = Network(
        [Input("in", 2)],
        [Population("own", 2, own), Population("out", 1, If(width=12, threshold=100))],
        [
            Projection("in", "own", [[6, 2], [5, -1]]),
            Projection("in", "own", [[-2, 3], [1, 2]], name="b", receptor=1),
            Projection("own", "out", [[3, 1]]),
        ],
        [Readout("out")],
    )
    x = np.array([[[1, 0], [1, 1], [0, 1], [1, 1]]])
    expected = spiker_hdl.run(network, x, record=["own.v", "out.v"])
    assert expected.spikes["out.v"].any()
    actual = spiker_hdl.run(network, x, engine="amaranth", record=["own.v", "out.v"])
    assert expected.differences(actual) == []


@dataclass(frozen=True)
class Gated(Neuron):
    """A neuron of the user's own: events of receptor 1 halve the potential."""

    receptors: ClassVar[int] = 2

    width: int = field(kw_only=True)
    threshold: Any = parameter("width", scales=True)
    v: Any = state("width")

    def step(self, p, s, current, via=INTEGERS):
        total = via.select(current[1] > 0, via.shift(s.v, 1), s.v) + current[0]
        fired = total >= p.threshold
        v = via.saturate(via.select(fired, 0, total), *signed_range(self.width))
        return fired, {"v": v}


def test_neuron_of_ones_own_may_have_several_receptors():
    network = single(Gated(width=10, threshold=60), [(20, 0), (1, 1)])
    events = {"in0": [1, 1, 0, 1], "in1": [0, 0, 1, 0]}
    assert potentials(network, events) == [20, 40, 20, 40]
    x = {name: np.array(own).reshape(1, -1, 1) for name, own in events.items()}
    expected = spiker_hdl.run(network, x, record=["own.v"])
    actual = spiker_hdl.run(network, x, engine="amaranth", record=["own.v"])
    assert expected.differences(actual) == []


@pytest.mark.parametrize("kind", ["recurrent", "alone", "static"])
def test_flips_of_bits_are_detected_at_their_receptor(kind):
    static = kind == "static"
    network = small_network(static)
    if kind == "alone":  # without the recurrent one, a flip changes its own neuron alone
        network = replace(network, projections=network.projections[:2])
    x = (np.random.default_rng(1).random((200, 12, 2)) < 0.4).astype(int)
    x = np.repeat(x[:, :1], 12, 1) if static else x
    detector = Detector(network, {"in": x})
    before = spiker_hdl.run(network, x)
    pairs = [(p, n, c) for p in network.projections[:2] for n in (0, 1) for c in (0, 1)]
    flips = [Flip("own", n, p, c, "", 2 << p.shift) for p, n, c in pairs]
    for (projection, target, source), detected in zip(pairs, detector.detects(flips), strict=True):
        other = projection.synapses.matrix().copy()
        other[target, source] += 2
        projections = [
            replace(p, synapses=Dense(other)) if p is projection else p for p in network.projections
        ]
        after = spiker_hdl.run(replace(network, projections=tuple(projections)), x)
        differ = (after.scores != before.scores).any(1)
        assert detected.tolist() == differ.tolist()
    for n, detected in enumerate(
        detector.detects([Flip("own", n, None, 0, "bias", 2) for n in (0, 1)])
    ):
        (own,) = network.populations
        own = replace(own, bias=tuple(1 + 2 * (other == n) for other in (0, 1)))
        differ = (
            spiker_hdl.run(replace(network, populations=(own,)), x).scores != before.scores
        ).any(1)
        assert detected.tolist() == differ.tolist()
