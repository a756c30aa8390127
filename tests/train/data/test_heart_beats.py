"""Tests of heart beats: cut out of records, split by patients, and as events."""

import hashlib

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train.data import heart_beats as module
from spiker_train.data.heart_beats import (
    HeartBeats,
    heart_beat_events,
    heart_beats,
    interval_ratios,
)
from spiker_train.data.sources import delta

from support.file_server import serving

PEAKS = {300: 1, 900: 5, 50: 1, 1500: 28, 1400: 8, 2030: 1, 2100: 6}  # value: code


def write_record(folder, name, seed):
    """Write a record in format 16 with annotations, as other programs do."""
    folder.mkdir(exist_ok=True, parents=True)
    signal = np.random.default_rng(seed).integers(0, 2048, 2200).astype("<i2")
    total = (int(signal.sum()) + 2**15) % 2**16 - 2**15
    (folder / f"{name}.hea").write_text(
        f"{name} 1 360 2200\n{name}.dat 16 200 11 1024 {signal[0]} {total} 0 MLII\n"
    )
    (folder / f"{name}.dat").write_bytes(signal.tobytes())
    words, last = [], 0
    for at, code in sorted(PEAKS.items()):
        words.append(code << 10 | at - last)
        last = at
    (folder / f"{name}.atr").write_bytes(np.array([*words, 0], "<u2").tobytes())
    return signal.astype(int) - 1024


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "data" / "mitdb"
    return folder, {name: write_record(folder, name, name) for name in (101, 100, 102)}


def test_beats_are_cut_around_their_peaks(records):
    folder, signals = records
    beats = heart_beats(folder)
    # The beat at 50 is too early, the one at 2100 too late, and 1500 is a change of rhythm.
    assert beats.records.tolist() == [100] * 4 + [101] * 4 + [102] * 4
    assert beats.labels[:4].tolist() == [0, 2, 1, 0]
    halved = np.floor(signals[100].reshape(-1, 2).mean(1) + 0.5)
    for beat, at in zip(beats.values, (300, 900, 1400, 2030), strict=False):
        np.testing.assert_array_equal(beat, halved[at // 2 - 46 : at // 2 + 82])


def test_intervals_reach_beats_that_are_not_cut_out(records):
    beats = heart_beats(records[0])
    # Of 50, 300, 900, 1400, 2030 and 2100, the first and the last are too near to an end.
    expected = [[250, 600], [600, 500], [500, 630], [630, 70]]
    assert beats.intervals.tolist() == expected * 3


def test_interval_is_0_where_the_record_has_no_beat(records, monkeypatch):
    monkeypatch.setattr(module, "CLASS_OF", {"A": 1, "V": 2})
    beats = heart_beats(records[0])
    assert beats.labels[:2].tolist() == [2, 1]
    assert beats.intervals[:2].tolist() == [[0, 500], [500, 0]]


def test_ratios_are_to_the_intervals_before_in_the_same_record():
    before = np.array([0, 300, 300, 150, 600, 5000, 400, 200])
    records = np.array([100, 100, 100, 100, 100, 100, 101, 101])
    intervals = np.stack([before, before[::-1]], axis=1)
    beats = HeartBeats(np.zeros((8, 128), np.int16), np.zeros(8, int), records, intervals)
    # 5000 is cut to 720; nothing comes before the first two, nor over the border of records.
    expected = [1, 1, 1, 150 / 300, 600 / 225, 720 / 375, 1, 200 / 400]
    np.testing.assert_allclose(interval_ratios(beats, 2), expected, rtol=1e-15)
    expected = [1, 1, 1, 150 / 300, 600 / 250, 720 / 337.5, 1, 200 / 400]
    np.testing.assert_allclose(interval_ratios(beats), expected, rtol=1e-15)
    with pytest.raises(ValueError, match=r"^Number of intervals must be at least 1, not 0$"):
        interval_ratios(beats, 0)


def test_no_patient_is_in_both_parts(records):
    train, test = heart_beats(records[0]).inter_patient
    assert train.tolist() == [4, 5, 6, 7]
    assert test.tolist() == [0, 1, 2, 3]


def test_events_are_delta_modulation(records):
    beats = heart_beats(records[0])
    data = heart_beat_events(beats, (0.5, 1.0))
    assert (data.shape, data.steps, data.classes) == ((4,), 128, 3)
    np.testing.assert_array_equal(
        data.dense("test"), delta(beats.values[:4].astype(float), [100.0, 200.0])
    )


def test_records_are_found_and_downloaded(tmp_path, monkeypatch, records):
    folder, _ = records
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    listing = "".join(f"{hashlib.sha256(d).hexdigest()} {n}\n" for n, d in files.items())
    monkeypatch.setattr(module, "places", lambda: [tmp_path / "data"])
    assert len(heart_beats(download=False).labels) == 12
    monkeypatch.setattr(module, "places", lambda: [tmp_path / "none"])
    with pytest.raises(FileNotFoundError, match=r"^MIT-BIH must be in one of .*SPIKER_DATA point"):
        heart_beats(download=False)
    for constant, names in (("DS1", (101,)), ("DS2", (100,)), ("PACED", (102,))):
        monkeypatch.setattr(module, constant, names)
    monkeypatch.setattr(module, "cache", lambda: tmp_path / "cache")
    with serving(files | {"SHA256SUMS.txt": listing.encode()}) as (address, _):
        monkeypatch.setattr(module, "SOURCE", address)
        assert len(heart_beats(progress=False).labels) == 12
    (tmp_path / "cache/mitdb/101.dat").write_bytes(b"damaged")
    with serving(files | {"SHA256SUMS.txt": listing.encode()}) as (address, _):
        monkeypatch.setattr(module, "SOURCE", address)
        with pytest.raises(FileError, match=r"101\.dat: must have the checksum"):
            heart_beats(progress=False)


@pytest.mark.slow
def test_beats_of_the_prepared_file_are_read(data_file):
    beats = heart_beats(data_file("mitbih_beats.npz"))
    train, test = beats.inter_patient
    # The paper has 45866, 944, 3788, 415 and 44259, 1837, 3221, 388; a few are cut by the ends.
    assert np.bincount(beats.labels[train]).tolist() == [45848, 944, 3788, 414]
    assert np.bincount(beats.labels[test]).tolist() == [44240, 1837, 3220, 388]
    # Record 100 begins with beats at 77 (too early to be cut out), 370, 662 and 946.
    assert beats.intervals[:2].tolist() == [[293, 292], [292, 284]]
    ratios = interval_ratios(beats)
    normal, early, ventricular = (np.median(ratios[beats.labels == n]) for n in range(3))
    assert normal == pytest.approx(1, abs=0.01)
    assert max(early, ventricular) < 0.8


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"x": np.zeros((2, 128), np.int16), "y": np.zeros(2, int)}, "not lack record, rr"),
        ({"x": np.zeros((2, 9), np.int16)}, r"x of int16, shape \(beats, 128\), not int16"),
        ({"x": np.zeros((2, 128))}, r"x of int16, shape \(beats, 128\), not float64"),
        ({"x": np.zeros((2, 128), np.int16), "y": np.full(2, 5)}, r"y in 0\.\.4, not 5\.\.5"),
        ({"rr": np.zeros(2, int)}, r"rr of 2 pairs of integers, not int64, \(2,\)"),
        ({"rr": np.zeros((2, 2))}, r"rr of 2 pairs of integers, not float64, \(2, 2\)"),
        ({"rr": np.full((2, 2), -1)}, "rr of at least 0, not -1"),
    ],
)
def test_files_that_are_no_beats_are_rejected(tmp_path, arrays, message):
    whole = (
        {}
        if "lack" in message
        else {
            "x": np.zeros((2, 128), np.int16),
            "y": np.zeros(2, int),
            "record": np.zeros(2, int),
            "rr": np.zeros((2, 2), int),
        }
    )
    np.savez(tmp_path / "beats.npz", **whole | arrays)
    with pytest.raises(
        FileError, match=rf"beats\.npz: must have {message}|beats\.npz: .*{message}"
    ):
        heart_beats(tmp_path / "beats.npz")
    with pytest.raises(FileNotFoundError, match=r"must be at .*none, and are not there$"):
        heart_beats(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"must have records such as 100\.hea"):
        heart_beats(tmp_path)
