"""Tests of learned time constants and gains of synapse kinds, in every reading of them."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from spiker_hdl.base import FileError
from spiker_hdl.model import Decay, Input, Integrator, Lif, Readout, parameter, reference, state
from spiker_train import (
    Cell,
    Connection,
    FirstOrder,
    Layer,
    Quantization,
    SecondOrder,
    SpikingNetwork,
    Summed,
    SynapseKind,
    Tau,
    TrainingOptions,
    Wire,
    load_floating_point,
    quantize,
    save_floating_point,
    train,
)
from spiker_train.network.description import network_described

RANDOM = np.random.default_rng(0)
X = (RANDOM.random((3, 8, 5)) < 0.4).astype(np.uint8)


@dataclass(frozen=True)
class Sagging(SynapseKind):
    """A synapse of a user, whose current falls the faster the more flows already."""

    linear: ClassVar[bool] = False

    tau: Decay
    load: Any = parameter(32, default=0.1)
    i: Any = state(32)

    def step(self, p, s, x, via):
        i = via.decay(s.i, p.tau) + x
        return i - p.load * i * i, {"i": i}


KINDS = {
    "first order": FirstOrder(Tau(4e-3), gain=1.5, learn=["tau", "gain"]),
    "each target": FirstOrder(Tau([2e-3, 3e-3, 5e-3, 7e-3]), learn=["tau"]),
    "each pair": FirstOrder(Tau(RANDOM.uniform(2e-3, 9e-3, (4, 5))), learn=["tau"]),
    "euler": FirstOrder(Tau(5e-3, method="euler"), gain=[1, 2, 0.5, 1], learn=["tau", "gain"]),
    "charge": FirstOrder(Tau(3e-3), gain=800.0, output="charge", learn=["tau", "gain"]),
    "factor": FirstOrder(0.7, learn=["tau"]),
    "charge of a factor": FirstOrder(0.7, output="charge", learn=["tau"]),
    "decay": FirstOrder(Decay(3, 3), learn=["tau"]),
    "second order": SecondOrder(Tau(1e-3), Tau(6e-3), learn=["rise", "decay", "gain"]),
    "normalised": SecondOrder(
        Tau(1e-3), Tau([4e-3, 6e-3, 8e-3, 9e-3]), normalised=True, learn=["rise", "decay"]
    ),
    "charge of second order": SecondOrder(
        Tau(1e-3), Tau(6e-3), gain=900.0, output="charge", learn=["rise", "decay"]
    ),
    "summed": Summed(
        FirstOrder(Tau(2e-3), learn=["tau"]),
        SecondOrder(Tau(1e-3), Tau(9e-3), gain=0.4, learn=["decay", "gain"]),
    ),
    "wire": Wire(bias=0.1, gain=2.0, learn=["bias", "gain"]),
    "own": Sagging(Tau(4e-3), load=0.05, per_pair=True, learn=["tau", "load"]),
}
COUNTS = {"summed": 3, "second order": 3, "factor": 1, "decay": 1, "each target": 1, "each pair": 1}


def network(kind, cell=None, readout="sum"):
    return SpikingNetwork(
        [Input("in", 5)],
        [Layer("out", 4, Cell(Integrator, decay=Tau(8e-3)) if cell is None else cell)],
        [Connection("in", "out", name="wire", dynamics=kind)],
        [Readout("out", readout)],
        seed=1,
    ).double()


@pytest.mark.parametrize("name", KINDS)
def test_gradients_are_those_of_finite_differences(name):
    net = network(KINDS[name])
    learned = net.connections[0].learned
    assert len(learned) == COUNTS.get(name, 2 if name != "charge of a factor" else 1)
    plan = [(1e-3, 5), (5e-4, 3)]

    def loss():
        return net(X, plan=plan).scores.square().sum()

    loss().backward()
    for parameter_name, value in learned.items():
        flat = value.data.view(-1)
        for n in range(min(2, len(flat))):
            start, h = float(flat[n]), 1e-6
            sides = []
            for offset in (h, -h):
                flat[n] = start + offset
                with torch.no_grad():
                    sides.append(float(loss()))
            flat[n] = start
            expected = (sides[0] - sides[1]) / (2 * h)
            assert abs(expected) > 1e-4, parameter_name
            assert float(value.grad.view(-1)[n]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in {"each pair", "own"}])
def test_kernels_have_the_gradients_of_runs_step_by_step(name):
    cell = Cell(Lif, threshold=0.6, decay=Tau(8e-3), learn=["threshold"])
    net = network(KINDS[name], cell, "count")
    with torch.no_grad():
        net.connections[0].weights.mul_(3)
    results = []
    for kernel in ("eager", "fused"):
        net.zero_grad()
        outcome = net(X, plan=[(1e-3, 5), (5e-4, 3)], record=["out.v"], kernel=kernel)
        assert outcome.kernels == {"out": kernel}
        (outcome.scores.sum() + outcome.states["out.v"].square().sum()).backward()
        results.append((outcome, [value.grad for value in net.parameters()]))
    (eager, gradients), (fused, others) = results
    assert torch.equal(eager.spikes["out"], fused.spikes["out"])
    assert 0.02 < float(eager.spikes["out"].detach().mean()) < 0.9
    torch.testing.assert_close(fused.states["out.v"], eager.states["out.v"], rtol=1e-12, atol=1e-12)
    for own, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(other, own, rtol=1e-9, atol=1e-9 * float(own.abs().max()))


def test_values_at_the_start_are_those_that_are_not_learned():
    for kind, plain in (
        (KINDS["first order"], FirstOrder(Tau(4e-3), gain=1.5)),
        (KINDS["normalised"], SecondOrder(Tau(1e-3), KINDS["normalised"].decay, normalised=True)),
        (KINDS["factor"], FirstOrder(0.7)),
    ):
        expected = network(plain)(X, dt=1e-3).scores
        torch.testing.assert_close(network(kind)(X, dt=1e-3).scores, expected, rtol=1e-6, atol=0)


def test_dynamics_have_the_present_values_of_what_is_learned():
    net = network(KINDS["summed"])
    (connection,) = net.connections
    with torch.no_grad():
        connection.learned["tau_0"].fill_(np.log(3e-3))
        connection.learned["gain_1"].fill_(0.25)
    first, second = connection.dynamics.kinds
    assert (first.tau, second.gain) == (Tau(3e-3), 0.25)
    assert second.rise == Tau(1e-3)
    assert first.learn == ("tau",)
    factor = network(FirstOrder(0.9, learn=["tau"])).connections[0]
    with torch.no_grad():
        factor.learned["tau"].fill_(1.25)
    assert factor.dynamics.tau == 1.0


@pytest.mark.slow
def test_training_learns_a_time_constant_and_a_gain():
    teacher = network(FirstOrder(Tau(9e-3), gain=2.0))
    net = network(FirstOrder(Tau(3e-3), learn=["tau", "gain"]))
    weights = net.connections[0].weights
    weights.requires_grad_(False)
    x = (np.random.default_rng(1).random((40, 8, 5)) < 0.4).astype(np.uint8)
    targets = teacher(x, dt=1e-3, record=["out.v"]).states["out.v"].detach().numpy()
    options = TrainingOptions(
        epochs=30, batch_size=20, learning_rate=0.1, loss="mean_square", progress=False
    )
    train(net, x, targets, options, dt=1e-3)
    dynamics = net.connections[0].dynamics
    assert dynamics.tau.seconds == pytest.approx(9e-3, rel=0.1)
    assert dynamics.gain == pytest.approx(2.0, rel=0.1)


CELLS = {
    "CurrentLif": (Cell(Lif, threshold=0.6, decay=0.8), KINDS["first order"], "current_decay"),
    "WithSynapse": (
        Cell(Lif, threshold=0.6, decay=0.8),
        SecondOrder(Tau(1e-3), Tau(6e-3), learn=["rise", "decay"]),
        "synapse_rise",
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_learned_values_train_in_integers_and_reach_the_hardware(name):
    cell, kind, decay = CELLS[name]
    net = network(kind, cell, "count").float()
    before = {key: value.detach().clone() for key, value in net.connections[0].learned.items()}
    x = (np.random.default_rng(1).random((30, 8, 5)) < 0.4).astype(np.uint8)
    labels = np.arange(30) % 4
    integers = Quantization(5, 9, "multiplier", dt=1e-3)
    options = TrainingOptions(epochs=1, batch_size=15, learning_rate=0.05, progress=False)
    history = train(net, x, labels, options, integers=integers)
    for key, value in net.connections[0].learned.items():
        assert not torch.equal(value, before[key]), key
    network_in_integers = quantize(net, history.integers)
    neuron = network_in_integers.population["out"].neuron
    assert type(neuron).__name__ == name
    assert decay in neuron.parameters
    answers = reference.run(network_in_integers, x)
    assert (answers.scores == net(x, history.integers).scores.detach().numpy()).all()


def test_gradient_in_integers_is_about_that_in_floating_point():
    cell = Cell(Integrator, decay=Decay(1, 2))
    net = network(FirstOrder(0.75, gain=1.2, learn=["tau", "gain"]), cell, "last")
    gradients = []
    for integers in (None, Quantization(12, 24, "multiplier", decay_bits=12)):
        net.zero_grad()
        net(X, integers).logits.square().sum().backward()
        gradients.append(torch.stack([v.grad for v in net.connections[0].learned.values()]))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-2, atol=0)
    assert gradients[0].abs().min() > 1e-2


def test_learned_dynamics_have_a_receptor_of_their_own_in_integers():
    kind = FirstOrder(Tau(4e-3), learn=["tau"])
    plain = FirstOrder(Tau(4e-3))
    for kinds, receptors in (((kind, kind), 2), ((kind, plain), 2), ((plain, plain), 1)):
        net = SpikingNetwork(
            [Input("a", 5), Input("b", 5)],
            [Layer("out", 4, Cell(Lif, threshold=0.6, decay=0.8))],
            [
                Connection(source, "out", dynamics=dynamics)
                for source, dynamics in zip("ab", kinds, strict=True)
            ],
            [Readout("out", "count")],
        )
        integers = Quantization(5, 9, "multiplier", dt=1e-3)
        assert integers.fit(net).neuron(net.layer["out"]).receptors == receptors
        outcome = net({"a": X, "b": X}, integers, ["out.v"])
        outcome.states["out.v"].square().sum().backward()
        for connection in net.connections:
            for value in connection.learned.values():
                assert float(value.grad.abs()) > 0


def test_values_that_no_kind_can_have_are_undone():
    net = network(SecondOrder(Tau(3e-3), Tau(4e-3), learn=["rise"]))
    x = (np.random.default_rng(1).random((20, 8, 5)) < 0.4).astype(np.uint8)
    options = TrainingOptions(epochs=2, batch_size=10, learning_rate=2.0, progress=False)
    train(net, x, np.arange(20) % 4, options, dt=1e-3)
    dynamics = net.connections[0].dynamics
    assert dynamics.rise.seconds < dynamics.decay.seconds
    with torch.no_grad():
        net.connections[0].learned["rise"].fill_(0.0)
    text = "Connection 'wire': SecondOrder rise must be shorter than its decay, not Tau(1.0)"
    with pytest.raises(ValueError, match=re.escape(text)):
        quantize(net, dt=1e-3)


def test_learned_values_are_saved_and_loaded(tmp_path):
    for name in ("summed", "each target", "factor", "decay", "own"):
        net = network(KINDS[name]).float()
        with torch.no_grad():
            for value in net.connections[0].learned.values():
                value.mul_(1.01)
        save_floating_point(net, tmp_path / "net.safetensors")
        again = load_floating_point(tmp_path / "net.safetensors", synapse_kinds=[Sagging])
        for key, value in net.state_dict().items():
            assert torch.equal(again.state_dict()[key], value)
        assert torch.equal(again(X, dt=1e-3).scores, net(X, dt=1e-3).scores)
        assert again.connections[0].dynamics == net.connections[0].dynamics or name in {
            "each target"
        }


def test_learned_value_that_is_not_finite_is_not_saved(tmp_path):
    net = network(KINDS["factor"])
    with torch.no_grad():
        net.connections[0].learned["tau"].fill_(float("nan"))
    with pytest.raises(ValueError, match="Dynamics of 'wire': tau must be finite, not nan"):
        save_floating_point(net, tmp_path / "net.safetensors")


def test_kinds_that_learn_nothing_are_described_as_before():
    assert "learn" not in repr(FirstOrder(0.5))
    assert "learn" not in repr(network_described(network(FirstOrder(0.5))))
    assert "learn" in repr(network_described(network(FirstOrder(0.5, learn=["tau"]))))


def test_values_that_are_drawn_can_be_learned():
    def drawn(rng, shape):
        return rng.uniform(2e-3, 8e-3, shape)

    net = network(FirstOrder(Tau(drawn), learn=["tau"]))
    assert net.connections[0].learned["tau"].shape == (4,)
    assert net.connections[0].dynamics.tau.seconds.std() > 0


BAD = {
    "unknown": (
        lambda: FirstOrder(0.5, learn=["decay"]),
        ValueError,
        "What FirstOrder learns must be of tau, gain, not 'decay'",
    ),
    "state": (
        lambda: FirstOrder(0.5, learn=["i"]),
        ValueError,
        "What FirstOrder learns must be of tau, gain, not 'i'",
    ),
    "text": (
        lambda: FirstOrder(0.5, learn="tau"),
        TypeError,
        "What FirstOrder learns must be a sequence of names, not 'tau'",
    ),
    "samples": (
        lambda: FirstOrder(0.5, gain=np.ones((3, 4, 1)), learn=["gain"]),
        ValueError,
        "FirstOrder gain must be of all samples to be learned, not of single ones",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_learned_is_refused(case):
    make, error, text = BAD[case]
    with pytest.raises(error, match=re.escape(text)):
        make()


def test_file_with_a_learned_value_of_another_shape_is_refused(tmp_path, monkeypatch):
    net = network(KINDS["factor"])
    (connection,) = net.connections
    connection.learned["tau"] = torch.nn.Parameter(torch.full((4,), 0.5))
    connection._dynamics = KINDS["factor"]
    monkeypatch.setattr(type(connection), "dynamics", KINDS["factor"])
    save_floating_point(net, tmp_path / "net.safetensors")
    monkeypatch.undo()
    with pytest.raises(FileError, match=re.escape("learned tau of 'wire' of shape (), not (4,)")):
        load_floating_point(tmp_path / "net.safetensors")
