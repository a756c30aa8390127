"""Tests of descriptions of networks."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Decay, If, Input, Lif, Readout, WithSynapses
from spiker_train import (
    Connection,
    Device,
    Duration,
    FirstOrder,
    Layer,
    MeasuredLevels,
    SecondOrder,
    SpikingNetwork,
    Tau,
)
from spiker_train.network.cell import IntegerCell
from spiker_train.network.description import described, network_described

LONG = np.linspace(1e-3, 2e-3, 5000)


def other(values):
    """Return a copy that differs in the middle, which the text of an array leaves out."""
    copy = values.copy()
    copy[len(copy) // 2] *= 1 + 1e-5
    return copy


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x,
        lambda x: torch.tensor(x),
        lambda x: Tau(x),
        lambda x: Duration(x),
        lambda x: {"a": [x, 1]},
        lambda x: FirstOrder(Tau(x)),
        lambda x: FirstOrder(0.5, gain=x),
        lambda x: Device(high=1.0, levels=MeasuredLevels(x)),
        lambda x: Lif(width=32, threshold=tuple((x * 1e9).astype(int)), decay=Decay.shift(2)),
    ],
)
def test_values_are_described_whole(make):
    assert described(make(LONG)) == described(make(LONG.copy()))
    assert described(make(LONG)) != described(make(other(LONG)))


def test_kinds_and_methods_are_described():
    kinds = FirstOrder(0.5), FirstOrder(0.5, output="charge"), FirstOrder(0.5, per_pair=True)
    texts = [described(kind) for kind in (*kinds, SecondOrder(0.4, 0.5), Tau(1e-3))]
    texts.append(described(Tau(1e-3, "euler")))
    assert len({str(text) for text in texts}) == len(texts)


def test_functions_are_known_by_their_names():
    assert described(other) == described(other) != described(described)
    assert " at 0x" not in str(described([object(), other]))


def test_networks_that_differ_in_a_receptor_are_others():
    def network(receptor):
        neuron = WithSynapses(neuron=If(width=8, threshold=4), synapses=(None, None))
        layer = Layer("a", 2, IntegerCell(neuron, scale=1.0))
        connection = Connection("in", "a", receptor=receptor)
        return SpikingNetwork([Input("in", 2)], [layer], [connection], [Readout("a")])

    assert network_described(network(0)) == network_described(network(0))
    assert network_described(network(0)) != network_described(network(1))
