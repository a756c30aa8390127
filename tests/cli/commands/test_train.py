"""Tests of `spiker train`."""

import json

import numpy as np
import pytest

from spiker_hdl.model import encoders, load, reference
from spiker_train.data.images import load_dataset

SHORT = ("train", "digits", "--net", "64-8-10", "--epochs", 2)


def test_the_same_command_gives_the_same_file(spiker, tmp_path):
    places = [tmp_path / name for name in ("a", "b", "c")]
    for place, seed in zip(places, (3, 3, 4), strict=True):
        place.mkdir()
        code, _, _ = spiker(*SHORT, "--seed", seed, "-o", place / "net.spiker")
        assert code == 0
    first, two, other = ((place / "net.spiker").read_bytes() for place in places)
    assert first == two != other


def test_the_file_is_what_the_report_says(spiker, tmp_path):
    path, report_path = tmp_path / "net.spiker", tmp_path / "said.json"
    asked = ("--steps", 2, "--weights", "hidden=3,output=ternary", "--potentials", 10)
    code, out, _ = spiker(*SHORT, *asked, "-o", path, "--json", report_path)
    assert code == 0
    assert "trained in integers" in out
    report, network, data = json.loads(report_path.read_text()), load(path), load_dataset("digits")
    classes = reference.run(network, encoders.rate(data.x_test, 2)).classes
    assert report["accuracy"]["integers"] == pytest.approx((classes == data.y_test).mean())
    assert report["digest"] == network.digest
    hidden, output = network.projections
    assert np.abs(hidden.synapses.values).max() <= 4
    assert np.abs(output.synapses.values).max() <= 1
    assert network.population["hidden"].neuron.width == 10
    assert network.note["command"] == (
        "spiker train digits --net 64-8-10 --steps 2 --weights hidden=3,output=ternary "
        "--potentials 10 --seed 0 --encoder rate --epochs 2 -o net.spiker"
    )


def test_convolutional_network_is_trained_and_runs(spiker, tmp_path):
    path = tmp_path / "maps.spiker"
    net = ("--net", "8x8-4c3-p2-d3-10", "--steps", 2, "--epochs", 2)
    options = ("--augment", "rotate=10,shift=0.5,mirror=0.5", "--batch-norm", "--shifts", 1)
    code, out, _ = spiker("train", "digits", *net, *options, "-o", path)
    assert code == 0
    assert "pictures shifted" in out
    network = load(path)
    assert [p.synapses.kind for p in network.projections] == ["convolution"] * 2 + ["dense"]
    assert [projection.shift for projection in network.projections] == [1, 1, 1]
    assert network.note["command"].endswith(
        "--augment rotate=10,shift=0.5,mirror=0.5 --batch-norm -o maps.spiker"
    )
    code, out, _ = spiker("info", path)
    assert code == 0
    assert "convolution, max of 2x2" in out
    code, out, _ = spiker("simulate", path, "--engine", "amaranth", "--samples", 1)
    assert (code, json.loads(out)["mismatches"]) == (0, 0)


def test_what_was_trained_can_be_run_without_more_words(spiker, tmp_path):
    spiker(*SHORT, "--encoder", "first_spike", "-o", tmp_path / "net.spiker", "--steps", 5)
    code, out, _ = spiker("simulate", tmp_path / "net.spiker", "--samples", 3)
    assert code == 0
    assert json.loads(out)["mismatches"] == 0


OWN = """
import numpy as np
from spiker_train import Events

def make():
    items = [(Events([0.001 * n, 0.004], [n, 3], 4, 0.01), n % 2) for n in range(3)]
    return items * 10, items
"""


def test_recordings_of_a_function_are_binned_as_the_notes_say(spiker, tmp_path, monkeypatch):
    (tmp_path / "my_recordings.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    data = ("my_recordings:make", "--net", "4-6-2", "--epochs", 2)
    code, _, _ = spiker("train", *data, "--steps", 5, "--dt", 0.002, "-o", "net.spiker")
    assert code == 0
    network = load("net.spiker")
    assert network.note["dt"] == "0.002"
    assert "encoder" not in network.note
    assert network.note["command"] == (
        "spiker train my_recordings:make --net 4-6-2 --steps 5 --dt 0.002 --weights 4 "
        "--potentials 8 --seed 0 --epochs 2 -o net.spiker"
    )
    code, _, message = spiker("train", *data, "--encoder", "graded", "-o", "other.spiker")
    assert code == 2
    assert message.endswith(
        "Encoder, static input and picture must be for values, not for 'make', which has spikes\n"
    )
    code, _, message = spiker("train", *SHORT[1:], "--dt", 0.1, "-o", "other.spiker")
    assert message.endswith("--dt must be for recordings, not for values of 'digits'\n")


def test_recordings_of_a_data_set_are_trained_and_simulated(spiker, tmp_path, monkeypatch):
    draws = np.random.default_rng(0)
    np.savez(
        tmp_path / "fsdd_spikes.npz",
        offset=np.arange(0, 41 * 20, 20),
        times_ms=np.sort(draws.integers(0, 640, (40, 20)), axis=1).reshape(-1),
        units=draws.integers(0, 9, 800),
        channels=9,
        label=np.arange(40) % 3,
        speaker=np.zeros(40, int),
        take=np.arange(40) % 10,
    )
    monkeypatch.setenv("SPIKER_DATA", str(tmp_path))
    options = ("--net", "9-5-3", "--epochs", 2, "--dt", 0.02, "--steps", 30)
    code, _, _ = spiker("train", "fsdd", *options, "-o", tmp_path / "net.spiker")
    assert code == 0
    code, out, _ = spiker("simulate", tmp_path / "net.spiker", "--engine", "reference")
    assert (code, json.loads(out)["samples"]) == (0, 20)


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["digits", "--net", "64x10"], "--net: Layers must be such as '784-128-10' or "),
        (["digits", "--net", "64"], "--net: Layers must be such as '784-128-10' or "),
        (["digits", "--net", "64-0-10"], "--net: Layers must be such as '784-128-10' or "),
        (
            ["digits", "--net", "8x8-4c3-9-p2-10"],
            "--net: Maximum 'p2' must be behind a convolution",
        ),
        (
            ["digits", "--net", "64-10", "--augment", "rotate"],
            "--augment must be such as rotate=10",
        ),
        (["digits", "--net", "64-10", "--augment", "turn=1"], "--augment must be of rotate, shift"),
        (
            ["digits", "--net", "64-10", "--augment", "drop=0.1"],
            "--augment of pictures must be of rotate, shift, scale, mirror, not 'drop'",
        ),
        (["digits", "--net", "63-10"], "Layers for 'digits' must begin with 64, not 63"),
        (["digits", "--net", "64-9"], "Layers for 'digits' must end with at least 10, not 9"),
        (["digits", "--net", "64-10", "--steps", "0"], "Steps must be 1 to 65535, not 0"),
        (["digits", "--net", "64-10", "--weights", "1"], "Weight bits must be in 2..16, not 1"),
        (["digits", "--net", "64-10", "--weights", "four"], "Weight bits must be such as 4 or "),
        (
            ["digits", "--net", "64-10", "--weights", "hidden=4"],
            "Weight bits must be for ",
        ),
        (["digits", "--net", "64-10", "--potentials", "ternary"], "Potential bits must be such as"),
        (["digits", "--net", "64-10", "--potentials", "33"], "Potential bits must be in 2..32"),
        (["digits", "--net", "64-10", "--encoder", "morse"], "Encoder must be one of 'rate', "),
        (["digits", "--net", "64-10", "--readout", "vote"], "Readout kind must be one of 'count'"),
        (["digits", "--net", "64-10", "--epochs", "1"], "Epochs must be at least 2"),
        (["digits", "--net", "64-10", "--threads", "0"], "Threads must be 1 to 256, not 0"),
        (["cats", "--net", "64-10"], "Data set must be one of 'digits', 'mnist', "),
        (["none.npz", "--net", "64-10"], "Data set none.npz must be a file, and is not there"),
    ],
)
def test_bad_input_leaves_nothing_behind(refused, tmp_path, arguments, line):
    message = refused("train", *arguments, "-o", tmp_path / "net.spiker")
    assert message.startswith(line)
    assert list(tmp_path.iterdir()) == []


def test_static_input_is_refused_before_training_is_announced(spiker, tmp_path):
    code, out, err = spiker("train", "digits", "--net", "64-10", "--static", "-o", tmp_path / "net")
    assert (code, out) == (2, "")
    assert (
        err == "spiker: Encoder of a static input must be one of 'graded', 'binary', not 'rate'\n"
    )


def test_the_output_must_have_a_place_before_any_work(refused, tmp_path):
    asked = ("train", "digits", "--net", "64-10", "-o")
    assert refused(*asked, tmp_path) == f"Output must be a file, not the directory {tmp_path}"
    where = tmp_path / "none"
    assert refused(*asked, where / "net.spiker") == (
        f"Output must be in a directory that is there, not in {where}"
    )


def test_an_unwritable_directory_is_refused(refused, tmp_path, monkeypatch):
    def full(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert refused("train", "digits", "--net", "64-10", "-o", tmp_path / "net.spiker") == (
        f"Output must be where files can be written, not in {tmp_path}: Permission denied"
    )
