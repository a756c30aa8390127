"""Tests of convolutional layers: what they are made of, and what they refuse."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Convolution, Decay, If, Input, Lif, MaxPooling, Readout
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FirstOrder,
    Layer,
    MaxPool,
    NetworkBuilder,
    Quantization,
    QuantizationReport,
    SpikingNetwork,
    Tau,
    Window,
    compare,
    load_floating_point,
    quantize,
    save_floating_point,
)
from spiker_train.network.description import network_described
from spiker_train.network.plausibility import implausible


def network(layer=None, source=(1, 6, 6), **options):
    options = {"kind": "convolution", "window": Window(3)} | options
    if layer is None:
        layer = Layer("maps", (2, 4, 4), Cell(Lif, threshold=1, decay=0.875), "channel")
    return SpikingNetwork(
        [Input("in", source)],
        [layer],
        [Connection("in", layer.name, **options)],
        [Readout(layer.name, "count")],
    )


def test_kernel_is_drawn_for_the_channels_and_the_window():
    (connection,) = network().connections
    assert connection.weights.shape == (2, 1, 3, 3)
    limit = 2 / 3  # twice the threshold, over the root of the number of weights of a sum
    assert limit / 2 < float(connection.weights.detach().abs().max()) <= limit
    assert connection.convolution.target_shape == (2, 4, 4)


def test_kernel_is_drawn_by_a_function_of_its_shape():
    (connection,) = network(weights=lambda rng, shape: np.full(shape, 0.5)).connections
    assert torch.equal(connection.weights, torch.full((2, 1, 3, 3), 0.5))


def test_integer_synapses_are_the_kernel():
    kernel = np.arange(-9, 9).reshape(2, 1, 3, 3) / 4
    net = network(weights=kernel, window=Window(padding=1), pooling=MaxPool(2),
                  layer=Layer("maps", (2, 3, 3), Cell(If, threshold=1.0)))  # fmt: skip
    projection = quantize(net, Quantization(5, 8, scales={"maps": 0.25})).projections[0]
    assert projection.synapses == Convolution(
        np.arange(-9, 9).reshape(2, 1, 3, 3), (1, 6, 6), padding=1
    )
    assert projection.pooling == MaxPooling((2, 6, 6), 2)


def test_matrix_has_the_kernel_at_every_position():
    net = network(weights=np.arange(1.0, 19).reshape(2, 1, 3, 3))
    (connection,) = net.connections
    x = torch.rand(1, 1, 36)
    expected = torch.nn.functional.conv2d(x.view(1, 1, 6, 6), connection.weights)
    torch.testing.assert_close(x[0, 0] @ torch.from_numpy(connection.matrix()).float().T,
                               expected.flatten())  # fmt: skip
    assert np.isnan(connection.matrix(np.nan)).sum() == 32 * 27


def test_source_of_one_axis_may_get_its_shape_from_the_window():
    net = network(
        Layer("maps", 6, Cell(If, threshold=1.0)), 9, weights=np.ones((2, 3, 1)),
        window=Window(shape=(3, 3)),
    )  # fmt: skip
    assert net.graph.projections[0].synapses.shape == (3, 3)


def test_convolutions_come_back_from_a_file(tmp_path):
    net = network(
        Layer("maps", (2, 3, 3), Cell(Lif, threshold=[1, 2], decay=0.875), [0.5, 0.25]),
        window=Window(3, padding=((2, 1), (1, 2))),
        pooling=MaxPool(2, padding=1, stride=(3, 3)),
    )
    save_floating_point(net, tmp_path / "net.safetensors")
    again = load_floating_point(tmp_path / "net.safetensors")
    assert network_described(again) == network_described(net)
    x = np.random.default_rng(0).integers(0, 2, (2, 4, 36))
    assert torch.equal(again(x).scores, net(x).scores)
    assert again.connections[0].window == net.connections[0].window


@pytest.mark.parametrize(
    "options",
    [{"window": Window(3, stride=1)}, {"window": Window(3, dilation=1), "pooling": MaxPool(1)}],
    ids=["nothing", "pooling"],
)
def test_description_tells_networks_apart(options):
    same = network_described(network(**options)) == network_described(network())
    assert same == ("pooling" not in options)


def test_builder_takes_convolutions():
    builder = NetworkBuilder()
    builder.input("in", (1, 6, 6))
    builder.layer("maps", (2, 2, 2), Lif, threshold=1.0, decay=0.875, bias="channel")
    builder.connect("in", "maps", kind="convolution", window=Window(3), pooling=MaxPool(2))
    builder.readout("maps", "count")
    assert builder.build().connections[0].maxima == MaxPooling((2, 4, 4), 2)


VALUES = {
    "threshold": {"threshold": [1.0, 1.5], "decay": 0.875},
    "decay": {"threshold": 1.0, "decay": [0.75, 0.875]},
    "exact": {"threshold": 1.0, "decay": Decay((1, 2), 3)},
    "refractory": {"threshold": 0.5, "decay": 0.875, "refractory": [0, 2]},
}


@pytest.mark.parametrize("learn", [(), ("threshold", "decay")], ids=["fixed", "learned"])
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_values_per_channel_are_those_of_all_its_neurons(values, learn):
    def spread(value):
        if isinstance(value, Decay):
            return Decay(tuple(np.repeat(value.numerator, 16).tolist()), value.bits)
        return np.repeat(value, 16) if isinstance(value, list) else value

    kernel = np.random.default_rng(1).normal(size=(2, 1, 3, 3))
    bias = [0.25, -0.125]
    by_channel = Layer("maps", (2, 4, 4), Cell(Lif, **values, learn=learn), bias)
    by_neuron = Layer(
        "maps",
        (2, 4, 4),
        Cell(Lif, **{name: spread(value) for name, value in values.items()}, learn=learn),
        np.repeat(bias, 16),
    )
    nets = [network(layer, weights=kernel) for layer in (by_channel, by_neuron)]
    x = np.random.default_rng(0).integers(0, 2, (2, 6, 36))
    integers = Quantization(5, 9, scales={"maps": 1 / 16}).fit(nets[0])
    for settings in (None, integers):
        trains = [net(x, settings).spikes["maps"] for net in nets]
        assert trains[0].any()
        assert torch.equal(*trains)
    assert quantize(nets[0], integers) == quantize(nets[1], integers)
    if learn and not isinstance(values["decay"], Decay):
        sums = [net(x, integers).spikes["maps"].sum() for net in nets]
        for total in sums:
            total.backward()
        for name, value in nets[0].layer["maps"].named_parameters():
            other = dict(nets[1].layer["maps"].named_parameters())[name].grad
            other = other.unflatten(0, (2, 16)).sum(1) if value.ndim else other
            torch.testing.assert_close(value.grad, other)


@pytest.mark.parametrize("learn", [(), ("decay",)], ids=["fixed", "learned"])
def test_times_per_channel_are_those_of_all_its_neurons(learn):
    kernel = np.random.default_rng(1).normal(size=(2, 1, 3, 3))
    times = np.array([[5e-3, 2e-3], [20e-3, 0.0]])
    nets = []
    for spread in (1, 16):
        decay, refractory = (np.repeat(row, spread) for row in times.T)
        cell = Cell(Lif, threshold=0.7, decay=Tau(decay), refractory=Duration(refractory),
                    learn=learn)  # fmt: skip
        nets.append(network(Layer("maps", (2, 4, 4), cell), weights=kernel))
    x = np.random.default_rng(0).integers(0, 2, (2, 6, 36))
    integers = Quantization(5, 9, "multiplier", scales={"maps": 1 / 16}, dt=1e-3).fit(nets[0])
    for settings in (None, integers):
        trains = [net(x, settings, dt=1e-3).spikes["maps"] for net in nets]
        assert trains[0].any()
        assert torch.equal(*trains)
    assert quantize(nets[0], integers) == quantize(nets[1], integers)


def test_nothing_is_unrolled(monkeypatch, tmp_path):
    def unrolled(self):
        raise AssertionError("a convolution was unrolled")

    for name in ("matrix", "pairs", "_pairs"):
        monkeypatch.setattr(Convolution, name, unrolled)
    net = SpikingNetwork.chain("2x8x8-3c3-p2-4c3/2-2", bias=True)
    x = np.random.default_rng(0).integers(0, 2, (4, 3, 128))
    assert implausible(net) == []
    for options in (
        {"channel_scales": True},
        {"potentials": 20, "calibration": x},
        {"potentials": "calibration", "calibration": x},
    ):
        network = quantize(net, **options, report=QuantizationReport())
    assert compare(net, network, x).samples == 4
    network.save(tmp_path / "net.spiker")
    save_floating_point(net, tmp_path / "net.safetensors")
    net = SpikingNetwork.chain("2x8x8-3c3-p2-2", readout="count")
    quantize(net, potentials="bounds", report=QuantizationReport())


def test_layers_share_a_cell_with_values_per_channel():
    cell = Cell(Lif, threshold=[1.0, 2.0], decay=0.875)
    layers = [
        Layer("maps", (2, 4, 4), cell),
        Layer("more", (2, 2, 2), cell),
        Layer("flat", 2, cell),
    ]
    assert [layer.cell.value("threshold").shape for layer in layers] == [(32,), (8,), (2,)]


BAD = {
    "size": ({"window": Window()}, ValueError, "a Window with a size"),
    "shape": ({"source": 36}, ValueError, r"must have the shape \(channels, x\) or .*, not 36"),
    "axes": ({"source": (6, 6)}, ValueError, r"shape of 'maps' must be \(2, 4\)"),
    "fit": ({"window": Window(7)}, ValueError, "'in->maps': Window must fit into its axis"),
    "groups": ({"window": Window(3, groups=2)}, ValueError, "groups must divide the 1 channels"),
    "kernel": ({"weights": np.ones((2, 3, 3, 3))}, ValueError, "must have 3 channels"),
    "sizes": ({"weights": np.ones((2, 1, 2, 3))}, ValueError, r"size \(3, 3\) of their window"),
    "target": ({"window": Window(2)}, ValueError, r"'maps' must be \(2, 5, 5\), or the size 50"),
    "dense": ({"kind": "dense"}, ValueError, "Window of 'in->maps' must be of a convolution"),
    "pooling": ({"pooling": 2}, TypeError, "Pooling of 'in->maps' must be a MaxPool, not"),
    "windows": ({"pooling": MaxPool(5)}, ValueError, "'in->maps': Window must fit"),
    "mask": ({"mask": np.ones((32, 36))}, ValueError, "a mask must be of a sparse one"),
    "pairs": ({"dynamics": FirstOrder(0.5, per_pair=True)}, ValueError, "not one for each pair"),
    "gain": ({"dynamics": FirstOrder(0.5, gain=[1.0] * 32)}, ValueError, "must have one gain"),
}


@pytest.mark.parametrize(("options", "error", "message"), BAD.values(), ids=BAD)
def test_bad_convolutions_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        network(**options)


def test_bad_biases_are_refused():
    with pytest.raises(ValueError, match=r"must have the shape \(8,\) or \(2,\), not \(4,\)"):
        Layer("maps", (2, 4), Cell(If, threshold=1.0), [1.0] * 4)
    with pytest.raises(ValueError, match="must be True, 'channel' or numbers, not 'neuron'"):
        Layer("maps", (2, 4), Cell(If, threshold=1.0), "neuron")
