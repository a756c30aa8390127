"""Tests of dense spikes, events and frames: round trips, and every loss refused or counted."""

import re

import numpy as np
import pytest

from spiker_train import (
    ConversionLoss,
    Events,
    LossyConversionError,
    dense_to_events,
    dense_to_frames,
    events_to_dense,
    events_to_frames,
    frames_to_dense,
    frames_to_events,
)

DT = 1e-3


def counts(shape, seed=0, greatest=3):
    random = np.random.default_rng(seed)
    return (random.integers(0, greatest + 1, shape) * (random.random(shape) < 0.3)).astype(np.uint8)


# -- nothing is lost -----------------------------------------------------------------------------


@pytest.mark.parametrize("dt", [1e-3, 0.1, 1 / 3])
@pytest.mark.parametrize("greatest", [1, 3])
def test_dense_spikes_return_from_events(dt, greatest):
    spikes = counts((5, 40, 12), greatest=greatest)
    events = dense_to_events(spikes, dt, shape=(3, 4))
    assert [len(recording) for recording in events] == spikes.sum((1, 2)).tolist()
    loss = ConversionLoss()
    back = events_to_dense(events, dt, steps=40, greatest=greatest, loss=loss)
    np.testing.assert_array_equal(back, spikes)
    assert back.dtype == np.uint8
    assert loss == ConversionLoss()


def test_uneven_samples_return_from_events():
    spikes = [counts((steps, 6), seed=steps) for steps in (3, 9, 1)]
    back = events_to_dense(dense_to_events(spikes, DT), DT, greatest=3)
    for sample, other in zip(spikes, back, strict=True):
        np.testing.assert_array_equal(sample, other)


def test_frames_return_from_events_and_from_dense_spikes():
    frames = counts((3, 8, 2, 4, 5))
    events = frames_to_events(frames, DT)
    assert events[0].shape == (2, 4, 5)
    np.testing.assert_array_equal(events_to_frames(events, DT, frames=8), frames)
    np.testing.assert_array_equal(dense_to_frames(frames_to_dense(frames), (2, 4, 5)), frames)
    one, uneven = frames_to_events(frames[0], DT), frames_to_events([frames[0], frames[1][:3]], DT)
    assert one == events[0] == uneven[0]
    assert [len(sample) for sample in events_to_frames(uneven, DT)] == [8, 3]


def test_events_on_the_grid_return_from_dense_spikes():
    events = Events([0.0, 0.001, 0.001, 0.004], [2, 0, 1, 2], 3, 0.005)
    assert dense_to_events(events_to_dense(events, DT), DT) == events


def test_a_time_is_in_the_step_in_which_it_is_by_picoseconds():
    steps = np.arange(4000)
    events = Events(steps * 1e-4, np.zeros(4000, int), 1, 0.4)
    np.testing.assert_array_equal(events_to_dense(events, 1e-4), np.ones((4000, 1)))
    late = Events([0.3 - 1e-12], [0], 1, 1.0)
    assert events_to_dense(late, 0.1)[:, 0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_frames_of_several_steps_add_them():
    spikes = counts((2, 7, 4))
    loss = ConversionLoss()
    frames = dense_to_frames(spikes, (2, 2), every=3, loss=loss)
    assert frames.shape == (2, 3, 2, 2)
    np.testing.assert_array_equal(frames[:, 0].reshape(2, 4), spikes[:, :3].sum(1))
    np.testing.assert_array_equal(frames[:, 2].reshape(2, 4), spikes[:, 6])
    assert (loss.moved, loss.lost) == (int(spikes.sum() - spikes[:, ::3].sum()), 0)


# -- losses --------------------------------------------------------------------------------------

CROWDED = Events([0.0, 0.0004, 0.0011, 0.0052], [1, 1, 0, 2], 3, 0.006)


def test_events_in_one_bin_are_refused_or_counted():
    message = (
        "Conversion must keep all events, not lose 1 over the greatest value of their step and "
        "channel (greatest=): pass loss=ConversionLoss() to allow and count that"
    )
    with pytest.raises(LossyConversionError, match=f"^{re.escape(message)}$"):
        events_to_dense(CROWDED, DT)
    loss = ConversionLoss()
    assert events_to_dense(CROWDED, DT, loss=loss).sum() == 3
    assert (loss.clipped, loss.cut, loss.moved, loss.lost) == (1, 0, 3, 1)
    assert loss.largest_move == pytest.approx(4e-4)
    assert events_to_dense(CROWDED, DT, greatest=2).sum() == 4


def test_events_after_the_last_step_are_refused_or_counted():
    with pytest.raises(LossyConversionError, match=r"not lose 1 after the last step \(steps=\):"):
        events_to_dense(CROWDED, DT, steps=5, greatest=2)
    loss = ConversionLoss()
    dense = events_to_dense([CROWDED, CROWDED], DT, steps=5, loss=loss)
    assert dense.shape == (2, 5, 3)
    assert (loss.clipped, loss.cut) == (2, 2)
    assert events_to_dense(CROWDED, DT, steps=9, greatest=2)[6:].sum() == 0


def test_clipped_counts_of_frames_are_refused_or_counted():
    spikes = np.ones((6, 1), dtype=int)
    with pytest.raises(LossyConversionError, match=r"not lose 4 over the greatest value"):
        dense_to_frames(spikes, 1, every=3, greatest=1)
    loss = ConversionLoss(clipped=1)
    frames = dense_to_frames(spikes, 1, every=3, greatest=1, loss=loss)
    assert (frames.ravel().tolist(), loss.clipped) == ([1, 1], 5)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: events_to_dense(CROWDED, 0), ValueError, "Time step dt must be in 1e-12..4096"),
        (lambda: events_to_dense(CROWDED, "1"), TypeError, "Time step dt must be numbers, not"),
        (lambda: events_to_dense([], DT), ValueError, "Events must be of at least one recording"),
        (lambda: events_to_dense([1], DT), TypeError, "Events must be a list of Events, not of 1"),
        (
            lambda: events_to_dense([CROWDED, Events([], [], 2, 1.0)], DT),
            ValueError,
            "Events of all recordings must have the shape (3,), not (2,)",
        ),
        (lambda: events_to_dense(CROWDED, 1e-12), ValueError, "Steps of a recording must be at"),
        (
            lambda: dense_to_events(np.array([[0, -1]]), DT),
            ValueError,
            "Spikes must be at least 0, not -1",
        ),
        (lambda: dense_to_events(np.zeros(3, int), DT), ValueError, "Spikes must have 2 axes a"),
        (
            lambda: dense_to_events(np.zeros((3, 4), int), DT, shape=(2, 3)),
            ValueError,
            "Shape must be of 4 channels, not (2, 3)",
        ),
        (
            lambda: dense_to_events(np.zeros((3, 4), int), 4000.0),
            ValueError,
            "Sample must last at most 4096 s, not 12000.0 s",
        ),
        (lambda: dense_to_events(np.zeros((3, 4)), DT), TypeError, "Spikes must be integers, not"),
    ],
)
def test_conversions_reject(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        call()
