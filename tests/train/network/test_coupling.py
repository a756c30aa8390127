"""Tests of winner-take-all in training: by hand, in seconds, its gradients, and its integers."""

import re
from random import Random

import numpy as np
import pytest
import torch

import spiker_hdl
from spiker_hdl import model
from spiker_hdl.model import CurrentLif, If, Input, Integrator, Lif, Readout, timing
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FirstOrder,
    IntegerCell,
    Layer,
    NetworkBuilder,
    Quantization,
    QuantizationReport,
    SpikingNetwork,
    Tau,
    WinnerTakeAll,
    Wire,
    load_floating_point,
    load_network_state,
    quantize,
    save_floating_point,
    save_network_state,
    to_nir,
)
from spiker_train.monte_carlo.integers import as_tensors
from spiker_train.network.plausibility import implausible

pytestmark = pytest.mark.filterwarnings("ignore::spiker_train.ImplausibleWarning")


def wired(coupling, size=3, cell=None, weight=5.0, bias=False, **options):
    """Return a network in which each channel reaches one neuron."""
    cell = Cell(If, threshold=9.0, reset="zero", fire=">=") if cell is None else cell
    weights = np.full(size, weight)
    return SpikingNetwork(
        [Input("in", size, 0, 2)],
        [Layer("own", size, cell, bias, coupling)],
        [Connection("in", "own", weights, kind="one_to_one", **options)],
        [Readout("own", "count")],
    ).double()


# In each step, the events of three neurons, which fire at 9, that is at twice 5.
EVENTS = [(0, 2, 2), (2, 2, 0), (0, 0, 1), (1, 2, 1), (1, 0, 0), (0, 0, 2), (0, 1, 0)]


@pytest.mark.parametrize("coupling", [WinnerTakeAll, model.WinnerTakeAll])
@pytest.mark.parametrize(
    "steps, spikes, potentials",
    [
        # Neuron 1 wins over neuron 2, which is reset as well, and in the next step 0 over 1.
        (0, [1, 0, None, 1, 0, 2, None], [0, 0, 5, 5, 0, 0, 5]),
        # Neuron 1 wins, and may fire again at once; 0 has no input in the second step.
        (1, [1, 1, None, 1, None, 2, None], [0, 0, 5, 5, 5, 5, 5]),
    ],
)
def test_winners_by_hand(coupling, steps, spikes, potentials):
    with torch.no_grad():
        outcome = wired(coupling(steps))(torch.tensor([EVENTS]), record=["own.v"])
    fired = [step.nonzero().flatten().tolist() for step in outcome.spikes["own"][0]]
    assert fired == [[] if n is None else [n] for n in spikes]
    assert outcome.states["own.v"][0].sum(1).tolist() == potentials


def test_inhibition_in_seconds_is_right_under_a_changing_step():
    # Neuron 0 wins in the first step, which ends at 1 ms, and neuron 1 has input ever after.
    net = wired(WinnerTakeAll(Duration(2.5e-3)), size=2)
    x = torch.zeros(1, 12, 2)
    x[0, 0, 0] = 2
    x[0, :, 1] = 2
    plan = [(1e-3, 2), (5e-4, 4), (2e-3, 6)]
    with torch.no_grad():
        outcome = net(x, plan=plan, record=["own.inhibition", "own.current"])
    # Steps begin at 0, 1, 2, 2.5, 3, 3.5, 4, 6 ms: that of 3.5 ms is the first without inhibition.
    times = outcome.times * 1e3
    fired = [times[outcome.spikes["own"][0, :, n].numpy() > 0].tolist() for n in (0, 1)]
    assert fired == [[0], pytest.approx([3.5, 4, 6, 8, 10, 12, 14])]
    left = outcome.states["own.inhibition"][0, :, 0] * 1e3
    assert left[:8].tolist() == pytest.approx([2.5, 1.5, 1, 0.5, 0, 2.5, 0.5, 0])
    assert outcome.states["own.current"][0, :6, 1].tolist() == [10, 0, 0, 0, 0, 10]
    assert net(x[:, :7], dt=5e-4).spikes["own"][0, :, 1].tolist() == [0] * 6 + [1]


def test_events_and_biases_of_inhibited_neurons_are_discarded_and_currents_go_on():
    cell = Cell(Lif, threshold=1e3, decay=1.0, v=[1e3 + 1, 0.0])
    net = wired(WinnerTakeAll(2), 2, cell, bias=[0.0, 1.0], dynamics=FirstOrder(0.5), name="slow")
    net.layer["own"].coupling = WinnerTakeAll(2)
    x = torch.tensor([[[0, 1]] * 5])
    record = ["own.current", "slow.i"]
    outcome = net(x, record=record)
    assert outcome.states["slow.i"][0, :, 1].tolist() == [5, 2.5, 1.25, 5.625, 7.8125]
    assert outcome.states["own.current"][0, :, 1].tolist() == [6, 2.5, 1.25, 6.625, 8.8125]
    pairs = SpikingNetwork(
        [Input("in", 2)],
        [Layer("own", 2, cell, [0.0, 1.0], WinnerTakeAll(2))],
        [Connection("in", "own", 5 * np.eye(2), dynamics=FirstOrder(0.5, per_pair=True))],
        [Readout("own")],
    ).double()
    record = ["own.current"]
    currents = pairs(x, record=record).states["own.current"]
    assert torch.equal(currents, outcome.states["own.current"])
    net = wired(WinnerTakeAll(2), 2, cell, dynamics=Wire(bias=3.0))
    currents = net(x, record=["own.current"]).states["own.current"]
    assert currents[0, :, 1].tolist() == [8, 0, 0, 8, 8]


def test_current_lif_and_a_synapse_before_lif_are_inhibited_alike():
    options = {"threshold": 1.0, "decay": 0.75}
    synapse = wired(WinnerTakeAll(2), 4, Cell(Lif, **options), 0.25, dynamics=FirstOrder(0.5))
    whole = wired(WinnerTakeAll(2), 4, Cell(CurrentLif, current_decay=0.5, **options), 0.25)
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (5, 20, 4)))
    a, b = (net(x, record=["own.v"]) for net in (synapse, whole))
    assert torch.equal(a.spikes["own"], b.spikes["own"])
    assert torch.equal(a.states["own.v"], b.states["own.v"])
    assert a.spikes["own"].sum(2).max() == 1


def test_gradient_is_that_of_the_winner_and_of_neurons_that_would_win():
    net = wired(WinnerTakeAll(1), 4)
    # In the first step neuron 1 wins over 2, and 0 is silent, which would win if it fired.
    x = torch.tensor([[[1, 2, 2, 1], [1, 1, 1, 1]]])
    weights = net.connections[0].weights
    (of_first,) = torch.autograd.grad(net(x).spikes["own"][0, 0].sum(), weights)
    assert (of_first != 0).tolist() == [True, True, False, False]
    # They are those of neurons alone, whatever the others do.
    alone = wired(None, 4)
    own = torch.autograd.grad(alone(x).spikes["own"][0, 0].sum(), alone.connections[0].weights)[0]
    assert torch.equal(of_first[:2], own[:2])
    (of_second,) = torch.autograd.grad(net(x).spikes["own"][0, 1].sum(), weights)
    assert (of_second != 0).tolist() == [False, True, False, False]
    # Without a winner all have theirs; a neuron that is reset loses none of its past.
    (silent,) = torch.autograd.grad(net(x // 2 * 0).spikes["own"].sum(), weights, allow_unused=True)
    assert silent is None or not silent.any()
    potential = net(x, record=["own.v"]).states["own.v"][0, 0].sum()
    assert torch.autograd.grad(potential, weights)[0].tolist() == [1, 0, 0, 1]


def test_coupled_neurons_that_inhibit_each_other_are_not_taken_for_ones_that_always_fire():
    cell = Cell(If, threshold=1.0)
    assert "fires in every step" in implausible(wired(None, cell=cell, bias=5.0))[0]
    assert implausible(wired(WinnerTakeAll(1), cell=cell, bias=5.0)) == []


def random_network(seed, **options):
    """Return a network with coupled layers, recurrence, delays and biases."""
    random = Random(seed)
    cells = [
        Cell(Lif, threshold=0.5, decay=0.875, refractory=random.choice([0, 1])),
        Cell(CurrentLif, threshold=0.6, decay=0.75, current_decay=0.5),
    ]
    random.shuffle(cells)
    return SpikingNetwork(
        [Input("in", 5)],
        [
            Layer("a", 6, cells[0], 0.05, WinnerTakeAll(random.choice([0, 1, 3]))),
            Layer("b", 4, cells[1], coupling=WinnerTakeAll(random.choice([0, 2]))),
            Layer("out", 2, Cell(Integrator, decay=0.875)),
        ],
        [
            Connection("in", "a"),
            Connection("a", "b", np.random.default_rng(seed).uniform(0, 0.9, (4, 6))),
            Connection("b", "a", delay=1),
            Connection("b", "out", delay=2),
        ],
        [Readout("out", "last"), Readout("a", "first")],
        seed=seed,
        **options,
    )


@pytest.mark.parametrize("seed", range(6))
def test_training_has_the_bits_of_the_reference(seed):
    net = random_network(seed)
    x = (np.random.default_rng(seed).random((4, 16, 5)) < 0.5).astype(np.uint8)
    settings = Quantization(5, 10, "multiplier").fit(net)
    record = ["a", "b", "a.v", "b.v", "out.v"]
    network = quantize(net, settings)
    assert network.population["a"].coupling == model.WinnerTakeAll(
        net.layer["a"].coupling.inhibition
    )
    expected = spiker_hdl.run(network, x, record=record)
    assert expected.spikes["a"].sum(2).max() == expected.spikes["b"].sum(2).max() == 1
    assert expected.differences(net.run(x, settings, record=record)) == []
    # The way back: tensors of an integer network.
    again, same = as_tensors(network)
    assert expected.differences(again.run(x, same, record=record)) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 14))
def test_training_has_the_bits_of_hardware(seed):
    net = random_network(seed)
    x = (np.random.default_rng(seed).random((6, 30, 5)) < 0.5).astype(np.uint8)
    settings = Quantization(5, 10, "shift").fit(net)
    network, expected = quantize(net, settings), net.run(x, settings, record=["a", "b"])
    cycles = timing.predict(network, x).cycles.tolist()
    for engine in ("amaranth", "compiled"):
        actual = spiker_hdl.run(network, x, engine=engine, record=["a", "b"])
        assert expected.differences(actual) == []
        assert cycles == [*actual.cycles]


@pytest.mark.parametrize("integers", [None, Quantization(5, 10)], ids=["float", "integers"])
def test_split_runs_equal_the_unsplit_one_also_from_a_file(tmp_path, integers):
    net = random_network(1).double()
    x = torch.from_numpy((np.random.default_rng(1).random((3, 16, 5)) < 0.5) * 1.0)
    integers = None if integers is None else integers.fit(net)
    record = ["a.v", "a.inhibition"]
    with torch.no_grad():
        whole = net(x, integers, record)
        assert {0, 1} <= set(whole.states["a.inhibition"].flatten().tolist())
        for at in (1, 7):
            begin = net(x[:, :at], integers, record)
            save_network_state(begin.after, tmp_path / f"{at}.safetensors")
            start = load_network_state(tmp_path / f"{at}.safetensors")
            end = net(x[:, at:], integers, record, start=start)
            for name in record:
                both = torch.cat([begin.states[name], end.states[name]], 1)
                torch.testing.assert_close(both, whole.states[name], rtol=1e-12, atol=0)
            assert torch.equal(end.spikes["b"], whole.spikes["b"][:, at:])
    assert begin.after.select([1]).couplings["a"]["left"].shape == (1, 1)
    with pytest.raises(ValueError, match=re.escape("not lack 'a coupling.left'")):
        net(x, integers, start=begin.after.__class__(**{**vars(begin.after), "couplings": {}}))


def test_stacked_draws_are_those_of_a_loop():
    net = random_network(2).double()
    x = (np.random.default_rng(2).random((3, 9, 5)) < 0.6).astype(np.uint8)
    several = [
        connection.weights.detach() + 0.2 * torch.randn(4, *connection.weights.shape).double()
        for connection in net.connections
    ]
    loop = []
    with torch.no_grad():
        for k in range(4):
            for connection, weights in zip(net.connections, several, strict=True):
                connection.drawn = weights[k]
            loop.append(net(x).spikes["a"])
        for connection, weights in zip(net.connections, several, strict=True):
            connection.drawn = weights
        assert torch.equal(net(x).spikes["a"], torch.cat(loop))


def test_coupled_layers_of_a_random_network_run_in_kernels():
    net = random_network(0)
    x = torch.ones(2, 6, 5)
    outcome = net(x, kernel="fused")
    assert outcome.kernels == {"a": "fused", "b": "fused", "out": "fused"}
    assert torch.equal(outcome.spikes["a"], net(x, kernel="eager").spikes["a"])


def test_recorded_current_of_coupled_integers_in_floating_point_is_read_step_by_step(caplog):
    from spiker_train.kernels.choice import note

    note.cache_clear()
    net = wired(WinnerTakeAll(1), cell=If(width=8, threshold=9), bias=[1.0, 2.0, 0.0])
    x = torch.tensor([EVENTS])
    records = [["own.v", "own.inhibition"], ["own.v", "own.current"]]
    for record, kernel in zip(records, ("fused", "eager"), strict=True):
        expected = net(x, record=record, kernel="eager")
        outcome = net(x, record=record, kernel="fused")
        assert outcome.kernels == {"own": kernel}
        assert torch.equal(outcome.spikes["own"], expected.spikes["own"])
        for name in record:
            assert torch.equal(outcome.states[name], expected.states[name])
    assert "in integers and coupled, is recorded" in caplog.text


@pytest.mark.parametrize("inhibition", [2, Duration(3e-3)], ids=str)
def test_coupling_is_saved(tmp_path, inhibition):
    net = wired(WinnerTakeAll(inhibition))
    save_floating_point(net, path := tmp_path / "own.safetensors")
    assert load_floating_point(path).layer["own"].coupling == WinnerTakeAll(inhibition)
    integers = wired(WinnerTakeAll(inhibition), cell=If(width=8, threshold=9))
    save_floating_point(integers, path)
    again = load_floating_point(path).layer["own"]
    assert again.coupling == WinnerTakeAll(inhibition)
    assert isinstance(again.cell, IntegerCell)


def test_inhibition_in_seconds_becomes_whole_steps():
    net = wired(WinnerTakeAll(Duration(3e-3)))
    assert quantize(net, dt=1e-3).population["own"].coupling == model.WinnerTakeAll(3)
    report = QuantizationReport()
    network = quantize(net, dt=2e-3, rounding="nearest", report=report)
    assert network.population["own"].coupling == model.WinnerTakeAll(2)
    (change,) = [change for change in report.changes if change.what == "inhibition"]
    assert (change.target, change.quantized) == pytest.approx((3e-3, 4e-3))
    for options, message in (
        ({"dt": 2e-3}, "Inhibition of layer 'own' must be a whole number of steps of 0.002 s"),
        ({"dt": 1e-8}, "Inhibition of layer 'own' must be at most 65535 steps, not 300000"),
        ({}, "times in seconds, and so a quantization must have dt"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            quantize(net, **options)


def test_builder_adds_and_changes_couplings():
    builder = NetworkBuilder()
    builder.input("in", 2)
    builder.layer("own", 2, Lif, threshold=1.0, decay=Tau(5e-3), coupling=WinnerTakeAll(3))
    builder.connect("in", "own")
    builder.readout("own", "count")
    assert builder.build().layer["own"].coupling == WinnerTakeAll(3)
    builder.change("own", coupling=WinnerTakeAll(Duration(2e-3)), threshold=2.0)
    assert builder.build().layer["own"].coupling == WinnerTakeAll(Duration(2e-3))
    builder.replace("own", If, threshold=1.0)
    assert builder.build().layer["own"].coupling is None
    builder.replace("own", If, threshold=1.0, coupling=WinnerTakeAll(1))
    assert builder.build().layer["own"].coupling == WinnerTakeAll(1)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: WinnerTakeAll(-1), ValueError, "Steps of inhibition must be at least 0, not -1"),
        (lambda: WinnerTakeAll(1.5), TypeError, "Steps of inhibition must be an int, not 1.5"),
        (
            lambda: WinnerTakeAll(Duration([1e-3, 2e-3])),
            TypeError,
            "Inhibition must be one Duration, not Duration([0.001, 0.002])",
        ),
        (lambda: wired(3), TypeError, "Coupling of layer 'own' must be a WinnerTakeAll, not 3"),
        (
            lambda: wired(WinnerTakeAll(1), cell=Cell(Integrator, decay=0.5)),
            ValueError,
            "Coupling of layer 'own' must be of neurons that fire, not Integrator",
        ),
        (
            lambda: wired(WinnerTakeAll(Duration(1e-3)))(torch.ones(1, 2, 3)),
            ValueError,
            "Network 'network' has times in seconds, and so a run must have the length of its "
            "steps: write net(x, dt=1e-3) or net(x, plan=[(1e-3, steps)]), or set net.dt",
        ),
        (
            lambda: to_nir(wired(WinnerTakeAll(1)), dt=1e-3),
            ValueError,
            "Coupling of layer 'own' must be None to be in NIR, not WinnerTakeAll",
        ),
    ],
)
def test_bad_coupling_is_refused(make, error, message):
    with pytest.raises(error) as info:
        make()
    assert str(info.value) == message
