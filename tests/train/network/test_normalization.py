"""Tests of batch normalisation: it learns in training, and folds into weights and biases."""

import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from spiker_hdl.model import If, Input, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    FirstOrder,
    IntegerCell,
    Layer,
    Quantization,
    SpikingNetwork,
    TrainingOptions,
    Window,
    freeze,
    train,
)
from spiker_train.network.normalization import batch_normalized, batch_statistics

CHAIN = "6x6-3c3-p2-4c3v-5-2"


def spikes(samples=40, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, samples)
    chance = np.where(np.arange(36) % 2 == labels[:, None], 0.5, 0.2)
    return (random.random((samples, 3, 36)) < chance[:, None]).astype(np.uint8), labels


def test_current_has_the_learned_deviation_over_a_batch():
    x, _ = spikes()
    net = SpikingNetwork.chain(CHAIN, bias=True)
    link = net.connections[0]
    with batch_normalized(net, True):
        with torch.no_grad():
            link.normalization.gain.copy_(torch.tensor([0.5, 1.0, 2.0]))
        with batch_statistics(net):
            current = net(x, record=["input->hidden1.current"]).states["input->hidden1.current"]
    channels = current.detach().reshape(40 * 3, 3, 9).transpose(0, 1).flatten(1)
    assert channels.mean(1).abs().max() < 1e-5
    assert torch.allclose(channels.std(1, unbiased=False), torch.tensor([0.5, 1.0, 2.0]), atol=1e-3)


@pytest.mark.parametrize("bias", [True, "channel"])
def test_folded_network_computes_the_same(bias):
    x, _ = spikes()
    layers = [
        Layer("maps", (4, 3, 3), Cell(Lif, threshold=1.0, decay=0.875), bias=bias),
        Layer("out", 3, Cell(Lif, threshold=1.0, decay=0.875), bias=True),
    ]
    connections = [
        Connection("x", "maps", kind="convolution", window=Window(2, stride=2)),
        Connection("maps", "out"),
        Connection("x", "out", name="past"),
    ]
    net = SpikingNetwork(
        [Input("x", (1, 6, 6))], layers, connections, [Readout("out", "sum")], seed=1
    )
    traces = ["maps.v", "out.v"]
    with batch_normalized(net, True):
        with batch_statistics(net):
            net(x)
            net(spikes(seed=1)[0])
        with torch.no_grad():
            for link in connections:
                link.normalization.gain.mul_(torch.linspace(0.5, 2, len(link.normalization.gain)))
        normalised = net(x, record=traces)
        plain = deepcopy(net)
        for link in plain.connections:
            link.normalization = None
        assert not torch.allclose(
            normalised.states["out.v"], plain(x, record=traces).states["out.v"]
        )
    folded = net(x, record=traces)
    assert [link.normalization for link in connections] == [None] * 3
    for trace in traces:
        assert torch.allclose(normalised.states[trace], folded.states[trace], atol=1e-4)
    assert "normalization" not in " ".join(net.state_dict())


def test_currents_of_a_static_input_are_normalised():
    x = spikes()[0][:, :1].repeat(3, 1)
    outcomes = []
    for static in (False, True):
        net = SpikingNetwork.chain("6x6-3c3-p2-2", bias=True, static=static)
        with batch_normalized(net, True), batch_statistics(net):
            outcomes.append(net(x).scores)
    assert torch.allclose(*outcomes, atol=1e-5)


def test_statistics_weigh_newer_batches_more():
    net = SpikingNetwork.chain("4-2", bias=True)
    with batch_normalized(net, True):
        part = net.connections[0].normalization
        ones = torch.ones(8, 1, 2)
        ones[::2] = -1
        with batch_statistics(net):
            part(ones * 3 + 5)
            assert torch.allclose(part.mean, torch.full((2,), 5.0))
            assert torch.allclose(part.variance, torch.full((2,), 9.0))
            part(ones * 3 + 11)
            assert torch.allclose(part.mean, torch.full((2,), 8.0))  # half of two batches
            for _ in range(100):
                part(ones + 1)
        assert torch.allclose(part.mean, torch.ones(2), atol=0.05)
        before = part.mean.clone()
        part(ones * 9)
        assert torch.equal(part.mean, before)


def test_training_with_it_learns_and_is_the_same_twice():
    x, y = spikes(200)
    options = TrainingOptions(
        epochs=2, batch_size=20, learning_rate=0.02, batch_norm=True, progress=False
    )
    nets = [SpikingNetwork.chain("36-8-2", bias=True) for _ in range(2)]
    first, second = (train(net, x, y, options) for net in nets)
    assert first.losses == second.losses
    assert first.losses[-1] < 0.8 * first.losses[0]
    assert torch.equal(nets[0].connections[0].weights, nets[1].connections[0].weights)


def test_validation_is_that_of_the_folded_network():
    x, y = spikes(60)
    net = SpikingNetwork.chain("36-8-2", bias=True)
    options = TrainingOptions(epochs=2, learning_rate=0.02, batch_norm=True, progress=False)
    history = train(net, x, y, options, validation=spikes(50, seed=2))
    classes = net.run(spikes(50, seed=2)[0]).classes
    assert (classes == spikes(50, seed=2)[1]).mean() == history.validation[history.best]


def test_training_goes_on_from_a_checkpoint_with_its_statistics(tmp_path):
    x, y = spikes(60)
    options = TrainingOptions(epochs=3, learning_rate=0.02, batch_norm=True, progress=False)
    whole = SpikingNetwork.chain("36-8-2", bias=True)
    train(whole, x, y, options)
    stopped = SpikingNetwork.chain("36-8-2", bias=True)
    path = tmp_path / "run.checkpoint"

    def interrupt(answers):
        if path.exists():
            raise KeyboardInterrupt
        return torch.zeros(())

    def nothing(answers):
        return torch.zeros(())

    interrupt.__qualname__ = nothing.__qualname__ = "nothing"  # by which options know a function
    with pytest.raises(KeyboardInterrupt):
        train(stopped, x, y, replace(options, regularizers=[interrupt]), checkpoint=path)
    again = SpikingNetwork.chain("36-8-2", bias=True)
    train(again, x, y, replace(options, regularizers=[nothing]), checkpoint=path)
    for uninterrupted, resumed in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(uninterrupted, resumed)


def test_gain_stays_positive():
    x, y = spikes(40)
    net = SpikingNetwork.chain("6x6-3c3-p2-2", bias=True)
    gains = []

    def watch(answers):
        gain = net.connections[0].normalization.gain
        gains.append(float(gain.detach().min()))
        return 100 * gain.sum()

    options = TrainingOptions(
        epochs=3,
        batch_size=5,
        learning_rate=0.2,
        batch_norm=True,
        regularizers=[watch],
        progress=False,
    )
    train(net, x, y, options)
    assert 0 < min(gains) < 0.01


def test_network_is_untouched_where_nothing_was_learned():
    net = SpikingNetwork.chain("4-2", bias=True)
    before = deepcopy(net.state_dict())
    with batch_normalized(net, ["input->output"]):
        assert "normalization" in str(net)
    assert "normalization" not in str(net)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def network(**changes):
    """Make a network of three layers, of which a loop and some obstacles can be made."""
    cell = Cell(Lif, threshold=1.0, decay=0.875)
    layers = [
        Layer("a", 3, changes.get("cell", cell), bias=changes.get("bias", True)),
        Layer("b", 2, Cell(Lif, threshold=1.0, decay=0.875), bias=True),
    ]
    links = [
        Connection("x", "a", dynamics=changes.get("dynamics"), grid=changes.get("grid")),
        Connection("a", "a", name="loop", delay=1),
        Connection("a", "b"),
    ]
    net = SpikingNetwork([Input("x", 4)], layers, links, [Readout("b", "count")])
    if changes.get("frozen"):
        freeze(net.connections[0])
    return net


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({}, "loop", "its events come from the layers that they reach"),
        ({"dynamics": FirstOrder(tau=0.5)}, "x->a", "it has dynamics"),
        ({"grid": 0.5}, "x->a", "its weights keep a grid"),
        ({"bias": False}, "x->a", "'a' has no bias"),
        ({"frozen": True}, "x->a", "its weights are not learned"),
        (
            {"cell": IntegerCell(If(threshold=3, width=6), scale=0.1)},
            "x->a",
            "the neurons of 'a' are in integers",
        ),
    ],
    ids=["loop", "dynamics", "grid", "bias", "frozen", "integers"],
)
def test_connection_that_cannot_be_folded_is_refused(changes, name, reason):
    net = network(**changes)
    message = f"Batch normalisation cannot be of '{name}', as {reason}: "
    with (
        pytest.raises(ValueError, match=re.escape(message)),
        batch_normalized(net, [name]),
    ):
        pass
    assert all(link.normalization is None for link in net.connections)
    with batch_normalized(net, ["a->b"]):
        assert net.connections[0].normalization is None


X, Y = spikes(20)


@pytest.mark.parametrize(
    ("options", "settings", "error", "message"),
    [
        ({"batch_norm": 1}, {}, TypeError, "must be a bool or names of connections, not 1"),
        ({"batch_norm": [3]}, {}, TypeError, "must be a bool or names of connections, not [3]"),
        (
            {"batch_norm": ["c"]},
            {},
            ValueError,
            "must be of 'input->hidden', 'hidden->output', not of 'c'",
        ),
        (
            {"batch_norm": True},
            {"integers": Quantization(4, 8)},
            ValueError,
            "must be of a training in floating point, not in integers",
        ),
        (
            {"rounded_weights": 4},
            {"integers": Quantization(4, 8)},
            ValueError,
            "Rounded weights must be None in integers",
        ),
        ({"rounded_weights": 1}, {}, ValueError, "Weight bits must be in 2..16, not 1"),
    ],
    ids=["number", "names", "unknown", "integers", "rounded", "bits"],
)
def test_bad_options_are_refused(options, settings, error, message):
    net = SpikingNetwork.chain("36-8-2", bias=True)
    if "batch_norm" in options:
        message = f"Batch normalisation {message}"
    with pytest.raises(error, match=re.escape(message)):
        train(net, X, Y, TrainingOptions(epochs=1, progress=False, **options), **settings)


def test_samples_of_different_lengths_are_refused():
    net = SpikingNetwork.chain("36-2", bias=True)
    x = [sample[: 1 + n % 3] for n, sample in enumerate(X)]
    with pytest.raises(ValueError, match="must be of samples with the same number of steps"):
        train(net, x, Y, TrainingOptions(epochs=1, batch_norm=True, progress=False))
