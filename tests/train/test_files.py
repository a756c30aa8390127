"""Tests of files of floating-point networks."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.numpy import save_file  # noqa: E402

from spiker_hdl.model import (  # noqa: E402
    AdaptiveLif,
    CurrentLif,
    Decay,
    FileError,
    Input,
    Integrator,
    Lif,
    Readout,
)
from spiker_train import (  # noqa: E402
    Cell,
    Connection,
    Duration,
    FirstOrder,
    IntegerCell,
    Layer,
    SecondOrder,
    SpikingNetwork,
    Summed,
    SynapseKind,
    Tau,
    Wire,
    load_floating_point,
    quantize,
    save_floating_point,
)
from spiker_train.files import FORMAT  # noqa: E402
from spiker_train.formats.tensor_files import read_safetensors  # noqa: E402


def network():
    draws = np.random.default_rng(0)
    sparse = draws.normal(size=(5, 4)) * (draws.random((5, 4)) < 0.5)
    slow = Decay((1, 2, 4, 1), 3)
    lif = Cell(
        Lif, threshold=np.linspace(1, 2, 4), decay=slow, reset="zero", reset_timing="next_step"
    )
    return SpikingNetwork(
        [Input("in", (2, 3)), Input("more", 4, 0, 15)],
        [
            Layer("a", (2, 2), lif, bias=draws.normal(size=4)),
            Layer("b", 5, Cell(CurrentLif, threshold=1.5, decay=0.83, current_decay=0.5, rest=0.1)),
            Layer("c", 5, Cell(AdaptiveLif, threshold=1, rise=0.3, decay=0.9, rise_decay=0.97)),
            Layer("out", 3, Cell(Integrator, decay=0.875, learn=["decay"]), bias=True),
        ],
        [
            Connection("in", "a", draws.normal(size=(4, 6))),
            Connection("more", "a", draws.normal(size=4), kind="one_to_one"),
            Connection("a", "a", draws.normal(size=(4, 4)), delay=1),
            Connection("a", "b", sparse, kind="sparse", delay=2, name="thin"),
            Connection("b", "c"),
            Connection("c", "out"),
        ],
        [Readout("out", "last"), Readout("c", "count", "spikes"), Readout("a", "count", "sums", 2)],
        name="all of it",
    )


def test_a_network_comes_back_as_it_was(tmp_path):
    net = network()
    save_floating_point(net, tmp_path / "net.safetensors")
    again = load_floating_point(tmp_path / "net.safetensors")
    assert again.name == "all of it"
    spikes = {
        "in": np.random.default_rng(1).integers(0, 2, (3, 7, 6)),
        "more": np.random.default_rng(2).integers(0, 16, (3, 7, 4)),
    }
    record = ["a", "b", "c", "a.v", "b.v", "out.v"]
    mine, theirs = net.run(spikes, record=record), again.run(spikes, record=record)
    assert mine.differences(theirs) == []
    assert theirs.counts["a"].sum() > 0
    assert quantize(net, 6, 12) == quantize(again, 6, 12)
    assert again.layer["out"].cell.learned == ("decay",)


@pytest.mark.parametrize(
    "given", [{}, {"rest": 0.5}, {"floor": -1.0}, {"learn": ["rest"]}], ids=str
)
def test_fields_newer_than_the_format_are_omitted_at_their_defaults(given, tmp_path):
    cells = [Cell(Integrator, decay=0.5, **given)]
    if "learn" not in given:
        fixed = {name: round(4 * value) for name, value in given.items()}
        cells.append(IntegerCell(Integrator(width=9, decay=Decay(1, 1), **fixed), scale=0.25))
    for cell in cells:
        net = SpikingNetwork(
            [Input("in", 2)],
            [Layer("out", 2, cell)],
            [Connection("in", "out")],
            [Readout("out", "last")],
        )
        save_floating_point(net, path := tmp_path / "net.safetensors")
        names = {"rest", "floor"} & {"learn": {"rest"}}.get([*given, ""][0], given.keys())
        data = path.read_bytes()
        assert {name for name in ("rest", "floor") if name.encode() in data} == names
        assert quantize(load_floating_point(path), 4, 9) == quantize(net, 4, 9)


def test_the_same_network_gives_the_same_file(tmp_path):
    net = network()
    save_floating_point(net, tmp_path / "one")
    save_floating_point(net, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_unreadable_network_is_not_written(tmp_path):
    net = network()
    with torch.no_grad():
        net.layers[3].cell.float_decay.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"^Layer 'out': decay must be finite, not nan$"):
        save_floating_point(net, tmp_path / "net.safetensors")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "timing, reset, flags",
    [
        ("immediate", "value", (False, "lost", False)),
        ("next_step", "subtract", (True, "lost", False)),
        ("next_step_keep_input", "zero", (True, "kept", False)),
        ("snntorch_immediate", "subtract", (False, "lost", True)),
    ],
)
def test_reset_timing_is_spelled_as_in_version_1(timing, reset, flags, tmp_path):
    path, when = tmp_path / "net.safetensors", {"reset": reset, "reset_timing": timing}
    fixed = Lif(threshold=3, decay=Decay.shift(1), width=6, **when)
    layers = [
        Layer("a", 2, Cell(Lif, threshold=1.5, decay=0.5, **when)),
        Layer("b", 2, IntegerCell(fixed, scale=0.5)),
    ]
    links = [Connection("in", "a"), Connection("a", "b")]
    save_floating_point(
        SpikingNetwork([Input("in", 2)], layers, links, [Readout("b", "count")]), path
    )
    first, second = json.loads(read_safetensors(path)[0][FORMAT])["layers"]
    for saved in (first["settings"], second["integers"]):
        assert (saved["late"], saved["late_input"], saved["owing"]) == flags
        assert "reset_timing" not in saved
    back = load_floating_point(path)
    assert back.layer["a"].cell.settings["reset_timing"] == timing
    assert back.layer["b"].cell.fixed == fixed


def test_integer_neurons_are_saved_unchanged(tmp_path):
    neuron = Lif(threshold=(3, 4), decay=Decay((1, 2), 2), width=6, floor=-3, v=(0, 1))
    cell = IntegerCell(neuron, scale=0.3, unit=0.7)
    net = SpikingNetwork(
        [Input("in", 2)],
        [Layer("out", 2, cell, bias=[0.25, 0.5])],
        [Connection("in", "out")],
        [Readout("out", "count")],
    )
    save_floating_point(net, tmp_path / "net.safetensors")
    back = load_floating_point(tmp_path / "net.safetensors").layer["out"]
    assert isinstance(back.cell, IntegerCell)
    assert (back.cell.fixed, back.cell.scale, back.cell.unit) == (neuron, 0.3, 0.7)
    assert back.bias.tolist() == [0.25, 0.5]


def changed(tmp_path, change):
    """Write a file whose graph was changed, and return its path."""
    from safetensors import safe_open

    path = tmp_path / "net.safetensors"
    save_floating_point(network(), path)
    with safe_open(str(path), framework="numpy") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    before = metadata[FORMAT]
    graph = json.loads(before)
    change(metadata, graph, arrays)
    if metadata.get(FORMAT) == before:
        metadata[FORMAT] = json.dumps(graph)
    save_file(arrays, path, metadata=metadata)
    return path


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda m, g, a: m.update({FORMAT: "{"}), "must be JSON, not with"),
        (lambda m, g, a: m.update({FORMAT: "[]"}), r"must be an object, not \[\]"),
        (lambda m, g, a: m.update(other=m.pop(FORMAT)), r"'spiker-real-network', not \['other'\]"),
        (lambda m, g, a: g.update(version=3), "must be of version 1 or 2, not 3"),
        (
            lambda m, g, a: g.pop("layers"),
            "must be a .safetensors file of a network, whole, not one with: no 'layers'",
        ),
        (lambda m, g, a: a.pop("weights/0"), "not one with: no 'weights/0'"),
        (lambda m, g, a: a.update(stray=np.zeros(1)), r"no array of its own, not \['stray'\]"),
        (
            lambda m, g, a: g["layers"][0].update(model="Mine"),
            "must name neurons of .*not 'Mine'; hand the classes",
        ),
        (
            lambda m, g, a: a.update({"weights/0": np.zeros((2, 2), np.float32)}),
            r"weights must have the shape \(4, 6\), not \(2, 2\)",
        ),
        (
            lambda m, g, a: a.update({"weights/0": np.full((4, 6), np.nan, np.float32)}),
            "must be finite, not nan",
        ),
    ],
)
def test_object_that_is_no_network_is_refused(tmp_path, change, message):
    path = changed(tmp_path, change)
    with pytest.raises(FileError, match=message) as caught:
        load_floating_point(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_file_that_is_cut_short_is_refused(tmp_path, kept):
    path = tmp_path / "net.safetensors"
    save_floating_point(network(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(FileError, match=r"must be a \.safetensors file of a network, "):
        load_floating_point(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_floating_point(tmp_path / "none")


def test_times_and_dynamics_come_back_as_they_were(tmp_path):
    draws = np.random.default_rng(0)
    taus = Tau(draws.uniform(1e-3, 9e-3, 4))
    lif = Cell(Lif, threshold=1.0, decay=taus, refractory=Duration([0, 1e-3, 2e-3, 3.5e-3]))
    learned = Cell(Integrator, decay=Tau(20e-3, method="euler"), learn=["decay"])
    kinds = [
        FirstOrder(Tau(draws.uniform(1e-3, 9e-3, (4, 6))), gain=0.1, output="charge"),
        Summed(SecondOrder(0.5, Decay((1, 2, 1), 3), normalised=True), Wire(bias=[1.0, 0, -1])),
    ]
    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("a", 4, lif), Layer("out", 3, learned)],
        [
            Connection("in", "a", dynamics=kinds[0], delay=Duration(1.5e-3)),
            Connection("a", "out", dynamics=kinds[1]),
        ],
        [Readout("out", "last")],
        dt=1e-3,
    )
    save_floating_point(net, tmp_path / "net.safetensors")
    again = load_floating_point(tmp_path / "net.safetensors")
    save_floating_point(again, tmp_path / "again.safetensors")
    assert (tmp_path / "net.safetensors").read_bytes() == (
        tmp_path / "again.safetensors"
    ).read_bytes()
    assert again.dt == 1e-3
    assert again.layers[0].cell.taus["decay"] == taus
    assert again.connections[0].delay == Duration(1.5e-3)
    x = torch.from_numpy((draws.random((3, 20, 6)) < 0.5).astype(np.float32))
    assert torch.equal(net(x).scores, again(x).scores)


def test_synapse_kind_of_ones_own_must_be_handed_over(tmp_path):
    @dataclass(frozen=True)
    class Mine(SynapseKind):
        level: float = 1.0

        def step(self, p, s, x, via):
            return x * self.level, {}

    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("out", 3, Cell(Integrator, decay=0.5))],
        [Connection("in", "out", dynamics=Mine(2.0))],
        [Readout("out", "last")],
    )
    path = tmp_path / "net.safetensors"
    save_floating_point(net, path)
    with pytest.raises(FileError, match=r"must name synapse kinds of .* not 'Mine'"):
        load_floating_point(path)
    (connection,) = load_floating_point(path, synapse_kinds=[Mine]).connections
    assert connection.dynamics == Mine(2.0)
