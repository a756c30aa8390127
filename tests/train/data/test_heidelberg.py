"""Tests of the Spiking Heidelberg data sets, on small files in their format."""

import hashlib
import io
import re
import zipfile

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train.data import heidelberg as module
from spiker_train.data.heidelberg import heidelberg, read_heidelberg

from support.file_server import serving

h5py = pytest.importorskip("h5py")


def write(path, times, units, labels, changes=None):
    """Write a file as SHD's are: rows of float16 and uint16, labels, and texts beside them."""
    changes = changes or {}
    with h5py.File(path, "w") as file:
        group = file.create_group("spikes")
        for name, rows, kind in (("times", times, np.float16), ("units", units, np.uint16)):
            if name in changes:
                if changes[name] is not None:
                    group.create_dataset(name, data=changes[name])
                continue
            kind = h5py.vlen_dtype(kind)
            data = group.create_dataset(name, (len(rows),), kind)
            for n, row in enumerate(rows):
                data[n] = row
        file.create_dataset("labels", data=np.array(labels, dtype=np.uint8))
        extra = file.create_group("extra")
        extra.create_dataset("keys", data=np.array(["null", "eins"], dtype=h5py.string_dtype()))
        extra.create_dataset("speaker", data=np.array([3] * len(labels), dtype=np.uint16))


TIMES = [[0.25, 0.0, 0.5], [], [0.125]]
UNITS = [[699, 0, 3], [], [7]]


def test_recordings_are_those_of_the_file(tmp_path):
    write(tmp_path / "shd_train.h5", TIMES, UNITS, [4, 0, 19])
    recordings, labels = read_heidelberg(tmp_path / "shd_train.h5")
    assert labels.tolist() == [4, 0, 19]
    assert [events.times.tolist() for events in recordings] == [[0.0, 0.25, 0.5], [], [0.125]]
    assert [events.channels.tolist() for events in recordings] == [[0, 699, 3], [], [7]]
    assert [events.duration for events in recordings] == [0.500001, 1e-6, 0.125001]
    assert recordings.shape == (700,)


def test_data_sets_are_found_in_folders(tmp_path, monkeypatch):
    (tmp_path / "SHD").mkdir()
    write(tmp_path / "SHD/shd_train.h5", TIMES, UNITS, [4, 0, 19])
    write(tmp_path / "SHD/shd_test.h5", TIMES[:2], UNITS[:2], [1, 2])
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))
    data = heidelberg("shd", download=False)
    assert (data.name, data.size, data.classes, data.dt, data.steps) == ("shd", 700, 20, 0.01, 100)
    spikes = data.dense("train", steps=60)
    assert spikes.shape == (3, 60, 700)
    assert np.argwhere(spikes).tolist() == [[0, 0, 0], [0, 25, 699], [0, 50, 3], [2, 12, 7]]
    with pytest.raises(FileNotFoundError, match=r"^ssc_train\.h5 must be in one of .*SPIKER_DATA"):
        heidelberg("ssc", download=False)
    with pytest.raises(ValueError, match=r"^Data set must be 'shd' or 'ssc', not 'SHD'$"):
        heidelberg("SHD")


def test_zipped_files_are_downloaded_and_unpacked(tmp_path, monkeypatch):
    files, sums = {}, {}
    for part in ("train", "test"):
        write(tmp_path / "a.h5", TIMES, UNITS, [4, 0, 19])
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(tmp_path / "a.h5", f"shd_{part}.h5")
        files[f"shd_{part}.h5.zip"] = content.getvalue()
        sums[part] = f"md5:{hashlib.md5(content.getvalue()).hexdigest()}"
    monkeypatch.setattr(module, "places", lambda: [tmp_path / "cache"])
    monkeypatch.setattr(module, "cache", lambda: tmp_path / "cache")
    monkeypatch.setitem(module.FILES, "shd", sums)
    with serving(files) as (address, asked):
        monkeypatch.setattr(module, "SOURCE", address)
        assert len(heidelberg("shd", progress=False).x_test) == 3
        assert len(heidelberg("shd", progress=False).x_test) == 3
    assert len(asked) == 2


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"times": None}, "must have spikes/times, lists of floating-point numbers, not without"),
        ({"times": np.zeros(3)}, "must have spikes/times, lists of floating-point numbers, not"),
        ({"units": None}, "must have spikes/units, lists of integers, not without"),
        ({"rows": ([[0.1], [], []], UNITS)}, "must have as many units as times in each recording"),
        ({"rows": ([[-0.1]], [[1]])}, "must have times from 0 to an hour, not negative, NaN or"),
        ({"rows": ([[np.nan]], [[1]])}, "must have times from 0 to an hour, not negative, NaN or"),
        ({"rows": ([[0.1]], [[700]])}, "must have units in 0..699, not 700"),
        ({"labels": [1, 2]}, "must have labels, 3 integers, not others"),
    ],
)
def test_files_with_other_contents_are_refused(tmp_path, changes, message):
    times, units = changes.pop("rows", (TIMES, UNITS))
    labels = changes.pop("labels", [0] * len(times))
    write(tmp_path / "a.h5", times, units, labels, changes)
    with pytest.raises(FileError, match=re.escape(f"a.h5: {message}")):
        read_heidelberg(tmp_path / "a.h5")


def test_files_of_another_kind_are_refused(tmp_path):
    (tmp_path / "a.h5").write_text("{}")
    with pytest.raises(
        FileError, match=r"a\.h5: must be a file of the Spiking .*, not a file of JSON$"
    ):
        read_heidelberg(tmp_path / "a.h5")


def test_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"must be read by h5py: pip install 'spiker-hdl"):
        read_heidelberg(tmp_path / "a.h5")
