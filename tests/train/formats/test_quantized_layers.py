"""Models whose layers quantise their own weights keep these integers, and spike as they did."""

from collections import namedtuple

import numpy as np
import pytest
import snntorch
import torch
from torch import nn

import spiker_hdl
from spiker_hdl.model import Input, Integrator, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    Layer,
    Quantization,
    SpikingNetwork,
    from_snntorch,
    load_floating_point,
    save_floating_point,
)
from spiker_train.network.integers.grids import grid_of, shift_between
from spiker_train.network.runs.prepare import cores
from tests.support.quantized import quantize_and_report

Quantized = namedtuple("Quantized", "value scale zero_point bit_width signed_t training_t")


class QuantLinear(nn.Linear):
    """Hands on its weight as Brevitas does: a named tuple that acts as a tensor."""

    bits = 4

    def quant_weight(self):
        scale = self.weight.detach().abs().max() / (2 ** (self.bits - 1) - 1)
        value = (self.weight / scale).round() * scale
        kind = type("IntQuantTensor", (Quantized,), {"__torch_function__": classmethod(_act)})
        return kind(value, scale, torch.tensor(0.0), self.bits, True, False)

    def forward(self, x):
        return nn.functional.linear(x, self.quant_weight(), self.bias)


class QuantConv2d(nn.Conv2d):
    """The same of a convolution."""

    bits, quant_weight = QuantLinear.bits, QuantLinear.quant_weight

    def forward(self, x):
        return self._conv_forward(x, self.quant_weight(), self.bias)


def _act(cls, func, types, args=(), kwargs=None):
    def plain(tensor):
        return tensor.value if isinstance(tensor, Quantized) else tensor

    return func(*map(plain, args), **(kwargs or {}))


class Net(nn.Module):
    """Two layers of quantised weights, and thresholds off their grids."""

    def __init__(self, linear=QuantLinear, reset="subtract", beta=0.875):
        super().__init__()
        torch.manual_seed(3)
        self.first = linear(16, 20, bias=False)
        self.lif1 = snntorch.Leaky(beta=beta, threshold=0.313, reset_mechanism=reset)
        self.second = linear(20, 6, bias=False)
        self.lif2 = snntorch.Leaky(beta=beta, threshold=0.271, reset_mechanism=reset)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for step in range(x.shape[0]):
            spike, mem1 = self.lif1(self.first(x[step]), mem1)
            spike, mem2 = self.lif2(self.second(spike), mem2)
            spikes.append(spike)
        return torch.stack(spikes)


def events(samples=40, steps=10, seed=0):
    return (np.random.default_rng(seed).random((samples, steps, 16)) < 0.4).astype(np.uint8)


def compare(module, **options):
    """Return how many spikes differ between a module and its integers, and both of these."""
    x = torch.as_tensor(events().swapaxes(0, 1), dtype=torch.float32)
    net = from_snntorch(module, example=x)
    network, account = quantize_and_report(net, 4, **options)
    with torch.no_grad():
        expected = module(x).numpy().swapaxes(0, 1)
    last = network.readout.population
    actual = spiker_hdl.run(network, events(), record=[last]).spikes[last]
    assert 0.05 < expected.mean() < 0.9
    return int((actual != expected).sum()), network, account, net


class ConvNet(nn.Module):
    """Frames of 4 x 4, a convolution of quantised weights, and a layer behind it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first = QuantConv2d(1, 3, 3, padding=1, stride=2, bias=False)
        self.lif1 = snntorch.Leaky(beta=0.875, threshold=0.113)
        self.second = QuantLinear(12, 6, bias=False)
        self.lif2 = snntorch.Leaky(beta=0.875, threshold=0.271)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for step in range(x.shape[0]):
            spike, mem1 = self.lif1(self.first(x[step].reshape(-1, 1, 4, 4)), mem1)
            spike, mem2 = self.lif2(self.second(spike.flatten(1)), mem2)
            spikes.append(spike)
        return torch.stack(spikes)


def test_a_convolution_that_quantises_its_weights_keeps_them():
    module = ConvNet().eval()
    different, network, account, net = compare(module, potentials=20)
    assert different == 0
    for layer, link in zip((module.first, module.second), net.connections, strict=True):
        scale = float(layer.quant_weight().scale)
        assert link.grid == pytest.approx(scale, rel=1e-6)
        assert account.grids[link.name] == link.grid
        assert f"{link.name:<20} weights stay integers times {link.grid:.5g}" in str(account)
    weight = module.first.quant_weight()
    integers = (weight.value / weight.scale).round().detach().numpy()
    link = network.projections[0]
    kept = {abs(int(value)) for value in np.unique(link.synapses.values)}
    assert kept <= {abs(int(value)) for value in np.unique(integers)} | {0}
    assert max(kept) == 7
    assert account.shifts == {
        projection.name: projection.shift for projection in network.projections
    }
    assert min(account.shifts.values()) > 6


def test_the_account_of_an_import_names_grids():
    x = torch.as_tensor(events(4).swapaxes(0, 1), dtype=torch.float32)
    for linear, count in ((QuantLinear, 2), (nn.Linear, 0)):
        net = from_snntorch(Net(linear).eval(), example=x)
        account = net.import_report
        assert sum("integers times" in line for line in account.connections.values()) == count
        for connection in net.connections:
            expected = "" if connection.grid is None else f", integers times {connection.grid:.5g}"
            assert account.connections[connection.name].endswith(expected)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_integers_are_kept_and_spikes_are_those_of_the_module(reset):
    module = Net(reset=reset).eval()
    different, network, account, _ = compare(module, potentials=20)
    for layer, link in zip((module.first, module.second), network.projections, strict=True):
        weight = layer.quant_weight()
        integers = (weight.value / weight.scale).round().detach().numpy()
        assert np.array_equal(link.synapses.values, integers)
        assert link.shift > 6
        assert link.width == 4
    assert different == 0
    assert not [warning for warning in account.warnings if "integers times" in warning]


def test_without_a_finer_grid_spikes_differ():
    different, network, *_ = compare(Net().eval(), potentials=20, shifts=0)
    assert {projection.shift for projection in network.projections} == {0}
    assert different > 0


def test_potentials_have_bits_for_the_grid_that_they_choose():
    results = {}
    for bits in (8, 12, "bounds"):
        _, network, *_ = compare(Net().eval(), potentials=bits)
        results[bits] = [projection.shift for projection in network.projections]
        for population in network.populations:
            assert (
                4 * np.max(population.neuron.threshold) <= 2 ** (population.neuron.width - 1)
                or bits == 8
            )
    assert all(np.array(results[8]) < results[12])
    assert all(np.array(results[12]) < results["bounds"])


def test_training_in_integers_is_of_the_same_shifts():
    _, network, _, net = compare(Net().eval(), potentials=14)
    spikes = events(6)
    result = net.run(spikes, Quantization(4, 14), record=["layer1", "layer2"])
    expected = spiker_hdl.run(network, spikes, record=["layer1", "layer2"])
    assert expected.differences(result) == []


def test_grids_are_saved(tmp_path):
    *_, net = compare(Net().eval(), potentials=14)
    save_floating_point(net, tmp_path / "net.safetensors")
    back = load_floating_point(tmp_path / "net.safetensors")
    grids = [connection.grid for connection in net.connections]
    assert None not in grids
    assert [connection.grid for connection in back.connections] == grids


def test_integers_that_do_not_fit_are_warned_of():
    x = torch.as_tensor(events().swapaxes(0, 1), dtype=torch.float32)
    net = from_snntorch(Net().eval(), example=x)
    _, account = quantize_and_report(net, 3, 14)
    assert sum("are integers times" in warning for warning in account.warnings) == 2


def test_a_shift_counts_for_the_format_that_is_exact():
    links = [
        Connection(name, "own", np.array([[0.5, -0.5, 0.25]]), name=name) for name in ("a", "b")
    ]
    layers = [Layer("own", 1, Cell(Integrator, decay=0.9))]
    net = SpikingNetwork([Input("a", 3), Input("b", 3)], layers, links, [Readout("own", "last")])
    for shift, kind in ((0, torch.float32), (24, torch.float64)):
        fitted = Quantization(4, 10, scales={"own": 0.1}, shifts={"a": shift}).fit(net)
        assert cores(net, fitted)["own"].dtype == kind


def test_real_weights_have_no_grid():
    x = torch.as_tensor(events().swapaxes(0, 1), dtype=torch.float32)
    net = from_snntorch(Net(nn.Linear).eval(), example=x)
    assert [connection.grid for connection in net.connections] == [None, None]


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 12, 16])
@pytest.mark.parametrize("scale", [1.0, 0.0614, 3e-5, 1 / 255])
def test_a_grid_is_found(bits, scale):
    random = np.random.default_rng(bits)
    integers = random.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), (40, 50))
    integers[0, 0] = 1
    weights = (integers.astype(np.float32) * np.float32(scale)).astype(np.float32)
    assert grid_of(weights) == pytest.approx(scale, rel=1e-6)


@pytest.mark.parametrize(
    "weights, expected",
    [
        ([0.0, 0.0], None),
        ([0.5], 0.5),
        ([0.2, -0.3, 0.5], 0.1),  # nothing is 1
        ([0.4, 0.6, 1.0], 0.2),
        ([1.0, 2**0.5, 3.1], None),
    ],
    ids=["zeros", "one", "no one", "even", "none"],
)
def test_grids_by_hand(weights, expected):
    result = grid_of(np.array(weights))
    assert result == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    "coarse, fine, bits", [(1.0, 1.0, 0), (0.8, 0.1, 3), (0.1, 0.8, None), (0.3, 0.1, None)]
)
def test_how_far_grids_are_apart(coarse, fine, bits):
    assert shift_between(coarse, fine) == bits


def test_two_grids_that_meet_keep_theirs_if_a_power_of_two_apart():
    def chosen_shifts(other):
        random = np.random.default_rng(1)
        links = [
            Connection(name, "own", random.integers(-7, 8, (5, 6)) * grid, grid=grid)
            for name, grid in (("a", 0.05), ("b", other))
        ]
        layers = [Layer("own", 5, Cell(Integrator, decay=0.9))]
        net = SpikingNetwork(
            [Input("a", 6), Input("b", 6)], layers, links, [Readout("own", "last")]
        )
        network, _ = quantize_and_report(net, 4, 12)
        earlier, two = network.projections
        return two.shift - earlier.shift, earlier.shift

    apart, first = chosen_shifts(0.2)
    assert apart == 2
    assert first > 0
    assert chosen_shifts(0.15) == (0, 0)


@pytest.mark.parametrize("threshold, finer", [(1.0, 2), (0.9, 2), (1.1, 1), (2.0, 1), (2.1, 0)])
def test_potentials_have_room_for_four_times_the_threshold(threshold, finer):
    # 8 bits hold 32 at a quarter: a grid of 1 / 8 may be finer while the threshold is at most that.
    weights = np.random.default_rng(1).integers(-7, 8, (5, 6)) / 8
    net = SpikingNetwork(
        [Input("a", 6)],
        [Layer("own", 5, Cell(Lif, decay=0.9, threshold=threshold))],
        [Connection("a", "own", weights, grid=1 / 8)],
        [Readout("own", "count")],
    )
    network, _ = quantize_and_report(net, 4, 8)
    assert network.projections[0].shift == finer


def test_a_grid_must_be_a_positive_number():
    with pytest.raises(ValueError, match="Grid of connection 'a->b' must be a positive number"):
        Connection("a", "b", grid=0.0)


def test_named_tuples_pass_through_tracing():
    halves = namedtuple("Halves", "even odd")

    class Split(Net):
        def forward(self, x):
            mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
            spikes = []
            for step in range(x.shape[0]):
                parts = halves(x[step][:, ::2], x[step][:, 1::2])
                spike, mem1 = self.lif1(self.first(torch.cat(parts, 1)), mem1)
                spike, mem2 = self.lif2(self.second(spike), mem2)
                spikes.append(spike)
            return torch.stack(spikes)

    different, network, *_ = compare(Split().eval(), potentials=20)
    assert different == 0
    order = np.r_[0:16:2, 1:16:2]
    straight = compare(Net().eval(), potentials=20)[1].projections[0].synapses.values
    assert np.array_equal(network.projections[0].synapses.values[:, order], straight)
