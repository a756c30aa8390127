"""Tests of networks run by kernels: equal to runs step by step, with their gradients."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import AdaptiveLif, CurrentLif, Input, Integrator, Lif, Readout
from spiker_train import Cell, Connection, FastSigmoid, Layer, Quantization, SpikingNetwork

SAMPLES, STEPS = 5, 11


def network(seed):
    """Make a network with a cycle of two layers, a loop, delays, biases and learned decays."""
    random = np.random.default_rng(seed)
    cell = {"threshold": 1.0, "surrogate": FastSigmoid(float(random.choice([0.1, 0.5])))}
    return SpikingNetwork(
        inputs=[Input("events", 30), Input("graded", 6, 0, 15)],
        layers=[
            Layer("first", 19, Cell(Lif, decay=0.8, learn=["threshold", "decay"], **cell), True),
            Layer("second", 9, Cell(AdaptiveLif, decay=0.8, rise=0.2, rise_decay=0.9, **cell)),
            Layer("third", 9, Cell(CurrentLif, decay=0.9, current_decay=0.5, **cell), True),
            Layer("out", 3, Cell(Integrator, decay=0.9)),
        ],
        connections=[
            Connection("events", "first"),
            Connection("graded", "first", 0.05 * random.standard_normal((19, 6)), delay=2),
            Connection("first", "first", delay=int(random.integers(1, 4))),
            Connection("first", "second"),
            Connection("second", "third", np.full(9, 0.7), kind="one_to_one"),
            Connection("third", "second", mask=random.random((9, 9)) < 0.4, kind="sparse", delay=1),
            Connection("third", "third", np.full(9, 0.3), kind="one_to_one", delay=2),
            Connection("third", "out"),
            Connection("second", "out", delay=STEPS + 3),
        ],
        readouts=[Readout("out", "sum"), Readout("third", "count", name="counts")],
        seed=seed,
    )


def samples(seed):
    random = np.random.default_rng([seed, 1])
    return {
        "events": (random.random((SAMPLES, STEPS, 30)) < 0.3).astype(np.uint8),
        "graded": random.integers(0, 16, (SAMPLES, STEPS, 6)) * (random.random(6) < 0.3),
    }


def outcome(net, x, integers, kernel, record=()):
    """Return scores, spikes and records of a run, and the gradients of all parameters."""
    net.zero_grad()
    result = net(x, integers, record, kernel=kernel)
    assert set(result.kernels.values()) == {kernel}
    generator = torch.Generator().manual_seed(3)
    values = [*result.answers.values(), *result.spikes.values(), *result.states.values()]
    factors = [torch.randn(value.shape, generator=generator) for value in values]
    sum((value * factor).sum() for value, factor in zip(values, factors, strict=True)).backward()
    return values, {name: p.grad for name, p in net.named_parameters()}


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("integers", [None, Quantization(5, 9)], ids=["reals", "integers"])
def test_networks_with_cycles_equal_those_run_step_by_step(seed, integers):
    net = network(seed) if integers is not None else network(seed).double()
    record = ["first.v", "second.a", "third"]
    eager, fused = (outcome(net, samples(seed), integers, k, record) for k in ("eager", "fused"))
    for x, y in zip(eager[0], fused[0], strict=True):
        if integers is None:
            torch.testing.assert_close(y, x, rtol=1e-12, atol=1e-12)
        else:
            assert torch.equal(x, y)
    for name, x in eager[1].items():
        if x is None:
            assert fused[1][name] is None or not fused[1][name].any()
            continue
        tolerance = 1e-5 if integers is not None else 1e-10
        atol = tolerance * float(x.abs().max())
        torch.testing.assert_close(fused[1][name], x, rtol=tolerance, atol=atol)
    assert 0.02 < float(eager[0][2].detach().mean()) < 0.9
