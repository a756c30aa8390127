"""Tests of `spiker demo`: the whole of it, and what it does when the hardware is wrong."""

import json
import shutil
import time

import pytest

import spiker_hdl
from spiker_hdl.model import load

from support.small import make_network


@pytest.mark.slow
def test_the_demo_keeps_what_it_promises(spiker, tmp_path):
    began = time.monotonic()
    code, out, _ = spiker("demo", "-o", tmp_path)
    assert code == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["samples"] == 360
    assert report["simulated"] >= 50
    assert report["reference_accuracy"] >= 0.97
    assert report["integers_accuracy"] == report["reference_accuracy"]
    assert report["mismatches"] == 0
    assert report["weight_bits"] == load(tmp_path / "digits.spiker").weight_bits == 4 * 32 * 74
    for name in ("activity.png", "cycles.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert "module digits" in (tmp_path / "verilog" / "digits.v").read_text()
    assert report["test_bench"].startswith("PASS 50 samples")
    assert ("iverilog is not installed" in report["test_bench"]) == (not shutil.which("iverilog"))
    assert "mean" in out
    assert time.monotonic() - began < 180  # 60 s where nothing else runs


@pytest.fixture
def trained(monkeypatch):
    """Spare the training."""
    network = make_network()
    report = {"accuracy": {"float": 0.5, "rounded": 0.25, "integers": 0.125}}
    monkeypatch.setattr(
        "spiker_cli.commands.demo.train_quietly", lambda *given, **options: (network, report)
    )
    monkeypatch.setattr("spiker_cli.commands.demo.SIMULATED", 4)
    return network


def test_a_mismatch_exits_with_1_and_is_shown(spiker, tmp_path, monkeypatch, trained):
    true = spiker_hdl.run

    def wrong(network, spikes, *, engine, **options):
        result = true(network, spikes, engine=engine, **options)
        if engine == "amaranth":
            result.scores[2, 1] += 1
        return result

    monkeypatch.setattr(spiker_hdl, "run", wrong)
    code, out, err = spiker("demo", "-o", tmp_path)
    assert code == 1
    assert "1 of 4 samples simulated" in out
    assert "The hardware must answer as the reference, not otherwise: sample 2: " in err
    if shutil.which("iverilog"):
        assert "The Verilog must answer as the reference, not otherwise: FAIL" in err


def test_hidden_spikes_are_compared_too(spiker, tmp_path, monkeypatch, trained):
    true = spiker_hdl.run

    def wrong(network, spikes, *, engine, **options):
        result = true(network, spikes, engine=engine, **options)
        if engine == "amaranth":
            result.spikes["hidden"][3, 0, 0] ^= 1
        return result

    monkeypatch.setattr(spiker_hdl, "run", wrong)
    code, _, err = spiker("demo", "-o", tmp_path)
    assert code == 1
    assert "sample 3: record 'hidden' at 0, 0" in err


def test_equal_is_0_and_low_accuracy_is_said(spiker, tmp_path, trained):
    code, out, err = spiker("demo", "-o", tmp_path)
    assert code == 0
    assert "0 of 4 samples simulated" in out
    assert "12.50%" in out
    assert "Accuracy should be at least 97%, not " in err
    assert str(tmp_path / "digits.spiker") in out.replace("\n", "")


def test_the_output_must_be_a_directory_before_any_work(refused, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    assert refused("demo", "-o", path) == f"Output must be a directory, not the file {path}"
