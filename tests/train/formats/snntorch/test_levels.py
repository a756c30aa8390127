"""Neurons whose potentials snnTorch rounds to levels: the same spikes in integers, or refused."""

import re

import numpy as np
import pytest
import snntorch
import torch
from snntorch.functional.quant import state_quant
from torch import nn

import spiker_hdl
from spiker_train import (
    SpikingNetwork,
    from_snntorch,
    load_floating_point,
    save_floating_point,
)
from tests.support.quantized import quantize_and_report

STEP = 0.125


def levels(bits=4, lower=None, upper=None, **options):
    """Levels of two's complement, with a threshold of 1 at a quarter of their range."""
    lower = 1 if lower is None else lower
    return state_quant(
        num_bits=bits,
        lower_limit=lower,
        upper_limit=1 - 2.0 ** (2 - bits) if upper is None else upper,
        **options,
    )


class Net(nn.Module):
    """A layer of levels, and one behind it."""

    def __init__(self, unit=STEP, bias=False, seed=3, coarse=1, **options):
        super().__init__()
        draws = torch.Generator().manual_seed(seed)
        options = {"beta": 1.0, "state_quant": levels(5)} | options
        self.first = nn.Linear(16, 20, bias=bias)
        self.lif1 = snntorch.Leaky(**options)
        self.second = nn.Linear(20, 6, bias=False)
        self.lif2 = snntorch.Leaky(**options)
        with torch.no_grad():
            for layer in (self.first, self.second):
                whole = torch.randint(-7, 8, layer.weight.shape, generator=draws)
                layer.weight.copy_(whole * unit * coarse)
            if bias:
                self.first.bias.copy_(torch.randint(-2, 3, (20,), generator=draws) * unit)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes = []
        for step in range(x.shape[0]):
            spike, mem1 = self.lif1(self.first(x[step]), mem1)
            spike, mem2 = self.lif2(self.second(spike), mem2)
            spikes.append(spike)
        return torch.stack(spikes)


def events(samples=24, steps=12):
    return (np.random.default_rng(5).random((samples, steps, 16)) < 0.3).astype(np.uint8)


def read(module):
    example = torch.zeros((3, 1, 16))
    return from_snntorch(module.eval(), example=example)


def check(module, weights=4):
    """Check that the spikes of all readings are the module's, and return the integers."""
    spikes = events()
    with torch.no_grad():
        x = torch.as_tensor(spikes.swapaxes(0, 1), dtype=torch.float32)
        expected = module.eval()(x).numpy().swapaxes(0, 1)
    assert 0.02 < expected.mean() < 0.95
    net = read(module)
    network, account = quantize_and_report(net, weights)
    assert account.warnings == []
    actual = spiker_hdl.run(network, spikes, record=["layer2"]).spikes["layer2"]
    assert int((actual != expected).sum()) == 0
    assert int((net.run(spikes, record=["layer2"]).spikes["layer2"] != expected).sum()) == 0
    return net, network


RESETS = [("zero", True), ("zero", False), ("subtract", True), ("none", True)]


@pytest.mark.parametrize("beta", [0.0, 1.0])
@pytest.mark.parametrize("reset, late", RESETS, ids=["late", "at once", "subtract", "none"])
def test_spikes_without_products_are_those_of_the_module(beta, reset, late):
    check(Net(beta=beta, reset_mechanism=reset, reset_delay=late))


@pytest.mark.parametrize("beta", [0.5, 0.75, 0.875])
@pytest.mark.parametrize("late", [True, False], ids=["late", "at once"])
def test_halves_go_down_as_in_the_module(beta, late):
    options = {"beta": beta, "reset_mechanism": "zero", "reset_delay": late}
    _, network = check(Net(bias=True, **options))
    decay = network.populations[0].neuron.decay
    assert decay.factor == beta
    assert network.populations[0].neuron.v == 2 ** (decay.bits - 1)


@pytest.mark.parametrize(
    "bits, lower, upper",
    [(6, 1.0, 0.0), (4, 0.0, -0.125), (4, -0.5, 0.0)],
    ids=["few above", "a width", "few below"],
)
def test_levels_by_their_ends(bits, lower, upper):
    unit = (2 + lower + upper) / (2**bits - 1)
    quantizer = state_quant(num_bits=bits, lower_limit=lower, upper_limit=upper)
    module = Net(unit, beta=1.0, reset_mechanism="zero", threshold=0.3, state_quant=quantizer)
    check(module)


def test_thresholds_of_each_neuron_between_levels():
    thresholds = torch.linspace(0.3, 1.4, 20)
    module = Net(beta=0.75, reset_mechanism="zero")
    module.lif1.threshold = thresholds
    check(module)


def test_a_step_that_float32_does_not_hold():
    quantizer = levels(5, threshold=0.7)
    check(Net(0.7 / 8, threshold=0.7, state_quant=quantizer))


def test_coarse_weights_are_shifted():
    _, network = check(Net(coarse=4, beta=1.0, state_quant=levels(6, threshold=2), threshold=2.0))
    assert [projection.shift for projection in network.projections] == [2, 2]
    assert np.abs(network.projections[0].synapses.values).max() == 7


def test_saved_network_is_loaded_unchanged(tmp_path):
    net, network = check(Net(beta=0.75, reset_mechanism="zero", bias=True))
    save_floating_point(net, tmp_path / "net.safetensors")
    back = load_floating_point(tmp_path / "net.safetensors")
    assert isinstance(back, SpikingNetwork)
    assert quantize_and_report(back, 4)[0].digest == network.digest


def nonuniform():
    return state_quant(num_bits=4, uniform=False)


REFUSED = {
    "own function": ({"state_quant": torch.round}, "made by snntorch.functional.quant.state_quant"),
    "defaults": ({"state_quant": state_quant()}, "must have the level 0"),
    "no zero": ({"state_quant": state_quant(4, upper_limit=0)}, "must have the level 0"),
    "not uniform": ({"state_quant": nonuniform()}, "must be uniform"),
    "many": ({"state_quant": levels(13)}, "must have 2 to 4096 levels, not 8192"),
    "beta": ({"beta": 0.9}, "beta must be 0, 1 or 1 - 2**-k"),
    "betas": ({"beta": torch.linspace(0, 1, 20)}, "beta must be one for all neurons"),
    "learned": ({"beta": 1.0, "learn_beta": True}, "learn_beta must be False"),
    "learned threshold": ({"learn_threshold": True}, "learn_threshold must be False"),
    "subtract": ({"beta": 0.5}, "reset_mechanism must be 'zero' with state_quant and beta=0.5"),
    "immediate": ({"reset_delay": False}, "state_quant and reset_delay=False, not 'subtract'"),
    "threshold": ({"threshold": 0.97}, "threshold must be a level of state_quant"),
    "never": ({"threshold": 1.9, "reset_mechanism": "zero"}, "below the greatest level"),
    "few below": (
        {"beta": 0.9375, "reset_mechanism": "zero", "state_quant": levels(4, -0.375, 0.25)},
        "must have at least 8 levels below 0 for this beta, not 5",
    ),
    "saturation": (
        {"state_quant": state_quant(4, lower_limit=0.125, upper_limit=-0.25), "threshold": 0.5},
        "must have 2**n - 1 levels above 0",
    ),
    "halves": (
        {"beta": 0.5, "reset_mechanism": "zero", "state_quant": levels(5, threshold=0.7),
         "threshold": 0.7},
        "must be integers times a power of two with beta=0.5",
    ),
    "weights": ({"unit": 0.1}, "weights must be integers times the step 0.125 of state_quant"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_inexact_levels_are_refused(name):
    options, reason = REFUSED[name]
    with pytest.raises(ValueError, match="^Leaky 'lif1': .*" + re.escape(reason)) as caught:
        read(Net(**options))
    assert "\n" not in str(caught.value)


def test_a_bias_between_levels_is_refused():
    module = Net(bias=True)
    with torch.no_grad():
        module.first.bias[3] = 0.3
    with pytest.raises(ValueError, match=r"^Leaky 'lif1': bias must be integers times the step"):
        read(module)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_potentials_are_read_where_they_are_the_module_s(reset):
    class Last(Net):
        def forward(self, x):
            mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
            for step in range(x.shape[0]):
                spike, mem1 = self.lif1(self.first(x[step]), mem1)
                _, mem2 = self.lif2(self.second(spike), mem2)
            return mem2

    module = Last(reset_mechanism=reset)
    if reset == "zero":
        with pytest.raises(ValueError, match=r"^Leaky 'lif2': answers must be read of spikes"):
            read(module)
        return
    network, _ = quantize_and_report(read(module), 4)
    with torch.no_grad():
        expected = module(torch.as_tensor(events().swapaxes(0, 1), dtype=torch.float32))
    scores = spiker_hdl.run(network, events()).scores
    assert np.array_equal(np.asarray(scores) * STEP, expected.numpy())


@pytest.mark.parametrize("kind", ["Lapicque", "Synaptic", "RLeaky", "Alpha"])
def test_other_neurons_are_refused(kind):
    options = {
        "Lapicque": {"beta": 1.0},
        "Synaptic": {"alpha": 1.0, "beta": 1.0},
        "RLeaky": {"beta": 1.0, "all_to_all": False},
        "Alpha": {"alpha": 0.9, "beta": 0.8},
    }[kind]
    neurons = getattr(snntorch, kind)(init_hidden=True, state_quant=levels(), **options)
    with pytest.raises(
        ValueError, match=f"^{kind} '1': state_quant must be False.* only for Leaky"
    ):
        from_snntorch(nn.Sequential(nn.Linear(2, 3), neurons))
