"""Tests of `spiker info`."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spiker_hdl.model import (
    Convolution,
    Core,
    Decay,
    FirstOrder,
    If,
    Input,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    WinnerTakeAll,
    WithSynapse,
    WithSynapses,
    save,
)

from support.small import NOTES, make_network


def test_json_says_what_the_network_holds(spiker, network_file):
    code, out, _ = spiker("info", network_file, "--json", "-")
    assert code == 0
    report, network = json.loads(out), make_network()
    assert report["digest"] == network.digest
    assert report["notes"] == NOTES
    hidden, output = report["populations"]
    assert (hidden["name"], hidden["size"], hidden["lanes"]) == ("hidden", 6, 6)
    assert hidden["neuron"]["threshold"] == 12
    assert hidden["sum"] == [network.bounds["hidden"].sum_low, network.bounds["hidden"].sum_high]
    assert hidden["accumulator_width"] == network.bounds["hidden"].sum_width
    assert hidden["state_bits"] == 6 * 8
    assert output["states"] == {"v": list(network.bounds["output"].states["v"])}
    assert report["weight_bits"] == 4 * (64 * 6 + 6 * 10)
    assert report["state_bits"] == 16 * 8
    assert [projection["name"] for projection in report["projections"]] == [
        "input->hidden",
        "hidden->output",
    ]
    assert report["readouts"] == [{"name": "output", "population": "output", "kind": "last"}]


def test_groups_of_neurons_are_named(spiker, network_file):
    network = make_network()
    save(replace(network, readouts=(Readout("output", "last", groups=5),)), network_file)
    (report,) = json.loads(spiker("info", network_file, "--json", "-")[1])["readouts"]
    assert report == {"name": "output", "population": "output", "kind": "last", "groups": 5}
    assert "in 5 groups of neurons" in spiker("info", network_file)[1]


def test_geometry_of_a_convolution_is_named(spiker, network_file):
    kernel = np.ones((4, 1, 3, 2), dtype=np.int64)
    synapses = Convolution(kernel, (2, 6, 5), (2, 1), ((1, 1), (1, 0)), groups=2)
    network = Network(
        [Input("in", (2, 6, 5))],
        [Population("maps", synapses.target_shape, If(threshold=3, width=8))],
        [Projection("in", "maps", synapses)],
        [Readout("maps")],
    )
    save(network, network_file)
    (report,) = json.loads(spiker("info", network_file, "--json", "-")[1])["projections"]
    assert report["convolution"] == {
        "shape": [2, 6, 5],
        "kernel": [4, 1, 3, 2],
        "stride": [2, 1],
        "padding": [[1, 1], [1, 0]],
        "dilation": [1, 1],
        "groups": 2,
    }
    out = spiker("info", network_file)[1]
    for part in ("2x6x5,", "4x1x3x2,", "2x1,", "1x1+0,"):
        assert part in out.split()


def test_a_shift_is_named(spiker, network_file):
    network = make_network()
    first, second = network.projections
    save(replace(network, projections=(replace(first, shift=3), second)), network_file)
    report = json.loads(spiker("info", network_file, "--json", "-")[1])["projections"]
    assert [entry["shift"] for entry in report] == [3, 0]
    assert spiker("info", network_file)[1].count("times 8") == 1


def with_receptors():
    """Return a network whose hidden neurons have two receptors and inhibit each other."""
    network = make_network()
    hidden, output = network.populations
    fast = FirstOrder(decay=Decay(3, 4), width=9)
    neuron = WithSynapses(
        neuron=WithSynapse(neuron=hidden.neuron, synapse=fast), synapses=(None, fast)
    )
    hidden = replace(hidden, neuron=neuron, coupling=WinnerTakeAll(3))
    first, second = network.projections
    slow = replace(first, name="slow", synapses=[[5] + 63 * [0]] * 6, receptor=1)
    return replace(network, populations=(hidden, output), projections=(first, slow, second))


def test_receptors_and_coupling_are_named(spiker, tmp_path):
    path, network = tmp_path / "receptors.spiker", with_receptors()
    save(network, path)
    report = json.loads(spiker("info", path, "--json", "-")[1])
    hidden, output = report["populations"]
    assert [entry.get("receptor") for entry in report["projections"]] == [None, 1, None]
    sums = network.bounds["hidden"].receptors
    assert hidden["receptors"] == [
        {"sum": [own.sum_low, own.sum_high], "accumulator_width": own.sum_width} for own in sums
    ]
    assert hidden["coupling"] == {"steps": 3}
    assert {"receptors", "coupling"}.isdisjoint(output)
    shown = " ".join(spiker("info", path)[1].replace("│", " ").split())
    for part in ("FirstOrder", "0: plain", "1:", "to receptor 1", "winner takes all", "0..5"):
        assert part in shown


def test_table_names_every_part(spiker, network_file):
    code, out, _ = spiker("info", network_file)
    assert code == 0
    for part in ("little", "rate", "hidden", "output", "Lif", "Integrator", "1,776 bits", "6x64"):
        assert part in out


def test_mapping_is_that_of_the_file_or_as_asked(spiker, network_file):
    network = make_network()
    save(network, network_file, Mapping.folded(network, 3))
    report = json.loads(spiker("info", network_file, "--json", "-")[1])
    assert report["mapping"]["cores"]["hidden"]["lanes"] == 3
    report = json.loads(spiker("info", network_file, "--lanes", 2, "--json", "-")[1])
    assert report["mapping"]["cores"]["hidden"]["lanes"] == 2


def test_json_goes_to_a_file_too(spiker, network_file, tmp_path):
    code, out, _ = spiker("info", network_file, "--json", tmp_path / "info.json")
    assert code == 0
    assert "hidden" in out
    assert json.loads((tmp_path / "info.json").read_text())["name"] == "little"


def test_a_network_file_must_be_there(refused, tmp_path):
    line = refused("info", tmp_path / "none.spiker")
    assert line == (
        f"Network must be a file that `spiker train` made, and {tmp_path}/none.spiker is missing"
    )
    line = refused("info", tmp_path)
    assert line.endswith(f"and {tmp_path} is a directory")


@pytest.mark.parametrize("keep", [0, 5, 200, 900])
def test_a_truncated_network_file_is_refused_by_name(refused, network_file, keep):
    network_file.write_bytes(network_file.read_bytes()[:keep])
    line = refused("info", network_file)
    assert str(network_file) in line
    assert "must be" in line


def test_another_file_is_refused_by_name(refused, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a network\n")
    assert refused("info", path) == (
        f"Network must be a file that `spiker train` made, and {path} is a text"
    )


def test_lanes_must_be_positive(refused, network_file):
    assert refused("info", network_file, "--lanes", 0) == "Lanes must be at least 1, not 0"


@pytest.mark.parametrize("place", ["none/a.json", "small.spiker/a.json"])
def test_json_must_have_a_place(refused, network_file, tmp_path, place):
    line = refused("info", network_file, "--json", tmp_path / place)
    where = (tmp_path / place).parent
    assert line == f"--json must be in a directory that is there, not in {where}"


@pytest.mark.parametrize(
    "static, lanes, overlaps",
    [
        (False, 4, True),
        (True, 6, True),
        # Sums in memory that stay for the next step are not kept twice.
        (True, 4, False),
    ],
)
def test_it_says_what_is_held_and_how_events_come(spiker, tmp_path, static, lanes, overlaps):
    network = make_network()
    network = replace(network, inputs=(Input("input", 64, static=static),))
    cores = {"hidden": Core(lanes, 2, 4, overlap=True, stages=3), "output": Core(10, 5)}
    path = tmp_path / "held.spiker"
    save(network, path, Mapping.default(network, cores=cores))
    code, out, _ = spiker("info", path, "--json", "-")
    report = json.loads(out)
    assert code == 0
    assert [node["static"] for node in report["inputs"]] == [static]
    populations = report["populations"]
    assert [
        (population["banks"], population["overlap"], population["stages"])
        for population in populations
    ] == [
        (4, overlaps, 3),
        (1, False, 1),
    ]
    shown = spiker("info", path)[1]
    assert ("input, static" in shown) == static
    hidden, output = (line for line in shown.splitlines() if "of 6 " in line or "10 of 10 " in line)
    assert [part.strip() for part in hidden.split("│")[2:-1]] == [
        f"{lanes} of 6",
        "2",
        "3",
        "4",
        "one",
        "yes" if overlaps else "no",
    ]
    assert [part.strip() for part in output.split("│")[2:-1]] == [
        "10 of 10",
        "5",
        "1",
        "1",
        "one",
        "no",
    ]
