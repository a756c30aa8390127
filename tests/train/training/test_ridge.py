"""Tests of readouts by ridge regression."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Accumulator, Input, Integrator, Lif, Readout, reference
from spiker_train import (
    Cell,
    Connection,
    Layer,
    SpikingNetwork,
    Tau,
    TrainingOptions,
    fit_readout,
    freeze,
    quantize,
    reservoir_weights,
    train,
)
from spiker_train.training.ridge import _ridge


def network(output, bias=True, readout="last"):
    cell = Cell(Lif, threshold=1.0, decay=0.9)
    return SpikingNetwork(
        [Input("in", 8)],
        [Layer("pool", 20, cell), Layer("out", 2, output, bias)],
        [
            Connection("in", "pool"),
            Connection(
                "pool", "pool", reservoir_weights(20, seed=1, density=0.3), kind="sparse", delay=1
            ),
            Connection("pool", "out"),
        ],
        [Readout("out", readout)],
        seed=1,
    )


def samples(count=60):
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    rates = np.where(labels[:, None] == 1, np.linspace(0.1, 0.9, 8), np.linspace(0.9, 0.1, 8))
    return (random.random((count, 12, 8)) < rates[:, None]).astype(np.uint8), labels


@pytest.mark.parametrize(
    "output, dt",
    [
        (Cell(Integrator, decay=0.8), None),
        (Cell(Integrator, decay=Tau(5e-3)), 1e-3),
        (Cell(Accumulator), None),
    ],
    ids=["integrator", "seconds", "accumulator"],
)
def test_scores_are_those_of_the_regression(output, dt):
    net = network(output)
    spikes, labels = samples()
    before = [connection.weights.detach().clone() for connection in net.connections[:2]]
    assert fit_readout(net, spikes, labels, penalty=1e-3, dt=dt) == 1.0
    for old, connection in zip(before, net.connections[:2], strict=True):
        assert torch.equal(old, connection.weights)
    with torch.no_grad():
        outcome = net(spikes, dt=dt)
    factor = {None: 0.8, 1e-3: np.exp(-0.2)}[dt] if output.kind is Integrator else 1.0
    filtered = np.einsum(
        "nts,t->ns", outcome.spikes["pool"].numpy(), factor ** np.arange(11, -1, -1)
    )
    # The same by least squares on rows that stand for the penalty.
    x, y = filtered - filtered.mean(0), np.where(labels[:, None] == [0, 1], 1.0, -1.0)
    root = np.sqrt(1e-3 * (x**2).mean() * len(x))
    rows = np.concatenate([x, root * np.eye(20)])
    goal = np.concatenate([y - y.mean(0), np.zeros((20, 2))])
    expected = x @ np.linalg.lstsq(rows, goal, rcond=None)[0] + y.mean(0)
    np.testing.assert_allclose(outcome.scores, expected, atol=1e-4)


def test_readout_is_a_layer_of_the_integer_network():
    net = network(Cell(Integrator, decay=0.875), bias=False)
    spikes, labels = samples()
    fit_readout(net, spikes, labels)
    integers = quantize(net, 6, 12)
    assert (reference.run(integers, spikes).classes == labels).mean() > 0.9


def test_frozen_weights_are_not_trained():
    net = network(Cell(Integrator, decay=0.875))
    spikes, labels = samples()
    freeze(*net.connections[:2])
    before = [connection.weights.detach().clone() for connection in net.connections]
    train(net, spikes, labels, TrainingOptions(epochs=1, batch_size=20, progress=False))
    same = [torch.equal(a, c.weights) for a, c in zip(before, net.connections, strict=True)]
    assert same == [True, True, False]


def test_both_systems_have_the_same_weights():
    random = np.random.default_rng(4)
    x, y = random.normal(size=(7, 9)), random.normal(size=(7, 2))
    expected = np.linalg.solve(x.T @ x + 0.3 * np.eye(9), x.T @ y).T
    np.testing.assert_allclose(_ridge(x, y, 0.3), expected, rtol=1e-9)


def test_more_features_than_samples():
    net = network(Cell(Accumulator), bias=False)
    spikes, labels = samples(10)
    assert fit_readout(net, spikes, labels, penalty=1e-6) == 1.0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: network(Cell(Lif, threshold=1.0, decay=0.9)), "not 'last' of Lif"),
        (lambda: network(Cell(Integrator, decay=0.9), readout="sum"), "not 'sum' of Integrator"),
        (
            lambda: SpikingNetwork.chain("8-2"),
            "must come from a layer that emits events, not 'input'",
        ),
    ],
    ids=["spiking", "readout", "input"],
)
def test_another_layer_is_refused(make, message):
    spikes, labels = samples(10)
    with pytest.raises(ValueError, match=message):
        fit_readout(make(), spikes, labels)
