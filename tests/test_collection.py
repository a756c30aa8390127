"""Names of tests: the same in every process, short, and such as a terminal can show."""

import os
import subprocess
import sys
import time

import conftest
import pytest

from support.places import ROOT

CLOCK = 2.1  # seconds: times in a ZIP archive have a resolution of two


def collected(seed):
    """Return the names of all tests, as a process of its own with a hash seed finds them."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    return [line for line in run.stdout.splitlines() if "::" in line]


@pytest.mark.slow
def test_two_collections_find_the_same_tests():
    first = collected(1)
    time.sleep(CLOCK)
    second = collected(2)
    assert len(first) > 1000
    assert [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]] == []


@pytest.mark.parametrize(
    "name, expected",
    [
        ("values0-ValueError-Leak-must-be", None),
        ("seed=1234567", None),
        ("a" * 61, "at most 60 characters"),
        (r"\x1f\x8b\x08", "printable characters, and no bytes"),
        ("a\tb", "printable characters, and no bytes"),
        ("caf\u00e9", "printable characters, and no bytes"),
        ("<object at 0x7f3a>", "no address"),
        ("0x7f12ab34cd", "no address"),
        ("12:30:59", "no time"),
        ("2026-01-31", "no time"),
        ("1764480000", "no time"),
    ],
    ids=[
        "fine",
        "number",
        "long",
        "bytes",
        "tab",
        "accent",
        "at",
        "address",
        "time",
        "date",
        "epoch",
    ],
)
def test_bad_names_by_hand(name, expected):
    assert conftest.bad_id(name) == expected


@pytest.mark.parametrize(
    "value, expected",
    [
        (b"\x1f\x8b", "bytes"),
        ("Leak must be at most 7, not 8", "Leak-must-be-at"),
        ("mnist_14x14", "mnist_14x14"),
        (lambda: None, "call"),
        (3, None),
        (ValueError, None),
    ],
    ids=["bytes", "message", "word", "lambda", "number", "class"],
)
def test_what_a_case_is_called(value, expected):
    assert conftest.pytest_make_parametrize_id(value) == expected


def test_a_bad_name_stops_the_collection(tmp_path):
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', [1], ids=['long' * 20])\n"
        "def test_it(n):\n    pass\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_ADDOPTS": "", "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "must have at most 60 characters" in run.stderr + run.stdout
