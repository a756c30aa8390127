"""Tests of warnings of implausible networks, which every importer and quantize issue."""

from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from torch import nn

import spiker_train
from spiker_hdl.model import CurrentLif, If, Input, Integrator, Lif, Readout, reference
from spiker_train import (
    Cell,
    Connection,
    ImplausibleWarning,
    ImportReport,
    Layer,
    SpikingNetwork,
    from_nir,
    from_snntorch,
    from_spiker,
    load_floating_point,
    quantize,
    save_floating_point,
)
from spiker_train.network.plausibility import implausible
from tests.support.quantized import quantize_and_report

DT = 1e-3


def module(scale):
    """Make a module of snnTorch whose weights are scaled."""
    snn = pytest.importorskip("snntorch")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), snn.Leaky(beta=0.9))
    with torch.no_grad():
        for parameter in net[0].parameters():
            parameter.mul_(scale)
    return net


def graph(scale):
    """Make a graph of NIR as sinabs writes it, whose weights are scaled."""
    nir = pytest.importorskip("nir")
    size = np.ones(5)
    return nir.NIRGraph.from_list(
        nir.Input({"input": np.array([6])}),
        nir.Affine(scale * np.linspace(-0.5, 1, 30).reshape(5, 6), scale * 0.1 * size),
        nir.LIF(10 * size, 10 * size, 0 * size, size, 0 * size),
        nir.Output({"output": np.array([5])}),
    )


def described(scale):
    """Make trained weights of Spiker that are scaled."""
    config = {"n_cycles": 4, "n_inputs": 6, "layer_0": {"n_neurons": 5, "neuron_model": "lif"}}
    weights = scale * torch.linspace(-0.5, 1, 30).reshape(5, 6)
    return config, {"layers.fc1.weight": weights}


def real(scale):
    """Make a floating-point network whose weights are scaled."""
    net = SpikingNetwork.chain("6-5", cell=Cell(Lif, threshold=1.0, decay=0.5), readout="count")
    with torch.no_grad():
        net.connections[0].weights.copy_(scale * torch.linspace(-0.5, 1, 30).reshape(5, 6))
    return net


DOORS = {
    "from_snntorch": lambda scale: from_snntorch(module(scale)),
    "from_nir": lambda scale: from_nir(graph(scale), writer="sinabs"),
    "from_spiker": lambda scale: from_spiker(*described(scale), readout="spk"),
    "quantize": lambda scale: quantize(real(scale)),
}


def report_of(door, scale):
    """Return the report of an importer or of quantisation, without its Python warnings."""
    if door == "quantize":
        return quantize_and_report(real(scale))[1]
    with catch_warnings():
        simplefilter("ignore", ImplausibleWarning)
        return DOORS[door](scale).import_report


def test_every_importer_and_quantize_are_tested():
    doors = {name for name in spiker_train.__all__ if name.startswith(("from_", "quantize"))}
    assert doors == set(DOORS)


@pytest.mark.parametrize("door", DOORS)
def test_weights_scaled_by_dt_are_warned_of(door):
    assert not report_of(door, 1.0).warnings
    DOORS[door](1.0)  # a warning is an error in tests
    report = report_of(door, DT)
    assert any("can never fire" in warning for warning in report.warnings)
    for warning in report.warnings:
        assert f"warning: {warning}" in str(report).splitlines()
    with pytest.warns(ImplausibleWarning, match="can never fire|all become 0") as caught:
        DOORS[door](DT)
    assert [str(warning.message) for warning in caught] == list(report.warnings)
    assert caught[0].filename == __file__


def test_report_of_an_import_is_not_part_of_a_made_or_saved_network(tmp_path):
    assert real(1.0).import_report is None
    net = from_spiker(*described(1.0), readout="spk")
    assert isinstance(net.import_report, ImportReport)
    save_floating_point(net, tmp_path / "net.safetensors")
    assert load_floating_point(tmp_path / "net.safetensors").import_report is None


def test_report_of_another_quantisation_is_refused():
    _, report = quantize_and_report(real(1.0))
    with pytest.raises(
        ValueError, match=r"^Report must be a new one, not that of another quantisation$"
    ):
        quantize(real(1.0), report=report)


def test_a_readout_of_potentials_needs_no_spikes():
    config, weights = described(DT)
    from_spiker(config, weights, readout="mem")  # a warning is an error in tests


@pytest.mark.parametrize("tau", [0.002, 0.01, 0.025])
def test_time_constants_in_another_unit_are_warned_of(tau):
    """As an older Norse wrote them, unscaled, where newer ones multiply by dt."""
    nir = pytest.importorskip("nir")
    size = np.ones(5)
    exported = nir.NIRGraph.from_list(
        nir.Input({"input": np.array([6])}),
        nir.Affine(3 * np.ones((5, 6)) / DT, 0 * size),
        nir.LIF(tau * size, size, 0 * size, size, 0 * size),
        nir.Output({"output": np.array([5])}),
    )
    assert not from_nir(exported, dt=DT).import_report.warnings
    with pytest.warns(ImplausibleWarning, match=r"^decay of '\w+' is 0\.9.*, a time constant of "):
        from_nir(exported, writer="norse")


# -- bounds are those of the neurons themselves --

KINDS = {
    "If": (If, {}),
    "Lif": (Lif, {"decay": 0.8}),
    "Lif-fast": (Lif, {"decay": 0.1}),
    "Lif-each": (Lif, {"decay": [0.8, 0.5]}),
    "CurrentLif": (CurrentLif, {"decay": 0.7, "current_decay": 0.6}),
    "CurrentLif-rest": (CurrentLif, {"decay": 0.7, "current_decay": 0.6, "i": 0.5}),
    "Lif-rest": (Lif, {"decay": 0.9, "v": 0.7}),
    "Lif-value": (Lif, {"decay": 0.9, "reset": "value", "reset_value": 0.2}),
}


def one_layer(kind, values, weight, threshold, bias=False, high=1, **options):
    """Make a network of one layer of two neurons and one input."""
    cell = Cell(kind, threshold=threshold, **values, **options)
    return SpikingNetwork(
        [Input("input", 1, 0, high)],
        [Layer("layer", 2, cell, bias)],
        [Connection("input", "layer", np.full((2, 1), weight))],
        [Readout("layer", "count")],
    )


def spikes_of(net, value):
    """Return whether each neuron fires, where an input stays as it is for long."""
    return net.run(np.full((1, 120, 1), value), record=["layer"]).spikes["layer"][0] != 0


@pytest.mark.parametrize("fire", [">", ">="], ids=["above", "at"])
@pytest.mark.parametrize("weight", [0.01, -0.5], ids=["excited", "inhibited"])
@pytest.mark.parametrize("kind", KINDS)
def test_neurons_fire_unless_reported_never_to_fire(kind, weight, fire):
    model, values = KINDS[kind]
    for threshold in (0.001, 0.02, 0.0499, 0.0501, 0.2, 0.5, 1.7):
        net = one_layer(model, values, weight, threshold, fire=fire, high=3)
        fired = any(spikes_of(net, value).any() for value in (0, 3))
        present = any("can never fire" in warning for warning in implausible(net))
        if present:
            assert not fired
        elif "rest" not in kind and "value" not in kind:
            assert fired


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("timing", ["immediate", "next_step"])
def test_neurons_reported_to_always_fire_do(reset, timing):
    warned = 0
    for bias in (0.5, 0.99, 1.01, 1.5, 3.0):
        for weight in (0.3, -0.3):
            options = {"reset": reset, "reset_timing": timing}
            net = one_layer(Lif, {"decay": 0.5}, weight, 1.0, bias, **options)
            results = [warning for warning in implausible(net) if "fires in every step" in warning]
            if results:
                warned += 1
                assert spikes_of(net, 0).all()
                assert spikes_of(net, 1).all()
    assert (warned == 0) == (timing == "next_step" and reset != "none")


# -- what quantisation loses --


def lossy(**values):
    options = {"threshold": 1.0, "decay": 0.5} | values
    net = SpikingNetwork.chain("4-3", cell=Cell(Lif, **options), readout="count")
    with torch.no_grad():
        net.connections[0].weights.copy_(torch.linspace(-0.5, 1, 12).reshape(3, 4))
    return net


LOST = {
    "decay-1": (
        lossy(decay=0.999),
        {},
        "decay of 'output' is quantised to 1, from 0.999: nothing leaks",
    ),
    "decay-0": (
        lossy(decay=0.001),
        {"decay": "multiplier", "decay_bits": 4},
        "decay of 'output' is quantised to 0, from 0.001: nothing is kept",
    ),
    "threshold": (lossy(threshold=0.01), {"weights": 2}, "thresholds of 'output' all become 0"),
    "weights": (
        SpikingNetwork(
            [Input("input", 2)],
            [Layer("layer", 2, Cell(Lif, threshold=1.0, decay=0.5))],
            [
                Connection("input", "layer", np.eye(2)),
                Connection("layer", "layer", np.full((2, 2), 1e-3), delay=1),
            ],
            [Readout("layer", "count")],
        ),
        {},
        "weights of 'layer->layer late 1' all become 0",
    ),
}


@pytest.mark.parametrize("what", LOST)
def test_parameters_lost_in_quantisation_are_warned_of(what):
    net, options, message = LOST[what]
    report = quantize_and_report(net, **options)[1]
    assert [warning for warning in report.warnings if warning.startswith(message)]
    with pytest.warns(ImplausibleWarning):
        quantize(net, **options)


def test_integers_that_can_never_fire_do_not():
    warned = 0
    for weight in (0.02, 0.05, 0.1, 0.2, 0.4):
        net = one_layer(Lif, {"decay": 0.5}, weight, 1.0, high=3)
        network, report = quantize_and_report(net, 4, 8)
        fired = reference.run(network, np.full((1, 60, 1), 3), record=["layer"]).spikes["layer"]
        present = any("can never fire" in warning for warning in report.warnings)
        warned += present
        assert present == (not np.any(fired))
    assert 0 < warned < 5


def test_integrator_with_a_long_time_constant_is_warned_of():
    slow = SpikingNetwork.chain("4-2", output=Cell(Integrator, decay=0.9999))
    assert implausible(slow)[0].startswith("decay of 'output' is 0.9999, a time constant of 10000")
    assert implausible(SpikingNetwork.chain("4-2", output=Cell(Integrator, decay=0.99))) == []
