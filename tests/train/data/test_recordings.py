"""Tests of data sets of recordings: compact storage, binning, batches and labels."""

import re

import numpy as np
import pytest

from spiker_train import EventDataset, Events
from spiker_train.data.augmentation import Drop
from spiker_train.data.recordings import Recordings, join


def recordings(count, seed=0):
    random = np.random.default_rng(seed)
    return [
        Events(random.random(n) * 0.05, random.integers(0, 6, n), (2, 3), 0.05)
        for n in random.integers(0, 40, count)
    ]


@pytest.fixture
def data():
    return EventDataset(
        recordings(7), np.arange(7) % 3, recordings(3, 1), [0, 1, 2], "tiny", 0.01, 5
    )


def test_joined_recordings_return():
    events = recordings(5)
    joined = join(events)
    assert list(joined) == events
    assert joined[1:3] == events[1:3]
    assert joined[-1] == events[-1]
    assert list(joined.take([3, 0])) == [events[3], events[0]]
    with pytest.raises(IndexError):
        joined[5]


def test_units_of_time_are_exact():
    joined = Recordings(np.array([3, 7], np.int16), np.zeros(2, int), [0, 2], 4, [8], 10**9)
    assert joined[0] == Events([0.003, 0.007], [0, 0], 4, 0.008)


def test_dense_spikes_are_binned_and_padded(data):
    spikes = data.dense("train", [2, 0], steps=8)
    assert (spikes.shape, spikes.dtype, spikes.max()) == ((2, 8, 6), np.uint8, 1)
    assert spikes[:, 5:].sum() == 0
    for sample, events in zip(spikes, (data.x_train[2], data.x_train[0]), strict=True):
        expected = np.zeros((8, 6))
        expected[(events.times / 0.01).astype(int), events.flat] = 1
        np.testing.assert_array_equal(sample, expected)
    assert data.dense("train", steps=2, dt=0.005).shape == (7, 2, 6)
    assert (data.shape, data.size, data.classes) == ((2, 3), 6, 3)


def test_batches_have_every_recording_once(data):
    batches = list(data.batches("train", 3))
    assert [len(labels) for _, labels in batches] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), data.dense("train"))
    shuffled = np.concatenate([labels for _, labels in data.batches("train", 3, seed=1)])
    assert sorted(shuffled) == sorted(data.y_train)
    again = np.concatenate([labels for _, labels in data.batches("train", 3, seed=1)])
    np.testing.assert_array_equal(shuffled, again)
    orders = {
        seed: np.concatenate([x.sum(axis=(1, 2)) for x, _ in data.batches("train", 3, seed=seed)])
        for seed in (None, 1, 2)
    }
    assert all(sorted(order) == sorted(orders[None]) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 3


def test_augmentation_draws_from_the_seed(data):
    first, again, other = (
        np.concatenate([x for x, _ in data.batches("train", 3, seed=seed, augment=Drop(0.5))]).sum()
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert 0 < first < data.dense("train").sum()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"y_train": [0, 1]}, "Data set 'tiny': y_train must have the shape (4,), not (2,)"),
        ({"y_test": [-1, 0]}, "Data set 'tiny': y_test must be at least 0, not -1"),
        (
            {"x_test": [Events([], [], 5, 1.0)] * 2},
            "Data set 'tiny': x_test must be of shape (2, 3) like x_train, not (5,)",
        ),
        ({"dt": 0.0}, "Time step dt must be in 1e-12..4096 seconds, not 0.0"),
        ({"steps": 0}, "Steps must be at least 1, not 0"),
    ],
)
def test_data_sets_reject(change, message):
    parts = {
        "x_train": recordings(4), "y_train": [0, 1, 0, 1], "x_test": recordings(2),
        "y_test": [0, 1], "name": "tiny",
    }  # fmt: skip
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        EventDataset(**parts | change)
    with pytest.raises(ValueError, match=r"^Recordings must have offset of recordings, not other"):
        Recordings(np.zeros(3, int), np.zeros(3, int), [0, 2], 4, [8])
