"""Tests of synapses with a step of their own: by hand, against exact solutions, pooled and not."""

import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from spiker_hdl.model import Accumulator, CurrentLif, Decay, Input, Lif, Readout, parameter, state
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FirstOrder,
    Layer,
    SecondOrder,
    SpikingNetwork,
    Summed,
    SynapseKind,
    Tau,
    Wire,
)

MS = 1e-3


def network(dynamics, weights=((1.0,),), cell=None, **options):
    """Return a network of one connection, named "wire", in float64."""
    weights = np.asarray(weights)
    target, source = weights.shape[0], weights.shape[-1]
    return SpikingNetwork(
        [Input("in", source, 0, 9)],
        [Layer("out", target, Cell(Accumulator) if cell is None else cell)],
        [Connection("in", "out", weights, dynamics=dynamics, name="wire", **options)],
        [Readout("out", "last")],
    ).double()


def current(net, x, **options):
    with torch.no_grad():
        outcome = net(x.double(), record=["wire.current"], **options)
    return outcome.states["wire.current"]


def pulse(steps, at=0):
    x = torch.zeros(1, steps, 1)
    x[0, at] = 1
    return x


def test_first_order_decays_exactly_under_any_plan():
    net = network(FirstOrder(Tau(5 * MS)), [[3.0]])
    plan = [(0.1 * MS, 4), (1 * MS, 5), (3 * MS, 4)]
    outcome = net(pulse(13), plan=plan, record=["wire.current"])
    after = torch.from_numpy(outcome.ends - outcome.ends[0])
    expected = 3 * torch.exp(-after / (5 * MS))
    assert torch.allclose(outcome.states["wire.current"].flatten(), expected, rtol=1e-13)


def test_charge_is_the_exact_integral_over_the_step_under_any_plan():
    net = network(FirstOrder(Tau(5 * MS), output="charge"), [[3.0]])
    plan = [(0.1 * MS, 4), (1 * MS, 5), (3 * MS, 4)]
    with torch.no_grad():
        outcome = net(pulse(13), plan=plan, record=["wire.current"])
    begin, end = (torch.from_numpy(t) / (5 * MS) for t in (outcome.times, outcome.ends))
    expected = 3 * 5 * MS * (torch.exp(-begin) - torch.exp(-end))
    assert torch.allclose(outcome.states["wire.current"].flatten(), expected, rtol=1e-12)
    # All of it is the weight times the time constant, whatever the steps.
    total = current(net, pulse(200), dt=1 * MS).sum()
    assert float(total) == pytest.approx(3 * 5 * MS, rel=1e-12)


def test_charge_without_seconds_is_in_steps():
    net = network(FirstOrder(0.5, output="charge"))
    values = current(net, pulse(3)).flatten()
    tau = -1 / np.log(0.5)
    assert values.tolist() == pytest.approx([tau * 0.5, tau * 0.25, tau * 0.125])
    net = network(FirstOrder(1.0, output="charge"))
    assert current(net, pulse(3)).flatten().tolist() == [1, 1, 1]


def test_second_order_is_the_difference_of_two_exponentials():
    kind = SecondOrder(Tau(2 * MS), Tau(8 * MS))
    values = current(network(kind), pulse(30), plan=[(0.5 * MS, 20), (2 * MS, 10)]).flatten()
    time = torch.cat([torch.arange(20.0) * 0.5, 9.5 + torch.arange(1.0, 11) * 2]).double()
    expected = torch.exp(-time / 8) - torch.exp(-time / 2)
    assert torch.allclose(values, expected, rtol=1e-12, atol=1e-15)


def test_normalised_second_order_has_a_peak_of_the_weight():
    kind = SecondOrder(Tau(2 * MS), Tau([8 * MS, 20 * MS]), normalised=True)
    values = current(network(kind, [[3.0], [0.5]]), pulse(1000), dt=0.03 * MS)
    assert values.amax(1).flatten().tolist() == pytest.approx([3, 0.5], rel=1e-4)
    pairs = replace(kind, decay=Tau([[8 * MS], [20 * MS]]))
    assert not pairs.pooled
    other = current(network(pairs, [[3.0], [0.5]]), pulse(1000), dt=0.03 * MS)
    assert torch.allclose(values, other, rtol=1e-12)


def test_charge_of_second_order_is_exact():
    kind = SecondOrder(Tau(2 * MS), Tau(8 * MS), output="charge")
    total = current(network(kind, [[3.0]]), pulse(300), dt=1 * MS).sum()
    assert float(total) == pytest.approx(3 * (8 - 2) * MS, rel=1e-12)


def test_wire_adds_its_bias_once_for_each_target():
    x = torch.tensor([[[1.0, 2], [0, 0]]])
    values = current(network(Wire(bias=[0.5, -1]), [[1.0, 1], [2, 0]]), x)
    assert values.tolist() == [[[3.5, 1], [0.5, -1]]]


def test_sum_of_kinds_is_the_sum_of_their_currents():
    x = torch.from_numpy((np.random.default_rng(0).random((3, 20, 4)) < 0.4) * 1.0)
    weights = np.random.default_rng(1).normal(size=(2, 4))
    kinds = [FirstOrder(Tau(2 * MS)), SecondOrder(Tau(1 * MS), Tau(9 * MS), gain=[0.5, 2.0])]
    parts = [current(network(kind, weights), x, dt=1 * MS) for kind in kinds]
    summed = Summed(*kinds)
    assert summed.states == ("i_0", "slow_1", "fast_1")
    assert torch.allclose(current(network(summed, weights), x, dt=1 * MS), sum(parts), rtol=1e-12)
    pairs = Summed(*kinds, per_pair=True)
    assert torch.allclose(current(network(pairs, weights), x, dt=1 * MS), sum(parts), rtol=1e-12)
    assert torch.allclose(current(network(Summed(), weights), x), x @ torch.tensor(weights).T)


def random_kind(random, targets):
    tau = [Tau(random.uniform(1, 9) * MS), Tau(random.uniform(1, 9, targets) * MS)]
    slow = [Tau(random.uniform(10, 30) * MS), Tau(random.uniform(10, 30, targets) * MS)]
    gain = [1.0, random.normal(), random.normal(size=targets)][random.integers(3)]
    output = ["current", "charge"][random.integers(2)]
    first = FirstOrder(tau[random.integers(2)], gain=gain, output=output)
    second = SecondOrder(
        tau[random.integers(2)],
        slow[random.integers(2)],
        normalised=bool(random.integers(2)),
        gain=gain,
        output=output,
    )
    return [first, second, Summed(first, second)][random.integers(3)]


def test_pooled_equals_per_pair_in_100_random_cases():
    random = np.random.default_rng(0)
    for case in range(100):
        targets, sources = random.integers(1, 5, 2)
        kind = random_kind(random, targets)
        if isinstance(kind, Summed):
            pairs = Summed(*kind.kinds, per_pair=True)
        else:
            pairs = replace(kind, per_pair=True)
        assert (kind.pooled, pairs.pooled) == (True, False)
        weights = random.normal(size=(targets, sources))
        arrangement = [{}, {"kind": "sparse", "mask": random.random(weights.shape) < 0.6}]
        options = arrangement[random.integers(2)]
        x = torch.from_numpy(random.integers(0, 3, (2, 6, sources)) * 1.0)
        plan = [(float(random.integers(1, 9)) * 1e-4, 3), (float(random.integers(1, 5)) * MS, 3)]
        pooled = current(network(kind, weights, **options), x, plan=plan)
        each = current(network(pairs, weights, **options), x, plan=plan)
        bound = 1e-12 * max(float(pooled.abs().max()), 1e-300)
        assert float((pooled - each).abs().max()) <= bound, case


def test_parameters_of_pairs_are_kept_for_each_pair():
    tau = np.array([[1.0, 5.0], [2.0, 9.0]]) * MS
    weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    x = torch.zeros(1, 4, 2)
    x[0, 0] = torch.tensor([1.0, 1.0])
    net = network(FirstOrder(Tau(tau)), weights)
    with torch.no_grad():
        outcome = net(x, dt=1 * MS, record=["wire.current"])
    assert outcome.after.synapses["wire"]["i"].shape == (1, 2, 2)
    time = np.arange(4)[:, None, None] * MS
    expected = (weights * np.exp(-time / tau)).sum(-1)
    assert outcome.states["wire.current"][0].numpy() == pytest.approx(expected)


def test_parameters_of_samples_sweep_along_the_batch():
    tau = np.array([2.0, 5.0, 9.0]) * MS
    x = pulse(5).expand(3, -1, -1)
    net = network(FirstOrder(Tau(tau[:, None, None]), gain=np.array([1.0, 2, 3])[:, None, None]))
    values = current(net, x, dt=1 * MS)[:, :, 0]
    expected = np.array([[1.0], [2], [3]]) * np.exp(-np.arange(5) * MS / tau[:, None])
    assert values.numpy() == pytest.approx(expected)
    with pytest.raises(ValueError, match="'wire' have parameters for 3 samples"):
        net(pulse(5), dt=1 * MS)


def test_values_are_drawn_when_the_network_is_made():
    def draw(rng, shape):
        return rng.uniform(1, 9, shape) * MS

    pooled = network(FirstOrder(Tau(draw)), np.ones((3, 2)))
    again = network(FirstOrder(Tau(draw)), np.ones((3, 2)))
    pairs = network(FirstOrder(Tau(draw), per_pair=True), np.ones((3, 2)))
    kinds = [net.connections[0].dynamics for net in (pooled, again, pairs)]
    assert [kind.tau.picoseconds.shape for kind in kinds] == [(3,), (3,), (3, 2)]
    assert kinds[0].tau == kinds[1].tau


def test_several_kinds_reach_one_population_and_names_tell_them_apart():
    net = SpikingNetwork(
        [Input("fast", 2), Input("slow", 2)],
        [Layer("out", 3, Cell(Lif, threshold=1.0, decay=Tau(20 * MS)))],
        [
            Connection("fast", "out", dynamics=FirstOrder(Tau(2 * MS))),
            Connection("slow", "out", dynamics=SecondOrder(Tau(5 * MS), Tau(50 * MS))),
            Connection("fast", "out", name="plain"),
        ],
        [Readout("out", "count")],
    ).double()
    x = {name: torch.ones(2, 6, 2) for name in ("fast", "slow")}
    names = ["fast->out.current", "slow->out.current", "plain.current", "out.current"]
    states = ["fast->out.i", "slow->out.slow", "slow->out.fast", "out.v"]
    with torch.no_grad():
        values = net(x, dt=1 * MS, record=names + states).states
    assert torch.allclose(values[names[3]], sum(values[name] for name in names[:3]), rtol=1e-12)
    assert torch.equal(values["fast->out.i"], values["fast->out.current"])
    with pytest.raises(ValueError, match=re.escape("not 'fast->out.slow'")):
        net(x, dt=1 * MS, record=["fast->out.slow"])


def test_first_order_into_lif_is_current_lif_in_floating_point():
    weights = np.random.default_rng(2).normal(size=(3, 4))
    x = torch.from_numpy((np.random.default_rng(3).random((4, 30, 4)) < 0.4) * 1.0)
    options = {"threshold": 0.8, "decay": Tau(20 * MS), "refractory": Duration(2 * MS)}
    tau = Tau(5 * MS)
    split = network(FirstOrder(tau), weights, Cell(Lif, **options))
    whole = network(None, weights, Cell(CurrentLif, current_decay=tau, **options))
    with torch.no_grad():
        first, second = (net(x, dt=1 * MS, record=["out.v"]) for net in (split, whole))
    assert first.spikes["out"].any()
    assert torch.equal(first.spikes["out"], second.spikes["out"])
    assert torch.equal(first.states["out.v"], second.states["out.v"])


@dataclass(frozen=True)
class Depressing(SynapseKind):
    """A kind of one's own: each event takes a share of what is left, which recovers."""

    recovery: Decay
    share: Any = parameter(32, default=0.5)
    used: Any = state(32)

    def step(self, p, s, x, via):
        used = via.decay(s.used, p.recovery)
        current = x * (1 - used)
        return current, {"used": via.select(x > 0, used + p.share * (1 - used), used)}


@dataclass(frozen=True)
class Tail(SynapseKind):
    """A linear kind of one's own, with its own name for the gain of its weights."""

    linear: ClassVar[bool] = True

    fall: Decay
    strength: Any = parameter(32, default=2.0)
    y: Any = state(32)

    def weight_gain(self, p):
        return p.strength

    def step(self, p, s, x, via):
        y = via.decay(s.y, p.fall) + x
        return y, {"y": y}


def test_kind_of_ones_own_is_a_dataclass_and_a_step():
    x = torch.tensor([[[1.0, 0], [1, 1], [0, 1]]])
    net = network(Depressing(Tau(1.0)), [[1.0, 4.0]])
    values = current(net, x, dt=1e-6).flatten()
    assert values.tolist() == pytest.approx([1, 0.5 + 4, 2], rel=1e-5)
    net = network(Tail(0.5), [[1.0]])
    assert current(net, pulse(3)).flatten().tolist() == [2, 1, 0.5]
    assert torch.allclose(
        current(network(Tail(0.5, per_pair=True)), pulse(3)), current(net, pulse(3))
    )


@dataclass(frozen=True)
class Leaking(SynapseKind):
    """A kind of one's own that is not linear, and brings a current without any event."""

    def step(self, p, s, x, via):
        return x * x + 1, {}


def test_pair_that_a_sparse_connection_lacks_brings_no_current():
    weights = [[2.0, 3.0], [4.0, 5.0]]
    net = network(Leaking(), weights, kind="sparse", mask=[[1, 0], [1, 1]])
    assert current(net, torch.tensor([[[1.0, 1]]])).tolist() == [[[5, 17 + 26]]]


def test_gradients_reach_weights_through_dynamics():
    net = network(SecondOrder(Tau(1 * MS), Tau(5 * MS), gain=2.0), [[1.0]])
    outcome = net(pulse(4), dt=1 * MS)
    outcome.logits.sum().backward()
    assert float(net.connections[0].weights.grad) == pytest.approx(float(outcome.logits.detach()))


BAD = {
    "tau": (lambda: FirstOrder(1.5), ValueError, "FirstOrder tau factor must be in 0..1, not 1.5"),
    "negative": (lambda: FirstOrder(Tau(-1)), ValueError, "Time constant must be a positive"),
    "duration": (
        lambda: FirstOrder(Duration(1)),
        TypeError,
        "FirstOrder tau must be a Tau, a factor or a Decay, not Duration(1.0)",
    ),
    "gain": (
        lambda: FirstOrder(0.5, gain=float("nan")),
        ValueError,
        "FirstOrder gain must be finite, not nan",
    ),
    "output": (
        lambda: FirstOrder(0.5, output="voltage"),
        ValueError,
        "FirstOrder output must be one of 'current', 'charge', not 'voltage'",
    ),
    "order": (
        lambda: SecondOrder(Tau(5e-3), Tau(5e-3)),
        ValueError,
        "SecondOrder rise must be shorter than its decay, not Tau(0.005) with Tau(0.005)",
    ),
    "sorts": (
        lambda: SecondOrder(0.5, Tau(5e-3)),
        TypeError,
        "SecondOrder rise and decay must both be in seconds, or neither, not 0.5 and Tau(0.005)",
    ),
    "wire": (
        lambda: Wire(bias=np.ones((2, 2))),
        ValueError,
        "Wire bias must be one value or one per target, not one per pair",
    ),
    "summed": (lambda: Summed(3), TypeError, "Summed kind must be a SynapseKind, not 3"),
    "dynamics": (
        lambda: Connection("a", "b", dynamics=0.5),
        TypeError,
        "Dynamics of 'a->b' must be a SynapseKind such as FirstOrder, not 0.5",
    ),
    "shape": (
        lambda: network(FirstOrder(Tau([1e-3, 2e-3])), [[1.0]]),
        ValueError,
        "Connection 'wire': FirstOrder tau must be one value, (1,), (1, 1) or (samples, 1, 1) of "
        "them, not (2,)",
    ),
    "grid": (
        lambda: network(FirstOrder(0.5, gain=2.0), [[1.0]], grid=1.0),
        ValueError,
        "Connection 'wire': grid must be None where dynamics have a gain",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_kind_is_refused(case):
    make, error, text = BAD[case]
    with pytest.raises(error, match=re.escape(text)):
        make()


def test_step_that_forgets_a_state_is_refused():
    @dataclass(frozen=True)
    class Forgetful(SynapseKind):
        y: Any = state(32)

        def step(self, p, s, x, via):
            return x, {}

    with pytest.raises(ValueError, match=r"The step of Forgetful must return the states \['y'\]"):
        current(network(Forgetful()), pulse(2))
