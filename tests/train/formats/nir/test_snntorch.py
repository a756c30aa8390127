"""What snnTorch exports to NIR is read as the model it was, spike for spike, on real digits."""

import numpy as np
import pytest
import torch
from torch import nn
from train.test_outside import BESIDE, Layered, count

from spiker_train import from_nir, load_dataset, to_nir

HIDDEN, OUT, STEPS = 24, 10, 25


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def digits(samples):
    """Return pictures of 8 by 8 as spikes, more of them where they are brighter."""
    pictures = load_dataset("digits").x_test[:samples].reshape(samples, -1)
    share = pictures / pictures.max()
    random = np.random.default_rng(0)
    return (random.random((samples, STEPS, share.shape[1])) < share[:, None]).astype(np.uint8)


def neurons(kind, size, **more):
    """Make neurons of snnTorch that can be exported: with parameters for each of them."""
    snntorch = pytest.importorskip("snntorch")
    random = torch.Generator().manual_seed(size)

    def drawn(low, high):
        return low + (high - low) * torch.rand(size, generator=random)

    options = {"beta": drawn(0.5, 0.95), "threshold": drawn(0.8, 1.5), "init_hidden": True}
    if "Synaptic" in kind:
        options["alpha"] = drawn(0.1, 0.7)
    if kind.startswith("R"):
        all_to_all = more.pop("all_to_all")
        options["all_to_all"] = all_to_all
        options |= {"linear_features": size} if all_to_all else {"V": drawn(-0.8, 0.4)}
    return getattr(snntorch, kind)(**options, **more)


def model(kind, **more):
    """Make two layers."""
    torch.manual_seed(0)
    linear = nn.Sequential(
        nn.Linear(64, HIDDEN),
        neurons(kind, HIDDEN, **more),
        nn.Linear(HIDDEN, OUT, bias=False),
        neurons(kind, OUT, **more, output=True),
    )
    with torch.no_grad():
        linear[0].weight.mul_(2.0)
        linear[2].weight.mul_(3.0)
    return linear


def by_snntorch(module, x):
    """Run a model; return spikes and potentials of each neuron layer."""
    parts = [layer for layer in module if not isinstance(layer, nn.Linear)]
    seen = {layer: ([], []) for layer in parts}
    for part in parts:
        part.reset_mem()
    with torch.no_grad():
        for signal in torch.as_tensor(x).float().unbind(1):
            for part in module:
                signal = part(signal)
                if part not in seen:
                    continue
                signal = signal[0] if isinstance(signal, tuple) else signal
                seen[part][0].append(signal)
                seen[part][1].append(part.mem)
    return [tuple(torch.stack(steps, 1).numpy() for steps in seen[layer]) for layer in parts]


CASES = [
    (kind, reset, delay, all_to_all)
    for kind in ("Leaky", "Synaptic", "RLeaky", "RSynaptic")
    for reset, delay in (("subtract", True), ("subtract", False), ("zero", True), ("zero", False))
    for all_to_all in ((True, False) if kind.startswith("R") else (None,))
    if kind != "RSynaptic" or delay  # which snnTorch 1.0 ignores, or fails with
]


def reset_options(case):
    """Return the options of from_nir that the file does not hold."""
    kind, reset, delay, _ = case
    if reset == "subtract":
        return {
            "reset": "subtract",
            "reset_timing": "next_step" if delay else "snntorch_immediate",
        }
    # A delayed reset to zero of Leaky alone keeps the input of its step.
    delayed = "next_step_keep_input" if kind == "Leaky" else "next_step"
    return {"reset": "value", "reset_timing": delayed if delay else "immediate"}


def compare(case, samples, capsys, share=20):
    """Export a model and read it; count where spikes differ."""
    export = pytest.importorskip("snntorch.export_nir")
    kind, reset, delay, all_to_all = case
    more = {} if all_to_all is None else {"all_to_all": all_to_all}
    exported = model(kind, reset_mechanism=reset, reset_delay=delay, **more)
    with pytest.warns(DeprecationWarning, match="nirtorch"):
        graph = export.export_to_nir(exported, torch.zeros(64))
    net = from_nir(graph, writer="snntorch", **reset_options(case))
    x = digits(samples)
    names = [layer.name for layer in net.layers]
    with torch.no_grad():
        actual = net(x, record=[f"{name}.v" for name in names])
    names.sort(key=lambda name: -net.layer[name].size)
    parts = [layer for layer in exported if not isinstance(layer, nn.Linear)]
    layers = [
        Layered(*theirs, actual.spikes[name].numpy(), actual.states[f"{name}.v"].numpy(),
                part.threshold.detach().numpy(), (reset, delay) == ("subtract", False))
        for theirs, name, part in zip(by_snntorch(exported, x), names, parts, strict=True)
    ]  # fmt: skip
    result = count(layers)
    with capsys.disabled():
        print(f"\nNIR of snnTorch {case}: {result}")
    assert 0.02 < result.activity < 0.8
    assert result.furthest < BESIDE
    assert result.different <= samples // share
    same = np.all([(layer.spikes == layer.own_spikes).all((1, 2)) for layer in layers], axis=0)
    for layer in layers:
        np.testing.assert_allclose(layer.own_potentials[same], layer.potentials[same], 0, 1e-4)
    return net, x


@pytest.mark.parametrize("case", CASES, ids=str)
def test_graph_exported_by_snntorch_spikes_as_in_snntorch(case, capsys):
    net, x = compare(case, 40, capsys)
    back = from_nir(to_nir(net, dt=1e-4, exact=False), dt=1e-4, **reset_options(case))
    with torch.no_grad():
        assert torch.equal(net(x).scores, back(x).scores)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_all_digits_spike_as_in_snntorch(case, capsys):
    compare(case, 350, capsys)


def test_a_network_of_snntorch_with_matrices_that_recur():
    pytest.importorskip("snntorch")
    export = pytest.importorskip("snntorch.export_nir")
    exported = model("RLeaky", all_to_all=True)
    with pytest.warns(DeprecationWarning, match="nirtorch"):
        graph = export.export_to_nir(exported, torch.zeros(64))
    net = from_nir(graph, writer="snntorch")
    loops = {
        connection.source: connection
        for connection in net.connections
        if connection.source == connection.target
    }
    assert len(loops) == 2
    for name, part in (("1_lif", exported[1]), ("3_lif", exported[3])):
        assert loops[name].delay == 1
        torch.testing.assert_close(loops[name].weights, part.recurrent.weight, rtol=0, atol=0)
        assert net.layer[name].cell.settings["reset_timing"] == "next_step"
        np.testing.assert_allclose(net.layer[name].cell.value("decay"), part.beta.numpy(), 0, 1e-7)
    torch.testing.assert_close(
        net.layer["1_lif"].bias, exported[0].bias + exported[1].recurrent.bias, rtol=0, atol=1e-7
    )
