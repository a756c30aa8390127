"""Tests of `spiker simulate` on what `spiker emit` wrote."""

import json
from random import Random

import pytest

from spiker_hdl.export import emit

from support.networks import random_mapping, random_network, random_spikes
from support.small import make_network


@pytest.fixture
def directory(spiker, network_file, tmp_path):
    code, *_ = spiker("emit", network_file, "-o", tmp_path / "out", "--samples", 4)
    assert code == 0
    return tmp_path / "out"


@pytest.mark.slow
def test_data_of_the_notes_run_on_the_design(spiker, directory):
    code, out, _ = spiker("simulate", directory, "--samples", 30)
    report = json.loads(out)
    assert code == 0
    assert (report["samples"], report["mismatches"], report["engine"]) == (30, 0, "compiled")
    assert report["data"] == "digits"
    assert report["digest"] == make_network().digest
    assert report["cycles"]["max"] > 0


def test_the_samples_of_the_test_bench(spiker, directory):
    asked = ("simulate", directory, "--data", "vectors", "--engine", "reference")
    report = json.loads(spiker(*asked)[1])
    generated = json.loads((directory / "manifest.json").read_text())["test_bench"][
        "generated_samples"
    ]
    assert generated > 0
    assert (report["samples"], report["data"], report["accuracy"]) == (
        4 + generated,
        "vectors",
        None,
    )
    assert json.loads(spiker(*asked, "--samples", 3)[1])["samples"] == 3


def test_several_inputs_without_notes(spiker, tmp_path):
    random = Random(4)
    network = random_network(random, inputs=(2, 2), neurons=(1, 6))
    stimulus = random_spikes(network, random, 3, (1, 5))
    emit(network, tmp_path, mapping=random_mapping(network, random), samples=stimulus, generated=0)
    report = json.loads(spiker("simulate", tmp_path, "--engine", "reference")[1])
    assert (report["samples"], report["data"]) == (3, "vectors")


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--lanes", 2], "--lanes must be for a network file, not for the directory "),
        (["--form", "events"], "--form must be for a network file, not for the directory "),
        (["--engine", "amaranth"], "Engine must be 'compiled' or 'reference' for the emitted"),
        (["--data", "vectors", "--samples", 500], "Samples must be 1 to "),
    ],
)
def test_bad_input(refused, directory, arguments, line):
    assert refused("simulate", directory, *arguments).startswith(line)


def test_an_altered_file_is_refused(refused, directory):
    path = directory / "little.v"
    path.write_text(path.read_text().replace("1'h0", "1'h1", 1))
    line = refused("simulate", directory)
    assert line.startswith(f"{path}: must have the SHA-256 ")
    assert line.endswith(": it was altered")


def test_a_directory_that_was_not_emitted(refused, tmp_path):
    line = refused("simulate", tmp_path)
    assert line == (
        f"{tmp_path / 'manifest.json'}: must be a manifest that `spiker emit` made, not nothing "
        "there"
    )
