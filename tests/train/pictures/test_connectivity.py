"""Tests of pictures of connections."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from spiker_train.pictures import draw_connectivity, draw_graph

from support.timed import timed_network


def test_matrices_are_the_weights_of_their_connections():
    net = timed_network()
    figure = draw_connectivity(net, ["a->b", "a->a late 2"])
    dense, pointwise = (axis.images[0].get_array() for axis in figure.axes[:2])
    np.testing.assert_array_equal(dense, net.connections[1].weights.detach())
    missing = np.ma.getmaskarray(pointwise) | np.isnan(np.ma.getdata(pointwise))
    np.testing.assert_array_equal(missing, ~np.eye(4, dtype=bool))
    assert figure.axes[0].get_title(loc="left") == "a->b\n12 synapses"
    with pytest.raises(ValueError, match=r"Connection must be one of .*, not 'b->c'"):
        draw_connectivity(net, ["b->c"])


def test_graph_has_all_parts_with_delays_and_dynamics():
    axis = draw_graph(timed_network()).axes[0]
    texts = [text.get_text() for text in axis.texts]
    assert texts[:2] == ["in\n5 channels", "a\n4 Lif\nread: count"]
    assert "dense\nFirstOrder\n2 ms" in texts
    assert "one to one\n2 steps" in texts
    assert len(axis.patches) == 6  # an arrow for each connection
