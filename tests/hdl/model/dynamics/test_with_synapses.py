"""Neurons with several receptors, each with synaptic dynamics of its own, on every engine."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.estimate.area import estimate_area
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
    SecondOrder,
    Sparse,
    WinnerTakeAll,
    WithSynapse,
    WithSynapses,
    bounds,
    load,
    parameter,
    signed_range,
    state,
    timing,
)
from spiker_hdl.model.mapping.reload import structure
from spiker_hdl.model.pruning.prune import prune
from spiker_hdl.model.pruning.reachability import find_live
from spiker_hdl.report.operation_counts import work
from spiker_hdl.simulate import interpreted

from support.writable import another, as_rows

FAST = FirstOrder(decay=Decay.shift(1), width=10)
SLOW = SecondOrder(decay=Decay.shift(3), rise=Decay.shift(1), width=10)


def neuron(*synapses, **options):
    return WithSynapses(neuron=If(width=12, threshold=2000, **options), synapses=synapses)


def single(neuron, projections, bias=0, coupling=None, size=1, **options):
    """Return a network of one population, whose inputs have one channel each."""
    names = [f"in{n}" for n in range(len(projections))]
    return Network(
        [Input(name, 1, **options) for name in names],
        [Population("own", size, neuron, bias, coupling)],
        [
            Projection(name, "own", [[weight]] * size, receptor=receptor)
            for name, (weight, receptor) in zip(names, projections, strict=True)
        ],
        [Readout("own")],
    )


def potentials(network, events, size=1):
    values = {name: np.array(own).reshape(1, -1, 1) for name, own in events.items()}
    result = spiker_hdl.run(network, values, record=["own.v"])
    return result.spikes["own.v"][0, :, size - 1].tolist()


def test_currents_of_all_receptors_are_added_by_hand():
    # An event of 8 decays by half; one of 3 passes as it is; the bias reaches the plain receptor.
    network = single(neuron(FAST, None), [(8, 0), (3, 1)], bias=1)
    events = {"in0": [1, 0, 0, 1], "in1": [0, 1, 0, 1]}
    currents = np.diff([0, *potentials(network, events)]).tolist()
    assert currents == [8 + 1, 4 + 3 + 1, 2 + 1, 9 + 3 + 1]
    # Where no receptor is plain, the bias reaches the first one.
    network = single(neuron(FAST, SLOW), [(8, 0), (0, 1)], bias=2)
    currents = np.diff([0, *potentials(network, {"in0": [1, 0, 0], "in1": [0] * 3})]).tolist()
    assert currents == [10, 7, 6]


def test_one_receptor_with_events_is_a_neuron_with_a_synapse():
    for synapse in (FAST, SLOW):
        events = {"in0": [1, 0, 1, 1, 0, 0, 1]}
        both = neuron(None, synapse)
        one = WithSynapse(neuron=both.neuron, synapse=synapse)
        assert potentials(single(both, [(9, 1)]), events) == potentials(
            single(one, [(9, 0)]), events
        )


def test_bias_and_events_of_all_receptors_are_discarded_by_inhibition():
    own = neuron(FAST, None, v=(5000 - 3000, 0), fire=">=")
    network = single(own, [(8, 0), (3, 1)], (0, 1), WinnerTakeAll(2), size=2)
    # Neuron 0 fires at the start; the current of neuron 1 goes on as it decays.
    values = potentials(network, {"in0": [1, 1, 1, 1], "in1": [1, 1, 1, 1]}, size=2)
    assert np.diff([0, *values]).tolist() == [8 + 3 + 1, 4, 2, 1 + 8 + 3 + 1]
    mapping = Mapping({"own": Core(2, 1)}, {"in0->own": 20, "in1->own": 20})
    x = dict.fromkeys(("in0", "in1"), np.ones((1, 4, 1), dtype=int))
    assert_the_same_in_hardware(network, mapping, x)


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


def small_network(static, **options):
    own = WithSynapses(
        neuron=Lif(width=10, threshold=9, decay=Decay.shift(2)), synapses=(FAST, None)
    )
    projections = [
        Projection("in", "own", [[6, 2], [5, -1]]),
        Projection("in", "own", [[-2, 3], [1, 2]], name="b", receptor=1, shift=1),
    ]
    if not static:
        projections.append(Projection("own", "own", [[1, -4], [3, -2]], 1, receptor=1))
    return Network(
        [Input("in", 2, static=static, **options)],
        [Population("own", 2, own, 1)],
        projections,
        [Readout("own")],
    )


X = np.array([[[1, 0], [1, 1], [0, 0], [0, 1], [1, 1]]])
QUEUES = {"in->own": 20, "b": 20, "own->own late 1": 20}


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


def test_writable_receptors_have_the_bounds_of_any_weights():
    network = small_network(False)
    first, second = bounds(network, ["own"])["own"].receptors
    # Weights of 4 bits from two channels; weights of 3 bits, times two, and from two neurons.
    assert [projection.width for projection in network.projections] == [4, 3, 3]
    assert (first.sum_low, first.sum_high) == (2 * -8, 2 * 7)
    assert (second.sum_low, second.sum_high) == (2 * 2 * -4 + 2 * -4, 2 * 2 * 3 + 2 * 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
def test_random_networks_are_the_same_in_hardware(seed):
    static = seed % 4 == 0
    network = random_network(seed, Random(seed + 50).randint(2, 9), static=static)
    x = (np.random.default_rng(seed).random((2, 9, 4)) < 0.5).astype(int)
    x = np.repeat(x[:, :1], 9, 1) if static else x
    engine = "compiled" if seed % 5 == 0 else "amaranth"
    assert_the_same_in_hardware(network, mapped(network, seed), x, engine)


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


def test_each_receptor_has_bounds_of_its_own():
    lif = Lif(width=12, threshold=50, decay=Decay.shift(1))
    own = WithSynapses(neuron=lif, synapses=(FAST, None))
    network = single(own, [(100, 0), (-3, 1)], bias=2)
    first, second = network.bounds["own"].receptors
    assert (first.sum_low, first.sum_high, first.sum_width) == (0, 100, 8)
    assert (second.sum_low, second.sum_high, second.sum_width) == (-3, 0, 3)
    assert (second.current_low, second.current_high) == (-1, 2)
    assert network.bounds["own"].states["receptor0_i"] == (0, 200)


def test_network_with_receptors_is_saved(tmp_path):
    network = random_network(1, 4)
    network.save(path := tmp_path / "own.spiker")
    assert load(path) == network
    plain = single(neuron(FAST, None), [(8, 0), (3, 0)])
    other = single(neuron(FAST, None), [(8, 0), (3, 1)])
    assert plain.digest != other.digest


def test_silent_neurons_are_pruned_by_the_current_of_all_receptors():
    own = WithSynapses(
        neuron=If(width=8, threshold=(9, 9, 100), reset="zero"), synapses=(None, FAST)
    )
    network = Network(
        [Input("in", 1)],
        [Population("own", 3, own), Population("out", 1, If(width=8, threshold=3))],
        [
            Projection("in", "own", [[5], [-1], [5]], receptor=1),
            Projection("in", "own", [[5], [0], [1]], name="b"),
            Projection("own", "out", [[3, 4, 7]]),
        ],
        [Readout("out")],
    )
    pruned = prune(network).network
    assert pruned.population["own"].size < 3
    x = np.ones((1, 9, 1), dtype=int)
    scores = spiker_hdl.run(pruned, x).scores.tolist()
    assert scores == spiker_hdl.run(network, x).scores.tolist()


def test_what_neurons_may_reach_is_by_receptor():
    # A current of 10 settles below 20, and behind FAST it would below 40.
    lif = Lif(width=10, threshold=(30, 30, 8), decay=Decay.shift(1))
    own = WithSynapses(neuron=lif, synapses=(FAST, None))
    network = Network(
        [Input("in", 1)],
        [Population("own", 3, own, 10)],
        [
            Projection("in", "own", [[-4], [0], [0]], receptor=1),
            Projection("in", "own", [[0], [6], [-2]], name="b"),
        ],
        [Readout("own")],
    )
    fires, states = find_live(network)
    assert fires["own"].tolist() == [False, True, True]
    low, high = states["own"]["receptor0_i"]
    assert (low[0], high[0]) == (0, 0)


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
    for (projection, neuron, source), detected in zip(pairs, detector.detects(flips), strict=True):
        other = projection.synapses.matrix().copy()
        other[neuron, source] += 2
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


def test_bits_of_sums_are_those_of_their_receptor_by_hand():
    network = single(neuron(None, None), [(5, 0), (-1, 1)], size=4)
    mapping = Mapping({"own": Core(2, 1)}, {"in0->own": 20, "in1->own": 20})
    first, second = (own.sum_width for own in network.bounds["own"].receptors)
    assert first > second
    events = {"in0": [1, 1, 0], "in1": [0, 0, 1]}
    x = {name: np.array(own).reshape(1, -1, 1) for name, own in events.items()}
    # Each event adds to two rows of two lanes; each of four groups reads a row in each of 3 steps.
    bits = 3 * 4 * (first + second) + 2 * 2 * 2 * first + 2 * 2 * second
    assert work(network, x, mapping=mapping)["own"].sum_bits.tolist() == [2 * bits]


def test_bias_is_added_at_the_first_plain_receptor():
    assert neuron(FAST, None, None).bias_receptor == 1
    assert neuron(FAST, SLOW).bias_receptor == 0


def test_area_and_work_have_the_sums_of_each_receptor():
    def folded(receptor, synapses):
        own = WithSynapses(neuron=If(width=8, threshold=9), synapses=synapses)
        network = Network(
            [Input("in", 3)],
            [Population("own", 400, own)],
            [
                Projection("in", "own", np.ones((400, 3), dtype=int)),
                Projection("in", "own", np.ones((400, 3), dtype=int), name="b", receptor=receptor),
            ],
            [Readout("own")],
        )
        mapping = Mapping({"own": Core(2, 1, 1)}, {"in->own": 9, "b": 9})
        counts = work(network, np.ones((1, 2, 3), dtype=int), mapping=mapping)["own"]
        return estimate_area(network, mapping, "ice40").block_rams, counts

    (rams, before), (more, other) = folded(0, (None, None)), folded(1, (None, None))
    assert more == rams + 1
    assert other.sum_reads[0] == before.sum_reads[0] + 2 * 400
    assert other.sum_writes.tolist() == before.sum_writes.tolist()


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: single(neuron(FAST, None), [(8, 2)]),
            ValueError,
            "Projection 'in0->own': the receptor must be one of 2 of 'own', counted from 0, not 2",
        ),
        (
            lambda: Projection("a", "b", [[1]], receptor="fast"),
            TypeError,
            "Projection 'a->b' receptor must be an int, not 'fast'",
        ),
        (
            lambda: single(If(width=8, threshold=1), [(8, 1)]),
            ValueError,
            "Projection 'in0->own': the receptor must be one of 1 of 'own', counted from 0, not 1",
        ),
        (
            lambda: Projection("a", "b", [[1]], receptor=16),
            ValueError,
            "Projection 'a->b' receptor must be at most 15, not 16",
        ),
        (
            lambda: neuron(FAST),
            ValueError,
            "Synapses must be those of 2 to 16 receptors, not 1",
        ),
        (
            lambda: WithSynapses(neuron=If(width=8, threshold=1), synapses=FAST),
            TypeError,
            f"Synapses must be a sequence of Dynamics, not {FAST!r}"[:60],
        ),
        (
            lambda: neuron(FAST, 3),
            TypeError,
            "Synapse of receptor 1 must be a Dynamics, not 3",
        ),
        (
            lambda: WithSynapses(neuron=neuron(FAST, None), synapses=(None, None)),
            ValueError,
            "Neuron of several receptors must have one receptor itself, not 2",
        ),
        (
            lambda: WithSynapse(neuron=neuron(FAST, None), synapse=FAST),
            ValueError,
            "Neuron of a synapse must have one receptor, not 2",
        ),
    ],
)
def test_bad_receptors_are_refused(make, error, message):
    with pytest.raises(error) as info:
        make()
    assert str(info.value).startswith(message)


def test_currents_are_one_for_each_receptor():
    two = neuron(None, None)
    assert two.as_current([3, 4]) == [3, 4]
    assert two.neuron.as_current([3]) == 3
    for cell, currents in ((two, [3]), (two.neuron, [3, 4])):
        with pytest.raises(ValueError, match=r"^Currents must be those of \d receptors, not \d$"):
            cell.as_current(currents)
