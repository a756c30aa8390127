"""Tests of events of a recording: order, channels, exact times, and what is refused."""

import re

import numpy as np
import pytest

from spiker_train import Events
from spiker_train.data.events import to_picoseconds


def test_events_are_sorted_by_time_and_keep_their_order_at_equal_times():
    events = Events([0.5, 0.1, 0.5, 0.1], [3, 2, 1, 0], 4, 1.0)
    assert events.times.tolist() == [0.1, 0.1, 0.5, 0.5]
    assert events.channels.tolist() == [2, 0, 3, 1]
    assert len(events) == 4


def test_channels_have_a_column_for_each_axis():
    events = Events([0.0, 0.1], [[1, 2, 3], [0, 1, 4]], (2, 3, 5), 1.0)
    assert events.flat.tolist() == [1 * 15 + 2 * 5 + 3, 9]
    assert events == Events([0.0, 0.1], [28, 9], (2, 3, 5), 1.0)
    assert events.channels.tolist() == [[1, 2, 3], [0, 1, 4]]
    assert events.size == 30


def test_times_are_whole_picoseconds():
    assert to_picoseconds(0.1 + 0.2) == 300_000_000_000
    assert Events([], [], 3, 0.3).steps(0.1) == 3
    assert Events([], [], 3, 0.3001).steps(0.1) == 4
    ticks = np.random.default_rng(0).integers(0, 4096 * 10**12, 2000)
    np.testing.assert_array_equal(to_picoseconds(ticks / 10**12), ticks)


def test_cut_keeps_the_start_and_leaves_out_the_end():
    events = Events([0.0, 0.2, 0.4, 0.6], [0, 1, 2, 3], 4, 1.0)
    assert events.cut(0.2, 0.6) == Events([0.0, 0.2], [1, 2], 4, 0.4)
    with pytest.raises(ValueError, match=r"^Cut must be from 0 or later to at most 1\.0 s, not"):
        events.cut(0.2, 1.1)


def test_arrays_of_events_cannot_be_written():
    events = Events([0.0, 0.2], [0, 1], 4, 1.0)
    for array in (events.times, events.channels, events.picoseconds, events.flat):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    "options, message",
    [
        ({"times": [0.0, 1.0]}, "Times must be at least 0 and less than 1.0 s, not 1.0"),
        ({"times": [-0.1, 0.5]}, "Times must be at least 0 and less than 1.0 s, not -0.1"),
        ({"times": [0.1, float("nan")]}, "Times must be finite, not NaN or infinite"),
        ({"times": [[0.1, 0.2]]}, "Times must have the shape (events,), not (1, 2)"),
        ({"channels": [0, 3]}, "Channels must be in 0..2, not 3"),
        ({"channels": [-1, 0]}, "Channels must be in 0..2, not -1"),
        (
            {"channels": [[0, 2], [0, 1]], "shape": (3, 2)},
            "Channels must be in 0..1 along axis 1, not 2",
        ),
        ({"channels": [1]}, "Channels must have the shape (2, 1) or (2,), not (1,)"),
        ({"duration": 0.0}, "Duration must be more than 0 and at most 4096 s, not 0.0"),
        ({"duration": 5000}, "Duration must be more than 0 and at most 4096 s, not 5000.0"),
        ({"shape": 0}, "Events size must be at least 1, not 0"),
    ],
)
def test_events_reject(options, message):
    values = {"times": [0.0, 0.5], "channels": [0, 1], "shape": 3, "duration": 1.0} | options
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Events(**values)


def test_channels_of_floats_are_refused():
    with pytest.raises(TypeError, match=r"^Channels must be integers, not"):
        Events([0.1], [0.5], 3, 1.0)
