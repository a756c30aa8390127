"""Comparison with systems from outside, in floating point with the same parameters.

Spikes must be equal, or the first difference of a sample must lie beside the threshold, where sums
in another order may end on the other side. In double precision no difference is allowed: what
differs there differs in meaning. Every case prints what it counted; ``pytest -s`` shows it.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    If,
    Input,
    Integrator,
    Lif,
    Readout,
)
from spiker_train import Cell, Connection, Layer, SpikingNetwork, from_snntorch

from support.outside import BESIDE, Layered, count, own
from support.places import ROOT

HIDDEN, OUT, CHANNELS, SAMPLES, STEPS = 24, 8, 20, 40, 50


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: a step here is too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def events(seed, samples=SAMPLES):
    """Make binary spikes at random."""
    random = np.random.default_rng(seed)
    return (random.random((samples, STEPS, CHANNELS)) < 0.3).astype(np.uint8)


def test_the_count_by_hand():
    def layered(spikes, potentials, own_spikes, own_potentials):
        traces = (spikes, potentials, own_spikes, own_potentials)
        return Layered(*(np.array(steps)[:, :, None] for steps in traces), np.array([1.0]))

    first = layered(
        [[0, 1], [0, 1]], [[0.5, 0.2], [0.1, 0.3]], [[0, 1], [0, 0]], [[0.5, 0.2], [0.1, 1]]
    )
    second = layered([[1, 0], [0, 0]], [[0, 0], [0, 0.0]], [[0, 0], [0, 1]], [[0.75, 0], [0, 0.0]])
    # The first sample differs in the second layer, by a quarter; the other in the first, by none.
    result = count([first, second])
    assert (result.slots, result.activity, result.samples) == (8, 3 / 8, 2)
    assert (result.different, result.furthest) == (2, 0.25)
    assert count([first]).furthest == 0.0
    # A neuron that the step before left above 1, here at 1.25, is compared with 2.
    twice = layered([[1, 1]], [[1.25, 1.125]], [[1, 0]], [[1.25, 2.125]])
    assert count([replace(twice, snntorch_immediate=True)]).furthest == 0.125
    assert count([twice]).furthest == 1.125


def check(what, counted, exact):
    """Print what was counted, and fail where systems disagree or nothing was to be seen."""
    print(f"\n{what}: {counted}")
    assert counted.slots >= 9000
    assert 0.02 < counted.activity < 0.8
    assert counted.furthest < BESIDE
    assert counted.different <= (0 if exact else counted.samples // 5)


def alone(cell, weights, bias=None, delay=0, recurrent=None):
    """Make a network of one layer in double precision."""
    size, channels = weights.shape
    links = [Connection("in", "own", weights, delay=delay)]
    if recurrent is not None:
        links.append(Connection("own", "own", recurrent, delay=1))
    net = SpikingNetwork(
        [Input("in", channels)],
        [Layer("own", size, cell, False if bias is None else bias)],
        links,
        [Readout("own", "count" if cell.spiking else "last")],
    ).double()
    with torch.no_grad():  # as they are: a network is made in single precision
        for connection, matrix in zip(net.connections, (weights, recurrent), strict=False):
            connection.weights.copy_(torch.as_tensor(matrix))
        if bias is not None:
            net.layers[0].bias.copy_(torch.as_tensor(bias))
    return net


# -- snnTorch ------------------------------------------------------------------------------------


def by_snntorch(parts, x, dtype):
    """Run linear maps and neurons by turns; return spikes and potentials of each neuron layer."""
    current = torch.as_tensor(x, dtype=dtype)
    neurons = [part for part in parts if not isinstance(part, nn.Linear)]
    state = dict.fromkeys(neurons, None)
    seen = {layer: ([], []) for layer in neurons}
    with torch.no_grad():
        for step in current.unbind(1):
            signal = step
            for part in parts:
                if isinstance(part, nn.Linear):
                    signal = part(signal)
                    continue
                if state[part] is None:
                    membrane = part.reset_mem()
                    membrane = membrane if isinstance(membrane, tuple) else (membrane,)
                    state[part] = [torch.zeros_like(signal) for _ in membrane]
                # A spike of snnTorch is in single precision, whatever the potential is in.
                results = [tensor.to(dtype) for tensor in part(signal, *state[part])]
                recurrent = type(part).__name__.startswith("R")
                state[part] = results if recurrent else results[1:]
                signal = results[0]
                for kept, value in zip(seen[part], (results[0], results[-1]), strict=True):
                    kept.append(value)
    return [tuple(torch.stack(steps, 1).numpy() for steps in seen[layer]) for layer in neurons]


def neuron(kind, size, spread, all_to_all, **more):
    """Make neurons of snnTorch, with a value for each of them or one for all."""
    snntorch = pytest.importorskip("snntorch")

    def setting(low, high):
        return torch.linspace(low, high, size)[torch.randperm(size)] if spread else high

    options = {"beta": setting(0.3, 0.93), "threshold": setting(0.5, 1.1), **more}
    if "Synaptic" in kind:
        options["alpha"] = setting(0.1, 0.7)
    if kind.startswith("R"):
        options["all_to_all"] = all_to_all
        if all_to_all:
            options["linear_features"] = size
        else:
            options["V"] = setting(-0.8, 0.4)
    if spread:
        options |= {"learn_beta": True, "learn_threshold": True}
    return getattr(snntorch, kind)(**options)


def model(kind, all_to_all=True, **more):
    """Make two layers, the first with parameters of each neuron, that it learns."""
    torch.manual_seed(len(kind) + 7 * all_to_all)
    first = nn.Linear(CHANNELS, HIDDEN)
    second = nn.Linear(HIDDEN, OUT, bias=False)
    with torch.no_grad():
        first.weight.mul_(3.0)
        second.weight.mul_(4.0)
    module = nn.Sequential(
        first,
        neuron(kind, HIDDEN, True, all_to_all, **more),
        second,
        neuron(kind, OUT, False, all_to_all, **more),
    )
    with torch.no_grad():
        for name, value in module.named_parameters():
            if name.endswith("bias"):  # two are added, which single precision shall hold
                value.copy_(torch.round(value * 1024) / 1024)
    return module


def against_snntorch(module, net, dtype, what, samples=SAMPLES):
    """Compare a model of snnTorch with a network of ours, spike for spike."""
    module, net = module.to(dtype), net.to(dtype)
    x = events(3, samples)
    seen = by_snntorch(list(module), x, dtype)
    actual = own(net, x, ["layer1", "layer2"])
    neurons = [part for part in module if not isinstance(part, nn.Linear)]
    twice = neurons[0].reset_mechanism == "subtract" and not neurons[0].reset_delay
    twice = twice and type(neurons[0]).__name__ != "RSynaptic"
    layers = [
        Layered(*theirs, *ours, layer.threshold.detach().numpy(), twice)
        for theirs, ours, layer in zip(seen, actual.values(), neurons, strict=True)
    ]
    result = count(layers)
    check(what, result, exact=dtype is torch.float64)
    if twice:  # which makes a difference in many steps
        high = np.concatenate([
            (layer.potentials > layer.threshold).reshape(-1) for layer in layers
        ])
        assert 0.02 < high.mean() < 0.5
    if dtype is torch.float64:
        for layer in layers:
            assert np.abs(layer.potentials - layer.own_potentials).max() < 1e-12


CASES = [
    (kind, all_to_all, reset, delay)
    for kind in ("Leaky", "Synaptic", "RLeaky", "RSynaptic")
    for all_to_all in ([True, False] if kind.startswith("R") else [True])
    for reset in ("subtract", "zero", "none")
    for delay in (True, False)
    if kind != "RSynaptic" or delay
]


def label(kind, all_to_all, reset, delay):
    """Name a case."""
    ways = (", all to all" if all_to_all else ", one to one") if kind.startswith("R") else ""
    return f"{kind}{ways}, {reset}, reset_delay={delay}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: label(*case))
def test_imported_network_spikes_as_in_snntorch(case, dtype):
    kind, all_to_all, reset, delay = case
    module = model(kind, all_to_all, reset_mechanism=reset, reset_delay=delay)
    net = from_snntorch(module)
    assert net.layers[0].cell.learned[:2] == ("threshold", "decay")
    against_snntorch(module, net, dtype, f"{label(*case)}, {dtype}")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: label(*case))
def test_many_samples_spike_as_in_snntorch(case):
    kind, all_to_all, reset, delay = case
    module = model(kind, all_to_all, reset_mechanism=reset, reset_delay=delay)
    net = from_snntorch(module)
    what = f"{label(*case)}, {torch.float32}"
    against_snntorch(module, net, torch.float32, what, samples=4000)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("all_to_all", [True, False])
def test_second_order_recurrence_of_snntorch_always_resets_late(reset, all_to_all):
    module = model("RSynaptic", all_to_all, reset_mechanism=reset, reset_delay=True)
    net = from_snntorch(module)
    for part in module:
        if not isinstance(part, nn.Linear):
            part.reset_delay = False
    what = label("RSynaptic", all_to_all, reset, False)
    against_snntorch(module, net, torch.float64, f"{what}, float64")
    module[1].init_hidden = True
    with pytest.raises(TypeError):
        module[1](torch.zeros(1, HIDDEN, dtype=torch.float64))


def test_a_potential_above_the_threshold_after_a_reset_by_hand():
    snntorch = pytest.importorskip("snntorch")
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.5)
    module = nn.Sequential(layer, snntorch.Leaky(beta=0.5, reset_delay=False))
    x = np.array([[[5], [1], [1], [1]]])
    ((spikes, potentials),) = by_snntorch(list(module), x, torch.float32)
    # 2.5 gives up 1; then 1.25 is tested as 0.25, and is kept; then 1.125 is tested as 0.125.
    assert spikes.ravel().tolist() == [1, 0, 0, 0]
    assert potentials.ravel().tolist() == [1.5, 1.25, 1.125, 1.0625]
    result = own(from_snntorch(module, values=(0, 5)), x, ["layer1"])["layer1"]
    assert result[0].ravel().tolist() == [1, 0, 0, 0]
    assert result[1].ravel().tolist() == [1.5, 1.25, 1.125, 1.0625]


@pytest.mark.parametrize(
    "kind, tested",
    [
        # Input 1.5, 0.75, 0.75 and 0.75, threshold 1: the input after the spike is kept ...
        ("Leaky", [1.5, 0.75, 1.125, 0.75]),
        # ... or lost.
        ("Lapicque", [1.5, 0.0, 0.75, 1.125]),
        ("RLeaky", [1.5, 0.0, 0.75, 1.125]),
        ("Synaptic", [1.5, 0.0, 0.75, 1.125]),
        ("RSynaptic", [1.5, 0.0, 0.75, 1.125]),
    ],
)
def test_a_late_reset_to_zero_by_hand(kind, tested):
    snntorch = pytest.importorskip("snntorch")
    options = {"beta": 0.5, "reset_mechanism": "zero"}
    scale = 1.0
    if kind == "Lapicque":
        options = {"R": 1, "C": 2, "reset_mechanism": "zero"}
        scale = 2.0
    if "Synaptic" in kind:
        options["alpha"] = 0.0
    if kind.startswith("R"):
        options |= {"all_to_all": False, "V": 0.0}
    linear = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        linear.weight.fill_(0.75 * scale)
    parts = [linear, getattr(snntorch, kind)(**options)]
    x = np.array([[[2], [1], [1], [1]]])
    ((spikes, potentials),) = by_snntorch(parts, x, torch.float32)
    assert potentials.ravel().tolist() == tested
    assert spikes.ravel().tolist() == [float(case > 1) for case in tested]
    net = from_snntorch(nn.Sequential(*parts), values=(0, 2))
    result = own(net, x, ["layer1"])["layer1"]
    assert result[0].tolist() == spikes.tolist()
    assert result[1].tolist() == potentials.tolist()


def test_a_recurrent_spike_arrives_in_the_next_step():
    snntorch = pytest.importorskip("snntorch")
    linear = nn.Linear(2, 2, bias=False)
    ring = snntorch.RLeaky(beta=0.0, linear_features=2, reset_mechanism="none")
    with torch.no_grad():
        linear.weight.copy_(2 * torch.eye(2))
        ring.recurrent.weight.copy_(torch.tensor([[0.0, 2.0], [2.0, 0.0]]))
        ring.recurrent.bias.copy_(torch.tensor([0.25, -0.25]))
    x = np.zeros((1, 5, 2), int)
    x[0, 1, 0] = 1
    module = nn.Sequential(linear, ring)
    ((spikes, potentials),) = by_snntorch(list(module), x, torch.float32)
    assert spikes[0].tolist() == [[0, 0], [1, 0], [0, 1], [1, 0], [0, 1]]
    result = own(from_snntorch(module), x, ["layer1"])["layer1"]
    assert result[0].tolist() == spikes.tolist()
    assert result[1].tolist() == potentials.tolist()


# -- the equations of NIR ------------------------------------------------------------------------

# Pedersen et al., Nature Communications 15, 8122 (2024), table 1, each with a step of forward
# Euler: x(t + dt) = x(t) + dt * dx/dt. A spike is a test of the new potential.

DT = 1e-3


def parameters(seed):
    """Draw what NIR's nodes have, for each neuron."""
    random = np.random.default_rng(seed)
    return {
        "tau": random.uniform(3e-3, 2e-2, HIDDEN),
        "tau_syn": random.uniform(2e-3, 1e-2, HIDDEN),
        "r": random.uniform(0.5, 2.0, HIDDEN),
        "v_leak": random.uniform(-0.2, 0.3, HIDDEN),
        "v_threshold": random.uniform(0.4, 0.9, HIDDEN),
        "v_reset": random.uniform(-0.3, 0.2, HIDDEN),
        "w_in": random.uniform(0.5, 2.0, HIDDEN),
        "weight": random.normal(0.1, 1.0, (HIDDEN, CHANNELS)),
    }


def euler(node, n, reset, x, order):
    """Integrate a node of NIR; return spikes and potentials."""
    v = np.zeros((len(x), HIDDEN))
    current = np.zeros_like(v)
    spikes, potentials = [], []
    for step in np.moveaxis(x, 1, 0):
        arriving = step @ n["weight"].T
        flows = arriving
        if node == "CubaLIF":
            before = current
            current = current + DT / n["tau_syn"] * (n["w_in"] * arriving - current)
            flows = current if order == "new current" else before
        if node in {"I", "IF"}:
            v = v + DT * n["r"] * flows
        else:
            v = v + DT / n["tau"] * ((n["v_leak"] - v) + n["r"] * flows)
        fired = v > n["v_threshold"] if node in {"LIF", "IF", "CubaLIF"} else np.zeros_like(v) > 0
        v = np.where(fired, v - n["v_threshold"] if reset == "subtract" else n["v_reset"], v)
        spikes.append(fired.astype(float))
        potentials.append(v)
    return np.stack(spikes, 1), np.stack(potentials, 1)


def ours(node, n, reset, order):
    """Make the network that computes a node of NIR."""
    options = {}
    if node in {"LIF", "IF", "CubaLIF"}:
        options = {"threshold": n["v_threshold"], "reset": reset}
        if reset == "value":
            options["reset_value"] = n["v_reset"]
    leak = {} if node in {"I", "IF"} else {"decay": 1 - DT / n["tau"]}
    kind = {"LIF": Lif, "IF": If, "CubaLIF": CurrentLif, "LI": Integrator, "I": Accumulator}[node]
    gain, bias = DT * n["r"], None
    if leak:
        gain, bias = gain / n["tau"], DT / n["tau"] * n["v_leak"]
    if node == "CubaLIF":
        # The current in units of the potential that it adds, so that v_leak meets it at rest.
        options["current_decay"] = 1 - DT / n["tau_syn"]
        gain = gain * DT / n["tau_syn"] * n["w_in"]
        options["i"] = bias
        bias = bias * DT / n["tau_syn"]
    cell = Cell(kind, **leak, **options)
    return alone(cell, gain[:, None] * n["weight"], bias, int(order == "old current"))


@pytest.mark.parametrize(
    "node, reset, order",
    [
        ("LIF", "value", None),
        ("LIF", "subtract", None),
        ("IF", "value", None),
        ("IF", "subtract", None),
        ("CubaLIF", "value", "new current"),
        ("CubaLIF", "value", "old current"),
        ("CubaLIF", "subtract", "new current"),
        ("LI", None, None),
        ("I", None, None),
    ],
)
def test_the_equations_of_nir(node, reset, order):
    x = events(5)
    n = parameters(2)
    if node in {"I", "IF"}:
        n["r"] = n["r"] / 10e-3  # no time constant divides it
    spikes, potentials = euler(node, n, reset, x, order)
    net = ours(node, n, reset, order)
    if reset is None:
        with torch.no_grad():
            actual = net(x, record=["own.v"])
        off = np.abs(actual.states["own.v"].numpy() - potentials).max()
        print(f"\n{node}: {potentials.size} potentials, at most {off:.1e} apart")
        assert np.abs(potentials).max() > 0.5
        assert off < 1e-12
        return
    actual = own(net, x, ["own"])["own"]
    layer = Layered(spikes, potentials, *actual, n["v_threshold"])
    result = count([layer])
    check(f"NIR {node}, {reset}{', ' + order if order else ''}, float64", result, exact=True)
    assert np.abs(actual[1] - potentials).max() < 1e-12


# -- Norse ---------------------------------------------------------------------------------------

# What Norse 1.1.0 answered: norse_answers.py wrote it down.
NORSE = json.loads((ROOT / "tests/support/norse_answers.json").read_text())


def norse_network(name):
    """Make the network that computes a cell of Norse."""
    cell = NORSE["cells"][name]
    p = {key: np.array(value) for key, value in cell["parameters"].items()}
    weights, dt, delay, bias, recurrent = np.array(cell["weights"]), NORSE["dt"], 0, None, None
    options = {}
    if "v_th" in p:
        options = {"threshold": p["v_th"], "reset": "value", "reset_value": p["v_reset"]}
    if name == "iaf":
        return alone(Cell(If, **options), weights)
    rate = dt * p["tau_mem_inv"]
    options["decay"] = 1 - rate
    weights, bias = rate[:, None] * weights, rate * p["v_leak"]
    kind = Lif
    if name in {"lif_feed_forward", "lif_recurrent"}:
        # The current in units of the potential that it adds, so that v_leak meets it at rest.
        kind = CurrentLif
        options |= {"current_decay": 1 - dt * p["tau_syn_inv"], "i": bias}
        bias = bias * dt * p["tau_syn_inv"]
    if cell["recurrent"] is not None:
        recurrent = rate[:, None] * np.array(cell["recurrent"])
    if name == "li_box":
        kind = Integrator
    if name == "lsnn":
        # Norse lets the rise decay before it tests: a rise that has already decayed once.
        kind, delay, bias = AdaptiveLif, 1, None
        stay = 1 - dt * p["tau_adapt_inv"]
        options |= {"reset": "zero", "rise": p["beta"] * stay, "rise_decay": stay}
        del options["reset_value"]
    return alone(Cell(kind, **options), weights, bias, delay, recurrent)


@pytest.mark.parametrize("name", NORSE["cells"])
def test_cells_of_norse(name):
    cell = NORSE["cells"][name]
    net, x = norse_network(name), np.array(NORSE["events"])
    potentials = np.array(cell["potentials"])
    with torch.no_grad():
        actual = net(x, record=["own.v"])
    off = np.abs(actual.states["own.v"].numpy() - potentials).max()
    assert np.ptp(potentials) > 1
    assert off < 1e-9  # Norse's are rounded to ten digits
    if cell["spikes"] is None:
        print(f"\nNorse {name}: {potentials.size} potentials, at most {off:.1e} apart")
        return
    spikes = np.array(cell["spikes"], dtype=float)
    own_spikes = actual.spikes["own"].numpy()
    layer = Layered(spikes, potentials, own_spikes, actual.states["own.v"].numpy(), np.zeros(6))
    result = count([layer])
    print(f"\nNorse {name}, float64: {result}")
    assert 0.02 < result.activity < 0.8
    assert result.different == 0
