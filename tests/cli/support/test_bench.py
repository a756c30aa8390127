"""Tests of how the test bench of an emitted directory is run, with Icarus Verilog and without."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import spiker_hdl
from spiker_cli.support.bench import run_bench
from spiker_hdl.export import emit
from spiker_hdl.simulate.shared_library import BuildError, find_tool

from support.small import make_network

HOW = (
    "; iverilog is not installed, so the Verilog was compiled by {} and run on the samples of its "
    "test bench"
)
TITLES = {"verilator": "Verilator", "cxxrtl": "CXXRTL"}


@pytest.fixture
def without_icarus(tmp_path_factory, monkeypatch):
    """Hide iverilog from PATH; return the name of what compiles instead."""
    directory = tmp_path_factory.mktemp("programs")
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            if program.name != "iverilog" and not (directory / program.name).is_symlink():
                (directory / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(directory))
    assert not shutil.which("iverilog")
    try:
        return TITLES[find_tool()]
    except BuildError as error:
        pytest.skip(str(error))


def emitted(directory, wrong=False):
    """Emit the small network; with 3 samples of the user and 2 generated ones."""
    network = make_network()
    spikes = np.random.default_rng(0).integers(0, 2, (3, 2, 64))
    expected = spiker_hdl.run(network, spikes, engine="amaranth")
    if wrong:
        expected.scores[1, 2] += 1
    emit(network, directory, samples=spikes, expected=expected, generated=2)


def test_bench_runs_in_icarus(tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog must be installed")
    emitted(tmp_path / "out")
    assert run_bench(tmp_path / "out") == "PASS 3 samples and 2 generated samples"


def test_compiled_verilog_stands_in_for_icarus_and_this_is_said(without_icarus, tmp_path):
    emitted(tmp_path / "out")
    verdict = run_bench(tmp_path / "out")
    assert verdict == "PASS 3 samples and 2 generated samples" + HOW.format(without_icarus)


def test_compiled_verilog_fails_as_the_bench_would(without_icarus, tmp_path):
    emitted(tmp_path / "out", wrong=True)
    verdict = run_bench(tmp_path / "out")
    assert verdict.startswith("FAIL sample 1: answers.output_n.scores must be as in vectors/")
    assert verdict.endswith(HOW.format(without_icarus))


def test_without_any_simulator_the_remedy_is_named(tmp_path, monkeypatch):
    def missing():
        raise BuildError("Compiled simulation must have a C++ compiler, not none")

    monkeypatch.setattr("spiker_cli.support.bench.find_tool", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    verdict = run_bench(tmp_path)
    assert verdict == (
        "not run: iverilog or make is missing, and nothing stands in for them: Compiled simulation "
        "must have a C++ compiler, not none"
    )
