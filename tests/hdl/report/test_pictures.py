"""Tests of the pictures: what stands in them, not how they look."""

from dataclasses import replace

import numpy as np
import pytest

from spiker_hdl.model import (
    Decay,
    Dendrite,
    Input,
    Integrator,
    Lif,
    Network,
    Population,
    Projection,
    Readout,
    reference,
)
from spiker_hdl.report import draw_activity, draw_cycles
from spiker_hdl.report.pictures import recorded_names


def network(shape=(2, 2)):
    lif = Lif(threshold=2, decay=Decay.shift(2), width=8)
    return Network(
        (Input("in", shape),),
        (
            Population("hidden", 3, lif),
            Population("out", 2, Integrator(width=8, decay=Decay.shift(3))),
        ),
        (
            Projection("in", "hidden", np.array([[3, 0, 0, 0], [0, 3, 3, 0], [1, 1, 1, 1]])),
            Projection("hidden", "out", np.array([[1, 2, -1], [-2, 1, 4]])),
        ),
        (Readout("out", "last"),),
    )


SPIKES = np.array([
    [[1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]],
    [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
])


def points(axis):
    (dots,) = axis.collections
    return {tuple(map(int, dot)) for dot in dots.get_offsets()}


def test_recorded_names_are_all_spikes_and_potentials():
    assert recorded_names(network()) == ("hidden", "hidden.v", "out.v")


def test_dots_are_spikes_and_bars_are_scores():
    net = network()
    result = reference.run(net, SPIKES, record=recorded_names(net))
    figure = draw_activity(net, SPIKES, result, 0, label=1, title="one")
    axes = {axis.get_title(loc="left"): axis for axis in figure.axes}
    fired = np.argwhere(result.spikes["hidden"][0])
    assert points(axes["in: 7 events"]) == {(int(t) + 1, int(n)) for t, n in np.argwhere(SPIKES[0])}
    assert len(fired) > 2
    hidden = axes[f"hidden: {len(fired)} spikes"]
    assert points(hidden) == {(int(t) + 1, int(n)) for t, n in fired}
    (image,) = hidden.get_images()
    assert np.array_equal(image.get_array(), result.spikes["hidden.v"][0].T)
    assert axes["out: never fires"].get_images()
    bars = [bar.get_width() for bar in axes["scores"].patches]
    assert bars == result.scores[0].tolist()
    winner = int(result.classes[0])
    right = "right" if winner == 1 else "wrong"
    assert figure.get_suptitle() == f"one: answer {winner}, which is {right}"


def test_dots_of_values_are_as_large_as_these():
    dendrite = Dendrite(width=8, decay=Decay(1, 0), resolution=1, low=-4, high=3)
    populations = (replace(network().populations[0], neuron=dendrite), network().populations[1])
    net = replace(network(), populations=populations)
    result = reference.run(net, SPIKES, record=recorded_names(net))
    figure = draw_activity(net, SPIKES, result)
    values = result.spikes["hidden"][0]
    title = f"hidden: {np.count_nonzero(values)} outputs"
    (axis,) = [axis for axis in figure.axes if axis.get_title(loc="left") == title]
    (dots,) = axis.collections
    sizes = dots.get_sizes() / dots.get_sizes().max()
    assert sizes.tolist() == (np.abs(values[values != 0]) / np.abs(values).max()).tolist()
    assert len(set(sizes)) > 1


def test_each_group_of_neurons_has_a_bar():
    net = replace(network(), readouts=(Readout("out", "last", groups=1),))
    result = reference.run(net, SPIKES, record=recorded_names(net))
    figure = draw_activity(net, SPIKES, result)
    axis = next(axis for axis in figure.axes if axis.get_title(loc="left") == "scores")
    assert [bar.get_width() for bar in axis.patches] == result.scores[0].tolist()
    assert axis.get_xlabel() == "last of out in 1 groups"


def test_only_inputs_with_two_axes_are_drawn_as_images():
    for shape, panels in (((2, 2), 1), (4, 0)):
        net = network(shape)
        result = reference.run(net, SPIKES, record=recorded_names(net))
        titles = [a.get_title(loc="left") for a in draw_activity(net, SPIKES, result).axes]
        assert titles.count("in, summed") == panels


def test_silent_sample_can_be_drawn(tmp_path):
    net = network()
    result = reference.run(net, SPIKES, record=recorded_names(net))
    figure = draw_activity(net, SPIKES, result, 1)
    figure.savefig(tmp_path / "silent.png")
    assert (tmp_path / "silent.png").read_bytes().startswith(b"\x89PNG")
    assert "in: 0 events" in [axis.get_title(loc="left") for axis in figure.axes]


def test_bad_arguments_of_draw_activity_are_refused():
    net = network()
    bare = reference.run(net, SPIKES)
    with pytest.raises(ValueError, match=r"^Result must have recorded 'hidden', not \[\]$"):
        draw_activity(net, SPIKES, bare)
    whole = reference.run(net, SPIKES, record=recorded_names(net))
    with pytest.raises(ValueError, match=r"^Sample must be at most 1, not 2$"):
        draw_activity(net, SPIKES, whole, 2)


def test_cycles_are_drawn_over_events():
    import spiker_hdl

    net = network()
    result = spiker_hdl.run(net, SPIKES, engine="amaranth")
    (axis,) = draw_cycles(net, SPIKES, result).axes
    events = [7 + int(result.counts["hidden"][0]), int(result.counts["hidden"][1])]
    assert points(axis) == set(zip(events, result.cycles.tolist(), strict=True))


def test_cycles_need_an_engine_that_counts_them():
    net = network()
    with pytest.raises(
        ValueError, match=r"^Result must have cycles, which 'reference' does not count$"
    ):
        draw_cycles(net, SPIKES, reference.run(net, SPIKES))
