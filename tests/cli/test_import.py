"""Tests of `spiker import`, `spiker quantize` and `spiker compare`: from a model to hardware."""

import json
import shlex

import numpy as np
import pytest

pytest.importorskip("snntorch")

import torch

from spiker_hdl.model import load
from spiker_train import (
    SpikingNetwork,
    load_floating_point,
    quantize,
    save_floating_point,
)

MODEL = '''
"""A model as a tutorial writes it."""

import snntorch as snn
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc1 = nn.Linear(64, 12)
        self.lif1 = snn.Leaky(beta=0.9)
        self.fc2 = nn.Linear(12, 10)
        self.lif2 = snn.Leaky(beta=0.8, threshold=0.3)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for step in range(x.shape[0]):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


number = 3


def broken():
    raise RuntimeError("no weights")


def stopped():
    raise KeyboardInterrupt


def coloured():
    raise ValueError("\\x1b[31mred")
'''
SAMPLES = ("--data", "digits", "--encoder", "rate", "--steps", "3", "--samples", "12")


@pytest.fixture(scope="module")
def model_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    (directory / "tutorial_model.py").write_text(MODEL)
    (directory / "leaving.py").write_text("import sys; sys.exit(0)")
    return directory


@pytest.fixture
def floating_point(spiker, model_directory, tmp_path, monkeypatch):
    monkeypatch.chdir(model_directory)
    path = tmp_path / "floating_point.safetensors"
    code, out, message = spiker("import", "tutorial_model:Net", "-o", path)
    assert code == 0
    assert "layer1: Leaky 'lif1'" in out
    assert f"spiker quantize {path}" in message
    return path


def test_a_population_code_becomes_groups(spiker, model_directory, tmp_path, monkeypatch):
    monkeypatch.chdir(model_directory)
    path = tmp_path / "floating_point.safetensors"
    code, out, _ = spiker("import", "tutorial_model:Net", "--groups", "5", "-o", path)
    assert code == 0
    assert out.endswith("snnTorch counts them; groups=5 sums those of neighbours\n")
    assert load_floating_point(path).readouts[0].groups == 5


def test_a_model_becomes_hardware_that_answers_as_the_integers(spiker, floating_point, tmp_path):
    net, picture = tmp_path / "net.spiker", tmp_path / "one.png"
    code, out, _ = spiker(
        "quantize",
        floating_point,
        *SAMPLES,
        "--potentials",
        "calibration",
        "-o",
        net,
        "--picture",
        picture,
    )
    assert code == 0
    assert "threshold" in out
    assert "potentials of" in out
    assert picture.stat().st_size > 5000
    report = tmp_path / "report.json"
    code, out, _ = spiker(
        "compare", floating_point, net, "--samples", "4", "--engine", "amaranth", "--json", report
    )
    assert code == 0
    assert "hardware (amaranth): 0 mismatches" in out
    result = json.loads(report.read_text())
    assert (result["samples"], result["mismatches"]) == (4, [])
    assert set(result["accuracy"]) == {"float", "integers", "hardware"}
    assert set(result["populations"]) == {"layer1", "layer2"}
    code, out, _ = spiker("simulate", net, "--samples", "3", "--engine", "amaranth")
    assert json.loads(out)["mismatches"] == 0


def test_floating_point_network_alone_is_compared_with_its_quantization(spiker, floating_point):
    code, out, _ = spiker("compare", floating_point, *SAMPLES, "--engine", "none")
    assert code == 0
    assert "12 samples: float " in out
    assert "layer2" in out


def test_floating_point_network_is_compared_on_random_spikes(spiker, floating_point):
    code, out, _ = spiker(
        "compare", floating_point, "--data", "random", "--samples", 2, "--engine", "none"
    )
    assert code == 0
    assert "2 samples: no labels" in out


def test_a_checkpoint_is_put_into_its_class(spiker, model_directory, tmp_path, monkeypatch):
    monkeypatch.chdir(model_directory)
    created, first, second = (tmp_path / name for name in ("own.safetensors", "a.pth", "b.pth"))
    assert spiker("import", "tutorial_model:Net", "-o", created)[0] == 0
    names = {}
    exec(MODEL, names)
    module = names["Net"]()
    torch.nn.init.constant_(module.fc1.weight, 0.25)
    torch.nn.init.constant_(module.fc2.weight, 0.5)
    state = module.state_dict()
    torch.save(state, first)
    code, _, message = spiker("import", "tutorial_model:Net", "--state", first, "-o", created)
    assert code == 0, message
    weights = [connection.weights for connection in load_floating_point(created).connections]
    assert (weights[0] == 0.25).all()
    assert (weights[1] == 0.5).all()
    torch.save({"fc1.weight": state["fc1.weight"]}, second)
    code, _, message = spiker("import", "tutorial_model:Net", "--state", second, "-o", created)
    assert (code, message.count("\n")) == (2, 1)
    assert str(second) in message


@pytest.mark.parametrize(
    "options, expected",
    [
        ([], {"reset": "zero", "reset_timing": "immediate", "fire": ">"}),
        (["--reset", "subtract"], {"reset": "subtract"}),
        (["--reset", "subtract", "--reset-timing", "next_step"], {"reset_timing": "next_step"}),
        (
            ["--reset-timing", "immediate", "--fire", "reached"],
            {"reset_timing": "immediate", "fire": ">="},
        ),
        (["--fire", "above"], {"fire": ">"}),
    ],
    ids=["as-nir-says", "subtract", "next-step", "reached", "above"],
)
def test_what_a_nir_file_does_not_say_is_said(spiker, request, tmp_path, options, expected):
    source = request.config.rootpath / "tests" / "nir_files" / "sinabs_lif.nir"
    floating_point = tmp_path / "floating_point.safetensors"
    code, _, message = spiker("import", source, "--dt", "1", "-o", floating_point, *options)
    assert code == 0, message
    cells = [layer.cell.settings for layer in load_floating_point(floating_point).layers]
    for name, value in expected.items():
        assert {cell.get(name) for cell in cells if name in cell} <= {value}
    assert any(set(expected) & set(cell) for cell in cells)


def test_scales_and_steps_that_are_asked_for(spiker, floating_point, tmp_path):
    net = tmp_path / "net.spiker"
    code, out, _ = spiker(
        "quantize",
        floating_point,
        "--scales",
        "layer1=0.125",
        "--max-steps",
        1000,
        "-o",
        net,
        "--json",
        "-",
    )
    assert code == 0
    scales = json.loads(out)["quantization"]["scales"]
    assert scales["layer1"] == 0.125
    assert scales["layer2"] > 0
    assert load(net).max_steps == 1000


@pytest.mark.parametrize(
    "shifts_text, expected",
    [("3", [3, 3]), ("layer1=4, layer2=0", [4, 0]), ("layer1->layer2=2", [0, 2])],
    ids=["all", "layers", "connection"],
)
def test_shifts_that_are_asked_for(spiker, floating_point, tmp_path, shifts_text, expected):
    net = tmp_path / "net.spiker"
    code, out, message = spiker(
        "quantize",
        floating_point,
        "--shifts",
        shifts_text,
        "--potentials",
        14,
        "-o",
        net,
        "--json",
        "-",
    )
    assert code == 0, message
    loaded = load(net)
    assert [projection.shift for projection in loaded.projections] == expected
    shifts = json.loads(out)["quantization"]["shifts"]
    assert shifts == {projection.name: projection.shift for projection in loaded.projections}
    assert f"--shifts {shlex.quote(shifts_text)}" in dict(loaded.notes)["command"]
    code, out, _ = spiker(
        "quantize", floating_point, "--shifts", shifts_text, "--potentials", 14, "-o", net
    )
    for projection in loaded.projections:
        finer = f" = {2**projection.shift} of '{projection.target}'"
        assert (finer in out) == (projection.shift > 0)


def test_samples_of_many_steps_on_the_way_through(spiker, floating_point, tmp_path):
    net, data = tmp_path / "net.spiker", tmp_path / "long.npz"
    draws = np.random.default_rng(0)
    np.savez(data, spikes=draws.integers(0, 2, (2, 300, 64), dtype=np.uint8))
    assert spiker("quantize", floating_point, "--data", data, "-o", net)[0] == 0
    assert load(net).max_steps == 300
    code, out, _ = spiker("compare", floating_point, "--data", data, "--engine", "none")
    assert code == 0
    assert "2 samples" in out
    for more in (
        ["simulate", net, "--data", data, "--engine", "amaranth", "--samples", 1],
        ["timing", net, "--data", data],
        ["energy", net, "--data", data, "--counts"],
        ["emit", net, "--data", data, "-o", tmp_path / "out"],
        ["simulate", net, "--data", "random", "--steps", 300, "--engine", "reference"],
    ):
        code, _, message = spiker(*more)
        assert code == 0, message
    message = spiker("quantize", floating_point, "--data", data, "--max-steps", 299, "-o", net)[2]
    assert message == "spiker: --max-steps must be at least the 300 steps of the data, not 299\n"


def test_fine_tuning_changes_the_weights(spiker, floating_point, tmp_path):
    plain, tuned = tmp_path / "plain.spiker", tmp_path / "tuned.spiker"
    assert spiker("quantize", floating_point, *SAMPLES, "-o", plain)[0] == 0
    code, out, _ = spiker(
        "quantize", floating_point, *SAMPLES, "--tune", "1", "-o", tuned, "--json", "-"
    )
    assert code == 0
    report = json.loads(out)
    assert len(report["quantization"]["tuned"]) == 1
    assert report["comparison"]["samples"] == 12
    assert plain.read_bytes() != tuned.read_bytes()


def test_a_configuration_of_spiker_is_read(spiker, tmp_path):
    layer = {"neuron_model": "lif", "n_neurons": 5, "beta": 0.9, "reset_mechanism": "zero"}
    config = {
        "n_cycles": 10,
        "n_inputs": 64,
        "layer_0": layer,
        "layer_1": layer | {"n_neurons": 10},
    }
    path, floating_point = tmp_path / "config.json", tmp_path / "floating_point.safetensors"
    widths = {"weights_bw": 5, "neurons_bw": {"min": 12, "max": 14}, "fp_dec": 4}
    path.write_text(json.dumps({"net_dict": config, "optim_config": widths}))
    code, out, message = spiker("import", path, "-o", floating_point)
    assert code == 0
    assert "Spiker would have made it 0.875" in out
    chosen = ["--weights", "5", "--potentials", "12", "--decay", "multiplier"]
    assert message.rstrip().endswith(" ".join(chosen))
    code, out, _ = spiker(
        "quantize", floating_point, "-o", tmp_path / "net.spiker", *chosen, "--json", "-"
    )
    assert code == 0
    assert json.loads(out)["quantization"]["widths"] == {"layer_0": 12, "layer_1": 12}


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["tutorial_model:Nothing"], "has no attribute 'Nothing'"),
        (["tutorial_model:number"], "Model must be an nn.Module, not 3"),
        (
            ["tutorial_model:broken"],
            "tutorial_model:broken must be a model to read, and raises RuntimeError: no w",
        ),
        (["no_such_model:Net"], "MODULE:OBJECT must name a module that Python finds"),
        (["tutorial_model:Net", "--shape", "1xtwo"], "Shape must be sizes such as 25x1x784"),
        (
            ["tutorial_model:Net", "--dt", "1"],
            "--dt must be for a NIR file, not for tutorial_model",
        ),
        (["tutorial_model:Net", "--levels", "1"], "Levels of input values must be 2 to 65536"),
        (
            ["tutorial_model:Net", "--groups", "4"],
            "Readout 'layer2': groups must be a divisor of the 10 neurons of 'layer2', not 4",
        ),
        (
            ["missing.nir"],
            "Source must be a NIR file, MODULE:OBJECT or a .json file, not missing.n",
        ),
        (["missing.json"], "not missing.json, which is not there"),
        (["tutorial_model.py"], "tutorial_model.py is the model: tutorial_model:NAME"),
        (["net.pth"], "spiker import MODULE:CLASS --state net.pth"),
        (["sys:exit"], "sys:exit must be a model to read, and raises SystemExit"),
        (["tutorial_model:stopped"], "and raises KeyboardInterrupt"),
        (["leaving:Net"], "leaving:Net must be a model to read, and raises SystemExit: 0"),
        (["tutorial_model:coloured"], r"spiker: \x1b[31mred"),
        (["tutorial_model:Net", "--reset", "subtract"], "--reset must be for a NIR file, not for "),
        (["tutorial_model:Net", "--reset-timing", "next_step"], "--reset-timing must be for a NIR"),
        (["tutorial_model:Net", "--fire", ">="], "--fire must be for a NIR file, not for "),
        (["tutorial_model:Net", "--readout", "vote"], "Readout must be one of 'count', "),
        (["tutorial_model:Net", "--state", "none.pth"], "none.pth: No such file or directory"),
        ([":"], "Source must be MODULE:OBJECT, such as my_model:net, not ':'"),
        (["cut.json"], "cut.json: must be JSON, not with: Expecting"),
        (["twice.json"], "twice.json: must have each key once, not 'layer_0' twice"),
        (["net.gz"], "not net.gz: a gzip file"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    spiker, model_directory, tmp_path, monkeypatch, arguments, line
):
    monkeypatch.chdir(model_directory)
    (model_directory / "cut.json").write_text('{"n_cycles": 20')
    (model_directory / "twice.json").write_text('{"layer_0": {}, "layer_0": {}}')
    torch.save({"weight": torch.ones(2)}, model_directory / "net.pth")
    (model_directory / "net.gz").write_bytes(b"\x1f\x8b\x08")
    code, _, message = spiker("import", *arguments, "-o", tmp_path / "out.safetensors")
    assert code == 2
    assert line in message
    assert message.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_output_is_a_floating_point_network(spiker, tmp_path):
    code, _, message = spiker("import", "tutorial_model:Net", "-o", tmp_path / "net.spiker")
    assert code == 2
    assert "`spiker quantize` makes net.spiker of that" in message


def test_what_is_read_is_not_written_over(spiker, floating_point, model_directory, tmp_path):
    code, _, message = spiker("import", "tutorial_model:Net", "-o", "tutorial_model.py")
    assert (code, message.count("\n")) == (2, 1)
    assert "Output must be a .safetensors file, not tutorial_model.py" in message
    assert (model_directory / "tutorial_model.py").read_text() == MODEL
    before, net = floating_point.read_bytes(), tmp_path / "net.spiker"
    code, _, message = spiker(
        "quantize", floating_point, "-o", tmp_path / "." / floating_point.name
    )
    assert code == 2
    assert f"--output must be another file than that of FLOAT_NET, not {tmp_path}" in message
    assert floating_point.read_bytes() == before
    assert spiker("quantize", floating_point, "-o", net, "--json", net)[0] == 2
    assert not net.exists()
    assert spiker("quantize", floating_point, "-o", net)[0] == 0
    before = net.read_bytes()
    assert spiker("compare", floating_point, net, *SAMPLES, "--json", net)[0] == 2
    assert net.read_bytes() == before


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--weights", "99"], "Weight bits must be in 2..16, not 99"),
        (["--decay", "root"], "Decay must be one of 'shift', 'shifts', 'multiplier', not 'root'"),
        (["--potentials", "calibration"], "--data must be given to calibrate"),
        (["--tune", "2"], "--data must be given to calibrate, to fine-tune or to draw"),
        (["--tune", "-1"], "Epochs of fine-tuning must be 0 to 1000000, not -1"),
        (["--data", "digits"], "--encoder must be given"),
        (["--saturation", "2"], "Saturation must be in 0..1"),
        (["--max-steps", "65536"], "--max-steps must be at most 65535, not 65536"),
        (["--scales", "layer1"], "Scales must be above 0 and as hidden=0.05,output=0.1, not"),
        (["--scales", "layer1=0"], "Scales must be above 0"),
        (
            ["--scales", "layer1=1,layer1=2"],
            "Scales must be given once for each name, not twice for 'layer1'",
        ),
        (["--scales", "other=1"], "Scales must be for "),
        (["--shifts", "25"], "Shift must be at most 24, not 25"),
        (["--shifts", "x"], "Shifts must be such as 4 or hidden=4,output=6, not 'x'"),
        (["--shifts", "other=1"], "Shifts must be for "),
        (["--encoder", "rate"], "--encoder must be given with --data, not alone"),
        ([*SAMPLES, "--picture", "net.foo"], "--picture must end in .png, .svg, .pdf, .jpg"),
    ],
)
def test_bad_options_write_nothing(spiker, floating_point, tmp_path, arguments, line):
    code, _, message = spiker("quantize", floating_point, *arguments, "-o", tmp_path / "net.spiker")
    assert code == 2
    assert line in message
    assert not (tmp_path / "net.spiker").exists()


def test_files_must_be_what_they_are_for(spiker, floating_point, network_file, tmp_path):
    message = spiker("quantize", network_file, "-o", tmp_path / "net.spiker")[2]
    assert "is a network of integers already" in message
    message = spiker("compare", floating_point, network_file)[2]
    assert "Networks must have the same populations" in message
    message = spiker("compare", tmp_path / "none", network_file)[2]
    assert "must be a file that `spiker import` made" in message


def test_channels_are_multiplied_where_the_command_says_so(spiker, tmp_path):
    net = SpikingNetwork.chain("6x6-3c3-p2-2", bias=True)
    with torch.no_grad():
        net.connections[0].weights.mul_(torch.tensor([1.0, 0.1, 0.5])[:, None, None, None])
    save_floating_point(net, tmp_path / "net.safetensors")
    path = tmp_path / "net.spiker"
    code, _, _ = spiker(
        "quantize", tmp_path / "net.safetensors", "--potentials", 12, "--channel-scales", "-o", path
    )
    assert code == 0
    network = load(path)
    assert network == quantize(net, 4, 12, channel_scales=True)
    assert len(set(network.population["hidden"].neuron.threshold)) == 3
    assert network.note["command"].endswith(
        "--potentials 12 --decay shift --channel-scales -o net.spiker"
    )
