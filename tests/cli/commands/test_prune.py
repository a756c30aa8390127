"""Tests of `spiker prune`, and of how other commands take what it wrote."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spiker_hdl.model import Dense, Mapping, load, save
from spiker_hdl.model.pruning.prune import prune

from support.small import make_network

DEAD = [0, 3, 7, 8, 40, 63]


@pytest.fixture
def network():
    """Return a network for the digits with channels that nothing weighs, and a neuron held down."""
    whole = make_network()
    first = whole.projections[0]
    weights = first.synapses.weights.copy()
    weights[:, DEAD], weights[2] = 0, -1
    weights[2, DEAD] = -1  # a weight to a neuron that goes is none
    return replace(
        whole, projections=(replace(first, synapses=Dense(weights)), *whole.projections[1:])
    )


@pytest.fixture
def files(network, tmp_path, spiker):
    """Return the files of the network and of what `spiker prune` made of it."""
    whole, small = tmp_path / "whole.spiker", tmp_path / "pruned.spiker"
    network.save(whole)
    assert spiker("prune", whole, "-o", small)[0] == 0
    return whole, small


def test_report_says_what_was_dropped(files, network, spiker, tmp_path):
    code, out, _ = spiker("prune", files[0], "-o", tmp_path / "again.spiker", "--json", "-")
    report = json.loads(out)
    assert code == 0
    assert report["inputs"] == {"input": DEAD}
    assert report["silent"] == {"hidden": [2]}
    assert report["sizes"] == {"input": [64, 58], "hidden": [6, 5], "output": [10, 10]}
    assert report["bits_saved"] == 4 * (64 * 6 + 6 * 10) - 4 * (58 * 5 + 5 * 10)
    loaded = load(files[1])
    assert loaded == prune(network).network == load(tmp_path / "again.spiker")
    assert (report["digest"], report["original_digest"]) == (loaded.digest, network.digest)
    assert loaded.note["channels of input 0"] == "64: 1-2,4-6,9-39,41-62"


def test_table_says_it_too(files, spiker, tmp_path):
    code, out, _ = spiker("prune", files[0], "-o", tmp_path / "again.spiker")
    assert code == 0
    for phrase in ("6 of 64 of input", "1 of 6 of hidden", "1,360 bits, 416 fewer", "none"):
        assert phrase in out
    assert "now sparse" not in out


def test_what_is_clean_stays_as_it_is(spiker, network_file, tmp_path):
    code, out, _ = spiker("prune", network_file, "-o", tmp_path / "same.spiker", "--json", "-")
    assert code == 0
    assert load(tmp_path / "same.spiker") == make_network()
    assert (tmp_path / "same.spiker").read_bytes() == network_file.read_bytes()
    assert json.loads(out)["bits_saved"] == 0


def test_a_mapping_is_not_taken_along(network, spiker, tmp_path):
    path = tmp_path / "mapped.spiker"
    save(network, path, Mapping.default(network))
    code, _, err = spiker("prune", path, "-o", tmp_path / "small.spiker")
    assert code == 0
    assert "The mapping that was saved in" in err


@pytest.mark.parametrize("engine", ["reference", "amaranth"])
def test_simulate_chooses_channels_by_itself(files, spiker, engine):
    options = ["--engine", engine, "--samples", 2 if engine == "amaranth" else 300]
    whole, small = (json.loads(spiker("simulate", file, *options)[1]) for file in files)
    assert small["samples"] == options[-1]
    assert small["accuracy"] == whole["accuracy"]
    assert small["mismatches"] == whole["mismatches"]
    if engine == "amaranth":
        assert small["mismatches"] == 0
        assert small["cycles"]["mean"] < whole["cycles"]["mean"]


def test_timing_does_so_too(files, spiker):
    whole, small = (json.loads(spiker("timing", file, "--samples", 20)[1]) for file in files)
    assert small["latency"]["mean"] < whole["latency"]["mean"]


@pytest.mark.slow
def test_emit_does_so_too(files, spiker, tmp_path):
    assert spiker("emit", files[1], "-o", tmp_path / "made", "--samples", 2)[0] == 0
    code, out, _ = spiker("simulate", tmp_path / "made", "--samples", 2, "--engine", "reference")
    assert (code, json.loads(out)["samples"]) == (0, 2)


def test_spikes_of_all_channels_or_of_those_taken_will_do(files, spiker, tmp_path, network):
    spikes = np.random.default_rng(1).integers(0, 2, (2, 2, 64))
    taken = prune(network).select(spikes)["input"]
    labels = np.array([0, 1])
    reports = []
    for name, values in (("all", spikes), ("taken", taken)):
        np.savez(tmp_path / f"{name}.npz", spikes=values, labels=labels)
        options = ["--data", tmp_path / f"{name}.npz", "--engine", "amaranth"]
        code, out, _ = spiker("simulate", files[1], *options)
        assert code == 0
        reports.append(json.loads(out))
    first, other = reports
    assert first["cycles"] == other["cycles"]
    assert (first["mismatches"], other["mismatches"]) == (0, 0)


@pytest.mark.parametrize("size", [57, 63, 65])
def test_spikes_of_another_width_are_refused(files, refused, tmp_path, size):
    path = tmp_path / "wrong.npz"
    np.savez(path, spikes=np.zeros((2, 3, size), np.uint8))
    assert refused("simulate", files[1], "--data", path) == (
        f"Spikes must be of 58 channels, which input 'input' takes, or of all 64, not of {size}"
    )


def test_data_of_another_width_are_refused(files, refused, tmp_path):
    path = tmp_path / "narrow.npz"
    x, y = np.zeros((4, 58), np.uint8), np.array([0, 1, 2, 3])
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    assert refused("simulate", files[1], "--data", path).startswith(
        "Data must have 64 values a sample, which the network takes, not 58"
    )


def test_a_note_that_lies_is_refused(files, refused, tmp_path):
    path = tmp_path / "lie.spiker"
    loaded = load(files[1])
    replace(loaded, notes=loaded.note | {"channels of input 0": "64: 1-3"}).save(path)
    assert refused("simulate", path) == (
        "Network's note 'channels of input 0' must name 58, which the input takes, not 3"
    )


def test_what_is_read_is_not_written_over(files, refused):
    assert refused("prune", files[0], "-o", files[0]) == (
        f"--output must be another file than that of NET, not {files[0]}"
    )
