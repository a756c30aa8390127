"""Tests of pictures of connections."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from spiker_hdl.model import If, Input, Readout, WithSynapses
from spiker_train import Connection, Duration, Layer, NetworkBuilder, SpikingNetwork
from spiker_train.network.cell import IntegerCell
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


def test_synapses_that_do_not_exist_have_no_colour():
    layers = [Layer("a", 2, IntegerCell(If(width=8, threshold=3), scale=1.0))]
    mask = np.array([[True, False, True], [False, True, False]])
    links = [Connection("in", "a", np.ones((2, 3)), kind="sparse", mask=mask)]
    net = SpikingNetwork([Input("in", 3)], layers, links, [Readout("a", "count")])
    axis = draw_connectivity(net).axes[0]
    drawn = np.ma.filled(axis.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, np.where(mask, 1.0, np.nan))
    assert axis.get_title(loc="left") == "in->a\n3 synapses"


def test_delayed_connections_are_dashed():
    net = timed_network()
    styles = [arrow.get_linestyle() for arrow in draw_graph(net).axes[0].patches]
    assert styles == ["--" if connection.late else "-" for connection in net.connections]
    assert len(set(styles)) == 2


def test_graph_has_all_parts_with_delays_and_dynamics():
    axis = draw_graph(timed_network()).axes[0]
    texts = [text.get_text() for text in axis.texts]
    assert texts[:2] == ["in\n5 channels", "a\n4 Lif\nread: count"]
    assert "dense\nFirstOrder\n2 ms" in texts
    assert "one to one\n2 steps" in texts
    assert len(axis.patches) == 6  # an arrow for each connection


def test_graph_has_the_receptors_of_connections():
    neuron = WithSynapses(neuron=If(width=8, threshold=4), synapses=(None, None))
    net = SpikingNetwork(
        [Input("in", 2)],
        [Layer("a", 2, IntegerCell(neuron, scale=1.0))],
        [Connection("in", "a"), Connection("in", "a", name="b", receptor=1)],
        [Readout("a")],
    )
    texts = [text.get_text() for text in draw_graph(net).axes[0].texts]
    assert "dense\nreceptor 1" in texts
    assert "dense" in texts


def test_arrows_end_at_their_nodes():
    figure = draw_graph(timed_network())
    figure.draw_without_rendering()
    (axis,) = figure.axes
    nodes = [text for text in axis.texts if text.get_zorder() == 3]
    boxes = [text.get_bbox_patch().get_window_extent() for text in nodes]
    for arrow in axis.patches:
        path = arrow.get_path()
        points = axis.transData.transform(path.vertices[path.codes != path.CLOSEPOLY])
        inside = [
            (points > box.extents[:2] + 2).all(1) & (points < box.extents[2:] - 2).all(1)
            for box in boxes
        ]
        assert not np.any(inside)
        near = [np.abs(points - (box.extents[:2] + box.extents[2:]) / 2).max(1) for box in boxes]
        assert all(np.min(near, axis=0)[[0, -1]] < 75)


def points_of(axis, arrow):
    """Return points along an arrow in pixels, a few from each to the next."""
    path = arrow.get_path()
    curves = axis.transData.transform_path(path).to_polygons(closed_only=False)
    t = np.linspace(0, 1, 40)[:, None]
    parts = [a + (b - a) * t for curve in curves for a, b in pairwise(curve)]
    return np.concatenate(parts)


def test_labels_lie_on_no_other_label_arrow_or_node():
    builder = NetworkBuilder("graph")
    for name in ("in", "late"):
        builder.input(name, 2)
    for name in "abcd":
        builder.layer(name, 2, If, threshold=1.0)
    builder.readout("d", "count")
    for source, target, delay in (
        ("in", "a", 0), ("in", "a", 3), ("in", "b", Duration(3e-3)), ("in", "d", Duration(0.01)),
        ("late", "a", Duration(1.5e-3)), ("late", "b", 0), ("a", "c", 0), ("b", "c", 2),
        ("a", "a", Duration(5e-3)), ("c", "a", 4), ("a", "d", 1), ("c", "d", 0),
    ):  # fmt: skip
        builder.connect(source, target, delay=delay)
    figure = draw_graph(builder.build())
    figure.draw_without_rendering()
    (axis,) = figure.axes
    texts = [text for text in axis.texts if text.get_zorder() == 2]
    boxes = [text.get_window_extent() for text in texts]
    nodes = [text.get_bbox_patch().get_window_extent() for text in axis.texts[:6]]
    arrows = [points_of(axis, arrow) for arrow in axis.patches]
    assert len(boxes) == len(arrows) == 12
    for n, box in enumerate(boxes):
        assert not box.count_overlaps([*boxes[:n], *boxes[n + 1 :], *nodes])
        corners = box.extents[:2], box.extents[2:]
        on = [((arrow > corners[0]) & (arrow < corners[1])).all(1).any() for arrow in arrows]
        assert on == [other == n for other in range(12)]
