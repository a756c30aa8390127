"""Neurons whose output is a value: dendrites, and a user's own, on every engine."""

import json
import shutil
import subprocess
import zipfile
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.export import emit
from spiker_hdl.model import (
    Decay,
    Dendrite,
    Dense,
    FirstOrder,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    Neuron,
    OneToOne,
    Population,
    Projection,
    Readout,
    SpikingNeuron,
    WinnerTakeAll,
    WithSynapse,
    load,
    signed_range,
    state,
    timing,
)
from spiker_hdl.model.mapping.reload import with_worst_case_bounds
from spiker_hdl.model.pruning.prune import prune
from spiker_hdl.report.operation_counts import work
from spiker_hdl.simulate import interpreted

from support.networks import random_mapping

DENDRITE = Dendrite(width=10, decay=Decay.shift(2), resolution=4, low=-8, high=7)


@pytest.mark.parametrize(
    "resolution, low, high, v, value",
    [
        (1, -8, 7, 5, 5),
        (4, -8, 7, 5, 1),  # 5 / 4 = 1.25
        (4, -8, 7, 6, 2),  # a half is rounded up
        (4, -8, 7, -6, -1),
        (4, -8, 7, -7, -2),
        (4, -8, 7, 1, 0),
        (4, -8, 7, -2, 0),
        (4, -8, 7, 29, 7),
        (4, -8, 7, 120, 7),
        (4, -8, 7, -128, -8),
        (4, 0, 15, -128, 0),
        (4, 0, 15, 63, 15),
        (128, -8, 7, 63, 0),
        (128, -8, 7, 64, 1),
        (128, -8, 7, -128, -1),
    ],
)
def test_output_by_hand(resolution, low, high, v, value):
    neuron = Dendrite(width=8, decay=Decay(0, 0), resolution=resolution, low=low, high=high)
    p, s = neuron.bind({"decay": 0, "rest": 0}), type("States", (), {"v": v})
    assert neuron.step(p, s, 0) == (value, {"v": v})


def test_value_multiplies_weights_by_hand():
    network = Network(
        [Input("in", 2)],
        [Population("d", 2, replace(DENDRITE, decay=Decay(1, 0))), Population("out", 1, SUM)],
        [
            Projection("in", "d", np.array([[12, 0], [0, -40]])),
            Projection("d", "out", np.array([[5, 7]])),
        ],
        [Readout("out", "last")],
    )
    spikes = np.array([[[1, 0], [0, 1], [1, 1], [0, 0]]])
    result = spiker_hdl.run(network, spikes, record=["d", "out.v"])
    # 12 / 4 and -40 / 4, which is clipped to -8; what decays at once is not there in the next step.
    assert result.spikes["d"].tolist() == [[[3, 0], [0, -8], [3, -8], [0, 0]]]
    assert result.spikes["out.v"].tolist() == [[[15], [15 - 56], [15 - 56 - 41], [-82]]]
    assert result.counts["d"].tolist() == [4]


SUM = Integrator(width=12, decay=Decay(0, 0))


def tree(neuron, size=5):
    """Make a dendritic tree that feeds a neuron: recurrent, delayed, dense, sparse and one to one.

    The inner dendrites are reached by the outer ones and, later, by the spikes of the neurons.
    """
    draw = np.random.default_rng(size)
    return Network(
        [Input("in", 6), Input("slow", 3, -2, 3)],
        [
            Population("soma", 3, Lif(width=12, threshold=40, decay=Decay.shift(3))),
            Population("inner", size, neuron),
            Population("outer", size, replace(DENDRITE, low=0, high=15), bias=-3),
        ],
        [
            Projection("in", "outer", draw.integers(-20, 20, (size, 6))),
            Projection("slow", "inner", draw.integers(-9, 9, (size, 3)), 1),
            Projection("outer", "inner", OneToOne(draw.integers(2, 4, size)), shift=1),
            Projection("inner", "outer", draw.integers(-3, 2, (size, size)), 2),
            Projection("outer", "outer", draw.integers(-2, 2, (size, size)), 1, name="late"),
            Projection("soma", "inner", -np.ones((size, 3), dtype=int), 1),
            Projection("inner", "soma", draw.integers(-3, 6, (3, size))),
            Projection("outer", "soma", draw.integers(-1, 3, (3, size)), 3),
        ],
        [Readout("soma", "count"), Readout("inner", "last", "inside")],
    )


def short(neuron):
    """Make a recurrent population that feeds a neuron, small enough to be simulated at once."""
    return Network(
        [Input("in", 4)],
        [Population("inner", 3, neuron), Population("soma", 1, Lif(width=9, **SOMA))],
        [
            Projection("in", "inner", np.array([[9, -3, 5, 0], [-8, 9, 0, 4], [7, 7, -9, 2]])),
            Projection("inner", "inner", np.array([[0, 2, 1], [-1, 0, 1], [1, 2, 0]]), 1),
            Projection("inner", "soma", np.array([[3, -2, 4]])),
        ],
        [Readout("soma", "count")],
    )


SOMA = {"threshold": 9, "decay": Decay.shift(3)}
INPUT = (np.random.default_rng(4).random((2, 7, 4)) < 0.5).astype(int)


def samples(count=3, steps=10):
    draw = np.random.default_rng(count)
    return {
        "in": (draw.random((count, steps, 6)) < 0.3).astype(int),
        "slow": draw.integers(-2, 4, (count, steps, 3)),
    }


@dataclass(frozen=True)
class Graded(SpikingNeuron):
    """A user's own: a spike whose value is the excess over the threshold, as on other chips."""

    spiking: ClassVar[bool] = False
    output: ClassVar[Any] = lambda neuron: (0, neuron.greatest)

    greatest: int = field(kw_only=True)

    def step(self, p, s, current, via):
        v = self.gain(p, s, s.v, current, via)
        excess = via.clamp(v - p.threshold, 0, self.greatest)
        fired, after = self.spike(p, s, v, via)
        return via.select(fired, excess, 0), after


NEURONS = {
    "dendrite": DENDRITE,
    "binary": replace(DENDRITE, low=0, high=1),
    "asymmetric": replace(DENDRITE, resolution=1, low=-3, high=20, floor=-10),
    "synapse": WithSynapse(neuron=DENDRITE, synapse=FirstOrder(decay=Decay.shift(1), width=8)),
    "own": Graded(width=9, threshold=7, greatest=12),
}
RECORD = ["soma", "inner", "outer", "inner.v", "outer.v", "soma.v"]


@pytest.mark.parametrize("name", ["dendrite", "binary", "own"])
def test_neurons_with_a_value_as_output_are_the_same_in_hardware_with_exact_cycles(name):
    network, record = short(NEURONS[name]), ["soma", "inner", "inner.v"]
    expected = spiker_hdl.run(network, INPUT, record=record)
    values = expected.spikes["inner"]
    low, high = network.population["inner"].low, network.population["inner"].high
    assert low <= values.min() <= 0 < values.max() <= high
    assert 0.02 < (values != 0).mean() < 1
    mapping = random_mapping(network, Random(name))
    actual = spiker_hdl.run(network, INPUT, engine="amaranth", mapping=mapping, record=record)
    assert expected.differences(actual) == []
    assert timing.predict(network, INPUT, mapping=mapping).cycles.tolist() == [*actual.cycles]


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURONS)
def test_trees_of_dendrites_are_the_same_in_hardware_with_exact_cycles(name):
    network = tree(NEURONS[name])
    expected = spiker_hdl.run(network, samples(), record=RECORD)
    assert 0.02 < (expected.spikes["inner"] != 0).mean() < 1
    mapping = random_mapping(network, Random(name))
    actual = spiker_hdl.run(network, samples(), engine="amaranth", mapping=mapping, record=RECORD)
    assert expected.differences(actual) == []
    assert timing.predict(network, samples(), mapping=mapping).cycles.tolist() == [*actual.cycles]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_mappings_do_not_change_what_dendrites_do(seed):
    random = Random(seed)
    network, spikes = tree(random.choice([*NEURONS.values()]), random.randint(1, 9)), samples(4, 14)
    mapping = random_mapping(network, random)
    expected = spiker_hdl.run(network, spikes, record=RECORD)
    for engine in ("amaranth", "compiled"):
        actual = spiker_hdl.run(network, spikes, engine=engine, mapping=mapping, record=RECORD)
        assert expected.differences(actual) == []
        predicted = timing.predict(network, spikes, mapping=mapping)
        assert predicted.cycles.tolist() == [*actual.cycles]


@pytest.mark.parametrize("options", [{"window": 5}, {"early": "exact"}], ids=str)
def test_windows_and_early_exits_with_dendrites(options):
    network = short(DENDRITE)
    spikes = np.concatenate([INPUT, INPUT[:, :3]], axis=1)
    expected = spiker_hdl.run(network, spikes, **options)
    actual = spiker_hdl.run(network, spikes, engine="amaranth", **options)
    assert expected.differences(actual) == []


def test_outputs_that_nobody_reads_are_counted_before_the_next_sample():
    # The outputs of 9 dendrites leave one by one, long after the readout has its answer.
    network = Network(
        [Input("in", 1)],
        [Population("d", 9, replace(DENDRITE, decay=Decay(1, 0))), Population("out", 1, SUM)],
        [Projection("in", "d", np.full((9, 1), 20)), Projection("in", "out", np.ones((1, 1), int))],
        [Readout("out", "last")],
    )
    spikes = np.ones((3, 2, 1), dtype=int)
    expected = spiker_hdl.run(network, spikes, record=["d"])
    assert expected.counts["d"].tolist() == [18, 18, 18]
    actual = spiker_hdl.run(network, spikes, engine="amaranth", record=["d"])
    assert expected.differences(actual) == []
    assert timing.predict(network, spikes).cycles.tolist() == [*actual.cycles]
    assert actual.cycles.min() > 18


def test_operations_are_counted_by_event():
    network = short(DENDRITE)
    result = spiker_hdl.run(network, INPUT, record=["inner"])
    counted = work(network, INPUT)
    assert counted["inner"].spikes.tolist() == result.counts["inner"].tolist()
    assert counted["soma"].events.tolist() == result.counts["inner"].tolist()
    # Events that would arrive after the last step are dropped.
    late = np.count_nonzero(result.spikes["inner"][:, :-1], axis=(1, 2))
    events = np.count_nonzero(INPUT, axis=(1, 2)) + late
    assert counted["inner"].events.tolist() == events.tolist()


def test_bounds_are_those_of_the_values():
    network = tree(DENDRITE, 3)
    weights = network.into("soma")[0].synapses.weights
    inner = np.maximum(weights * -8, weights * 7).sum(1)
    outer = np.maximum(network.into("soma")[1].synapses.weights * 15, 0).sum(1)
    assert network.bounds["soma"].sum_high == (inner + outer).max()
    worst = with_worst_case_bounds(network, {"soma"}).bounds["soma"]
    first, second = (2 ** (p.width - 1) for p in network.into("soma"))
    assert worst.sum_high == 3 * (first * 8 + (second - 1) * 15)


def test_dendrites_whose_output_is_always_0_are_pruned():
    # A potential below half of the resolution: neuron 1 has no output, though its state changes.
    neuron = Dendrite(width=8, decay=Decay(1, 0), resolution=16, low=-8, high=7)
    network = Network(
        [Input("in", 1)],
        [Population("d", 3, neuron), Population("out", 1, SUM)],
        [Projection("in", "d", np.array([[8], [7], [-9]])), Projection("d", "out", WEIGHTS)],
        [Readout("out", "last")],
    )
    pruned = prune(network)
    assert pruned.kept["d"].tolist() == [0, 2]
    spikes = np.ones((1, 4, 1), dtype=int)
    whole = spiker_hdl.run(network, spikes, record=["d"])
    assert whole.scores.tolist() == spiker_hdl.run(pruned.network, spikes).scores.tolist() == [[-8]]
    smaller = pruned.expand(spiker_hdl.run(pruned.network, spikes, record=["d"]))
    assert smaller.spikes["d"].tolist() == whole.spikes["d"].tolist()


WEIGHTS = Dense(np.array([[3, 4, 5]]))


def test_file_has_version_2_and_digest_tells_outputs_apart(tmp_path):
    network = tree(DENDRITE)
    network.save(path := tmp_path / "tree.spiker")
    assert load(path) == network
    with zipfile.ZipFile(path) as archive:
        text = json.loads(archive.read("network.json"))
    assert text["version"] == 2
    assert text["populations"][1]["neuron"] == {
        "model": "Dendrite",
        "width": 10,
        "decay": {"numerator": 1, "bits": 2},
        "v": 0,
        "resolution": 4,
        "low": -8,
        "high": 7,
    }
    digests = {tree(NEURONS[name]).digest for name in ("dendrite", "binary", "asymmetric")}
    assert len(digests) == 3
    tree(NEURONS["own"]).save(path)
    assert load(path, neurons=[Graded]).population["inner"].neuron == NEURONS["own"]


@dataclass(frozen=True)
class Own(Neuron):
    """A neuron with a value as output, in which subclasses make mistakes."""

    spiking: ClassVar[bool] = False
    output: ClassVar[Any] = 4

    width: int = field(kw_only=True, default=8)
    v: Any = state("width")

    def step(self, p, s, current, via):
        v = via.saturate(s.v + current, *signed_range(self.width))
        return self.value(v, via), {"v": v}

    def value(self, v, via):
        return via.clamp(v, -8, 7)


@dataclass(frozen=True)
class Beyond(Own):
    """An output out of its range."""

    def value(self, v, via):
        return via.clamp(v, -9, 7)


@dataclass(frozen=True)
class Comparing(Own):
    """A test as output."""

    def value(self, v, via):
        return v > 3


@dataclass(frozen=True)
class Nothing(Own):
    """No output."""

    def value(self, v, via):
        return None


@dataclass(frozen=True)
class Both(Own):
    """Spikes and values."""

    spiking: ClassVar[bool] = True


@dataclass(frozen=True)
class Positive(Own):
    """A range without 0."""

    output: ClassVar[Any] = (1, 7)


def alone(neuron, kind="last", coupling=None):
    return Network(
        [Input("in", 2)],
        [Population("own", 2, neuron, 0, coupling)],
        [Projection("in", "own", np.eye(2, dtype=int) * 90)],
        [Readout("own", kind)],
    )


def test_range_of_an_output_may_be_a_number_of_bits():
    assert (alone(Own()).population["own"].low, alone(Own()).population["own"].high) == (-8, 7)
    assert Own().emits
    assert NEURONS["synapse"].event_range == (-8, 7)
    assert not Integrator(width=8, decay=Decay(0, 0)).emits


def dendrite(**changes):
    return replace(DENDRITE, **changes)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: dendrite(resolution=12),
            ValueError,
            "Dendrite resolution must be a power of two, not 12",
        ),
        (
            lambda: dendrite(resolution=0),
            ValueError,
            "Dendrite resolution must be at least 1, not 0",
        ),
        (
            lambda: dendrite(width=4, resolution=16),
            ValueError,
            "Dendrite resolution must be at most 8, not 16",
        ),
        (lambda: dendrite(low=1), ValueError, "Dendrite low must be at most 0, not 1"),
        (lambda: dendrite(high=0), ValueError, "Dendrite high must be at least 1, not 0"),
        (lambda: dendrite(high=1.5), TypeError, "Dendrite high must be an int, not 1.5"),
        (
            lambda: dendrite(floor=-2, v=-3),
            ValueError,
            "Dendrite v must be at least the floor -2, not -3",
        ),
        (
            lambda: alone(DENDRITE, "count"),
            ValueError,
            "Readout 'own': 'count' must read neurons that fire, not Dendrite",
        ),
        (
            lambda: alone(DENDRITE, coupling=WinnerTakeAll(1)),
            ValueError,
            "Coupling of population 'own' must be of neurons that fire, not Dendrite",
        ),
        (
            lambda: alone(Beyond()),
            ValueError,
            "Population 'own': the step of Beyond must keep its output in -8..7, not -9..7: use "
            "via.clamp",
        ),
        (
            lambda: alone(Nothing()),
            ValueError,
            "Population 'own': the step of Nothing must return its output, not None",
        ),
        (
            Both,
            ValueError,
            "Both must either fire or have a value as output, not both: let `spiking` be False",
        ),
        (
            lambda: alone(Positive()),
            ValueError,
            "Lowest output of population 'own' must be at most 0, not 1",
        ),
    ],
)
def test_bad_output_is_refused(make, error, message):
    with pytest.raises(error) as info:
        make()
    assert str(info.value) == message


def test_test_as_an_output_is_refused():
    with pytest.raises(ValueError, match="the step of Comparing must return its output, not <"):
        alone(Comparing())


# -- as text, and over a link ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("language", ["verilog", "vhdl"])
def test_emitted_designs_with_dendrites_pass_their_test_benches(language, tmp_path):
    tools = {"verilog": ("make", "iverilog", "vvp"), "vhdl": ("make", "ghdl")}[language]
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} must be installed")
    emit(tree(DENDRITE), tmp_path / "out", language=language, samples=samples(), generated=4)
    done = subprocess.run(
        ["make", "-s", "sim"], cwd=tmp_path / "out", capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout + done.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    meaning = "The number of spikes, or of outputs other than 0, of all neurons of a population in"
    assert meaning in json.dumps(manifest)


@pytest.mark.slow
def test_board_counts_the_outputs_of_dendrites():
    server = pytest.importorskip("spiker_boards.simulation.server")
    from spiker_boards import Board

    network = replace(tree(DENDRITE, 3), readouts=[Readout("soma", "count")])
    wire, _ = server.simulated_link(network, engine="compiled")
    with server.Served(wire) as board, Board(board.port) as host:
        result = host.run(network, samples())
    assert spiker_hdl.run(network, samples()).differences(result) == []
    assert (result.counts["inner"] > 0).all()


@pytest.mark.slow
def test_weights_to_and_from_dendrites_are_loaded_at_run_time():
    built, other = tree(DENDRITE, 3), tree(DENDRITE, 3)
    projections = [
        replace(p, synapses=type(p.synapses)(-p.synapses.weights), bits=p.width + 1)
        for p in other.projections
    ]
    built = replace(built, projections=[replace(p, bits=p.width + 1) for p in built.projections])
    other = replace(other, projections=projections)
    mapping = Mapping.default(built).with_writable(built, ["soma", "inner", "outer"])
    expected = spiker_hdl.run(other, samples(), record=RECORD)
    actual = interpreted.run(other, samples(), mapping=mapping, record=RECORD, built=built)
    assert expected.differences(actual) == []
