"""Tests of networks read from snnTorch: they spike as they do there."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from spiker_hdl.model import reference
from spiker_train import Quantization, from_snntorch, quantize

snntorch = pytest.importorskip("snntorch")


def leaky(beta=0.9, **more):
    return snntorch.Leaky(beta=beta, init_hidden=False, **more)


class Twice(nn.Module):
    """Two layers, as tutorials write them."""

    def __init__(self, bias=True, **more):
        super().__init__()
        torch.manual_seed(1)
        self.fc1 = nn.Linear(20, 15, bias=bias)
        self.lif1 = leaky(
            torch.linspace(0.3, 1.0, 15), threshold=torch.linspace(0.2, 1, 15), **more
        )
        self.fc2 = nn.Linear(15, 6, bias=bias)
        self.lif2 = leaky(0.8, threshold=0.3, **more)

    def forward(self, x):
        first, second = self.lif1.reset_mem(), self.lif2.reset_mem()
        hidden, out = [], []
        for step in x.unbind(1):
            spikes, first = self.lif1(self.fc1(step), first)
            hidden.append(spikes)
            # snnTorch keeps the state of an earlier call where shapes agree.
            spikes, second = self.lif2(self.fc2(spikes), second)
            out.append(spikes)
        return torch.stack(hidden, 1), torch.stack(out, 1)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"reset_mechanism": "zero"},
        {"reset_mechanism": "none"},
        {"reset_mechanism": "zero", "reset_delay": False},
        {"reset_mechanism": "none", "reset_delay": False},
    ],
    ids=str,
)
def test_spikes_are_those_of_snntorch(more, bias):
    module = Twice(bias, **more)
    net = from_snntorch(module)
    x = (np.random.default_rng(0).random((100, 30, 20)) < 0.3).astype(np.uint8)
    with torch.no_grad():
        hidden, out = module(torch.as_tensor(x, dtype=torch.float32))
        found = net(x, record=["layer1.v"])
    assert 0.02 < float(hidden.mean()) < 0.98
    assert 0.02 < float(out.mean()) < 0.98
    different = (found.spikes["layer1"] != hidden) | torch.zeros_like(hidden, dtype=torch.bool)
    # Sums in another order may end on the other side of the threshold, if they end beside it.
    samples = different.any(2).any(1)
    for n in samples.nonzero()[:, 0].tolist():
        step = int(different[n].any(1).nonzero()[0])
        neuron = int(different[n, step].nonzero()[0])
        threshold = float(torch.as_tensor(module.lif1.threshold)[neuron])
        assert abs(float(found.states["layer1.v"][n, step, neuron]) - threshold) < 1e-5
    assert int(samples.sum()) <= 2
    same = ~samples
    assert float((found.spikes["layer2"] != out)[same].float().mean()) < 1e-4


def test_without_delay_spikes_are_the_same_while_one_reset_suffices():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(20, 9), leaky(0.7, reset_delay=False, threshold=1.0))
    with torch.no_grad():
        module[0].weight.mul_(0.9)
    x = (np.random.default_rng(0).random((50, 30, 20)) < 0.3).astype(np.uint8)
    state, wanted = module[1].reset_mem(), []
    with torch.no_grad():
        for step in torch.as_tensor(x, dtype=torch.float32).unbind(1):
            spikes, state = module[1](module[0](step), state)
            assert float(state.max()) <= 1.0
            wanted.append(spikes)
        found = from_snntorch(module)(x)
    wanted = torch.stack(wanted, 1)
    assert wanted.sum() > 50
    assert torch.equal(found.spikes["layer1"], wanted)


def test_what_was_read_quantises_and_is_exact_in_integers():
    net = from_snntorch(Twice())
    q = Quantization(6, 10, "multiplier").fit(net)
    x = (np.random.default_rng(2).random((40, 20, 20)) < 0.3).astype(np.uint8)
    record = ["layer1", "layer2", "layer1.v"]
    found = reference.run(quantize(net, q), x, record=record)
    assert found.differences(net.run(x, q, record=record)) == []
    real = net.run(x, record=["layer2"]).spikes["layer2"]
    assert (real == found.spikes["layer2"]).mean() > 0.85


def test_layers_in_a_sequence_are_read_in_order():
    module = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(8, 5), leaky(), nn.Dropout(0.2)),
        nn.Linear(5, 3, bias=False),
        leaky(0.5, reset_mechanism="zero"),
    )
    net = from_snntorch(module, readout="last")
    assert [one.size for one in net.layers] == [5, 3]
    assert [one.bias is None for one in net.layers] == [False, True]
    assert net.layers[0].cell.settings["late"]
    assert not net.layers[1].cell.settings["late"]
    assert net.readouts[0].kind == "last"


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), leaky()),
            TypeError,
            "Module '0' must be a Linear, Leaky, Flatten or Dropout, not of type Conv2d",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), snntorch.Synaptic(alpha=0.5, beta=0.5)),
            TypeError,
            "Module '1' must be a Linear, Leaky, Flatten or Dropout, not of type Synaptic",
        ),
        (lambda: nn.Sequential(leaky()), ValueError, "Module '0' must follow a Linear"),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), leaky()),
            ValueError,
            "Module '1' must follow neurons, not another Linear",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2)),
            ValueError,
            "The last Linear must be followed by a Leaky",
        ),
        (
            lambda: nn.Sequential(nn.Flatten()),
            ValueError,
            "Model must have a Linear and a Leaky, not Sequential",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), leaky(state_quant=torch.round)),
            ValueError,
            "Leaky '1': state_quant must be False, not True",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), leaky(graded_spikes_factor=2.0)),
            ValueError,
            "Leaky '1': graded_spikes_factor must be 1.0, not 2.0",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), leaky(torch.ones(2))),
            ValueError,
            "Leaky '1': beta must be one or 3 values, not 2",
        ),
        (lambda: "model", TypeError, "Model must be an nn.Module, not 'model'"),
    ],
)
def test_what_has_no_meaning_here_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        from_snntorch(make())
