"""Tests of channels that are multiplied so that one scale of their layer suits all."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Dendrite, Input, Integrator, Lif, Readout, reference
from spiker_train import (
    Cell,
    Connection,
    FirstOrder,
    Layer,
    Quantization,
    QuantizationReport,
    SpikingNetwork,
    TrainingOptions,
    Window,
    WinnerTakeAll,
    equalize_channels,
    quantize,
    train,
)
from spiker_train.network.integers.channel_scales import rounded_weights
from spiker_train.network.rounding import nearest

SIZES = np.array([2.0, 0.1, 0.5, 1.0])
"""Sizes of the weights and thresholds of the channels."""
SETTINGS = Quantization(weights=4, potentials=12)


def network(cell=None, kind="count", layer=None, bias=0.1 * SIZES, **options):
    random = np.random.default_rng(0)
    kernel = random.normal(size=(4, 1, 3, 3)) * SIZES[:, None, None, None]
    cell = cell or Cell(Lif, threshold=SIZES, decay=0.875, rest=0.1)
    beside = random.normal(size=(64, 36)) * np.repeat(SIZES, 16)[:, None]
    return SpikingNetwork(
        [Input("in", (1, 6, 6))],
        [
            Layer("maps", (4, 4, 4), cell, bias, **(layer or {})),
            Layer("out", 3, Cell(Integrator, decay=0.875)),
        ],
        [
            Connection("in", "maps", kernel, kind="convolution", window=Window(3), **options),
            Connection("in", "maps", 0.1 * beside, name="beside"),
            Connection("maps", "maps", 0.2 * np.repeat(SIZES, 16), kind="one_to_one", delay=1),
            Connection("maps", "out"),
        ],
        [Readout("maps" if kind == "count" else "out", kind)] if kind != "maps" else
        [Readout("maps", "last")],
    )  # fmt: skip


def samples(steps=8):
    random = np.random.default_rng(1)
    return (random.random((5, steps, 36)) < 0.3).astype(np.uint8)


@pytest.mark.parametrize(
    "bias", [0.1 * SIZES, 0.1 * np.repeat(SIZES, 16)], ids=["channel", "neuron"]
)
def test_network_fires_as_before(bias):
    net, x = network(bias=bias), samples()
    balanced, _ = equalize_channels(net, SETTINGS)
    trains = [each(x).spikes["maps"] for each in (net, balanced)]
    assert trains[0].any()
    assert torch.equal(*trains)
    assert torch.equal(net.connections[0].weights, network().connections[0].weights)


def test_weights_of_all_channels_use_their_bits():
    plain, _ = network(), samples()
    errors = []
    for options in ({}, {"channel_scales": True}):
        report = QuantizationReport()
        kernels = quantize(plain, SETTINGS, report=report, **options).projections[0].synapses.kernel
        errors.append(next(c.error for c in report.changes if c.where == "in->maps"))
        widest = np.abs(kernels).max(axis=(1, 2, 3))
        assert (widest.min() >= 5) == bool(options)
    assert errors[1] < errors[0]


def test_training_arithmetic_is_that_of_the_quantised_network():
    x = samples()
    balanced, settings = equalize_channels(network(pooling=None), SETTINGS)
    integers = settings.fit(balanced)
    quantized = quantize(balanced, integers)
    assert quantized == quantize(network(), SETTINGS, channel_scales=True)
    expected = reference.run(quantized, x, record=["maps"])
    assert expected.spikes["maps"].any()
    for kernel in ("eager", "fused"):
        assert not expected.differences(balanced.run(x, integers, record=["maps"], kernel=kernel))


@pytest.mark.parametrize("how", ["bounds", "calibration"])
def test_potentials_are_sized_at_the_scales_of_channels(how):
    report, net = QuantizationReport(), network(kind="last", pooling=None)
    network_of = (
        quantize(net, 4, how, channel_scales=True, calibration=samples(), report=report)
        if how == "calibration"
        else quantize(net, 4, how, channel_scales=True, report=report)
    )
    assert 5 <= report.widths["maps"] <= 32
    assert network_of.population["maps"].neuron.width == report.widths["maps"]


def test_learned_and_shared_parameters_become_those_of_channels():
    cell = Cell(Lif, threshold=1.0, decay=0.875, learn=["threshold"])
    balanced, _ = equalize_channels(network(cell), SETTINGS)
    thresholds = balanced.layer["maps"].cell.float_threshold
    assert thresholds.shape == (4,)
    assert thresholds.requires_grad
    assert float(thresholds.detach().min()) == pytest.approx(1.0)
    assert balanced.layer["maps"].cell.value("threshold").shape == (64,)


def test_channels_that_are_alike_keep_their_one_threshold():
    balanced, settings = equalize_channels(SpikingNetwork.chain("2x6x6-s2-2c3-3"), SETTINGS)
    first, second = (balanced.layer[name].cell.float_threshold for name in ("hidden1", "hidden2"))
    assert (first.shape, second.shape) == ((), (2,))
    assert set(settings.scales) == {"hidden1", "hidden2"}


def test_thresholds_fit_the_bits_of_potentials():
    # The threshold is 10 times the greatest weight of a channel.
    net = network(Cell(Lif, threshold=1.0, decay=0.875))
    balanced, settings = equalize_channels(net, Quantization(weights=4, potentials=6))
    neuron = settings.fit(balanced).neuron(balanced.layer["maps"])
    assert 0 < min(neuron.threshold) <= max(neuron.threshold) < 32


KEPT = {
    "readout": {"kind": "maps"},
    "coupling": {"layer": {"coupling": WinnerTakeAll(2)}},
    "dynamics": {"dynamics": FirstOrder(0.5)},
    "grid": {"grid": 0.5},
    "values": {"cell": Cell(Dendrite, decay=0.875, resolution=0.25, low=-8, high=7)},
}


@pytest.mark.parametrize("options", KEPT.values(), ids=KEPT)
def test_layers_of_one_scale_stay_as_they_are(options):
    options = {"kind": "last"} | options
    net = network(**options)
    balanced, settings = equalize_channels(net, SETTINGS)
    for name, value in net.state_dict().items():
        assert torch.equal(value, balanced.state_dict()[name])
    assert settings.scales == {}


def test_scales_that_are_set_are_kept():
    settings = Quantization(4, 12, scales={"maps": 0.125})
    assert equalize_channels(network(), settings)[1].scales == {"maps": 0.125}


@pytest.mark.parametrize("bits", [3, 4, {"maps": 4, "out": "ternary"}])
def test_weights_that_were_rounded_in_training_keep_their_values(bits):
    random = np.random.default_rng(0)
    layers = [
        Layer("maps", (4, 4, 4), Cell(Lif, threshold=1.0, decay=0.875), "channel"),
        Layer("out", 3, Cell(Integrator, decay=0.875), True),
    ]
    links = [
        Connection(
            "in", "maps", random.normal(size=(4, 1, 3, 3)), kind="convolution", window=Window(3)
        ),
        Connection("maps", "out"),
    ]
    net = SpikingNetwork([Input("in", (1, 6, 6))], layers, links, [Readout("out", "last")])
    before = [link.weights.detach().clone() for link in links]
    options = TrainingOptions(
        epochs=1, learning_rate=1e-6, batch_norm=True, rounded_weights=bits, progress=False
    )
    train(net, samples().repeat(4, 0), np.arange(20) % 3, options)
    report = QuantizationReport()
    quantize(net, Quantization(bits, 12), channel_scales=True, report=report)
    errors = [change.error for change in report.changes if change.what == "weights"]
    assert max(errors) < 1e-6
    for link, weights in zip(links, before, strict=True):
        assert link.rounding is None
        assert not torch.equal(link.weights, weights)
        # The weights of a scale were all multiplied by one number, and rounded.
        rows = (4, -1) if link.kind == "convolution" else (1, -1)
        pairs = zip(weights.reshape(rows), link.weights.detach().reshape(rows), strict=True)
        assert min(float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in pairs) > 0.8


def test_rounding_in_training_clips_what_lies_far_out():
    weights = torch.full((1, 101), 0.1)
    weights[0, ::2] = -0.1
    weights[0, 0] = 50.0
    few, many = (nearest(weights, bits, None) for bits in (4, 8))
    deviation = float(weights.square().mean().sqrt())
    assert float(few.max()) == pytest.approx(3 * deviation)
    assert float(many.max()) == pytest.approx(7 * deviation)
    assert torch.allclose(nearest(weights[:, 1:], 4, None), weights[:, 1:])
    mask = torch.ones(1, 101)
    mask[0, 50:] = 0
    masked = nearest(weights * mask, 4, mask)
    assert float(masked.max()) == pytest.approx(3 * deviation * (101 / 50) ** 0.5, rel=1e-3)
    assert not torch.isnan(nearest(torch.zeros(1, 4), 4, None)).any()


def test_unknown_name_in_rounding_is_refused():
    bits = {"output": 4, "map": 4}
    options = TrainingOptions(epochs=1, rounded_weights=bits, progress=False)
    net = SpikingNetwork.chain("36-3", bias=True)
    with pytest.raises(ValueError, match="'map'"):
        train(net, samples().repeat(4, 0), np.arange(20) % 3, options)


def test_network_runs_with_the_rounded_weights_that_it_has_at_the_end():
    net, x = SpikingNetwork.chain("6x6-3c3-p2-4-2", bias=True), samples()
    before = net.connections[0].weights.detach().clone()
    with rounded_weights(net, {"hidden1": 3, "hidden2": "ternary", "output": 4}):
        scores = net(x).scores
        scores.sum().backward()
        assert torch.equal(net.connections[0].weights, before)
    assert torch.equal(net(x).scores, scores)
    assert net.connections[0].weights.grad.any()
    kernels = net.connections[0].weights.detach()
    assert [len(kernel.unique()) <= 7 for kernel in kernels] == [True] * 3
    assert len(net.connections[1].weights.unique()) <= 3
