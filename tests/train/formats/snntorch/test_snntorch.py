"""Tests of networks read from snnTorch: they spike as they do there."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from spiker_hdl.model import reference
from spiker_train import Quantization, from_snntorch, quantize

snntorch = pytest.importorskip("snntorch")


NEURONS = "Leaky, Lapicque, Synaptic, RLeaky, RSynaptic, Alpha, LeakyParallel"


@pytest.fixture(autouse=True)
def drawn_alike():
    """Draw the same weights in whatever order tests run: of others, some could never fire."""
    torch.manual_seed(1)


def leaky(beta=0.9, **more):
    return snntorch.Leaky(beta=beta, init_hidden=False, **more)


def synaptic(alpha=0.5, beta=0.5, **more):
    return snntorch.Synaptic(alpha=alpha, beta=beta, **more)


def ring(**more):
    return snntorch.RLeaky(beta=0.5, **more)


def renamed(neurons):
    """Set an option that snnTorch reads when a neuron is made, and not again."""
    neurons.reset_mechanism = "zero"
    return neurons


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
        {"reset_delay": False},
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
        result = net(x, record=["layer1.v"])
    assert 0.02 < float(hidden.mean()) < 0.98
    assert 0.02 < float(out.mean()) < 0.98
    different = (result.spikes["layer1"] != hidden) | torch.zeros_like(hidden, dtype=torch.bool)
    # Sums in another order may end on the other side of the threshold, if they end beside it.
    samples = different.any(2).any(1)
    for n in samples.nonzero()[:, 0].tolist():
        step = int(different[n].any(1).nonzero()[0])
        neuron = int(different[n, step].nonzero()[0])
        threshold = float(torch.as_tensor(module.lif1.threshold)[neuron])
        assert abs(float(result.states["layer1.v"][n, step, neuron]) - threshold) < 1e-5
    assert int(samples.sum()) <= 2
    same = ~samples
    assert float((result.spikes["layer2"] != out)[same].float().mean()) < 1e-4


def test_imported_network_quantises_and_is_exact_in_integers():
    net = from_snntorch(Twice())
    q = Quantization(6, 10, "multiplier").fit(net)
    x = (np.random.default_rng(2).random((40, 20, 20)) < 0.3).astype(np.uint8)
    record = ["layer1", "layer2", "layer1.v"]
    result = reference.run(quantize(net, q), x, record=record)
    assert result.differences(net.run(x, q, record=record)) == []
    real = net.run(x, record=["layer2"]).spikes["layer2"]
    assert (real == result.spikes["layer2"]).mean() > 0.85


def test_layers_in_a_sequence_are_read_in_order():
    module = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(8, 5), leaky(), nn.Dropout(0.2)),
        nn.Linear(5, 3, bias=False),
        nn.Identity(),
        leaky(0.5, reset_mechanism="zero"),
    )
    net = from_snntorch(module, readout="last")
    assert [layer.size for layer in net.layers] == [5, 3]
    assert [layer.bias is None for layer in net.layers] == [False, True]
    assert net.layers[0].cell.settings["reset_timing"] == "next_step"
    assert net.layers[1].cell.settings["reset_timing"] == "next_step_keep_input"
    assert net.readouts[0].kind == "last"


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: nn.Sequential(nn.Conv2d(1, 2, 3), leaky()),
            ValueError,
            "Example must be given, a tensor as forward takes it: Conv2d '0' does not tell the "
            "shape of its input",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), snntorch.Alpha(alpha=0.6, beta=0.5)),
            ValueError,
            "Alpha '1': reset_mechanism must be 'none', not 'zero', which changes two currents "
            "that have no place here; take Synaptic",
        ),
        (
            lambda: nn.Sequential(
                nn.Linear(2, 2),
                snntorch.Alpha(alpha=0.6, beta=0.5, reset_mechanism="none"),
            ),
            ValueError,
            "Alpha '1': current must have no bias, which would flow a step too early",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), nn.Sequential(snntorch.SLSTM(2, 2))),
            TypeError,
            f"Module '1.0' must be one of {NEURONS}, not of type SLSTM",
        ),
        (
            lambda: nn.Sequential(leaky()),
            ValueError,
            "Example must be given, a tensor as forward takes it, where there is no Linear",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), leaky(), nn.Linear(2, 2)),
            ValueError,
            f"The last Linear must be followed by one of {NEURONS}",
        ),
        (
            lambda: nn.Sequential(nn.Flatten()),
            ValueError,
            f"Model must have neurons of snnTorch ({NEURONS}), not Sequential alone",
        ),
        (
            lambda: nn.Sequential(nn.Flatten(0), nn.Linear(2, 2), leaky()),
            ValueError,
            "Sequential must run on zeros of the shape (4, 2), not fail with RuntimeError: mat1 "
            "and mat2 shapes cannot be multiplied (1x8 and 2x2); give an example of what its "
            "forward takes",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), neuron := leaky(), nn.Linear(2, 2), neuron),
            ValueError,
            "Module '3' must have a state of its own, not that of '1'",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), leaky(state_quant=torch.round)),
            ValueError,
            "Leaky '1': state_quant must be made by snntorch.functional.quant.state_quant, "
            "not round",
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
        (
            lambda: nn.Sequential(nn.Linear(2, 3), synaptic(alpha=torch.ones(4))),
            ValueError,
            "Synaptic '1': alpha must be one or 3 values, not 4",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), leaky(threshold=torch.tensor([1, 0.5, -0.25]))),
            ValueError,
            "Leaky '1': threshold must be at least 0 to be reset, not -0.25",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), renamed(leaky())),
            ValueError,
            "Leaky '1': reset_mechanism must be as it was made, 'subtract', not 'zero'",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), ring(linear_features=4)),
            ValueError,
            "RLeaky '1': linear_features must be 3, not 4",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), ring(conv2d_channels=3, kernel_size=3)),
            ValueError,
            "RLeaky '1': conv2d_channels must be 3 on three axes, not 3 on 1",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 3), ring(all_to_all=False, V=torch.ones(2))),
            ValueError,
            "RLeaky '1': V must be one or 3 values, not 2",
        ),
        (
            lambda: nn.Sequential(
                nn.Linear(2, 3),
                snntorch.RSynaptic(
                    alpha=0.5,
                    beta=0.5,
                    linear_features=3,
                    reset_delay=False,
                    reset_mechanism="zero",
                ),
            ),
            ValueError,
            "RSynaptic '1': reset_delay must be True, not False, which in snnTorch 1.0 either "
            "fails or resets in the next step all the same",
        ),
        (lambda: "model", TypeError, "Model must be an nn.Module, not 'model'"),
    ],
)
def test_unsupported_option_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        from_snntorch(make())


RESETS = [("subtract", True), ("subtract", False), ("zero", True), ("zero", False)]


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky", "RSynaptic"])
def test_every_reset_has_options_of_its_own(kind):
    def read(reset, delay):
        more = {"beta": 0.9, "reset_mechanism": reset, "reset_delay": delay}
        more |= {"alpha": 0.5} if "Synaptic" in kind else {}
        more |= {"all_to_all": False} if kind.startswith("R") else {}
        neurons = getattr(snntorch, kind)(**more)
        settings = from_snntorch(nn.Sequential(nn.Linear(2, 3), neurons)).layers[0].cell.settings
        return tuple(settings[name] for name in ("reset", "reset_timing"))

    zero_timing = "next_step_keep_input" if kind == "Leaky" else "next_step"
    expected = {
        ("subtract", True): ("subtract", "next_step"),
        ("subtract", False): ("subtract", "snntorch_immediate"),
        ("zero", True): ("zero", zero_timing),
        ("zero", False): ("zero", "immediate"),
        ("none", True): ("none", "immediate"),
        ("none", False): ("none", "immediate"),
    }
    for key, settings in expected.items():
        if kind != "RSynaptic" or key[1]:
            assert read(*key) == settings


@pytest.mark.parametrize("readout", ["last", "largest", "sum"])
@pytest.mark.parametrize("reset, delay", RESETS)
def test_readouts_of_potentials_are_those_of_snntorch(readout, reset, delay):
    torch.manual_seed(5)
    neurons = leaky(0.8, reset_mechanism=reset, reset_delay=delay, threshold=0.4)
    module = nn.Sequential(nn.Linear(20, 6), neurons)
    net = from_snntorch(module, readout=readout).double()
    module.double()
    x = (np.random.default_rng(4).random((40, 30, 20)) < 0.3).astype(np.uint8)
    state, seen = torch.zeros(40, 6, dtype=torch.float64), []
    with torch.no_grad():
        for step in torch.as_tensor(x, dtype=torch.float64).unbind(1):
            _, state = neurons(module[0](step), state)
            seen.append(state)
        scores = net(x).scores
    potentials = torch.stack(seen, 1)
    expected = {
        "last": potentials[:, -1],
        "largest": potentials.amax(1),
        "sum": potentials.sum(1),
    }[readout]
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-9)


def test_recurrence_becomes_a_connection_with_a_delay_of_one():
    module = nn.Sequential(
        nn.Linear(4, 3),
        ring(linear_features=3),
        nn.Linear(3, 2, bias=False),
        ring(all_to_all=False, V=torch.tensor([0.5, -0.25])),
        nn.Linear(2, 2, bias=False),
        ring(all_to_all=False, V=0.125, learn_recurrent=False),
    )
    net = from_snntorch(module)
    links = {connection.name: connection for connection in net.connections}
    assert [connection.delay for connection in net.connections] == [0, 1, 0, 1, 0, 1]
    first = links["layer1->layer1 late 1"]
    assert first.kind == "dense"
    assert torch.equal(first.weights, module[1].recurrent.weight)
    both = (module[0].bias + module[1].recurrent.bias).detach()
    assert torch.allclose(net.layers[0].bias, both, atol=1e-7)
    assert links["layer2->layer2 late 1"].kind == "one_to_one"
    assert links["layer2->layer2 late 1"].weights.tolist() == [0.5, -0.25]
    assert links["layer3->layer3 late 1"].weights.tolist() == [0.125, 0.125]
    assert net.layers[1].bias is None


def test_parameters_that_snntorch_learns_are_learned():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(4, 3),
        snntorch.Synaptic(alpha=torch.tensor([0.1, 1.5, 0.3]), beta=0.75, learn_alpha=True),
        nn.Linear(3, 2),
        leaky(learn_beta=True, learn_threshold=True),
    )
    first, second = (layer.cell for layer in from_snntorch(module).layers)
    assert first.learned == ("current_decay",)
    assert first.value("current_decay").tolist() == pytest.approx([0.1, 1.0, 0.3])
    assert float(first.value("decay")) == 0.75
    assert second.learned == ("threshold", "decay")
    assert [name for name, _ in second.named_parameters()] == ["float_threshold", "float_decay"]


@pytest.mark.parametrize("kind", ["Synaptic", "RLeaky", "RSynaptic"])
def test_second_order_and_recurrence_are_exact_in_integers(kind):
    torch.manual_seed(2)
    options = {"beta": torch.linspace(0.5, 0.95, 12), "learn_beta": True}
    if "Synaptic" in kind:
        options["alpha"] = 0.6
    if kind.startswith("R"):
        options["linear_features"] = 12
    module = nn.Sequential(nn.Linear(20, 12), getattr(snntorch, kind)(**options))
    with torch.no_grad():
        module[0].weight.mul_(4)
    net = from_snntorch(module)
    q = Quantization(6, 10, "multiplier").fit(net)
    x = (np.random.default_rng(2).random((30, 25, 20)) < 0.3).astype(np.uint8)
    record = ["layer1", "layer1.v"]
    result = reference.run(quantize(net, q), x, record=record)
    assert result.differences(net.run(x, q, record=record)) == []
    real = net.run(x, record=["layer1"]).spikes["layer1"]
    assert 0.05 < real.mean() < 0.8
    assert (real == result.spikes["layer1"]).mean() > 0.85
