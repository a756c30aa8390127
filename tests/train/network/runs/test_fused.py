"""Tests of networks run by kernels: equal to runs step by step, with their gradients."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from spiker_hdl.model import AdaptiveLif, CurrentLif, Decay, Input, Integrator, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FastSigmoid,
    FirstOrder,
    Layer,
    Quantization,
    SecondOrder,
    SpikingNetwork,
    Summed,
    SynapseKind,
    Tau,
    WinnerTakeAll,
    Wire,
)
from spiker_train.kernels import choice

SAMPLES, STEPS = 5, 11


def network(seed):
    """Make a network with a cycle of two layers, a loop, delays, biases and learned decays."""
    random = np.random.default_rng(seed)
    cell = {"threshold": 1.0, "surrogate": FastSigmoid(float(random.choice([0.1, 0.5])))}
    return SpikingNetwork(
        inputs=[Input("events", 30), Input("graded", 6, 0, 15)],
        layers=[
            Layer("first", 19, Cell(Lif, decay=0.8, learn=["threshold", "decay"], **cell), True),
            Layer("second", 9, Cell(AdaptiveLif, decay=0.8, rise=0.2, rise_decay=0.9, **cell)),
            Layer("third", 9, Cell(CurrentLif, decay=0.9, current_decay=0.5, **cell), True),
            Layer("out", 3, Cell(Integrator, decay=0.9)),
        ],
        connections=[
            Connection("events", "first"),
            Connection("graded", "first", 0.05 * random.standard_normal((19, 6)), delay=2),
            Connection("first", "first", delay=int(random.integers(1, 4))),
            Connection("first", "second"),
            Connection("second", "third", np.full(9, 0.7), kind="one_to_one"),
            Connection("third", "second", mask=random.random((9, 9)) < 0.4, kind="sparse", delay=1),
            Connection("third", "third", np.full(9, 0.3), kind="one_to_one", delay=2),
            Connection("third", "out"),
            Connection("second", "out", delay=STEPS + 3),
        ],
        readouts=[Readout("out", "sum"), Readout("third", "count", name="counts")],
        seed=seed,
    )


def samples(seed):
    random = np.random.default_rng([seed, 1])
    return {
        "events": (random.random((SAMPLES, STEPS, 30)) < 0.3).astype(np.uint8),
        "graded": random.integers(0, 16, (SAMPLES, STEPS, 6)) * (random.random(6) < 0.3),
    }


def outcome(net, x, integers, kernel, record=(), **options):
    """Return scores, spikes and records of a run, and the gradients of all parameters."""
    net.zero_grad()
    result = net(x, integers, record, kernel=kernel, **options)
    assert set(result.kernels.values()) == {kernel}
    generator = torch.Generator().manual_seed(3)
    values = [*result.answers.values(), *result.spikes.values(), *result.states.values()]
    for _, states in sorted((result.after.neurons | result.after.synapses).items()):
        values += [value for _, value in sorted(states.items())]
    factors = [torch.randn(value.shape, generator=generator) for value in values]
    sum((value * factor).sum() for value, factor in zip(values, factors, strict=True)).backward()
    return values, {name: p.grad for name, p in net.named_parameters()}


def compare(eager, fused, exact, tolerance=1e-5):
    """Compare outcomes: bit for bit in integers, else within rounding; and gradients nearly so.

    In integers gradients are in single precision, and equal within ``tolerance``.
    """
    for x, y in zip(eager[0], fused[0], strict=True):
        if exact:
            assert torch.equal(x, y)
        else:
            torch.testing.assert_close(y, x, rtol=1e-12, atol=1e-12)
    for name, x in eager[1].items():
        if x is None:
            assert fused[1][name] is None or not fused[1][name].any()
            continue
        near = tolerance if exact else 1e-10
        atol = near * float(x.abs().max())
        torch.testing.assert_close(fused[1][name], x, rtol=near, atol=atol)


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("integers", [None, Quantization(5, 9)], ids=["reals", "integers"])
def test_networks_with_cycles_equal_those_run_step_by_step(seed, integers):
    net = network(seed) if integers is not None else network(seed).double()
    record = ["first.v", "second.a", "third"]
    eager, fused = (outcome(net, samples(seed), integers, k, record) for k in ("eager", "fused"))
    compare(eager, fused, integers is not None)
    assert 0.02 < float(eager[0][2].detach().mean()) < 0.9


def network_in_seconds(seed):
    """Make a network of synapses with dynamics, in and out of a cycle, and times in seconds."""
    random = np.random.default_rng([seed, 2])
    cell = {"threshold": 1.0, "decay": Tau(4e-3), "surrogate": FastSigmoid(0.3)}
    refractory = Duration(random.choice([0, 5e-4, 1.5e-3], 9))
    mixed = Summed(FirstOrder(Tau(1e-3)), SecondOrder(Tau(5e-4), Tau(3e-3), normalised=True))
    return SpikingNetwork(
        inputs=[Input("events", 30), Input("graded", 6, 0, 15)],
        layers=[
            Layer("first", 9, Cell(Lif, refractory=refractory, learn=["decay"], **cell), True),
            Layer("second", 9, Cell(Lif, refractory=Duration(1e-3), **cell)),
            Layer("out", 3, Cell(Integrator, decay=Tau(9e-3))),
        ],
        connections=[
            Connection("events", "first", dynamics=FirstOrder(Tau(random.random(9) / 200 + 1e-3))),
            Connection("graded", "first", 0.03 * random.standard_normal((9, 6)), dynamics=mixed),
            Connection("first", "second", delay=Duration(7e-4)),
            Connection(
                "second",
                "first",
                delay=Duration(1.2e-3),
                dynamics=SecondOrder(Tau(1e-3), Tau(2e-3), gain=random.random(9) + 1),
            ),
            Connection("second", "second", np.full(9, 0.4), kind="one_to_one", delay=2),
            Connection(
                "second", "out", dynamics=FirstOrder(Tau(2e-3), gain=500, output="charge", i=0.1)
            ),
            Connection("first", "out", dynamics=Wire(bias=0.05, gain=2)),
        ],
        readouts=[Readout("out", "sum"), Readout("second", "count", name="counts")],
        seed=seed,
    ).double()


@pytest.mark.parametrize("seed", SEEDS)
def test_dynamics_of_synapses_and_times_in_seconds_equal_those_step_by_step(seed):
    net, x = network_in_seconds(seed), samples(seed)
    record = ["events->first.i", "events->first.current", "graded->first.fast_1", "first.current"]
    record += ["first.countdown", "out.current", "second->first late 1200 us.current", "second.v"]
    record += ["second->second late 2.current", "first->second late 700 us.current"]
    record += ["first->out.current"]
    half = {name: value[:, :5] for name, value in x.items()}
    plan = [(1e-4, 3), (1e-3, 5), (1e-4, 2), (3e-4, 1)]
    results = []
    for kernel in ("eager", "fused"):
        start = net(half, plan=[(2e-4, 2), (1e-3, 3)], kernel="eager").after
        results.append(outcome(net, x, None, kernel, record, plan=plan, start=start))
    eager, fused = results
    compare(eager, fused, False)
    assert 0.02 < float(eager[0][2].detach().mean()) < 0.9
    assert 0.02 < float(eager[0][3].detach().mean()) < 0.9


def test_run_in_seconds_split_anywhere_equals_the_whole_one_with_kernels():
    net, x = network_in_seconds(0), samples(0)
    net.float()
    whole = net(x, dt=5e-4, kernel="fused")
    start, spikes = None, []
    for begin, end in ((0, 1), (1, 4), (4, STEPS)):
        part = {name: value[:, begin:end] for name, value in x.items()}
        result = net(part, dt=5e-4, start=start, kernel="fused")
        assert set(result.kernels.values()) == {"fused"}
        start = result.after
        spikes.append(result.spikes["second"])
    assert torch.equal(torch.cat(spikes, 1), whole.spikes["second"])
    for name, states in whole.after.neurons.items():
        for state, value in states.items():
            assert torch.equal(start.neurons[name][state], value)
            assert value.dtype == (torch.float32 if state == "v" else torch.float64)


def single(cell, dynamics=None, coupling=None):
    return SpikingNetwork(
        [Input("in", 8)],
        [Layer("layer", 5, cell, coupling=coupling)],
        [Connection("in", "layer", dynamics=dynamics)],
        [Readout("layer", "count")],
    )


FINE = "times are too many multiples of 1 ps for torch.float32"


@pytest.mark.parametrize(
    "refractory, dynamics, coupling, reason",
    [
        (7.000000001e-3, None, None, FINE),
        (7e-3, FirstOrder(0.9, per_pair=True), None, "synapses have a state for each pair"),
        (7e-3, None, WinnerTakeAll(Duration(7.000000001e-3)), FINE),
    ],
    ids=["fine times", "states of pairs", "fine inhibition"],
)
def test_layer_that_no_kernel_can_run_is_run_step_by_step(
    refractory, dynamics, coupling, reason, caplog
):
    choice.note.cache_clear()
    cell = Cell(Lif, threshold=1.0, decay=0.9, refractory=Duration(refractory))
    net = single(cell, dynamics, coupling)
    x = np.ones((2, 6, 8), dtype=np.uint8)
    result = net(x, dt=1e-3, kernel="fused")
    assert result.kernels == {"layer": "eager"}
    assert torch.equal(result.scores, net(x, dt=1e-3, kernel="eager").scores)
    assert reason in caplog.text


def test_neurons_with_several_receptors_run_step_by_step(caplog):
    choice.note.cache_clear()
    net = SpikingNetwork(
        [Input("a", 8), Input("b", 8)],
        [Layer("layer", 5, Cell(Lif, threshold=0.5, decay=0.9))],
        [
            Connection("a", "layer", dynamics=FirstOrder(0.5)),
            Connection("b", "layer", dynamics=FirstOrder(0.8)),
        ],
        [Readout("layer", "count")],
    )
    x = dict.fromkeys("ab", np.ones((2, 6, 8), dtype=np.uint8))
    integers = Quantization(5, 9, "multiplier")
    result = net(x, integers, kernel="fused")
    assert result.kernels == {"layer": "eager"}
    assert torch.equal(result.scores, net(x, integers, kernel="eager").scores)
    assert "since its neurons have several receptors" in caplog.text
    assert net(x, kernel="fused").kernels == {"layer": "fused"}  # pooled in floating point


def test_integer_neurons_beside_dynamics_in_floating_point_run_step_by_step(caplog):
    choice.note.cache_clear()
    net = single(Lif(width=8, threshold=2, decay=Decay.shift(3)), FirstOrder(0.5))
    x = np.ones((2, 6, 8), dtype=np.uint8)
    assert net(x, kernel="fused").kernels == {"layer": "eager"}
    assert "its neurons are in integers, and its synapses in floating point" in caplog.text


class Squared(SynapseKind):
    """A synapse that no library has, of one source for each target."""

    def step(self, p, s, x, via):
        return x * x * 0.5, {}


def test_synapse_kind_of_ones_own_runs_in_a_kernel_one_to_one():
    net = SpikingNetwork(
        [Input("in", 5, 0, 3)],
        [Layer("layer", 5, Cell(Lif, threshold=1.0, decay=0.9))],
        [Connection("in", "layer", np.linspace(0.3, 1, 5), kind="one_to_one", dynamics=Squared())],
        [Readout("layer", "count")],
    ).double()
    x = np.random.default_rng(0).integers(0, 4, (3, 9, 5))
    compare(*(outcome(net, x, None, kernel, ["layer.v"]) for kernel in ("eager", "fused")), False)


def test_stacked_draws_run_in_kernels_as_in_a_loop():
    net = SpikingNetwork.chain("20-9-4", cell=Cell(Lif, threshold=1.0, decay=0.8))
    x = (np.random.default_rng(0).random((3, 8, 20)) < 0.3).astype(np.uint8)
    draws = [torch.randn(2, *c.weights.shape) / 2 for c in net.connections]
    record = ["hidden.v", "hidden.current", "input->hidden.current"]
    results = []
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            loop = []
            for n in range(2):
                for connection, own in zip(net.connections, draws, strict=True):
                    connection.drawn = own[n]
                loop.append(net(x, None, record, kernel="eager"))
            for connection, own in zip(net.connections, draws, strict=True):
                connection.drawn = own
            bare, full = (net(x, None, names, kernel="fused") for names in ((), record))
        for name in record:
            expected = torch.cat([outcome.states[name] for outcome in loop])
            torch.testing.assert_close(full.states[name], expected)
        expected = torch.cat([outcome.spikes["hidden"] for outcome in loop])
        assert torch.equal(full.spikes["hidden"], expected)
        assert torch.equal(bare.spikes["hidden"], expected)
        assert expected.unique().tolist() == [0, 1]
        results.append(bare)
    assert torch.equal(results[0].scores, results[1].scores)


def test_stacked_draws_of_a_cycle_run_in_kernels_as_in_a_loop(caplog):
    choice.note.cache_clear()
    net, x = network(0), samples(0)
    generator = torch.Generator().manual_seed(0)
    draws = {
        c.name: c.weights.detach() * (1 + torch.randn(3, *c.weights.shape, generator=generator) / 5)
        for c in net.connections
    }
    record = ["first.v", "third.i"]
    with torch.no_grad():
        loop = []
        for n in range(3):
            for connection in net.connections:
                connection.drawn = draws[connection.name][n]
            loop.append(net(x, None, record, kernel="eager"))
        for connection in net.connections:
            connection.drawn = draws[connection.name]
        fused = net(x, None, record, kernel="fused")
    assert set(fused.kernels.values()) == {"fused"}
    for name in ("first", "second", "third"):
        expected = torch.cat([outcome.spikes[name] for outcome in loop])
        assert torch.equal(fused.spikes[name], expected)
        assert not torch.equal(expected[:SAMPLES], expected[SAMPLES : 2 * SAMPLES])
    for name in record:
        expected = torch.cat([outcome.states[name] for outcome in loop])
        torch.testing.assert_close(fused.states[name], expected)
    assert net(x, kernel="fused").kernels["first"] == "eager"
    assert "several draws of the weights of a cycle learn at once" in caplog.text


def coupled_network(seed, timed, surrogate=None):
    """Make a network of neurons that inhibit each other, in and out of a cycle."""
    random = np.random.default_rng([seed, 3])
    steps = int(random.integers(0, 4))
    couplings = [WinnerTakeAll(steps), WinnerTakeAll(Duration(1.3e-3) if timed else 2)]
    own = {"threshold": 1.0, "surrogate": surrogate or FastSigmoid(0.3)}
    lif = Cell(Lif, decay=Tau(4e-3) if timed else 0.8, learn=["threshold", "decay"], **own)
    fast, slow = (Tau(1e-3), Tau(3e-3)) if timed else (0.4, 0.8)
    kinds = [FirstOrder(slow), SecondOrder(fast, slow), Wire(bias=0.2)] if timed else [None] * 3
    current = Cell(CurrentLif, decay=slow, current_decay=fast, reset="zero", **own)
    net = SpikingNetwork(
        inputs=[Input("events", 20), Input("graded", 6, 0, 7)],
        layers=[
            Layer("first", 9, lif, True, couplings[0]),
            Layer("second", 7, current, [0.1] * 7, couplings[1]),
            Layer("third", 7, Cell(Lif, decay=slow, **own), False, couplings[1]),
            Layer("out", 3, Cell(Integrator, decay=0.9)),
        ],
        connections=[
            Connection("events", "first", dynamics=kinds[0]),
            Connection("graded", "first", 0.2 * random.standard_normal((9, 6)), delay=2),
            Connection("first", "second", dynamics=kinds[1], delay=1),
            Connection("second", "first", delay=1),
            Connection("second", "second", np.full(7, 0.4), kind="one_to_one", delay=2),
            Connection("events", "third"),
            Connection("second", "third", dynamics=kinds[2]),
            Connection("third", "out"),
        ],
        readouts=[Readout("out", "sum"), Readout("second", "count", name="counts")],
        seed=seed,
    )
    with torch.no_grad():
        for connection in net.connections:
            connection.weights.mul_(2)
    return net


COUPLED = ["first.v", "first.current", "first.inhibition", "second.inhibition", "second.i"]
COUPLED += ["third.v", "third.current", "third.inhibition", "second->first late 1.current"]
COUPLED += ["events->first.current", "second->third.current"]


def graded(seed):
    x = samples(seed)
    return {"events": x["events"][..., :20], "graded": x["graded"] % 8}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("timed", [False, True], ids=["steps", "seconds"])
def test_neurons_that_inhibit_each_other_run_in_kernels_as_step_by_step(seed, timed):
    net, x = coupled_network(seed, timed).double(), graded(seed)
    half = {name: value[:, :4] for name, value in x.items()}
    plans = [(5e-4, 2), (1e-3, 2)], [(1e-4, 3), (1e-3, 5), (1e-4, 2), (3e-4, 1)]
    results = []
    for kernel in ("eager", "fused"):
        begin = net(half, plan=plans[0], kernel="eager").after
        results.append(outcome(net, x, None, kernel, COUPLED, plan=plans[1], start=begin))
    eager, fused = results
    compare(eager, fused, False)
    for spikes in eager[0][2:5]:
        assert spikes.sum(2).max() == 1
        assert float(spikes.detach().sum(2).mean()) > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_neurons_that_inhibit_each_other_in_integers_are_equal_bit_for_bit(seed):
    net, x = coupled_network(seed, False), graded(seed)
    record = ["first.v", "first.current", "second.inhibition", "third.v"]
    eager, fused = (
        outcome(net, x, Quantization(5, 9), kernel, record) for kernel in ("eager", "fused")
    )
    compare(eager, fused, True, tolerance=1e-4)  # the sum of a threshold's gradients cancels
    assert all(float(spikes.detach().sum(2).mean()) > 0.1 for spikes in eager[0][2:5])


def test_coupled_run_split_anywhere_equals_the_whole_one_with_kernels():
    net, x = coupled_network(1, True).double(), graded(1)
    whole = net(x, dt=5e-4, kernel="fused")
    start, spikes = None, []
    for begin, end in ((0, 1), (1, 4), (4, STEPS)):
        part = {name: value[:, begin:end] for name, value in x.items()}
        result = net(part, dt=5e-4, start=start, kernel="fused")
        assert set(result.kernels.values()) == {"fused"}
        start = result.after
        spikes.append(result.spikes["second"])
    assert torch.equal(torch.cat(spikes, 1), whole.spikes["second"])
    for name, states in whole.after.couplings.items():
        for state, value in states.items():
            assert torch.equal(start.couplings[name][state], value)
            assert value.dtype == (torch.bool if state == "winner" else torch.int64)
    assert any(states["left"].any() for states in whole.after.couplings.values())


@pytest.mark.parametrize("training", [False, True])
def test_state_before_a_coupled_run_stays_as_it_was(training):
    net, x = coupled_network(1, True), graded(1)
    with torch.no_grad():
        start = net(x, dt=5e-4).after
    before = {name: states["left"].clone() for name, states in start.couplings.items()}
    with torch.set_grad_enabled(training):
        first, second = (net(x, dt=5e-4, start=start, kernel="fused") for _ in range(2))
    assert torch.equal(first.scores, second.scores)
    assert all(torch.equal(start.couplings[name]["left"], left) for name, left in before.items())


@pytest.mark.slow
def test_gradients_of_coupled_neurons_with_a_surrogate_of_ones_own_and_their_gradients():
    def surrogate(distance):
        return torch.atan(3 * distance)

    net, x = coupled_network(0, False, surrogate).double(), graded(0)
    eager, fused = (outcome(net, x, None, kernel, COUPLED) for kernel in ("eager", "fused"))
    compare(eager, fused, False)
    leaves, gradients = [*net.parameters()], []
    for kernel in ("eager", "fused"):
        scores = net(x, kernel=kernel).scores.square().sum()
        first = torch.autograd.grad(scores, leaves, create_graph=True)
        second = torch.autograd.grad(
            sum(g.square().sum() for g in first), leaves, allow_unused=True
        )
        gradients.append([*first, *(g for g in second if g is not None)])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


class Largest(TorchDispatchMode):
    """Watch for the largest tensor that is made."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.size = max(self.size, tensor.untyped_storage().nbytes() // 4)
        return out


@pytest.mark.parametrize("kernel", ["eager", "fused"])
def test_pooled_synapses_take_no_memory_for_each_pair(kernel):
    samples, sources, targets = 6, 40, 50
    sizes = []
    for dynamics in (FirstOrder(0.9), FirstOrder(0.9, per_pair=True)):
        net = SpikingNetwork(
            [Input("in", sources)],
            [Layer("layer", targets, Cell(Lif, threshold=1.0, decay=0.9))],
            [Connection("in", "layer", dynamics=dynamics)],
            [Readout("layer", "count")],
        )
        x = torch.ones(samples, 3, sources)
        with Largest() as watch:
            net(x, kernel=kernel).scores.sum().backward()
        sizes.append(watch.size)
    assert sizes[0] == sources * targets
    assert sizes[1] == samples * sources * targets


def test_times_left_by_other_steps_are_exact_in_a_kernel():
    net = single(Cell(Lif, threshold=0.1, decay=0.9, refractory=Duration(1e-3)))
    x = np.ones((2, 2, 8), dtype=np.uint8)
    with torch.no_grad():
        start = net(x, plan=[(3e-4, 2)], kernel="eager").after
        left = [
            net(x[:, :1], dt=5e-4, start=start, kernel=kernel).after.neurons["layer"]["countdown"]
            for kernel in ("eager", "fused")
        ]
    assert 7e8 in start.neurons["layer"]["countdown"].tolist()[0]
    assert 2e8 in left[0].tolist()[0]
    assert torch.equal(*left)


def test_gain_of_each_sample_multiplies_what_enters_the_dynamics():
    gain = np.array([0.5, 2.0, 3.0]).reshape(3, 1, 1) * np.ones((3, 5, 1))
    net = single(Cell(Lif, threshold=1.0, decay=0.9), FirstOrder(0.8, gain=gain)).double()
    x = (np.random.default_rng(0).random((3, 9, 8)) < 0.4).astype(np.uint8)
    record = ["in->layer.i"]
    eager, fused = (outcome(net, x, None, kernel, record) for kernel in ("eager", "fused"))
    compare(eager, fused, False)
