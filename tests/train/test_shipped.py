"""Tests of the networks that ship: they answer as their table says, on the whole test split."""

import pytest

from spiker_hdl.model import load, reference
from spiker_train import load_dataset
from spiker_train.data.neuromorphic_mnist import neuromorphic_mnist
from spiker_train.recipes import encode

from support.places import ROOT

NETWORKS = ROOT / "networks"


@pytest.mark.parametrize(
    "name, layers, width, samples, min_accuracy",
    [
        ("digits", [64, 32, 10], 8, 360, 0.97),
        pytest.param("mnist", [784, 128, 10], 8, 10_000, 0.982, marks=pytest.mark.slow),
        pytest.param("mnist_count", [784, 128, 10], 8, 10_000, 0.976, marks=pytest.mark.slow),
        pytest.param("mnist_14x14", [196, 96, 10], 9, 10_000, 0.979, marks=pytest.mark.slow),
    ],
)
def test_shipped_networks_have_their_documented_accuracy(
    name, layers, width, samples, min_accuracy, request
):
    pytest.importorskip("sklearn")
    if name != "digits":
        request.getfixturevalue("data_file")("mnist.npz")
    network = load(NETWORKS / f"{name}.spiker")
    data = load_dataset(network.note["data"])
    spikes = encode(data.x_test, int(network.note["steps"]), network.note["encoder"])
    assert [
        network.inputs[0].size,
        *(population.size for population in network.populations),
    ] == layers
    assert [projection.bits for projection in network.projections] == [4, 4]
    assert [population.neuron.width for population in network.populations] == [width, width]
    result = reference.run(network, spikes)
    assert len(result.classes) == samples
    assert (result.classes == data.y_test).mean() >= min_accuracy
    assert 10 < result.counts["hidden"].mean() < 150


@pytest.mark.slow
def test_the_network_for_an_icebreaker_has_its_documented_accuracy(data_file):
    data_file("mnist.npz")
    network = load(NETWORKS / "mnist_icebreaker.spiker")
    data = load_dataset(network.note["data"])
    spikes = encode(data.x_test, int(network.note["steps"]), network.note["encoder"])
    assert [projection.width for projection in network.projections] == [4] * 3
    assert (reference.run(network, spikes).classes == data.y_test).mean() >= 0.987
    for name in ("hidden1", "hidden2"):
        assert {*network.bounds[name].states.values()} == {(0, 0)}


@pytest.mark.slow
def test_the_network_for_the_camera_has_its_documented_accuracy(data_file):
    data = neuromorphic_mnist(data_file("nmnist_small.npz").parent)
    network = load(NETWORKS / "nmnist.spiker")
    assert [projection.bits for projection in network.projections] == [4] * 4
    spikes = data.dense("test", steps=int(network.note["steps"]), dt=float(network.note["dt"]))
    assert (reference.run(network, spikes).classes == data.y_test).mean() >= 0.97
