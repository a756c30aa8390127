"""Tests of connections with the weights of maps: shapes and biases that go with them."""

import numpy as np

from spiker_train.formats.arrangement import agreed_shapes, channel_bias
from spiker_train.linear.compose import Conv, Flatten, MaxPool, compose


def convolution(shape, *more):
    """Fold a convolution of one output channel."""
    return compose([Conv(np.ones((1, shape[0], 2, 2))), *more], shape)


def test_layers_have_the_shapes_of_the_convolutions_at_them():
    flat = convolution((1, 8, 8), MaxPool(7), Flatten())
    links = [("flat", "maps", convolution((1, 8, 8))), ("picture", "point", flat)]
    shapes = {"flat": (64,), "picture": (8, 8), "maps": (7, 7), "point": (1,), "other": (3, 2)}
    assert agreed_shapes(shapes, links) == {
        "flat": (1, 8, 8), "picture": (1, 8, 8), "maps": (1, 7, 7), "point": (1, 1, 1),
        "other": (3, 2),
    }  # fmt: skip


def test_shapes_that_differ_leave_a_number_of_neurons():
    links = [("in", "a", convolution((1, 8, 8))), ("in", "b", convolution((4, 4, 4)))]
    shapes = {"in": (64,), "a": (1, 7, 7), "b": (1, 3, 3)}
    assert agreed_shapes(shapes, links)["in"] == 64


def test_biases_are_of_channels_where_a_convolution_allows_it():
    into, shape = [convolution((1, 4, 4))], (2, 3, 3)
    even, uneven = np.repeat([1.0, 2.0], 9), np.arange(18.0)
    assert channel_bias(even, shape, into).tolist() == [1, 2]
    assert channel_bias(uneven, shape, into) is uneven
    assert channel_bias(even, 18, into) is even
    assert channel_bias(even, shape, []) is even
    assert channel_bias(False, shape, into) is False
