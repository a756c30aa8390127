"""Graphs of NIR for tests, and the comparison of one that is read with its equations."""

from itertools import pairwise

import nir
import numpy as np
import torch

from spiker_train import from_nir

from support.nir_reference import integrate

DT = 1e-3
SIZE, CHANNELS, SAMPLES, STEPS = 12, 10, 6, 40


def events(seed, channels=CHANNELS, share=0.3):
    """Make binary spikes at random."""
    return (np.random.default_rng(seed).random((SAMPLES, STEPS, channels)) < share).astype(np.uint8)


def neurons(kind, seed=0, shape=(SIZE,), dt=DT):
    """Draw a node with all its parameters, for each neuron; ``dt`` is its order of time."""
    random = np.random.default_rng(seed)

    def draw(low, high):
        return random.uniform(low, high, shape)

    leak = {"r": draw(0.5, 2.0), "v_leak": draw(-0.2, 0.3)}
    times = {"tau": draw(3, 20) * dt}
    fires = {"v_threshold": draw(0.4, 0.9), "v_reset": draw(-0.3, 0.2)}
    if kind in {"I", "IF"}:
        leak, times = {"r": draw(0.05, 0.2) / dt}, {}
    if kind.startswith("Cuba"):
        times = {"tau_mem": draw(3, 20) * dt, "tau_syn": draw(2, 10) * dt, "w_in": draw(0.5, 4)}
    if kind == "Threshold":
        return nir.Threshold(draw(0.1, 0.9))
    return getattr(nir, kind)(**leak, **times, **(fires if kind.endswith("F") else {}))


def affine(outputs, inputs, seed=1, bias=True):
    """Draw a matrix, with a bias."""
    random = np.random.default_rng(seed)
    weight = random.normal(0.1, 1.0, (outputs, inputs))
    return nir.Affine(weight, random.normal(0, 0.3, outputs)) if bias else nir.Linear(weight)


def graph(*edges, **nodes):
    """Make a graph of nodes by name and edges such as ``"a b c"``, a path."""
    pairs = []
    for path in edges:
        names = path.split()
        pairs += list(pairwise(names))
    return nir.NIRGraph(nodes, pairs)


def chain(node, **more):
    """Make a graph of a matrix and neurons."""
    width = int(np.prod(node.input_type["input"]))
    return graph(
        "x w n y", x=nir.Input([CHANNELS]), w=affine(width, CHANNELS), n=node,
        y=nir.Output(node.input_type["input"]), **more,
    )  # fmt: skip


def compare(nir_graph, x, layers, dt=DT, least=0.01, **options):
    """Read a graph and compare spikes and potentials with its equations; return the network.

    ``layers`` gives for each layer of ours the node of its spikes and that of its potentials.
    """
    writes = {key: options[key] for key in ("rule", "start") if key in options}
    outputs, states = integrate(nir_graph, x, dt, **writes)
    net = from_nir(nir_graph, dt=dt, dtype=torch.float64, **options)
    record = [name for name in layers if net.layer[name].cell.spiking]
    with torch.no_grad():
        actual = net(x, record=record + [f"{name}.v" for name in layers])
    for name, (spikes, potentials) in layers.items():
        if spikes is not None:
            theirs = outputs[spikes].reshape(*outputs[spikes].shape[:2], -1)
            assert least < theirs.mean() < 0.9
            np.testing.assert_array_equal(actual.spikes[name].numpy(), theirs)
        if potentials is not None:
            theirs = states[potentials].reshape(*states[potentials].shape[:2], -1)
            assert np.abs(theirs).max() > 0.3
            np.testing.assert_allclose(actual.states[f"{name}.v"].numpy(), theirs, 0, 1e-10)
    return net
