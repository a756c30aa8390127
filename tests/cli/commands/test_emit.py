"""Tests of `spiker emit`."""

import json
import shutil
import subprocess

import pytest

from support.small import make_network


def test_files_are_those_of_the_manifest(spiker, network_file, tmp_path):
    place = tmp_path / "out"
    code, out, _ = spiker("emit", network_file, "-o", place, "--samples", 3)
    assert code == 0
    manifest = json.loads((place / "manifest.json").read_text())
    there = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert there == {*manifest["files"], "manifest.json"}
    assert "little.v" in there
    assert all(name in out for name in manifest["files"])
    assert manifest["command"] == (
        "spiker emit small.spiker --language verilog --samples 3 --ports streams --period 10"
    )


@pytest.mark.parametrize(
    "tool, more",
    [
        ("iverilog", ()),
        ("iverilog", ("--timed", "--lanes", "2", "--form", "events")),
        ("ghdl", ("--language", "vhdl")),
    ],
)
def test_the_test_bench_passes(spiker, network_file, tmp_path, tool, more):
    if not shutil.which(tool):
        pytest.skip(f"{tool} must be installed")
    spiker("emit", network_file, "-o", tmp_path / "out", "--samples", 4, *more)
    done = subprocess.run(
        ["make", "sim"], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS 4 samples" in done.stdout


def test_no_samples_no_test_bench(spiker, tmp_path):
    make_network(notes={}).save(tmp_path / "bare.spiker")
    code, _, _ = spiker("emit", tmp_path / "bare.spiker", "-o", tmp_path / "out", "--samples", 0)
    assert code == 0
    assert not (tmp_path / "out" / "vectors").exists()


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--language", "latin"], "Language must be one of 'verilog'"),
        (["--ports", "bus"], "Ports must be one of 'streams', 'axis', not 'bus'"),
        (["--period", 0], "Clock period must be 0.1 to 1000000 nanoseconds, not 0.0"),
        (["--samples", -1], "Samples must be at least 0, not -1"),
        (["--samples", 1000], "Samples must be 1 to 360 of digits, not 1000"),
        (["--lanes", 0], "Lanes must be at least 1, not 0"),
    ],
)
def test_bad_input_leaves_nothing_behind(refused, network_file, tmp_path, arguments, line):
    message = refused("emit", network_file, "-o", tmp_path / "out", *arguments)
    assert message.startswith(line)
    assert list(tmp_path.iterdir()) == [network_file]


@pytest.mark.parametrize("place", ["small.spiker", "small.spiker/deeper"])
def test_the_output_must_be_a_directory(refused, network_file, tmp_path, place):
    line = refused("emit", network_file, "-o", tmp_path / place)
    expected = (
        "Output must be a directory, ",
        "--output must be another file than that of NET, not ",
    )
    assert line.startswith(expected)
    assert str(network_file) in line
