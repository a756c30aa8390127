"""Layers whose output is a value: in floating point, in integers, and turned into integers."""

import importlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import spiker_hdl
from spiker_hdl.model import INTEGERS, Accumulator, Dendrite, If, Input, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    DifferentialPair,
    Layer,
    Quantization,
    QuantizationReport,
    SpikingNetwork,
    Tau,
    Twin,
    load_floating_point,
    pcm,
    quantize,
    save_floating_point,
    to_nir,
)
from spiker_train.network.plausibility import implausible
from spiker_train.training.answers import answer
from spiker_train.training.losses import SpikeL1

from support.places import ROOT

SPIKES = (np.random.default_rng(2).random((4, 8, 6)) < 0.3).astype(int)


def compartment(**values):
    return Cell(Dendrite, **{"decay": 0.875, "resolution": 0.25, "low": -8, "high": 7} | values)


def tree(readout="count", **values):
    """Make dendrites that reach themselves and neurons, of which they get the spikes."""
    soma = Cell(Lif, threshold=1.0, decay=0.75)
    return SpikingNetwork(
        [Input("in", 6)],
        [Layer("d", 5, compartment(**values), bias=True), Layer("soma", 3, soma)],
        [
            Connection("in", "d"),
            Connection("d", "d", delay=2),
            Connection("d", "soma"),
            Connection("soma", "d", delay=1),
            Connection("in", "soma", delay=1),
        ],
        [Readout("soma", readout)],
        seed=5,
    )


def straight(resolution=0.5, low=-2, high=3, weight=1.5):
    """Make one dendrite without memory, and the sum of its outputs."""
    return SpikingNetwork(
        [Input("in", 1, -8, 8)],
        [
            Layer("d", 1, compartment(decay=0.0, resolution=resolution, low=low, high=high)),
            Layer("out", 1, Cell(Accumulator)),
        ],
        [Connection("in", "d", [[0.375]]), Connection("d", "out", [[weight]])],
        [Readout("out", "last")],
    )


def test_output_in_floating_point_by_hand():
    # Potentials of 0.375, in units of 0.5, between -2 and 3.
    outcome = straight()(np.array([[[1], [-2], [-8], [8], [0]]]))
    assert outcome.spikes["d"].flatten().tolist() == [0.75, -1.5, -2.0, 3.0, 0.0]
    assert outcome.scores.tolist() == [[1.5 * 0.25]]


def test_gradient_passes_where_the_output_is_not_clipped():
    for x, inside in ((1, True), (-8, False), (8, False)):
        net = straight()
        outcome = net(np.array([[[x]]]))
        outcome.scores.sum().backward()
        first, second = (connection.weights for connection in net.connections)
        assert first.grad.item() == (1.5 * x / 0.5 if inside else 0)
        assert second.grad.item() == outcome.spikes["d"].item()


def test_gradient_in_integers_is_that_of_the_value_before_rounding():
    net = straight()
    settings = Quantization(weights=6, potentials=10, scales={"d": 0.125, "out": 0.25})
    outcome = net(np.array([[[1]]]), settings)
    # 0.375 is 3, of which a resolution of 4 makes 0.75, which is rounded to 1.
    assert outcome.spikes["d"].item() == 1
    outcome.logits.sum().backward()
    assert net.connections[0].weights.grad.item() == pytest.approx(1.5 / 0.5)


@pytest.mark.parametrize("kernel", ["eager", pytest.param("fused", marks=pytest.mark.slow)])
def test_integers_are_those_of_the_reference(kernel):
    net = tree()
    settings = Quantization(weights=4, potentials=9).fit(net)
    network = quantize(net, settings, max_steps=8)
    expected = spiker_hdl.run(network, SPIKES, record=["d", "soma", "d.v"])
    outcome = net(SPIKES, settings, ["d.v"], kernel=kernel)
    assert set(outcome.kernels.values()) == {kernel}
    trained = {**outcome.spikes, **outcome.states}
    for name, values in expected.spikes.items():
        assert np.array_equal(trained[name].detach().numpy(), values), name
    assert expected.spikes["d"].min() == -8
    assert (expected.spikes["d"] == 0).any()
    assert net.run(SPIKES, settings, record=["d"]).differences(expected) == []


@pytest.mark.slow
def test_kernels_have_the_gradients_of_the_steps():
    net = tree()
    gradients = []
    for kernel in ("eager", "fused"):
        net.zero_grad()
        outcome = net(SPIKES, kernel=kernel)
        (outcome.spikes["d"].square().mean() + outcome.scores.sum()).backward()
        gradients.append([parameter.grad.clone() for parameter in net.parameters()])
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * float(mine.abs().max()))


def test_resolution_becomes_a_power_of_two():
    net = tree(resolution=0.3)
    network = quantize(net, weights=5, max_steps=8)
    neuron = network.population["d"].neuron
    scale = Quantization(weights=5).fit(net).scales["d"]
    assert neuron.resolution * scale == pytest.approx(0.3, rel=1e-12)
    assert (neuron.low, neuron.high, neuron.width) == (-8, 7, 8)
    with pytest.raises(ValueError, match="'d': Dendrite resolution must be a power of two, not 3"):
        quantize(net, weights=5, scales={"d": 0.1}, max_steps=8)


def test_floating_point_and_integers_differ_by_the_rounding_of_outputs():
    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("d", 5, compartment()), Layer("out", 2, Cell(Accumulator))],
        [Connection("in", "d"), Connection("d", "out")],
        [Readout("out", "last")],
    )
    fine = Quantization(weights=14, potentials=18, decay="multiplier", decay_bits=16)
    mine, theirs = (net(SPIKES, *settings).spikes["d"].detach() for settings in ((), (fine,)))
    assert (mine - theirs).abs().max() < 0.51
    assert (mine - theirs).abs().max() > 0.3
    assert theirs.unique().numel() > 8


def test_integers_beyond_single_precision_are_exact():
    # Two products of 15 bits and 16 cancel but for the value, which float32 does not hold.
    net = SpikingNetwork(
        [Input("in", 2)],
        [
            Layer("d", 2, compartment(resolution=1.0, low=0, high=2**16 - 1)),
            Layer("out", 1, Cell(Accumulator)),
        ],
        [
            Connection("in", "d", [[9001, 7003], [9001, 7003]]),
            Connection("d", "out", [[30001, -30000]]),
        ],
        [Readout("out", "last")],
    )
    scales = {"d": 1.0, "out": 1.0}
    settings = Quantization(weights=16, potentials=20, scales=scales).fit(net)
    network = quantize(net, settings, max_steps=8)
    spikes = SPIKES[..., :2]
    expected = spiker_hdl.run(network, spikes, record=["d"])
    assert expected.scores[:, 0].tolist() == expected.spikes["d"][:, :, 0].sum(1).tolist()
    assert expected.spikes["d"].max() > 2**14
    assert expected.differences(net.run(spikes, settings)) == []


def test_neurons_that_fire_by_large_values_alone_are_plausible():
    def net(weight):
        soma = Cell(Lif, threshold=3.0, decay=0.0)
        return SpikingNetwork(
            [Input("in", 1)],
            [Layer("d", 1, compartment()), Layer("soma", 1, soma)],
            [Connection("in", "d"), Connection("d", "soma", [[weight]])],
            [Readout("soma", "count")],
        )

    assert implausible(net(0.5)) == []  # 7 times 0.5 is above the threshold
    assert implausible(net(-0.5)) == []  # as are -8 times -0.5
    assert "'soma' can never fire" in implausible(net(0.4))[0]


def test_run_that_is_split_equals_the_unsplit_one():
    net = tree().double()
    whole = net(SPIKES)
    first = net(SPIKES[:, :3])
    second = net(SPIKES[:, 3:], start=first.after)
    for name in ("d", "soma"):
        both = torch.cat([first.spikes[name], second.spikes[name]], dim=1)
        torch.testing.assert_close(both, whole.spikes[name], rtol=1e-12, atol=1e-12)


def test_times_in_seconds_are_those_of_others():
    net = tree(decay=Tau(5e-3))
    assert net(SPIKES, dt=1e-3).spikes["d"].shape == (4, 8, 5)
    network = quantize(net, dt=1e-3, decay="multiplier", max_steps=8)
    assert network.population["d"].neuron.decay.factor == pytest.approx(np.exp(-0.2), abs=2e-3)


def test_training_learns_through_dendrites():
    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("d", 5, compartment()), Layer("out", 3, Cell(Accumulator))],
        [Connection("in", "d"), Connection("d", "out", np.full((3, 5), 0.1))],
        [Readout("out", "last")],
    )
    weights, losses = net.connections[0].weights, []
    for _ in range(6):
        scores = net(SPIKES, kernel="eager").scores
        losses.append((scores - 1).square().mean())
        (gradient,) = torch.autograd.grad(losses[-1], weights)
        with torch.no_grad():
            weights -= 0.005 * gradient
    assert losses[-1] < 0.5 * losses[0]


def test_penalties_of_spikes_are_of_layers_that_fire():
    net = tree()
    answers = answer(net, {"in": torch.from_numpy(SPIKES)}, None, None)
    spikes = net(SPIKES).spikes["soma"]
    assert SpikeL1(0.5)(answers).item() == pytest.approx(0.5 * spikes.sum().item() / 4)
    with pytest.raises(ValueError, match="Layer must be one that spikes, soma, not 'd'"):
        SpikeL1(0.5, layers=["d"])(answers)


@dataclass(frozen=True)
class Graded(If):
    """A user's own: a spike with the excess over the threshold as its value."""

    spiking: ClassVar[bool] = False
    output: ClassVar[Any] = lambda neuron: (0, neuron.greatest)

    greatest: int = field(kw_only=True)
    resolution: int = field(kw_only=True, metadata={"scales": True, "power_of_two": True})

    def step(self, p, s, current, via=INTEGERS):
        v = self.gain(p, s, s.v, current, via)
        excess = via.divide(v - p.threshold, self.resolution)
        fired, after = self.spike(p, s, v, via)
        return via.select(fired, via.clamp(excess, 0, self.greatest), 0), after


def test_neuron_of_a_user_with_a_value_as_output():
    cell = Cell(Graded, threshold=1.0, resolution=0.25, greatest=5)
    net = SpikingNetwork(
        [Input("in", 6)],
        [Layer("d", 5, cell), Layer("out", 2, Cell(Accumulator))],
        [Connection("in", "d"), Connection("d", "out")],
        [Readout("out", "last")],
        seed=3,
    )
    settings = Quantization(weights=12, potentials=16).fit(net)
    network = quantize(net, settings, max_steps=8)
    expected = spiker_hdl.run(network, SPIKES, record=["d"])
    assert expected.differences(net.run(SPIKES, settings, record=["d"])) == []
    values = net(SPIKES).spikes["d"].detach().numpy()
    assert 1 < values.max() <= 5
    # Near the threshold, rounded weights may let another neuron fire.
    assert (np.abs(values - expected.spikes["d"]) < 0.6).mean() > 0.95


@pytest.mark.slow
def test_draws_of_devices_are_loaded_into_a_design_with_dendrites():
    network = quantize(tree(), weights=5, max_steps=8)
    pair = DifferentialPair(device=pcm())
    twin = Twin(network, {"d->soma": pair, "in->d": pair}, 1)
    load = partial(spiker_hdl.run, engine="amaranth", mapping=twin.mapping, built=twin.network)
    assert twin.differences(range(3), SPIKES, load) == []
    classes = np.zeros(len(SPIKES), dtype=int)
    study = twin.monte_carlo(3).run(SPIKES, classes)
    shares = [(spiker_hdl.run(twin.chip(n).network, SPIKES).classes == 0).sum() for n in range(3)]
    assert [study.right[n][0] for n in range(3)] == shares


def test_weights_from_dendrites_are_drawn_smaller():
    net = tree(high=127)
    greatest = [float(connection.weights.detach().abs().max()) for connection in net.connections]
    assert greatest[2] < greatest[4] / 20


def test_network_is_saved(tmp_path):
    net = tree()
    save_floating_point(net, path := tmp_path / "tree.safetensors")
    again = load_floating_point(path)
    assert torch.equal(again(SPIKES).spikes["d"], net(SPIKES).spikes["d"])
    assert again.layer["d"].cell.settings["low"] == -8


def test_calibration_reports_outputs_that_are_always_0():
    net = straight(resolution=64.0)
    report = QuantizationReport()
    quantize(net, calibration=np.ones((1, 3, 1), dtype=int), max_steps=4, report=report)
    assert "'d' has the output 0 in all steps" in report.warnings
    assert report.activity["d"] == 0


def test_example_computes_an_exclusive_or(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    counts = importlib.import_module("dendrites").answers()
    assert counts["floating point"] == [0, 7, 7, 0]
    assert counts["integers"] == counts["hardware"] == [0, 7, 7, 0]


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: compartment(resolution=0.0),
            ValueError,
            "Dendrite resolution must be greater than 0, not 0.0",
        ),
        (
            lambda: SpikingNetwork(
                [Input("in", 2)],
                [Layer("d", 2, compartment())],
                [Connection("in", "d")],
                [Readout("d", "count")],
            ),
            ValueError,
            "Readout 'd': 'count' must read neurons that fire, not Dendrite",
        ),
        (
            lambda: to_nir(tree(), dt=1e-3),
            TypeError,
            "Layer 'd' must be of If, Lif, CurrentLif, Integrator, Accumulator in floating point "
            "to be a node of NIR, not of Dendrite",
        ),
    ],
)
def test_what_dendrites_cannot_be_is_refused(make, error, message):
    with pytest.raises(error) as info:
        make()
    assert str(info.value) == message
