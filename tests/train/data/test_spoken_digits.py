"""Tests of spoken digits: as dense spikes, and as recordings."""

import numpy as np
import pytest

from spiker_train.data.spoken_digits import spoken_digits, spoken_recordings


@pytest.fixture
def path(tmp_path):
    draws = np.random.default_rng(0)
    lengths = np.array([7, 0, 12, 3, 0])
    np.savez(
        tmp_path / "spikes.npz",
        offset=np.concatenate([[0], np.cumsum(lengths)]),
        times_ms=draws.integers(0, 700, 22).astype(np.uint16),
        units=draws.integers(0, 6, 22),
        channels=6,
        label=np.array([3, 1, 4, 0, 5]),
        speaker=np.zeros(5, int),
        take=np.array([9, 2, 1, 8, 7]),
    )
    return tmp_path / "spikes.npz"


def test_recordings_are_the_dense_spikes_of_the_official_split(path):
    spoken, data = spoken_digits(64, 10, path), spoken_recordings(path)
    for part, members in zip(("train", "test"), spoken.official, strict=True):
        np.testing.assert_array_equal(data.dense(part), spoken.spikes[members])
        np.testing.assert_array_equal(getattr(data, f"y_{part}"), spoken.labels[members])
    assert (data.name, data.size, data.dt, data.steps) == ("fsdd", 6, 0.01, 64)
    assert data.x_train[2].duration == 0.001  # it has no spike


def test_missing_file_is_refused_with_its_place(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^Spoken digits must be at .*none; set SPIKER_DA"):
        spoken_recordings(tmp_path / "none")
