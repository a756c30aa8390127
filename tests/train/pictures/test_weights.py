"""Tests of pictures of distributions of weights."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from spiker_hdl.model import If, Input, Readout
from spiker_train import Cell, Connection, Layer, SpikingNetwork
from spiker_train.pictures import WeightHistory, draw_weights


def test_bands_are_quantiles_of_the_weights():
    net = SpikingNetwork.chain("6-5-3")
    history = WeightHistory("epoch")
    for epoch in (0, 2, 3):
        history.add(epoch, net)
        net.connections[0].weights.data.mul_(0.5)
    over_time, histogram = draw_weights(history, ["input->hidden"]).axes
    median = over_time.lines[0]
    assert median.get_xdata().tolist() == [0, 2, 3]
    weights = history.weights["input->hidden"]
    np.testing.assert_allclose(median.get_ydata(), [np.median(row) for row in weights])
    np.testing.assert_allclose(weights[2], weights[0] / 4)
    for band, shares in zip(
        over_time.collections, ((0, 1), (0.05, 0.95), (0.25, 0.75)), strict=True
    ):
        low, high = np.quantile(weights[2], shares)
        heights = [y for x, y in band.get_paths()[0].vertices if x == 3]
        assert (min(heights), max(heights)) == pytest.approx((low, high))
    bins = np.linspace(weights[0].min(), weights[0].max(), 41)
    for drawn, row in zip(histogram.patches, (weights[0], weights[2]), strict=True):
        assert drawn.get_xy()[1:-1:2, 1].tolist() == np.histogram(row, bins)[0].tolist()
    labels = [text.get_text() for text in histogram.get_legend().get_texts()]
    assert labels == ["0", "3"]
    assert (over_time.get_xlabel(), histogram.get_xlabel()) == ("epoch", "weight (arbitrary unit)")
    with pytest.raises(ValueError, match="at least one time, not none"):
        draw_weights(WeightHistory())


def test_connections_without_synapses_are_left_out():
    layers = [Layer("a", 2, Cell(If, threshold=1.0)), Layer("b", 2, Cell(If, threshold=1.0))]
    none = Connection("a", "b", kind="sparse", mask=np.zeros((2, 2)))
    links = [Connection("in", "a"), none]
    net = SpikingNetwork([Input("in", 3)], layers, links, [Readout("b", "count")])
    history = WeightHistory("epoch")
    history.add(0, net)
    figure = draw_weights(history)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["in->a", "first and last"]
    with pytest.raises(ValueError, match=r"one with synapses, of \['in->a'\], not 'a->b'"):
        draw_weights(history, ["a->b"])
