"""Tests of chains of layers as text."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Convolution, MaxPooling
from spiker_train import MaxPool, SpikingNetwork, TrainingOptions, Window, train
from spiker_train.network.chain import Chain, ChainLayer, chain_of


def test_sizes_are_fully_connected_layers():
    chain = Chain(784, (ChainLayer(128), ChainLayer(10)))
    assert chain_of("784-128-10") == chain_of([784, 128, 10]) == chain
    assert chain_of("28x28-128-10").shape == (28, 28)
    assert (chain.size, chain.outputs, chain.convolutional) == (784, 10, False)


def test_convolutions_and_maxima_are_read():
    chain = chain_of("28x28-8c3-p2-16c5v/2-p2-d4-10")
    assert chain.shape == (1, 28, 28)
    assert chain.layers == (
        ChainLayer((8, 14, 14), Window(3, 1, ((1, 1), (1, 1))), MaxPool(2)),
        ChainLayer((16, 2, 2), Window(5, 2, ((0, 0), (0, 0))), MaxPool(2)),
        ChainLayer((16, 2, 2), Window(4, 1, ((1, 2), (1, 2)), groups=16)),
        ChainLayer(10),
    )
    assert (chain.size, chain.outputs, chain.convolutional) == (784, 10, True)


@pytest.mark.parametrize(
    ("text", "picture", "shape"),
    [
        ("2x34x34-4c3-10", None, (2, 34, 34)),
        ("35-4c3-10", (5, 7), (1, 5, 7)),
        ("70-4c3-10", (2, 5, 7), (2, 5, 7)),
    ],
    ids=["channels", "picture", "recording"],
)
def test_input_is_channels_rows_and_columns(text, picture, shape):
    assert chain_of(text, picture).shape == shape


def test_network_is_made_of_them():
    net = SpikingNetwork.chain("6x8-4c3-p2-d3-5-3", bias=True)
    projections = net.graph.projections
    kernels = np.zeros((4, 1, 3, 3), int)
    assert projections[0].synapses == Convolution(kernels, (1, 6, 8), padding=1)
    assert projections[0].pooling == MaxPooling((4, 6, 8), 2)
    assert projections[1].synapses == Convolution(kernels, (4, 3, 4), padding=1, groups=4)
    assert [layer.name for layer in net.layers] == ["hidden1", "hidden2", "hidden3", "output"]
    assert [tuple(layer.bias.shape) for layer in net.layers] == [(4,), (4,), (5,), (3,)]
    assert net.inputs[0].shape == (1, 6, 8)
    assert net(np.ones((2, 3, 48))).scores.shape == (2, 3)


def test_sums_and_averages_have_weights_that_are_not_learned():
    chain = chain_of("2x9x8-s2-4c3-a3/2-5")
    assert chain.layers == (
        ChainLayer((2, 4, 4), Window(2, 2, groups=2), weight=1.0),
        ChainLayer((4, 4, 4), Window(3, 1, ((1, 1), (1, 1)))),
        ChainLayer((4, 1, 1), Window(3, 2, groups=4), weight=1 / 9),
        ChainLayer(5),
    )
    net = SpikingNetwork.chain("2x9x8-s2-4c3-a3/2-5", bias=True)
    fixed = [layer.bias is None for layer in net.layers]
    assert fixed == [not part.weights.requires_grad for part in net.connections]
    assert fixed == [True, False, True, False]
    x = (np.random.default_rng(1).random((4, 3, 144)) < 0.3).astype(np.uint8)
    currents = net(x, record=["hidden1.current"]).states["hidden1.current"].numpy()
    sums = x.reshape(12, 2, 9, 8)[:, :, :8].reshape(12, 2, 4, 2, 4, 2).sum((3, 5))
    assert np.array_equal(currents, sums.reshape(4, 3, 32))
    before = [part.weights.detach().clone() for part in net.connections]
    options = TrainingOptions(epochs=1, validation_share=0.5, batch_norm=True, progress=False)
    train(net, x, np.array([0, 1, 0, 1]), options)
    pairs = zip(net.connections, before, strict=True)
    assert [torch.equal(part.weights, old) for part, old in pairs] == fixed


BAD = {
    "letter": ("28x28-8q3-10", "Layers must be such as .*, not '28x28-8q3-10': see '8q3'"),
    "distance of maxima": ("28x28-8c3-p3/2-10", "see 'p3/2'"),
    "sum": ("784-s2-10", "Sum 's2' must be behind an input such as 28x28 or another convolution"),
    "average": ("28x28-50-a2-10", "Average 'a2' must be behind an input such as 28x28"),
    "wide": ("4x6-s5-10", "Windows of 's5' must fit into 4x6 in '4x6-s5-10'"),
    "no window": ("4x4-a0-10", "Numbers of 'a0' must be at least 1 in"),
    "no distance": ("4x4-a2/0-10", "Numbers of 'a2/0' must be at least 1 in"),
    "no maximum": ("4x4-2c3-p0-10", "Numbers of 'p0' must be at least 1 in"),
    "input": ("28y28-10", "Layers must be such as"),
    "zero": ("0x28-10", "Layers must be such as"),
    "four": ("1x2x3x4-10", "Layers must be such as"),
    "end": ("28x28-8c3", "Last layer of '28x28-8c3' must be a number of neurons, not '8c3'"),
    "pool at the end": ("28x28-8c3-p2", "Last layer of .* must be a number of neurons, not 'p2'"),
    "sum at the end": ("28x28-s2", "Last layer of '28x28-s2' must be a number of neurons, not 's2"),
    "pool": ("28x28-p2-10", "Maximum 'p2' must be behind a convolution in '28x28-p2-10'"),
    "pools": ("28x28-8c3-p2-p2-10", "Maximum 'p2' must be behind a convolution"),
    "flat": ("784-8c3-10", "Convolution '8c3' must be behind an input such as 28x28 or another"),
    "after": ("28x28-50-8c3-10", "Convolution '8c3' must be behind an input such as 28x28"),
    "kernel": ("4x4-8c5v-10", "Kernel of '8c5v' must fit into 4x4 in"),
    "window": ("4x4-8c3-p5-10", "Windows of 'p5' must fit into 4x4 in"),
    "nothing": ("4x4-0c3-10", "Numbers of '0c3' must be at least 1 in"),
    "stride": ("4x4-2c3/0-10", "Numbers of '2c3/0' must be at least 1 in"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_chains_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        chain_of(text)
