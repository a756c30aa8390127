"""Tests of pictures of runs: what is drawn, and where it stands."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from spiker_hdl.model import If, Input, Readout
from spiker_train import Cell, Connection, FirstOrder, Layer, SpikingNetwork
from spiker_train.pictures import draw_raster, draw_traces

from support.timed import random_spikes, timed_network

PLAN = [(1e-4, 10), (1e-3, 14)]


def run():
    x = random_spikes()
    names = ["a.v", "in->a late 2 ms.current", "a.countdown"]
    return timed_network(3)(x, plan=PLAN, record=names), x


def test_spikes_stand_at_their_times_under_a_plan():
    outcome, x = run()
    figure = draw_raster(outcome, 1, layers=["a"], inputs={"in": x})
    for axis, train in zip(figure.axes, (x, outcome.spikes["a"]), strict=True):
        at, neuron = np.nonzero(train[1].detach().numpy())
        assert len(at)
        expected = np.stack([outcome.times[at], neuron], axis=1)
        np.testing.assert_array_equal(axis.collections[0].get_offsets(), expected)
    assert figure.axes[0].get_ylabel() == "channel"
    assert figure.axes[1].get_ylabel() == "neuron"
    assert figure.axes[1].xaxis.get_major_formatter()(5e-3) == "5 ms"


def test_states_stand_at_the_ends_of_steps_and_currents_over_them():
    outcome, _ = run()
    figure = draw_traces(outcome, neurons=[2], thresholds={"a.v": 0.4}, unit="mV")
    potential, current, countdown = figure.axes
    line = potential.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), outcome.ends)
    np.testing.assert_array_equal(line.get_ydata(), outcome.states["a.v"][0, :, 2].detach())
    assert potential.lines[1].get_ydata()[0] == 0.4
    stairs = current.patches[0].get_data()
    np.testing.assert_array_equal(stairs.edges, [*outcome.times, outcome.ends[-1]])
    assert (potential.get_ylabel(), countdown.get_ylabel()) == ("mV", "s")


def test_state_of_pairs_is_the_sum_over_sources():
    net = SpikingNetwork(
        [Input("in", 3)],
        [Layer("a", 2, Cell(If, threshold=1.0))],
        [Connection("in", "a", dynamics=FirstOrder(0.5, per_pair=True))],
        [Readout("a", "count")],
    )
    outcome = net(random_spikes(2, 6, 3).float(), record=["in->a.i"])
    (axis,) = draw_traces(outcome, sample=1).axes
    for neuron in range(2):
        expected = outcome.states["in->a.i"][1, :, neuron].detach().numpy().sum(axis=1)
        np.testing.assert_array_equal(axis.lines[neuron].get_ydata(), expected)


def test_steps_are_numbered_where_there_are_no_seconds():
    net = SpikingNetwork.chain("3-2")
    outcome = net(random_spikes(2, 6, 3).float(), record=["output.v"])
    figure = draw_traces(outcome)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    assert figure.axes[0].get_xlabel() == "step"


@pytest.mark.parametrize(
    "draw, options, message",
    [
        (draw_raster, {"layers": ["out"]}, r"Layer must be one of \['a', 'b'\], not 'out'"),
        (draw_raster, {"sample": 4}, "Sample must be"),
        (draw_raster, {"inputs": {"in": np.zeros((4, 3, 5))}}, r"shape \(4, 24, size\), not"),
        (draw_traces, {"names": ["b.v"]}, "Trace must be one of"),
        (draw_traces, {"neurons": [4]}, "Neuron of 'a.v' must be"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, options, message):
    with pytest.raises(ValueError, match=message):
        draw(run()[0], **options)
