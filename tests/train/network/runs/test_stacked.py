"""Tests of several draws of the weights in one run."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Decay, Input, Lif, Readout
from spiker_train import Cell, Connection, Layer, Quantization, SpikingNetwork
from spiker_train.network.runs import stacked
from spiker_train.network.runs.stacked import draws_of, project, shared_project


def make(kind="dense"):
    """Return a network with a delay, a recurrent connection and every arrangement of weights."""
    cell = Cell(Lif, threshold=1.0, decay=Decay.shift(3))
    draws = np.random.default_rng(1)
    mask = draws.integers(0, 2, (6, 6))
    return SpikingNetwork(
        [Input("input", 12)],
        [Layer("hidden", 6, cell, bias=draws.normal(0, 0.1, 6)), Layer("output", 6, cell)],
        [
            Connection("input", "hidden", draws.normal(0.3, 0.5, (6, 12)), delay=1),
            Connection(
                "hidden", "hidden", draws.normal(0, 0.3, (6, 6)), kind="sparse", mask=mask, delay=1
            ),
            Connection("hidden", "output", np.full(6, 0.8), kind="one_to_one"),
        ],
        [Readout("output", "count")],
    ).double()


@pytest.mark.parametrize("integers", [None, Quantization(4, 10)], ids=["float", "integers"])
@pytest.mark.parametrize("share", [0.05, 0.6], ids=["few events", "many events"])
def test_stacked_draws_are_those_of_a_loop(integers, share):
    net = make()
    draws = np.random.default_rng(2)
    x = (draws.random((3, 7, 12)) < share).astype(np.uint8)
    integers = None if integers is None else integers.fit(net)
    several = [
        connection.weights.detach() + 0.2 * torch.randn(4, *connection.weights.shape).double()
        for connection in net.connections
    ]
    loop = []
    with torch.no_grad():
        for k in range(4):
            for connection, weights in zip(net.connections, several, strict=True):
                connection.drawn = weights[k]
            assert draws_of(net.connections) == 1
            loop.append(net(x, integers, record=["hidden.v"]))
        for connection, weights in zip(net.connections, several, strict=True):
            connection.drawn = weights
        assert draws_of(net.connections) == 4
        at_once = net(x, integers, record=["hidden.v"])
    states = torch.cat([outcome.states["hidden.v"] for outcome in loop])
    assert torch.cat([outcome.logits for outcome in loop]).equal(at_once.logits)
    if integers is None:
        torch.testing.assert_close(states, at_once.states["hidden.v"], rtol=1e-12, atol=1e-12)
    else:
        assert states.equal(at_once.states["hidden.v"])
    assert len(torch.unique(states.reshape(4, -1), dim=0)) == 4 or share < 0.1


def test_gradient_of_drawn_weights_reaches_the_weights_unchanged():
    net = make()
    connection = net.connections[0]
    x = np.random.default_rng(3).integers(0, 2, (2, 5, 12))
    connection.drawn = torch.zeros_like(connection.weights)
    assert connection.masked().equal(connection.drawn)
    connection.drawn = connection.weights.detach() * 1.5
    connection.masked().sum().backward()
    assert connection.weights.grad is not None
    assert connection.weights.grad.equal(torch.ones_like(connection.weights))
    drawn = net(x).logits
    connection.drawn = None
    assert not net(x).logits.equal(drawn)


@pytest.mark.parametrize("pointwise", [False, True])
def test_products_by_hand(pointwise):
    weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    weights = weights if pointwise else weights[:, None]
    events = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    own = [[1.0, 2.0], [0.0, 4.0]] if pointwise else [[3.0], [4.0]]
    assert project(weights, events, pointwise).tolist() == own
    shared = shared_project(weights, events[None], pointwise)
    every = [[[1, 2], [0, 2]], [[3, 4], [0, 4]]] if pointwise else [[[3], [2]], [[7], [4]]]
    assert shared.tolist() == every


def test_sparse_product_is_for_few_events(monkeypatch):
    seen = []
    monkeypatch.setattr(
        stacked, "csr_matrix", lambda rows: seen.append(rows.shape) or np.asarray(rows)
    )
    weights = torch.ones(2, 3, 20, requires_grad=True)
    events = torch.zeros(1, 2, 20)
    shared_project(weights, events, False)
    assert not seen
    with torch.no_grad():
        shared_project(weights, events + 1, False)
        assert not seen
        assert shared_project(weights, events, False).shape == (2, 2, 3)
    assert seen == [(2, 20)]
