"""Tests of `spiker simulate`."""

import json

import numpy as np
import pytest

import spiker_hdl
from spiker_hdl.model import encoders, reference
from spiker_train.data.images import load_dataset

from support.small import make_network


def encoded(count):
    data = load_dataset("digits")
    return encoders.rate(data.x_test[:count], 3), data.y_test[:count]


@pytest.mark.parametrize("engine", ["reference", "amaranth", "auto"])
def test_json_has_accuracy_mismatches_and_cycles(spiker, network_file, engine):
    code, out, _ = spiker("simulate", network_file, "--samples", 6, "--engine", engine)
    assert code == 0
    report = json.loads(out)
    spikes, labels = encoded(6)
    classes = reference.run(make_network(), spikes).classes
    assert report["accuracy"] == pytest.approx((classes == labels).mean())
    compared = None if engine == "reference" else 0
    assert (report["samples"], report["mismatches"], report["differences"]) == (6, compared, [])
    assert report["data"] == "digits"
    if engine == "reference":
        assert report["cycles"] is None
    else:
        cycles = spiker_hdl.run(make_network(), spikes, engine="amaranth").cycles
        assert report["cycles"]["mean"] == pytest.approx(cycles.mean(), abs=0.01)
        assert report["cycles"]["median"] == np.median(cycles)
        assert report["cycles"]["max"] == report["cycles"]["p99"] == cycles.max()


def test_the_whole_test_split_by_default(spiker, network_file):
    report = json.loads(spiker("simulate", network_file, "--engine", "reference")[1])
    assert report["samples"] == 360


def test_fewer_lanes_take_more_cycles_and_answer_the_same(spiker, network_file):
    asked = ("simulate", network_file, "--samples", 3, "--engine", "amaranth")
    first, two = (json.loads(spiker(*asked, *more)[1]) for more in ((), ("--lanes", 1)))
    assert two["cycles"]["mean"] > first["cycles"]["mean"]
    assert two["accuracy"] == first["accuracy"]
    assert two["mismatches"] == 0


def test_spikes_of_a_file(spiker, network_file, tmp_path):
    spikes, labels = encoded(5)
    np.savez(tmp_path / "mine.npz", spikes=spikes, labels=labels)
    asked = ("--data", tmp_path / "mine.npz", "--engine", "reference")
    report = json.loads(spiker("simulate", network_file, *asked)[1])
    assert report["samples"] == 5
    classes = reference.run(make_network(), spikes).classes
    assert report["accuracy"] == pytest.approx((classes == labels).mean())
    np.savez(tmp_path / "mine.npz", spikes=spikes)
    assert json.loads(spiker("simulate", network_file, *asked)[1])["accuracy"] is None


def test_a_data_set_of_a_file_is_encoded(spiker, network_file, tmp_path):
    data = load_dataset("digits")
    parts = {"x_train": data.x_train, "y_train": data.y_train}
    np.savez(tmp_path / "mine.npz", x_test=data.x_test[:7], y_test=data.y_test[:7], **parts)
    asked = ("--data", tmp_path / "mine.npz", "--engine", "reference")
    assert json.loads(spiker("simulate", network_file, *asked)[1])["samples"] == 7


def test_json_to_a_file_leaves_a_table(spiker, network_file, tmp_path):
    path = tmp_path / "report.json"
    code, out, _ = spiker("simulate", network_file, "--samples", 2, "--json", path)
    assert code == 0
    assert "mismatches" in out
    assert json.loads(path.read_text())["samples"] == 2


def test_a_mismatch_is_shown_and_exits_with_1(spiker, network_file, monkeypatch):
    true = spiker_hdl.run

    def wrong(network, spikes, *, engine, **options):
        result = true(network, spikes, engine=engine, **options)
        if engine == "amaranth":
            result.scores[1, 2] += 1
            result.scores[3, 0] -= 1
            result.classes[3] = 9 - result.classes[3]
        return result

    monkeypatch.setattr(spiker_hdl, "run", wrong)
    code, out, err = spiker("simulate", network_file, "--samples", 5, "--engine", "amaranth")
    assert code == 1
    report = json.loads(out)
    assert report["mismatches"] == 2
    assert any(
        "sample 1: readout 'output' scores at 2" in difference
        for difference in report["differences"]
    )
    assert "The hardware must answer as the reference, not otherwise: sample 3: " in err


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--samples", 361], "Samples must be 1 to 360 of digits, not 361"),
        (["--samples", 0], "Samples must be 1 to 360 of digits, not 0"),
        (["--encoder", "morse"], "Encoder must be one of 'rate', 'bernoulli', "),
        (["--steps", 0], "Steps must be 1 to 256, not 0"),
        (["--steps", 257], "Steps must be 1 to 256, not 257"),
        (["--engine", "steam"], "Engine must be one of 'reference', 'amaranth', "),
        (
            ["--data", "cats"],
            "Data set must be one of 'digits', 'mnist', 'mnist_14x14', 'fashion' or ",
        ),
        (["--data", "none.npz"], "Data must be a file that is there, not none.npz"),
        (["--lanes", -1], "Lanes must be at least 1, not -1"),
        (["--form", "letters"], "Input form must be one of 'words', 'events', not 'letters'"),
        (["--word", 0], "Word must be at least 1, not 0"),
        (["--encoder", "graded"], "Spikes of input 'input' must be in 0..1, not "),
    ],
)
def test_bad_input(refused, network_file, arguments, line):
    assert refused("simulate", network_file, *arguments).startswith(line)


def test_data_must_have_the_size_of_the_input(refused, tmp_path):
    make_network(size=50).save(tmp_path / "fifty.spiker")
    assert refused("simulate", tmp_path / "fifty.spiker") == (
        "Data must have 50 values a sample, which the network takes, not 64 as digits has"
    )


@pytest.mark.parametrize("missing", ["data", "encoder", "steps"])
def test_without_a_note_the_option_must_be_given(refused, spiker, tmp_path, missing):
    notes = {"data": "digits", "encoder": "rate", "steps": "3"}
    note = notes.pop(missing)
    make_network(notes=notes).save(tmp_path / "bare.spiker")
    asked = ("simulate", tmp_path / "bare.spiker", "--engine", "reference", "--samples", 4)
    assert refused(*asked).startswith(f"--{missing} must be given (")
    assert spiker(*asked, f"--{missing}", note)[0] == 0


def test_a_note_of_steps_must_be_a_number(refused, tmp_path):
    notes = {"data": "digits", "encoder": "rate", "steps": "three"}
    make_network(notes=notes).save(tmp_path / "odd.spiker")
    line = refused("simulate", tmp_path / "odd.spiker")
    assert line == "Network's note of its steps must be a number, not 'three'"


@pytest.mark.parametrize(
    "arrays, line",
    [
        (
            {"spikes": np.zeros((2, 3), int)},
            "PATH: must have spikes of the shape (samples, steps, size)",
        ),
        (
            {"spikes": np.zeros((2, 3, 64), np.uint8), "labels": np.zeros(3, int)},
            "PATH: must have labels that are integers of the shape (2,), not int64 of (3,)",
        ),
        (
            {"spikes": np.zeros((2, 3, 60), np.uint8)},
            "Spikes of input 'input' must have the shape (samples, steps, 64), not (2, 3, 60)",
        ),
        (
            {"spikes": np.full((2, 3, 64), 2)},
            "Spikes of input 'input' must be in 0..1, not 2",
        ),
        ({"spikes": np.zeros((2, 3, 64))}, "PATH: must have spikes that are integers, not float64"),
        ({"x": np.zeros(3)}, "PATH: must have x_train, y_train, x_test, y_test, not "),
        ({"spikes": np.array([None])}, "PATH: part 'spikes.npy' must hold plain numbers, not "),
    ],
)
def test_bad_files_of_spikes(refused, network_file, tmp_path, arrays, line):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    message = refused("simulate", network_file, "--data", path)
    assert message.startswith(line.replace("PATH", str(path)))


def test_a_truncated_file_of_spikes(refused, network_file, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, spikes=np.zeros((2, 3, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:200])
    assert refused("simulate", network_file, "--data", path).startswith(
        f"{path}: must be a ZIP archive, whole"
    )
    with path.open("wb") as file:
        np.save(file, np.zeros((2, 3, 64), np.uint8))
    assert refused("simulate", network_file, "--data", path) == (
        f"{path}: must be an .npz file of spikes or of a data set, not an .npy file of one NumPy "
        "array"
    )
    path.write_bytes(b"")
    assert refused("simulate", network_file, "--data", path).startswith(
        f"{path}: must be an .npz file of spikes or of a data set, not an empty file"
    )


def test_missing_mnist_says_the_way_out(refused, network_file, tmp_path, monkeypatch):
    def nowhere(which):
        raise OSError("no network")

    monkeypatch.setattr("spiker_train.data.images.places", lambda: [tmp_path])
    monkeypatch.setattr("spiker_train.data.images._download", nowhere)
    line = refused("simulate", network_file, "--data", "mnist")
    assert line.startswith(f"MNIST must be in one of {tmp_path} or be downloaded (no network): put")
    assert "SPIKER_DATA" in line
