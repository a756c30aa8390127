"""Tests of the figures of devices on heart beats: inputs, samples, and who is held out."""

from itertools import chain

import numpy as np
import pytest

from spiker_train.data.heart_beats import DS1, DS2, HeartBeats

from support.places import ROOT


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from device_figures import beats

    return beats


def some_beats(records, labels, before):
    draws = np.random.default_rng(1)
    values = draws.integers(-200, 200, (len(records), 128)).astype(np.int16)
    before = np.asarray(before)
    return HeartBeats(
        values, np.array(labels), np.array(records), np.stack([before, before], axis=1)
    )


def settings(module, **changes):
    return module.BeatSettings(
        **{"intervals": (1,), "equal": True, "direct": True, "rate": 1e-3} | changes
    )


def test_ratios_of_intervals_are_channels_from_the_peak_on(module):
    data = some_beats([101] * 4, [0] * 4, [300, 300, 240, 384])  # ratios 1, 1, 0.8, 1.6
    beats = module.Beats(data, settings(module), 0)
    spikes = beats.spikes(np.arange(4))
    assert spikes.shape == (4, 88, 8 + 7)
    assert not spikes[:, : module.PEAK, 8:].any()  # before, the interval is not known
    assert spikes[0, :, :8].any()
    fired = spikes[:, module.PEAK :: module.EVERY, 8:]
    np.testing.assert_array_equal(fired, fired[:, :1].repeat(fired.shape[1], 1))
    assert spikes[:, :, 8:].sum() == fired.sum()
    # Below 0.6, 0.75, 0.85 and 0.92; above 1.08, 1.2 and 1.5.
    expected = [[0] * 7, [0] * 7, [0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]]
    np.testing.assert_array_equal(fired[:, 0], expected)
    without = module.Beats(data, settings(module, intervals=()), 0)
    np.testing.assert_array_equal(without.spikes(np.arange(4)), spikes[:, :, :8])
    assert beats.network(0).inputs[0].size == 15
    assert without.network(0).inputs[0].size == 8


def test_beats_of_all_classes_train_and_validate_in_equal_numbers(module, monkeypatch):
    monkeypatch.setattr(module, "EQUAL", 40)
    monkeypatch.setattr(module, "VALIDATED", 30)
    labels = [0] * 100 + [1] * 20 + [2] * 50 + [3]
    data = some_beats([101] * 171, labels, [300] * 171)
    beats = module.Beats(data, settings(module), 0)
    drawn = beats.training(np.arange(171))
    assert np.bincount(data.labels[drawn]).tolist() == [40] * 4
    assert len(set(drawn[data.labels[drawn] == 0])) == 40  # none twice where there are enough
    chosen = beats.validation(np.arange(171))
    assert np.bincount(data.labels[chosen]).tolist() == [30, 30, 30, module.REPEATED]
    as_they_are = module.Beats(data, settings(module, equal=False), 0).training(np.arange(171))
    assert np.bincount(data.labels[as_they_are]).tolist() == [100, 20, 50, 1]


def test_settings_are_chosen_on_patients_of_ds1_alone(module, monkeypatch):
    assert sorted(chain(*module.HELD_OUT)) == sorted(DS1)
    records = np.repeat([*DS1, *DS2], 8)
    data = some_beats(records, np.tile([0, 1, 2, 3], len(records) // 4), [300] * len(records))
    monkeypatch.setattr(module, "heart_beats", lambda download: data)
    monkeypatch.setattr(module, "CANDIDATES", [settings(module)])
    trained, answered = [], []
    monkeypatch.setattr(module, "train", lambda *_, **__: None)

    def spikes(self, indices, vary=False):
        (trained if vary else answered).append(set(data.records[indices]))
        return data.labels[indices]

    class Perfect:
        def run(self, labels):
            self.classes = np.where(labels == 3, 0, labels)
            return self

    monkeypatch.setattr(module.Beats, "spikes", spikes)
    monkeypatch.setattr(module.Beats, "network", lambda self, seed: Perfect())
    lines = []
    (result,) = module.choose((0, 1), lines.append)
    assert (result["recall"], result["mean"]) == ([1, 1, 1, 0], 0.75)
    assert len(lines) == 1
    assert len(trained) == 8
    assert set(chain(*trained, *answered)) == set(DS1)
    for own, validated, tested in zip(trained, answered[::2], answered[1::2], strict=True):
        assert validated == tested
        assert not own & tested
