"""Tests of `spiker energy`."""

import json
import re

import pytest

from spiker_cli.commands.energy import SHOWN


def test_mappings_stand_side_by_side(spiker, network_file):
    code, out, _ = spiker(
        "energy", network_file, "--samples", "2", "--lanes", "6,2", "--counts", "--json", "-"
    )
    assert code == 0
    report = json.loads(out)
    assert (report["samples"], [*report["mappings"]]) == (2, ["6 lanes", "2 lanes"])
    wide, narrow = report["mappings"].values()
    assert wide["mapping"]["cores"]["hidden"]["lanes"] == 6
    assert set(wide["relative"].values()) == {1}
    assert narrow["relative"]["synaptic_operations"] == 1
    reads = [mapping["populations"]["hidden"]["weight_reads"] for mapping in (wide, narrow)]
    assert reads[1] == 3 * reads[0] > 0
    whole = [mapping["total"]["memory_bits"] for mapping in (wide, narrow)]
    assert narrow["relative"]["memory_bits"] == pytest.approx(whole[1] / whole[0], abs=1e-4)
    assert "simulation" not in wide


def test_a_table_for_people(spiker, network_file):
    code, out, _ = spiker("energy", network_file, "--samples", "1", "--lanes", "6,2", "--counts")
    assert code == 0
    assert SHOWN["synaptic_operations"] in out
    assert SHOWN["register_toggles"] not in out
    assert "watt" not in out.lower()


@pytest.mark.slow
def test_toggles_and_a_file_for_power_tools(spiker, network_file, tmp_path):
    saif, report = tmp_path / "small.saif", tmp_path / "small.json"
    code, out, _ = spiker(
        "energy", network_file, "--samples", "1", "--saif", saif, "--period", "8", "--json", report
    )
    assert code == 0
    assert SHOWN["register_toggles"] in out
    (result,) = json.loads(report.read_text())["mappings"].values()
    assert result["total"]["register_toggles"] == result["simulation"]["register_toggles"] > 0
    duration = int(re.search(r"\(DURATION (\d+)\)", saif.read_text())[1])
    assert duration == result["simulation"]["cycles"] * 8000


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--lanes", "8,x"], "--lanes must be numbers such as 128 or 8,16, not '8,x'"),
        (["--lanes", "0"], "Lanes must be at least 1, not 0"),
        (["--samples", "0"], "Samples must be 1 to"),
        (["--counts", "--saif", "a.saif"], "--saif must be of what is simulated"),
        (["--period", "0"], "Period must be more than 0 ns, not 0"),
    ],
)
def test_bad_options_are_one_line(refused, network_file, arguments, line):
    assert line in refused("energy", network_file, *arguments)
