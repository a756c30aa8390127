"""The measurement of tests: what each costs, which are slow, and that each area has fast ones."""

import json
import os
import re
import subprocess
import sys

import conftest
import pytest

from support import durations
from support.places import ROOT

PROVED = ("tests/formal/",)
"""Folders of which all tests are slow: proofs take long."""


def test_shared_fixture_is_paid_in_equal_parts():
    costs = durations.charge(
        {"a": 0.1, "b": 0.2, "c": 0.3},
        {"trained": 4.0, "unused": 9.0},
        {"a": ["trained"], "b": ["trained"], "c": []},
    )
    assert costs == {"a": 2.1, "b": 2.2, "c": 0.3}


@pytest.mark.parametrize(
    "slow, measured, expected",
    [
        ({}, {"f.py::a": 0.6, "f.py::b": 0.4}, {"f.py::a": 0.6}),
        ({"f.py::b": 0.9}, {"f.py::b": 0.4}, {"f.py::b": 0.4}),
        ({"f.py::b": 0.9}, {"f.py::b": 0.3}, {}),
        ({"f.py::gone": 0.9}, {"f.py::b": 0.3}, {}),
        ({"g.py::a": 0.9}, {"f.py::b": 0.3}, {"g.py::a": 0.9}),
        ({"f.py::new": None}, {"f.py::new": 0.1}, {}),
    ],
    ids=["over", "within-margin", "faster", "gone", "other-file", "unmeasured"],
)
def test_measurement_changes_the_files_it_covers(slow, measured, expected):
    assert durations.merge(slow, measured, limit=0.5) == expected


def test_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "durations.json"
    durations.save({"b.py::c[1]": 2.04, "a.py::d": None, "b.py::a": 0.55}, path)
    assert durations.load(path) == {"a.py::d": None, "b.py::a": 0.6, "b.py::c[1]": 2.0}
    assert [*json.loads(path.read_text())["b.py"]] == ["a", "c[1]"]


def test_no_file_makes_no_test_slow(tmp_path):
    assert durations.load(tmp_path / "durations.json") == {}


def test_every_test_measured_or_kept_is_there():
    gone = durations.stale([*durations.load(), *sorted(durations.KEPT)], ROOT)
    assert not gone, "make durations PART=... for the files of tests that were renamed"


def test_every_test_in_the_table_of_the_longest_is_there():
    text = (ROOT / "docs" / "contributing.md").read_text()
    table = text.partition("### The longest tests")[2].partition("###")[0]
    tests = []
    for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        path, _, first = row.partition("::")
        path = path.removeprefix("`")
        # A path without tests/, or without tests/hdl/; several names of one file, with commas.
        folder = next((top for top in ("tests", "tests/hdl") if (ROOT / top / path).is_file()), "?")
        tests += [f"{folder}/{path}::{name.strip('` ')}" for name in first.split(",")]
    assert len(tests) > 9
    assert not durations.stale(tests, ROOT)


def test_every_area_has_fast_tests(request):
    config = request.config
    # A part of a file, asked for by name, need not have any.
    if any("::" in argument for argument in config.args) or config.option.keyword:
        return
    areas = {path.parent for path in config.stash[durations.ALL_FILES]}
    fast = {path.parent for path in config.stash[durations.FAST_FILES]}
    missing = {area.relative_to(ROOT).as_posix() + "/" for area in areas - fast}
    assert not missing - {*PROVED}


@pytest.fixture
def project(tmp_path):
    """Directory of a project of its own, with the measurement and a few tests."""
    (tmp_path / "support").mkdir()
    for name in ("conftest.py", "support/__init__.py", "support/durations.py"):
        (tmp_path / name).write_text((ROOT / "tests" / name).read_text())
    (tmp_path / "test_it.py").write_text(
        "import time\n"
        "import pytest\n"
        "def work(seconds):\n"
        "    end = time.process_time() + seconds\n"
        "    while time.process_time() < end:\n"
        "        pass\n"
        "@pytest.fixture(scope='module')\n"
        "def shared():\n"
        "    work(0.6)\n"
        "def test_first(shared):\n"
        "    pass\n"
        "def test_second(shared):\n"
        "    pass\n"
        "@pytest.mark.parametrize('seconds', [0.0, 0.8])\n"
        "def test_case(seconds):\n"
        "    work(seconds)\n"
        "def test_skipped():\n"
        "    pytest.skip('iverilog must be installed')\n"
    )
    return tmp_path


def run(folder, *arguments, ignore_interrupts=False, **environment):
    """Run pytest on a folder; return its exit code and what it printed."""
    env = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    env.pop("SPIKER_NO_SKIPS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "."]
    if ignore_interrupts:
        command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command]
    result = subprocess.run(
        command, cwd=folder, env=env | environment, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one-process", "two-workers"])
def test_what_is_measured_slow_is_not_run_with_the_fast(project, workers):
    paths = {"PYTHONPATH": str(project)}
    code, out = run(project, "--measure", *workers, **paths)
    assert code == 0, out
    path = project / "durations.json"
    assert [*durations.load(path)] == ["test_it.py::test_case[0.8]"]
    code, out = run(project, "-m", "not slow", **paths)
    assert "3 passed, 1 skipped, 1 deselected" in out
    assert "1 skipped: iverilog must be installed (apt-get install iverilog)" in out
    code, out = run(project, "-m", "not slow", SPIKER_NO_SKIPS="1", **paths)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "SKIPPED, and so failed: test_it.py::test_skipped: iverilog must be installed" in out


def test_interrupts_reach_tests_that_a_shell_started_in_the_background(project):
    (project / "test_it.py").write_text(
        "import signal\n"
        "def test_it():\n"
        "    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN\n"
    )
    code, out = run(project, ignore_interrupts=True, PYTHONPATH=str(project))
    assert code == 0, out


@pytest.mark.parametrize(
    "cause, expected",
    [
        ("iverilog must be installed", " (apt-get install iverilog)"),
        ("Verilator must be installed", " (apt-get install verilator)"),
        ("g++ must be installed", " (apt-get install g++)"),
        ("could not import 'snntorch': No module named 'snntorch'", " (make setup)"),
        ("SPIKER_DATA must name a directory", " (name the directory of data sets in SPIKER_DATA)"),
        ("not on this system", ""),
    ],
    ids=["icarus", "verilator", "compiler", "python", "data", "other"],
)
def test_reason_of_a_skip_names_its_remedy(cause, expected):
    assert conftest.remedy(cause) == expected
