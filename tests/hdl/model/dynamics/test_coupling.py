"""Winner-take-all: what the neurons of a population do to each other, on every engine."""

from random import Random

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.model import (
    Core,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    WinnerTakeAll,
    load,
    timing,
)
from spiker_hdl.model.pruning.prune import prune

NEURON = If(width=8, threshold=9, reset="zero", fire=">=")


def wired(neuron, coupling, size, bias=0):
    """Make a network in which each channel reaches one neuron, with a weight of 5."""
    return Network(
        [Input("in", size, 0, 2)],
        [Population("own", size, neuron, bias, coupling)],
        [Projection("in", "own", 5 * np.eye(size, dtype=int))],
        [Readout("own")],
    )


# In each step, the events of three neurons, which fire at 9, that is at twice 5.
EVENTS = [(0, 2, 2), (2, 2, 0), (0, 0, 1), (1, 2, 1), (1, 0, 0), (0, 0, 2), (0, 1, 0)]


@pytest.mark.parametrize(
    "steps, spikes, potentials",
    [
        # Neuron 1 wins over neuron 2, which is reset as well, and in the next step 0 over 1.
        (0, [1, 0, None, 1, 0, 2, None], [0, 0, 5, 5, 0, 0, 5]),
        # Neuron 1 wins, and may fire again at once; 0 has no input in the second step.
        (1, [1, 1, None, 1, None, 2, None], [0, 0, 5, 5, 5, 5, 5]),
    ],
)
def test_winners_by_hand(steps, spikes, potentials):
    network = wired(NEURON, WinnerTakeAll(steps), 3)
    result = spiker_hdl.run(network, np.array([EVENTS]), record=["own", "own.v"])
    fired = [np.flatnonzero(step).tolist() for step in result.spikes["own"][0]]
    assert fired == [[] if n is None else [n] for n in spikes]
    assert result.spikes["own.v"][0].sum(1).tolist() == potentials


def test_spike_of_an_inhibited_neuron_resets_it_and_is_not_emitted():
    # A potential that starts above the threshold needs no input to fire.
    neuron = If(width=8, threshold=9, reset="zero", fire=">=", v=(20, 20))
    network = wired(neuron, WinnerTakeAll(2), 2)
    result = spiker_hdl.run(network, np.zeros((1, 3, 2), dtype=int), record=["own", "own.v"])
    assert result.spikes["own"][0].tolist() == [[1, 0], [0, 0], [0, 0]]
    assert result.spikes["own.v"][0].tolist() == [[0, 0], [0, 0], [0, 0]]
    late = If(width=8, threshold=9, reset="none", v=(20, 20), refractory=(0, 1))
    result = spiker_hdl.run(
        wired(late, WinnerTakeAll(1), 2), np.zeros((1, 4, 2), dtype=int), record=["own"]
    )
    assert result.spikes["own"][0].tolist() == [[1, 0], [1, 0], [1, 0], [1, 0]]


def test_bias_of_an_inhibited_neuron_is_discarded():
    network = wired(NEURON, WinnerTakeAll(3), 2, bias=(9, 4))
    result = spiker_hdl.run(network, np.zeros((1, 6, 2), dtype=int), record=["own.v"])
    assert result.spikes["own.v"][0, :, 1].tolist() == [4, 4, 4, 4, 8, 8]


def layered(random, size):
    """Make a network whose steps follow each other as fast as its coupled population lets them."""
    weights = np.array(random.choices(range(-3, 8), k=3 * size)).reshape(size, 3)
    neuron = Lif(width=8, threshold=random.randint(3, 12), decay=Decay.shift(2))
    return Network(
        [Input("in", 3)],
        [
            Population(
                "own", size, neuron, random.choice([0, 5]), WinnerTakeAll(random.randint(0, 3))
            ),
            Population("out", 2, Lif(width=8, threshold=3, decay=Decay.shift(2))),
        ],
        [
            Projection("in", "own", weights),
            Projection("own", "out", np.arange(2 * size).reshape(2, size) % 5),
        ],
        [Readout("out", "count"), Readout("own", "count")],
    )


@pytest.mark.parametrize("seed", range(6))
def test_coupled_population_is_the_same_in_hardware_with_exact_cycles(seed):
    random = Random(seed)
    size = random.randint(2, 9)
    network = layered(random, size)
    lanes = random.choice([size, random.randint(1, size)])
    units = random.choice([n for n in range(1, lanes + 1) if lanes % n == 0])
    own = Core(lanes, units, 1, overlap=random.random() < 0.5, stages=seed % 4 + 1)
    queues = {projection.name: 4 * size + 4 for projection in network.projections}
    mapping = Mapping({"own": own, "out": Core(2, 1)}, queues)
    spikes = (np.random.default_rng(seed).random((3, 12, 3)) < 0.3).astype(int)
    record = ["own", "own.v", "out"]
    expected = spiker_hdl.run(network, spikes, record=record)
    assert 0 < expected.spikes["own"].sum(2).max() <= 1
    actual = spiker_hdl.run(network, spikes, engine="amaranth", mapping=mapping, record=record)
    assert expected.differences(actual) == []
    assert timing.predict(network, spikes, mapping=mapping).cycles.tolist() == [*actual.cycles]


@pytest.mark.parametrize("units, stages", [(1, 1), (1, 3), (3, 2), (7, 1)])
def test_steps_that_follow_each_other_as_fast_as_they_can(units, stages):
    # The bias makes neurons fire by themselves, and so those that there are not in the last group.
    neuron = Lif(width=8, threshold=9, decay=Decay.shift(2), refractory=(0, 1, 2, 0, 1, 2, 3, 0))
    network = Network(
        [Input("in", 2)],
        [Population("own", 8, neuron, 5, WinnerTakeAll(1))],
        [Projection("in", "own", np.tile([[-6, 4], [-9, 2]], (4, 1)))],
        [Readout("own", "count")],
    )
    mapping = Mapping({"own": Core(8, units, 1, overlap=True, stages=stages)}, {"in->own": 8})
    spikes = (np.random.default_rng(1).random((2, 30, 2)) < 0.2).astype(int)
    expected = spiker_hdl.run(network, spikes, record=["own", "own.v"])
    actual = spiker_hdl.run(
        network, spikes, engine="amaranth", mapping=mapping, record=["own", "own.v"]
    )
    assert expected.differences(actual) == []
    assert timing.predict(network, spikes, mapping=mapping).cycles.tolist() == [*actual.cycles]
    if units == 1:  # one cycle for each neuron, and those that the last one takes to the gate
        assert actual.cycles.min() >= 29 * (8 + 1 + stages)
        assert actual.cycles.max() < 31 * (8 + 1 + stages) + 30


@pytest.mark.parametrize("options", [{"window": 4}, {"early": "exact"}], ids=str)
def test_windows_and_early_exits_of_coupled_neurons(options):
    network = layered(Random(2), 6)
    spikes = (np.random.default_rng(3).random((3, 12, 3)) < 0.4).astype(int)
    expected = spiker_hdl.run(network, spikes, **options)
    assert expected.differences(spiker_hdl.run(network, spikes, engine="amaranth", **options)) == []


def test_silent_neurons_of_a_coupled_population_are_pruned():
    neuron = If(width=8, threshold=(9, 100, 7), reset="zero")
    weights = np.array([[5], [-1], [5]])
    network = Network(
        [Input("in", 1)],
        [
            Population("own", 3, neuron, 0, WinnerTakeAll(2)),
            Population("out", 1, Integrator(width=12, decay=Decay(1, 3))),
        ],
        [Projection("in", "own", weights), Projection("own", "out", np.array([[3, 4, 7]]))],
        [Readout("out", "last")],
    )
    pruned = prune(network)
    assert pruned.network.population["own"].coupling == WinnerTakeAll(2)
    assert pruned.network.population["own"].size == 2
    spikes = np.ones((1, 9, 1), dtype=int)
    whole = spiker_hdl.run(network, spikes)
    assert whole.scores.tolist() == spiker_hdl.run(pruned.network, spikes).scores.tolist()


def test_bounds_hold_where_the_input_is_discarded():
    network = wired(NEURON, WinnerTakeAll(1), 2, bias=50)
    bounds = network.bounds["own"]
    assert (bounds.current_low, bounds.current_high) == (0, 60)


def test_coupling_is_saved(tmp_path):
    network = layered(Random(0), 4)
    network.save(path := tmp_path / "own.spiker")
    assert load(path) == network
    other = wired(NEURON, WinnerTakeAll(2), 3)
    digests = {wired(NEURON, coupling, 3).digest for coupling in (None, WinnerTakeAll(1))}
    assert other.digest not in digests
    assert len(digests) == 2


@pytest.mark.parametrize("steps", [0, 2])
def test_emission_of_tensors_is_that_of_arrays(steps):
    torch = pytest.importorskip("torch")
    draws = np.random.default_rng(steps).random((20, 3, 5)) < 0.3
    coupling, mine, theirs = WinnerTakeAll(steps), None, None
    for fired in draws:
        mine = mine or (np.zeros((3, 5), bool), np.zeros((3, 1), int))
        theirs = theirs or (torch.zeros(3, 5, dtype=torch.bool), torch.zeros(3, 1))
        emitted, *mine = coupling.emit(fired, *mine)
        other, *theirs = coupling.emit(torch.from_numpy(fired), *theirs)
        assert np.array_equal(emitted, other.numpy())
        assert all(np.array_equal(a, b.numpy()) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: WinnerTakeAll(-1), ValueError, "Steps of inhibition must be at least 0, not -1"),
        (lambda: WinnerTakeAll(1.5), TypeError, "Steps of inhibition must be an int, not 1.5"),
        (
            lambda: wired(NEURON, 3, 2),
            TypeError,
            "Coupling of population 'own' must be a WinnerTakeAll, not 3",
        ),
        (
            lambda: wired(Integrator(width=8, decay=Decay(1, 1)), WinnerTakeAll(1), 2),
            ValueError,
            "Coupling of population 'own' must be of neurons that fire, not Integrator",
        ),
    ],
)
def test_bad_coupling_is_refused(make, error, message):
    with pytest.raises(error) as info:
        make()
    assert str(info.value) == message
