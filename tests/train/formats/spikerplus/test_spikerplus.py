"""Tests of networks of Spiker: they compute what its software trains, and the report tells."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from spiker_hdl.model import encoders, reference
from spiker_train import (
    from_spiker,
    load_dataset,
    quantize,
    spiker_quantizations,
)

from support.outside import BESIDE, Layered, count, own

STEPS = 20


@pytest.fixture(scope="module")
def digits():
    """Spikes of digits, shape (samples, steps, 64)."""
    return encoders.rate(load_dataset("digits").x_test[:50], steps=STEPS)


def layer(model, size=24, **more):
    """Describe a layer."""
    return {"neuron_model": model, "n_neurons": size, "alpha": None} | more


def described(*layers):
    """Describe a network."""
    return {"n_cycles": STEPS, "n_inputs": 64} | {
        f"layer_{n}": settings for n, settings in enumerate(layers)
    }


class Trained(nn.Module):
    """The modules that Spiker makes of a description, by its names, on snnTorch."""

    def __init__(self, config, gain=3.0):
        super().__init__()
        snn = pytest.importorskip("snntorch")
        torch.manual_seed(0)
        self.layers = nn.ModuleDict()
        size = config["n_inputs"]
        for n in range(len(config) - 2):
            settings = config[f"layer_{n}"]
            model, count_ = settings["neuron_model"], settings["n_neurons"]
            self.layers[f"fc{n + 1}"] = nn.Linear(size, count_, bias=False)
            options = {
                "threshold": settings.get("threshold", 1.0),
                "beta": settings.get("beta", 0.9375),
            }
            options["reset_mechanism"] = settings.get("reset_mechanism", "subtract")
            if model in {"if", "rif"}:
                options["beta"] = 0.0
            if "syn" in model:
                options["alpha"] = settings["alpha"]
            if model[0] == "r":
                options["linear_features"] = count_
            kind = ("RSynaptic" if model == "rsyn" else "Synaptic" if model == "syn"
                    else "RLeaky" if model[0] == "r" else "Leaky")  # fmt: skip
            self.layers[f"{model}{n + 1}"] = getattr(snn, kind)(**options)
            size = count_
        with torch.no_grad():
            for settings in self.parameters():
                settings.mul_(gain if settings.ndim > 1 else 1)

    def seen(self, x):
        """Return spikes and potentials of each layer."""
        parts = list(self.layers.values())
        results = []
        with torch.no_grad():
            for linear, neurons in zip(parts[::2], parts[1::2], strict=True):
                state = neurons.reset_mem()
                state = list(state) if isinstance(state, tuple) else [state]
                recurrent = type(neurons).__name__.startswith("R")
                steps = []
                for step in x.unbind(1):
                    answer = neurons(linear(step), *state)
                    state = list(answer if recurrent else answer[1:])
                    steps.append((answer[0], answer[-1]))
                x = torch.stack([spikes for spikes, _ in steps], 1)
                results.append((
                    x.numpy(),
                    torch.stack([potentials for _, potentials in steps], 1).numpy(),
                ))
        return results


@pytest.mark.parametrize("model", ["if", "lif", "syn", "rif", "rlif", "rsyn"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_network_trained_by_spiker_spikes_the_same(model, reset, digits):
    config = described(
        layer(model, reset_mechanism=reset, alpha=0.4, beta=0.8, threshold=1.5),
        layer(model, 10, reset_mechanism=reset, alpha=0.3, beta=0.7),
    )
    if model in {"if", "lif", "rif", "rlif"}:
        for n in (0, 1):
            config[f"layer_{n}"]["alpha"] = None
    module = Trained(config)
    net = from_spiker(config, module.state_dict(), readout="spk_count")
    actual = own(net, digits, ["layer_0", "layer_1"])
    layers = [
        Layered(*theirs, *actual[name], np.asarray(threshold))
        for theirs, name, threshold in zip(
            module.seen(torch.as_tensor(digits, dtype=torch.float32)), actual, (1.5, 1), strict=True
        )
    ]
    result = count(layers)
    print(f"\n{model}, {reset}: {result}")
    assert 0.005 < result.activity < 0.9
    assert result.furthest < BESIDE
    assert result.different <= 5


def test_report_lists_differences_from_the_hardware_of_spiker():
    config = described(
        layer("rsyn", 30, alpha=0.5, beta=0.9, reset_mechanism="zero"),
        layer("if", 30, threshold=2.0),
        layer("lif", 30, beta=0.9375, bias=True, reset_mechanism="none"),
        layer("lif", 10, beta=1.0),
    )
    net = from_spiker(config, optim_config={"weights_bw": 4, "neurons_bw": 6, "fp_dec": 5})
    report = net.import_report
    assert report.steps == STEPS
    assert str(report).splitlines() == [
        "layer_0: rsyn, 30 neurons",
        "layer_1: if, 30 neurons",
        "layer_2: lif, 30 neurons",
        "layer_3: lif, 10 neurons",
        "layer_0: beta 0.9 is kept; Spiker would have made it 0.875",
        "layer_0: its synaptic current is kept; Spiker would have dropped it",
        "layer_0: reset 'zero' is kept; Spiker would have subtracted the threshold",
        "layer_0: spikes come back in the next step, as in training; Spiker fails to generate "
        "this, or brings them a step later",
        "layer_1: 'if' keeps nothing from step to step in Spiker; here it integrates",
        "layer_2: reset 'none' is kept; Spiker would have subtracted the threshold",
        "layer_2: its bias is kept; Spiker would have dropped it",
        "layer_3: beta 1 is kept; Spiker cannot generate it",
        "layer_2: has its own weights; Spiker would have given it those of layer_1, of the same "
        "shape",
        "all 20 steps reach the output; in Spiker the last 6 never do",
        "neurons leak in each step, and sums saturate once; Spiker's do not leak in the step of a "
        "spike, and saturate after each addition",
        *(
            f"{name}: threshold {value} is {value * 32} with 5 places, beyond 6 bits; Spiker "
            "would have let it wrap, here another scale is fitted"
            for name, value in (("layer_0", 1), ("layer_1", 2), ("layer_2", 1), ("layer_3", 1))
        ),
        *(
            f"{link.name}: weights up to {float(link.weights.detach().abs().max()):.4g} are beyond "
            "the 0.25 of 4 bits with 5 places; Spiker would cut them off"
            for link in net.connections
            if float(link.weights.detach().abs().max()) > 0.25
        ),
    ]
    assert net.readouts[0].kind == "sum"
    report = from_spiker(
        described(layer("lif", beta=0.75)),
        optim_config={"weights_bw": 4, "neurons_bw": 9, "fp_dec": 6},
    ).import_report
    assert len(report.differences) == 2
    assert report.differences[1].endswith(
        "beyond the 0.125 of 4 bits with 6 places; they are cut off, as in Spiker"
    )


def test_bit_widths_are_those_of_spiker(digits):
    config = described(layer("lif", beta=0.9375), layer("lif", 10, beta=0.9))
    module = Trained(config, gain=1.5)
    widths = {"weights_bw": 5, "neurons_bw": 9, "fp_dec": 4}
    net = from_spiker(config, module.state_dict(), widths, readout="spk")
    report = net.import_report
    (q,) = report.quantizations
    assert (q.weights, q.potentials, q.decay) == (5, 9, "multiplier")
    assert q.scales == {"layer_0": 1 / 16, "layer_1": 1 / 16}
    network = quantize(net, q)
    assert [population.neuron.threshold for population in network.populations] == [16, 16]
    assert [population.neuron.width for population in network.populations] == [9, 9]
    expected = np.clip(np.rint(net.connections[0].weights.detach().numpy() * 16), -16, 15)
    assert np.array_equal(network.projections[0].synapses.matrix(), expected)
    result = reference.run(network, digits, record=["layer_1"])
    real = net.run(digits, record=["layer_1"]).spikes["layer_1"]
    assert 0.02 < real.mean() < 0.9
    assert (result.spikes["layer_1"] == real).mean() > 0.85


def test_ranges_of_widths_are_all_tried():
    net = from_spiker(described(layer("lif", beta=0.875)))
    ranges = {
        "weights_bw": {"min": 4, "max": 5},
        "neurons_bw": {"min": 5, "max": 6},
        "fp_dec": {"min": 3, "max": 4},
    }
    result = spiker_quantizations(net, ranges)
    assert [(q.weights, q.potentials, q.scales) for q in result] == [
        (weights, neurons, {} if (places, neurons) == (4, 5) else {"layer_0": 2.0**-places})
        for places in (3, 4)
        for weights in (4, 5)
        for neurons in (5, 6)
    ]
    assert {q.decay for q in result} == {"shift"}


def test_defaults_are_those_of_spiker(tmp_path):
    net = from_spiker({"layer_0": {"learn_beta": True}})
    report = net.import_report
    assert (report.steps, net.inputs[0].size, net.layers[0].size) == (73, 40, 128)
    assert net.layers[0].cell.learned == ("decay",)
    assert float(net.layers[0].cell.value("decay")) == 0.9375
    assert report.notes == [
        "layer_0: neuron_model is not given: 'lif' as in Spiker",
        "layer_0: n_neurons is not given: 128 as in Spiker",
        "n_cycles is not given: 73 as in Spiker",
        "n_inputs is not given: 40 as in Spiker",
    ]
    config = described(layer("rlif", 5))
    state = Trained(config).state_dict()
    torch.save(state, tmp_path / "trained_state_dict.pt")
    stored = from_spiker(config, tmp_path / "trained_state_dict.pt")
    for connection, key in zip(
        stored.connections, ("fc1.weight", "rlif1.recurrent.weight"), strict=True
    ):
        assert torch.equal(connection.weights, state[f"layers.{key}"])
    assert torch.allclose(stored.layers[0].bias, state["layers.rlif1.recurrent.bias"])
    (tmp_path / "other.pt").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"other\.pt: must be a file of tensors by name"):
        from_spiker(config, tmp_path / "other.pt")
    torch.save({"run": print}, tmp_path / "code.pt")
    with pytest.raises(
        ValueError, match=r"code\.pt: must be a whole file .* not of a module or of other objects$"
    ):
        from_spiker(config, tmp_path / "code.pt")


KEYS = (
    "neuron_model, n_neurons, alpha, learn_alpha, beta, learn_beta, threshold, learn_threshold, "
    "reset_mechanism, bias"
)


@pytest.mark.parametrize(
    "config, error, message",
    [
        ([], TypeError, "net_dict must be a mapping, not []"),
        ({}, ValueError, "net_dict must have at least 'layer_0'"),
        (
            {"layers": {}},
            ValueError,
            "Keys of net_dict must be 'n_cycles', 'n_inputs' or 'layer_0' and so on, not 'layers'",
        ),
        (
            {"learning": {}, "layer_0": {}},
            ValueError,
            "net_dict must be without 'learning', which has no place here",
        ),
        ({"layer_0": 3}, TypeError, "layer_0 must be a mapping, not 3"),
        (
            {"layer_1": {}},
            ValueError,
            "Layers must be layer_0 in this order, not layer_1",
        ),
        (
            {"layer_0": {"neuron": "lif"}},
            ValueError,
            f"Keys of layer_0 must be {KEYS}, not 'neuron'",
        ),
        (
            {"layer_0": {"neuron_model": "alif"}},
            ValueError,
            "layer_0: neuron_model must be one of 'if', 'lif', 'syn', 'rif', 'rlif', 'rsyn', "
            "not 'alif'",
        ),
        (
            {"layer_0": {"reset_mechanism": "soft"}},
            ValueError,
            "layer_0: reset_mechanism must be one of 'subtract', 'zero', 'none', not 'soft'",
        ),
        (
            {"layer_0": {"n_neurons": -6}},
            ValueError,
            "layer_0: n_neurons must be at least 1, not -6",
        ),
        (
            {"layer_0": {"n_neurons": 6.0}},
            TypeError,
            "layer_0: n_neurons must be an int, not 6.0",
        ),
        ({"layer_0": {"beta": 1.5}}, ValueError, "layer_0: beta must be in 0..1, not 1.5"),
        ({"layer_0": {"beta": None}}, TypeError, "layer_0: beta must be a number, not None"),
        (
            {"layer_0": {"threshold": float("nan")}},
            ValueError,
            "layer_0: threshold must be finite, not nan",
        ),
        (
            {"layer_0": {"threshold": -1.0}},
            ValueError,
            "layer_0: threshold must be at least 0 to be reset, not -1.0",
        ),
        (
            {"layer_0": {"learn_beta": 1}},
            TypeError,
            "layer_0: learn_beta must be a bool, not 1",
        ),
        ({"layer_0": {}, "n_cycles": 0}, ValueError, "n_cycles must be at least 1, not 0"),
        ({"layer_0": {}, "n_inputs": "4"}, TypeError, "n_inputs must be an int, not '4'"),
    ],
)
def test_bad_descriptions(config, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        from_spiker(config)


def changed(key, value):
    """Store a network with one thing changed."""
    config = described(layer("rlif", 5, beta=0.5))
    state = dict(Trained(config).state_dict())
    if value is None:
        del state[key]
    else:
        state[key] = value
    return config, state


@pytest.mark.parametrize(
    "key, value, message",
    [
        (
            "layers.fc1.weight",
            None,
            "state_dict must have 'layers.fc1.weight', which it does not",
        ),
        (
            "layers.fc1.weight",
            torch.ones(5, 63),
            "state_dict 'layers.fc1.weight' must have the shape (5, 64), not (5, 63)",
        ),
        (
            "layers.fc1.weight",
            torch.full((5, 64), float("nan")),
            "state_dict 'layers.fc1.weight' must be finite, not nan",
        ),
        (
            "layers.rlif1.threshold",
            torch.ones(4),
            "state_dict 'layers.rlif1.threshold' must have the shape (5,), not (4,)",
        ),
        (
            "layers.rlif1.reset_mechanism_val",
            torch.tensor(1),
            "layer_0: reset_mechanism must be as trained, 'zero', not 'subtract'",
        ),
        (
            "layers.rlif1.graded_spikes_factor",
            torch.tensor(2.0),
            "layer_0: graded_spikes_factor must be 1, not 2.0",
        ),
        (
            "layers.fc2.weight",
            torch.ones(5),
            "Keys of state_dict must be of net_dict's layers, not 'layers.fc2.weight'",
        ),
    ],
)
def test_bad_weights(key, value, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        from_spiker(*changed(key, value))


@pytest.mark.parametrize(
    "change, error, message",
    [
        (
            {"bits": 3},
            ValueError,
            "Keys of optim_config must be weights_bw, neurons_bw, fp_dec, not 'bits'",
        ),
        ({"weights_bw": 4.0}, TypeError, "weights_bw must be an int, not 4.0"),
        ({"weights_bw": 1}, ValueError, "weights_bw must be in 2..16, not 1"),
        (
            {"fp_dec": {"min": 2}},
            ValueError,
            "fp_dec must have 'min' and 'max', not ['min']",
        ),
        (
            {"fp_dec": {"min": 4, "max": 3}},
            ValueError,
            "fp_dec must have a min of at most its max 3, not 4",
        ),
    ],
)
def test_bad_widths(change, error, message):
    net = from_spiker(described(layer("lif")))
    good = {"weights_bw": 4, "neurons_bw": 6, "fp_dec": 3}
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        spiker_quantizations(net, good | change)
    with pytest.raises(ValueError, match=r"^optim_config must have 'fp_dec', which it does not$"):
        spiker_quantizations(net, {"weights_bw": 4, "neurons_bw": 6})
    with pytest.raises(TypeError, match=r"^optim_config must be a mapping, not 4$"):
        spiker_quantizations(net, 4)


def test_bad_readout():
    kinds = "'spk', 'spk_count', 'mem', 'mem_avg', 'mem_max', 'mem_softmax', "
    with pytest.raises(ValueError, match=f"^Readout must be one of {kinds}.*, not 'vote'$"):
        from_spiker(described(layer("lif")), readout="vote")
