"""Tests of the samples that commands find for a network, by its notes or by what is said."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from spiker_cli.support.samples import find_samples, random_samples
from spiker_hdl.model import load, reference

from support.networks import random_network
from support.small import make_network

NETWORKS = sorted(Path("networks").glob("*.spiker"))
WAYS = (
    "--data must be given",
    "--data must be an .npz file of spikes",
    "must be at",
    "must be in one of",
)


@pytest.fixture
def spoken(tmp_path, monkeypatch):
    """Have a small file of spoken digits, where data sets are looked for."""
    takes, count = np.array([0, 7, 4, 5, 2]), 40
    draws = np.random.default_rng(0)
    np.savez(
        tmp_path / "fsdd_spikes.npz",
        offset=np.arange(0, 6 * count, count),
        times_ms=np.sort(draws.integers(0, 640, (5, count)), axis=1).reshape(-1),
        units=draws.integers(0, 128, 5 * count),
        channels=128,
        label=np.arange(5),
        speaker=np.zeros(5, int),
        take=takes,
    )
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_shipped_network_has_samples_or_says_the_way_to_them(path, monkeypatch):
    def nowhere(which):
        raise OSError("no network")

    monkeypatch.setattr("spiker_train.data.images._download", nowhere)
    network, message = load(path), ""
    try:
        result = find_samples(network, None, None, few=3)
    except (ValueError, OSError) as error:
        message = str(error)
        result = find_samples(network, "random", 3)
    # Never an option for which its data have no use.
    assert "--encoder" not in message
    assert not message or any(way in message for way in WAYS), message
    assert len(result) == 3
    reference.run(network, result.spikes)


def test_a_network_that_was_trained_on_spikes_is_not_asked_for_an_encoder(spiker, spoken):
    path = "networks/fsdd_recurrent.spiker"
    code, out, _ = spiker("simulate", path, "--engine", "reference")
    assert code == 0
    report = json.loads(out)
    # Those of the first five takes are for testing.
    assert (report["data"], report["samples"]) == ("fsdd", 3)
    assert find_samples(load(path), None, None).labels.tolist() == [0, 2, 4]
    code, _, message = spiker("simulate", path, "--encoder", "rate")
    assert code == 2
    assert message == "spiker: --encoder must be for values to encode, not for spikes in fsdd\n"


def test_emission_needs_no_data_that_are_not_there(spiker, tmp_path):
    make_network(notes={"data": "unheard"}).save(tmp_path / "unheard.spiker")
    code, out, message = spiker("emit", tmp_path / "unheard.spiker", "-o", tmp_path / "out")
    assert code == 0
    assert "10 samples of random spikes" in out
    assert "random samples, since those of the network are missing" in message
    make_network(notes={}).save(tmp_path / "bare.spiker")
    assert spiker("emit", tmp_path / "bare.spiker", "-o", tmp_path / "more")[0] == 0


def test_samples_that_are_asked_for_are_not_drawn_in_their_stead(spiker, network_file, tmp_path):
    for asked in (["--data", "none.npz"], ["--samples", 361], ["--steps", 4, "--data", "cats"]):
        assert spiker("emit", network_file, "-o", tmp_path / "out", *asked)[0] == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(8))
def test_random_samples_are_what_any_network_takes(seed):
    network = random_network(Random(seed))
    result = random_samples(network, 3)
    assert len(result) == 3
    reference.run(network, result.spikes)
    assert len(result.first(2)) == 2
    again = random_samples(network, 3)
    for name, train in result.spikes.items():
        assert np.array_equal(train, again.spikes[name])
        assert train.any()


@pytest.mark.parametrize(
    "options, line",
    [
        (["--data", "random", "--encoder", "rate"], "--encoder must be for values to encode"),
        (["--data", "random", "--samples", 10_001], "Samples must be 1 to 10000 of random"),
        (["--data", "random", "--steps", 257], "Steps must be 1 to 256, not 257"),
    ],
    ids=["encoder", "samples", "steps"],
)
def test_what_random_samples_have_not_is_refused(refused, network_file, options, line):
    assert refused("simulate", network_file, *options).startswith(line)


def test_few_samples_are_no_error_where_no_number_is_asked_for(spiker, network_file, tmp_path):
    data = tmp_path / "two.npz"
    np.savez(data, spikes=np.zeros((2, 3, 64), np.uint8))
    code, out, _ = spiker("energy", network_file, "--data", data, "--counts", "--json", "-")
    assert code == 0
    assert json.loads(out)["samples"] == 2
    assert spiker("energy", network_file, "--data", data, "--counts", "--samples", 3)[0] == 2
