"""Tests of files of event cameras, made by hand and by other programs."""

import re
import struct

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train import Events
from spiker_train.data.files import event_files
from spiker_train.data.files.event_files import read_aedat, read_nmnist

from support.places import ROOT


def nmnist(rows):
    return b"".join(bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255]) for t, p, y, x in rows)


def test_nmnist_has_five_bytes_an_event(tmp_path):
    rows = [(0, 1, 2, 33), (70_000, 0, 33, 0), (300_000, 1, 0, 5)]
    (tmp_path / "1.bin").write_bytes(nmnist(rows))
    events = read_nmnist(tmp_path / "1.bin")
    assert events == Events(
        [0.0, 0.07, 0.3], [[1, 2, 33], [0, 33, 0], [1, 0, 5]], (2, 34, 34), 0.300001
    )


@pytest.mark.slow
def test_nmnist_of_real_recordings_returns(tmp_path, data_file):
    with np.load(data_file("nmnist_small.npz")) as arrays:
        part = slice(int(arrays["offset"][3]), int(arrays["offset"][4]))
        columns = [arrays[name][part].astype(int).tolist() for name in ("t_us", "p", "y", "x")]
    rows = list(zip(*columns, strict=True))
    (tmp_path / "1.bin").write_bytes(nmnist(rows))
    events = read_nmnist(tmp_path / "1.bin")
    np.testing.assert_array_equal(events.channels, [row[1:] for row in rows])
    np.testing.assert_array_equal(events.picoseconds, np.array(columns[0]) * 10**6)


def aedat2(rows, header="# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n"):
    data = b"".join(struct.pack(">II", address, time) for address, time in rows)
    return b"#!AER-DAT2.0\r\n" + header.encode() + data


def davis(x, y, p):
    return y << 22 | x << 12 | p << 11


def test_aedat2_of_a_wide_davis_has_all_its_columns(tmp_path):
    path = tmp_path / "a.aedat"
    path.write_bytes(aedat2([(davis(639, 479, 0), 0)], "# AEChip: DAVIS640\r\n"))
    events = read_aedat(path)
    assert (events.shape, events.channels.tolist()) == ((2, 480, 640), [[0, 479, 639]])


def test_aedat2_of_a_davis_leaves_out_frames_and_external_events(tmp_path):
    rows = [
        (davis(239, 0, 1), 1000),
        (1 << 31 | davis(3, 3, 0), 1100),  # a sample of a frame
        (davis(3, 3, 0) | 1 << 10, 1200),  # an external event
        (davis(0, 179, 0), 1500),
    ]
    (tmp_path / "a.aedat").write_bytes(aedat2(rows))
    events = read_aedat(tmp_path / "a.aedat")
    assert events == Events([0.0, 5e-4], [[1, 0, 239], [0, 179, 0]], (2, 180, 240), 5.01e-4)


def test_aedat2_of_a_dvs128_and_a_time_that_runs_over(tmp_path):
    rows = [(127 << 8 | 3 << 1 | 1, 2**32 - 10), (1 << 15, 2**32 - 5), (5 << 8 | 126 << 1, 5)]
    (tmp_path / "a.aedat").write_bytes(aedat2(rows, "# created by hand\n"))
    with pytest.raises(FileError, match=r"a\.aedat: must name a camera of DVS128, .* not 'none'"):
        read_aedat(tmp_path / "a.aedat")
    events = read_aedat(tmp_path / "a.aedat", "DVS128")
    assert events == Events([0.0, 15e-6], [[1, 127, 3], [0, 5, 126]], (2, 128, 128), 16e-6)


def test_aedat4_of_another_program_is_read():
    pytest.importorskip("aedat")
    rows = np.load(ROOT / "tests/golden/events_aedat4.npy")  # dv-processing 2.0.4 wrote them
    events = read_aedat(ROOT / "tests/golden/events.aedat4")
    assert events.shape == (2, 15, 20)
    np.testing.assert_array_equal(events.channels, rows[:, [3, 2, 1]])
    np.testing.assert_array_equal(events.picoseconds, (rows[:, 0] - rows[0, 0]) * 10**6)


def test_aedat4_without_the_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr(event_files, "find_spec", lambda name: None)
    message = "events.aedat4: must be of version 2 where the library aedat is not installed, not 4:"
    with pytest.raises(
        FileError, match=re.escape(message) + r" pip install 'spiker-hdl\[events\]'"
    ):
        read_aedat(ROOT / "tests/golden/events.aedat4")


@pytest.mark.parametrize(
    "data, message",
    [
        (b"#!AER-DAT3.1\r\n", "must begin with #!AER-DAT2.0 or #!AER-DAT4.0, not b'#!AER-DAT3.1"),
        (b"", "must begin with #!AER-DAT2.0 or #!AER-DAT4.0, not b''"),
        (aedat2([])[:-1], "must have a header of whole lines, not one that is cut"),
        (aedat2([]), "must have eight bytes for each of its events, not 0"),
        (aedat2([(0, 0)])[:-1], "must have eight bytes for each of its events, not 7"),
        (aedat2([(1 << 31, 0)]), "must have an event of a pixel, not only others"),
        (aedat2([(davis(240, 1, 0), 0)]), "must have pixels of a DAVIS240, 240x180, not 240,1"),
    ],
)
def test_damaged_aedat_files_are_refused(tmp_path, data, message):
    (tmp_path / "a.aedat").write_bytes(data)
    with pytest.raises(FileError, match=re.escape(f"a.aedat: {message}")):
        read_aedat(tmp_path / "a.aedat")


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "must have five bytes for each of its events, not 0 bytes"),
        (b"abcd", "must have five bytes for each of its events, not 4 bytes"),
        (nmnist([(0, 0, 34, 0)]), "must have pixels in 0..33, not 34"),
    ],
)
def test_damaged_nmnist_files_are_refused(tmp_path, data, message):
    (tmp_path / "1.bin").write_bytes(data)
    with pytest.raises(FileError, match=re.escape(f"1.bin: {message}")):
        read_nmnist(tmp_path / "1.bin")


@pytest.mark.parametrize("camera", ["ATIS", [1]])
def test_unknown_camera_is_refused(tmp_path, camera):
    message = f"Camera must be one of 'DVS128', .*, not {re.escape(repr(camera))}"
    with pytest.raises(ValueError, match=f"^{message}$"):
        read_aedat(tmp_path / "a.aedat", camera)
