"""Tests of weights that are kept over time."""

import numpy as np
import pytest

from spiker_hdl.model import Decay, Input, Lif, Readout
from spiker_train import Cell, Connection, Layer, MonteCarlo, SpikingNetwork, pcm
from spiker_train.network.drawn import draw_weights
from spiker_train.pictures import WeightHistory


def network():
    sparse = np.array([[0.5, 0.0, -0.2], [0.0, 0.3, 0.0]])
    return SpikingNetwork(
        [Input("in", 3)],
        [Layer("out", 2, Cell(Lif, threshold=1.0, decay=Decay.shift(2)))],
        [Connection("in", "out", sparse, kind="sparse")],
        [Readout("out", "count")],
    )


def test_weights_of_devices_are_those_of_a_draw():
    net = network()
    history = WeightHistory.of_devices(net, pcm(), [20.0, 1e6], seed=4, draw=2)
    assert history.times == [20.0, 1e6]
    expected = draw_weights(net, pcm(), 4, 2, 1e6)["in->out"].numpy()[[0, 0, 1], [0, 2, 1]]
    np.testing.assert_array_equal(history.weights["in->out"][1], expected)
    assert np.abs(history.weights["in->out"][1]).sum() < np.abs([0.5, 0.2, 0.3]).sum()
    MonteCarlo(net, pcm(), 1, 4, times=history.times)  # takes the same


def test_kept_weights_stay_when_the_network_is_trained():
    net = SpikingNetwork.chain("3-2").double()
    history = WeightHistory()
    history.add(0, net)
    before = net.connections[0].weights.detach().flatten().tolist()
    net.connections[0].weights.data.add_(1)
    assert history.weights["input->output"][0].tolist() == before


def test_times_must_increase():
    history = WeightHistory()
    history.add(1, network())
    with pytest.raises(ValueError, match="Time of weights must be after 1, not 1"):
        history.add(1, network())
    with pytest.raises(ValueError, match=r"must be of the connections \['in->out'\], not"):
        history.add(2, SpikingNetwork.chain("3-2"))
