"""Tests of `spiker timing`."""

import json

import pytest


def test_cycles_are_those_that_the_simulation_counts(spiker, network_file):
    code, out, _ = spiker("timing", network_file, "--samples", "6", "--lanes", "4")
    assert code == 0
    report = json.loads(out)
    code, out, _ = spiker(
        "simulate", network_file, "--samples", "6", "--lanes", "4", "--engine", "amaranth"
    )
    assert json.loads(out)["cycles"] == report["latency"]
    assert report["interval"]["mean"] < report["latency"]["mean"]
    assert report["results_per_second"] == pytest.approx(
        100e6 / report["interval"]["mean"], rel=1e-3
    )
    spent = report["populations"]["hidden"]
    assert sum(spent.values()) == pytest.approx(report["latency"]["mean"], abs=0.05)


def test_a_table_for_people(spiker, network_file, tmp_path):
    report = tmp_path / "report.json"
    code, out, _ = spiker("timing", network_file, "--samples", "3", "--json", report)
    assert code == 0
    assert "latency, cycles" in out
    assert "cycles of hidden" in out
    assert json.loads(report.read_text())["samples"] == 3


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--clock", "0"], "Clock must be more than 0 and at most 10000 MHz, not 0"),
        (["--lanes", "0"], "Lanes must be at least 1, not 0"),
        (["--samples", "0"], "Samples must be 1 to"),
    ],
)
def test_bad_options_are_one_line(spiker, network_file, arguments, line):
    code, _, errors = spiker("timing", network_file, *arguments)
    assert code == 2
    assert line in errors
