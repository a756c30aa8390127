"""Tests of the step on tensors: against integers, its gradients, and what it refuses."""

from dataclasses import dataclass, field
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from spiker_hdl.model import (
    INTEGERS,
    AdaptiveLif,
    CurrentLif,
    Decay,
    If,
    Input,
    Integrator,
    Lif,
    Neuron,
    Readout,
    load,
    parameter,
    reference,
    state,
)
from spiker_train import (
    Cell,
    Connection,
    FastSigmoid,
    FloatingPoint,
    Layer,
    Quantization,
    SpikingNetwork,
    Tensors,
    TrainingOptions,
    quantize,
    train,
)

NEURONS = [
    If(width=5, threshold=7),
    Lif(width=6, threshold=0, decay=Decay.shift(2), fire=">="),
    Lif(width=6, threshold=-9, decay=Decay.shifts(1, 3), reset="zero", reset_timing="next_step"),
    Lif(width=6, threshold=9, decay=Decay(77, 8), refractory=2, floor=-5),
    Lif(width=5, threshold=3, decay=Decay(1, 0), reset="value", reset_value=-4),
    CurrentLif(width=4, threshold=3, decay=Decay(3, 4), current_decay=Decay(1, 2), current_width=4),
    AdaptiveLif(width=5, threshold=3, decay=Decay(3, 4), rise=2, rise_decay=Decay(1, 3)),
    Integrator(width=7, decay=Decay(5, 6)),
]


@pytest.mark.parametrize("neuron", NEURONS, ids=lambda neuron: type(neuron).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_compute_the_same_as_integers_in_every_state(neuron, dtype):
    ranges = [range(declared.low, declared.high + 1) for declared in neuron.states.values()]
    cases = [*product(*ranges, [-40, -7, -1, 0, 1, 2, 9, 40])]
    columns = [torch.tensor(values, dtype=dtype) for values in zip(*cases, strict=True)]
    p = neuron.bind({
        name: torch.tensor(float(tensor.value), dtype=dtype)
        for name, tensor in neuron.parameters.items()
    })
    s = SimpleNamespace(**dict(zip(neuron.states, columns, strict=False)))
    fired, after = neuron.step(p, s, columns[-1], Tensors(dtype=dtype))
    plain = neuron.bind({name: tensor.value for name, tensor in neuron.parameters.items()})
    seen = set()
    for n, case in enumerate(cases):
        states = SimpleNamespace(**dict(zip(neuron.states, case, strict=False)))
        expected, then = neuron.step(plain, states, case[-1], INTEGERS)
        seen.add(expected)
        if neuron.spiking:
            assert fired[n] == expected
        for name, value in then.items():
            got = after[name] if after[name].ndim == 0 else after[name][n]
            assert got == value, (name, case)
    assert seen == ({False, True} if neuron.spiking else {None})


@pytest.mark.parametrize("threshold", [-20, 0, 20])
@pytest.mark.parametrize("rule", ["above", "reaches"])
def test_spike_has_the_gradient_of_its_surrogate_at_every_threshold(threshold, rule):
    v = torch.tensor([threshold - 5.0, threshold, threshold + 5.0], requires_grad=True)
    fired = getattr(Tensors(FastSigmoid(2.0), scale=0.5), rule)(v, threshold)
    assert fired.tolist() == [0, rule == "reaches", 1]
    fired.sum().backward()
    # In real units the distances are -2.5, 0 and 2.5, with the edge a quarter away from zero.
    away = 0.25 if rule == "above" else -0.25
    expected = [0.5 / (1 + abs(x - away) / 2) ** 2 for x in (-2.5, 0, 2.5)]
    np.testing.assert_allclose(v.grad.numpy(), expected, 1e-6)


def test_rounding_and_reset_pass_the_gradient_of_the_potential():
    neuron = Lif(width=8, threshold=20, decay=Decay.shift(2))
    v = torch.tensor([-30.0, 10.0, 100.0], requires_grad=True)
    rest = torch.zeros(3)
    p = neuron.bind({"threshold": 20.0, "reset_value": 0.0, "decay": 1.0})
    s = SimpleNamespace(v=v, countdown=rest, pending=rest)
    _, after = neuron.step(p, s, torch.zeros(3), Tensors())
    after["v"].sum().backward()
    assert after["v"].tolist() == [-22, 8, 55]
    assert v.grad.tolist() == [0.75, 0.75, 0.75]


@pytest.mark.parametrize("via", [Tensors(), FloatingPoint()])
def test_tests_combine_with_and_without_gradients(via):
    a = torch.tensor([0.0, 0.0, 1.0, 1.0])
    b = torch.tensor([0.0, 1.0, 0.0, 1.0])
    for x in (a, a.bool()):
        for y in (b, b.bool()):
            assert via.both(x, y).tolist() == [0, 0, 0, 1]
            assert via.either(x, y).tolist() == [0, 1, 1, 1]
        assert via.invert(x).tolist() == [1, 1, 0, 0]
        assert via.select(x, 5, b).tolist() == [0, 1, 5, 5]
    assert via.maximum(a, b).tolist() == [0, 1, 1, 1]
    assert via.clamp(a * 9 - 4, -2, b).tolist() == [-2, -2, 0, 1]


def test_floating_point_does_not_saturate():
    assert FloatingPoint().saturate(torch.tensor(1e6), -128, 127) == 1e6
    assert FloatingPoint().shift(torch.tensor(3.0), 1) == 1.5
    assert Tensors().saturate(torch.tensor(1e6), -128, 127) == 127


@pytest.mark.parametrize("name", ["fast_sigmoid", "atan", "sigmoid", "triangular"])
def test_surrogates_of_snntorch_serve(name):
    surrogate = pytest.importorskip("snntorch.surrogate")
    v = torch.tensor([18.0, 20.0, 21.0], requires_grad=True)
    fired = Tensors(getattr(surrogate, name)(), scale=0.1).above(v, 20)
    assert fired.tolist() == [0, 0, 1]
    fired.sum().backward()
    assert torch.isfinite(v.grad).all()
    assert v.grad.abs().sum() > 0


@pytest.mark.parametrize("width", [0, -1.0, float("nan")])
def test_a_surrogate_without_width_is_rejected(width):
    with pytest.raises(ValueError, match=r"^Surrogate width must be positive, not"):
        FastSigmoid(width)


# -- a neuron of the user's own ------------------------------------------------------------------


@dataclass(frozen=True)
class Resonator(Neuron):
    """Fires when a potential that swings passes its threshold, which it then gives up."""

    width: int = field(kw_only=True)
    threshold: Any = parameter("width", scales=True)
    damping: Decay = field(kw_only=True)
    v: Any = state("width")
    w: Any = state("width")

    def step(self, p, s, current, via=INTEGERS):
        low, high = -(2 ** (self.width - 1)), 2 ** (self.width - 1) - 1
        v = via.saturate(via.decay(s.v, p.damping) - via.shift(s.w, 2) + current, low, high)
        w = via.saturate(via.decay(s.w, p.damping) + via.shift(v, 1), low, high)
        fired = via.above(v, p.threshold)
        return fired, {"v": via.saturate(via.select(fired, v - p.threshold, v), low, high), "w": w}


@dataclass(frozen=True)
class Plain(Resonator):
    """The same, with a decision that has no gradient."""

    def step(self, p, s, current, via=INTEGERS):
        _, after = super().step(p, s, current, via)
        return s.v > p.threshold, after


def own(kind):
    return SpikingNetwork(
        [Input("in", 10)],
        [
            Layer("own", 12, Cell(kind, threshold=0.8, damping=0.9, unit=2.0)),
            Layer("out", 2, Cell(Integrator, decay=0.9)),
        ],
        [Connection("in", "own"), Connection("own", "out")],
        [Readout("out", "last")],
    )


def test_a_neuron_of_ones_own_trains_quantises_saves_and_loads(tmp_path):
    net = own(Resonator)
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    chance = np.where(np.arange(10) < 5, labels[:, None], 1 - labels[:, None]) * 0.3 + 0.2
    x = (random.random((200, 6, 10)) < chance[:, None]).astype(np.uint8)
    q = Quantization(4, 10).fit(net)
    history = train(
        net,
        x,
        labels,
        TrainingOptions(epochs=15, batch_size=20, learning_rate=1e-2, progress=False),
        integers=q,
    )
    assert history.losses[-1] < 0.6 * history.losses[0]
    network = quantize(net, q)
    network.save(tmp_path / "own.spiker")
    again = load(tmp_path / "own.spiker", neurons=[Resonator])
    expected = reference.run(again, x, record=["own", "own.v", "own.w"])
    assert expected.counts["own"].sum() > 100
    assert expected.differences(net.run(x, q, record=["own", "own.v", "own.w"])) == []
    assert (expected.classes == labels).mean() > 0.8


@pytest.mark.parametrize("integers", [None, Quantization(4, 10)])
def test_a_decision_without_gradient_is_refused_with_the_remedy(integers):
    with pytest.raises(TypeError, match=r"^The step of Plain must decide who fires by via\.above"):
        own(Plain)(np.zeros((1, 2, 10)), integers)
