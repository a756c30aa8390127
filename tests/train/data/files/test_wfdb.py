"""Tests of WFDB records: files that the package wfdb 4.3.1 wrote, and damaged ones."""

import re
import shutil

import numpy as np
import pytest

from spiker_hdl.base import FileError
from spiker_train.data.files.wfdb import read_annotations, read_record

from support.places import ROOT

FOLDER = ROOT / "tests/golden/wfdb"


@pytest.fixture(scope="module")
def answers():
    with np.load(FOLDER / "answers.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", ["two12", "two16", "odd12"])
def test_signals_are_those_that_were_written(answers, name):
    record = read_record(FOLDER / name)
    np.testing.assert_array_equal(record.signals, answers[name])
    assert record.rate == (250 if name == "odd12" else 360)
    assert record.leads == (("ECG",) if name == "odd12" else ("MLII", "V1"))


def test_physical_values_have_gain_and_baseline_and_missing_ones_are_nan(answers):
    record = read_record(FOLDER / "two12.hea")
    np.testing.assert_allclose(record.physical, answers["physical"], rtol=1e-12)
    assert np.isnan(record.physical).sum() == 2
    assert record.units == ("mV", "uV")


def test_annotations_are_those_that_were_written(answers):
    notes = read_annotations(FOLDER / "two12.atr")
    assert notes.samples.tolist() == answers["samples"].tolist()
    assert notes.symbols == tuple(map(chr, answers["symbols"]))
    assert notes.texts == ("(N", "", "odd", "", "", "")


HEADER = (FOLDER / "two12.hea").read_text()


@pytest.mark.parametrize(
    "old, new, message",
    [
        (HEADER, "# nothing\n", "a.hea: must have a line of the record, not none"),
        ("360 31", "360", "a.hea: must begin with name, signals, rate and values, not 'two12 2"),
        ("two12 2 360", "two12/3 2 360", "a.hea: must be a record of one segment, not 'two12/3'"),
        ("two12 2 360", "two12 3 360", "a.hea: must have a line for each of 3 signals, not 2"),
        ("two12.dat 212 200", "../x.dat 212 200", "a.hea: must name a file in the same folder"),
        ("212", "310", "a.hea: must have signals of the format 212 or 16, not '310'"),
        ("two12.dat 212 1.5", "other.dat 212 1.5", "a.hea: must have all signals in one file"),
        ("360 31", "360 33", "two12.dat: must have 99 bytes, not 93"),
        ("4661", "4662", "two12.dat: must have signal 1 of the checksum 4662, not 4661"),
        ("0 -2048", "0 -2047", "two12.dat: must begin signal 0 with -2047, not -2048"),
        ("200.0(1024)", "nan(1024)", "a.hea: must have a number, not 'nan'"),
    ],
)
def test_damaged_headers_are_refused(tmp_path, old, new, message):
    shutil.copy(FOLDER / "two12.dat", tmp_path)
    (tmp_path / "a.hea").write_text(HEADER.replace(old, new))
    with pytest.raises(FileError, match=re.escape(message)):
        read_record(tmp_path / "a")


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "must end with a word of 0, not without"),
        (b"\1\4\1", "must end with a word of 0, not without"),
        (b"\0\xec\1\0", "must have four bytes after a skip, not fewer"),
        (b"\2\xfcab\0\0", "must have a text whole and after an annotation, not elsewhere"),
        (b"\0\xec\xff\xff\xff\xff\0\x04", "must have annotations at values from 0 on, not at -1"),
    ],
    ids=["empty", "odd", "skip", "text", "negative"],
)
def test_damaged_annotations_are_refused(tmp_path, data, message):
    (tmp_path / "a.atr").write_bytes(data)
    with pytest.raises(FileError, match=re.escape(f"a.atr: {message}")):
        read_annotations(tmp_path / "a.atr")
