"""Tests of the state of a network: runs that are split, and that start from another's state."""

import re
from dataclasses import replace

import pytest
import torch

from spiker_hdl.model import CurrentLif, Decay, Input, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    Duration,
    FirstOrder,
    Layer,
    NetworkState,
    Quantization,
    SpikingNetwork,
    Tau,
)
from tests.support.equality import (
    assert_equal_gradients,
    assert_equal_runs,
    decisions,
    distances,
    gradients,
    joined,
    near_threshold,
    traces,
)
from tests.support.timed import random_spikes, recordable, timed_network

pytestmark = pytest.mark.filterwarnings("ignore::spiker_train.ImplausibleWarning")

PLAN = [(1e-3, 7), (5e-4, 9), (2e-3, 8)]


def parts_of(plan, at):
    """Return a plan that is split after a number of steps, as two plans."""
    lengths = [dt for dt, count in plan for _ in range(count)]
    return [(dt, 1) for dt in lengths[:at]], [(dt, 1) for dt in lengths[at:]]


@pytest.mark.parametrize("seed", range(2))
def test_run_split_anywhere_equals_the_unsplit_one(seed):
    net, x = timed_network(seed), random_spikes(seed=seed)
    record = recordable(net)
    with torch.no_grad():
        with distances() as seen:
            whole = net(x, plan=PLAN, record=record)
        assert all(spikes.any() for spikes in whole.spikes.values())
        for at in (1, 7, 18):
            first, second = parts_of(PLAN, at)
            begin = net(x[:, :at], plan=first, record=record)
            end = net(x[:, at:], plan=second, record=record, start=begin.after)
            near = near_threshold(seen, len(x))
            assert_equal_runs(traces(whole), joined([begin, end]), near)
            assert end.after.clock == whole.after.clock
            assert end.times.tolist() == whole.times[at:].tolist()


def test_run_in_single_steps_equals_the_unsplit_one():
    net, x = timed_network(5), random_spikes(seed=5, steps=12)
    record = recordable(net)
    with torch.no_grad(), distances() as seen:
        whole = net(x, dt=1e-3, record=record)
        outcomes, state = [], None
        for t in range(12):
            outcomes.append(net(x[:, t : t + 1], dt=1e-3, record=record, start=state))
            state = outcomes[-1].after
    assert_equal_runs(traces(whole), joined(outcomes), near_threshold(seen, len(x)))


def test_plan_of_equal_steps_equals_a_fixed_step():
    net, x = timed_network(2), random_spikes(seed=2)
    record = recordable(net)
    with torch.no_grad(), distances() as seen:
        fixed = net(x, dt=1e-3, record=record)
        plan = net(x, plan=[(1e-3, 5), (1e-3, 19)], record=record)
    assert_equal_runs(traces(fixed), traces(plan), near_threshold(seen, len(x)))


def loss_of(outcomes):
    """Return a loss of spikes, states and scores of runs that follow each other."""
    parts = [traces(outcome) for outcome in outcomes]
    sums = [
        (1 + n) * value.square().sum() for part in parts for n, value in enumerate(part.values())
    ]
    return sum(sums) + outcomes[-1].logits.square().sum()


LOSSES = ["a.v", "b.i", "out.v"]


@pytest.mark.parametrize("at", [10, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 23))])
def test_gradients_of_a_split_run_are_those_of_the_unsplit_one(at):
    net, x = timed_network(1), random_spikes(seed=1)
    first, second = parts_of(PLAN, at)
    with distances() as seen, decisions() as spikes:
        whole = net(x, plan=PLAN, record=LOSSES, kernel="eager")
    print(f"{int(near_threshold(seen, len(x)).sum())} of {len(x)} samples near a threshold")
    expected = gradients(net, loss_of([whole]))
    with decisions(spikes):
        begin = net(x[:, :at], plan=first, record=LOSSES, kernel="eager")
    with decisions(spikes, at):
        options = {"plan": second, "record": LOSSES, "kernel": "eager"}
        end = net(x[:, at:], start=begin.after, **options)
    assert torch.equal(joined([begin, end])["b"], whole.spikes["b"])
    # The scores of the parts are their own; those of the last potential are those of the whole run.
    assert_equal_gradients(expected, gradients(net, loss_of([begin, end])))


def test_gradients_of_a_detached_state_are_those_of_truncated_backpropagation():
    net, x = timed_network(1), random_spikes(seed=1)
    first, second = parts_of(PLAN, 10)
    begin = net(x[:, :10], plan=first)
    ends = [net(x[:, 10:], plan=second, start=s) for s in (begin.after, begin.after.detach())]
    whole, shorter = (gradients(net, end.logits.square().sum()) for end in ends)
    assert not torch.allclose(shorter["parts.3.weights"], whole["parts.3.weights"])


def test_gradients_under_a_plan_of_equal_steps_are_those_of_a_fixed_step():
    net, x = timed_network(2), random_spikes(seed=2)
    with distances() as seen, decisions() as spikes:
        fixed = net(x, dt=1e-3, record=LOSSES, kernel="eager")
    print(f"{int(near_threshold(seen, len(x)).sum())} of {len(x)} samples near a threshold")
    expected = gradients(net, loss_of([fixed]))
    with decisions(spikes):
        plan = net(x, plan=[(1e-3, 5), (1e-3, 19)], record=LOSSES, kernel="eager")
    assert_equal_gradients(expected, gradients(net, loss_of([plan])))
    with decisions(spikes):
        other = net(x, plan=[(1e-3, 5), (2e-3, 19)], record=LOSSES, kernel="eager")
    assert not torch.allclose(
        gradients(net, loss_of([other]))["parts.3.weights"], expected["parts.3.weights"]
    )


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 9))]
)
def test_gradients_of_kernels_are_those_step_by_step_with_equal_spikes(seed):
    net, x = timed_network(seed), random_spikes(seed=seed)

    def lone(outcome, near):
        """Return the loss of the samples in which all spikes are equal."""
        parts = [*traces(outcome).values(), outcome.logits]
        return sum((1 + n) * value[~near].square().sum() for n, value in enumerate(parts))

    with distances() as seen:
        eager = net(x, plan=PLAN, record=LOSSES, kernel="eager")
    near = near_threshold(seen, len(x))
    fused = net(x, plan=PLAN, record=LOSSES, kernel="fused")
    assert set(fused.kernels.values()) == {"fused"}
    assert_equal_runs(traces(eager), traces(fused), near)
    assert_equal_gradients(gradients(net, lone(eager, near)), gradients(net, lone(fused, near)))


def test_forced_spikes_have_the_gradient_of_their_own_distance():
    net, x = timed_network(1), random_spikes(seed=1)
    with decisions() as spikes:
        free = net(x, dt=1e-3, kernel="eager")
    assert len(spikes) == 2 * 24
    other = {key: torch.zeros_like(value) for key, value in spikes.items()}
    with decisions(other):
        silent = net(x, dt=1e-3, kernel="eager")
    assert free.spikes["a"].any()
    assert not silent.spikes["a"].any()
    assert gradients(net, silent.spikes["a"].sum())["parts.3.weights"].any()


def integer_network():
    return SpikingNetwork(
        [Input("in", 5)],
        [
            Layer("a", 4, Cell(Lif, threshold=0.4, decay=0.8, refractory=[0, 1, 2, 3]), bias=0.05),
            Layer("b", 3, Cell(CurrentLif, threshold=0.4, decay=0.8, current_decay=0.5)),
        ],
        [
            Connection("in", "a", delay=2),
            Connection("a", "b"),
            Connection("b", "a", delay=3),
        ],
        [Readout("b", "last")],
        seed=4,
    )


@pytest.mark.parametrize("at", [1, 2, 11, 23])
def test_integer_run_split_anywhere_is_the_unsplit_one_bit_for_bit(at):
    net, x = integer_network(), random_spikes()
    integers = Quantization(decay="multiplier").fit(net)
    record = ["a.v", "a.countdown", "a.current", "in->a late 2.current", "b.i", "b.v"]
    with torch.no_grad():
        whole = net(x, integers, record)
        begin = net(x[:, :at], integers, record)
        end = net(x[:, at:], integers, record, start=begin.after)
    assert whole.spikes["b"].any()
    for name, values in joined([begin, end]).items():
        assert torch.equal(values, traces(whole)[name]), name


def test_state_of_some_samples_can_be_gone_on_with():
    net, x = timed_network(0), random_spikes()
    with torch.no_grad():
        begin = net(x, dt=1e-3)
        state = begin.after.select([2, 0])
        assert (begin.after.samples, state.samples) == (4, 2)
        end = net(x, dt=1e-3, start=begin.after, record=["b.v"])
        some = net(x[[2, 0]], dt=1e-3, start=state, record=["b.v"])
    assert torch.allclose(some.states["b.v"], end.states["b.v"][[2, 0]], rtol=1e-12)


def test_refractory_time_is_right_under_a_changing_step():
    net = SpikingNetwork(
        [Input("in", 1)],
        [
            Layer(
                "a",
                3,
                Cell(Lif, threshold=0.5, decay=0.0, refractory=Duration([0.0, 2e-3, 2.5e-3])),
            )
        ],
        [Connection("in", "a", [[1.0]] * 3)],
        [Readout("a", "count")],
    )
    x = torch.ones(1, 12, 1)
    # The refractory time begins when the step of the spike ends: at 2 ms it is 20 steps of 0.1 ms.
    fine = net(torch.ones(1, 60, 1), dt=1e-4).spikes["a"][0]
    gaps = [(fine[:, n].nonzero().flatten().diff() - 1).tolist() for n in range(3)]
    assert gaps == [[0] * 59, [20] * 2, [25] * 2]
    plan = [(1e-3, 2), (5e-4, 6), (2e-3, 4)]
    with torch.no_grad():
        outcome = net(x, plan=plan, record=["a.countdown"])
    # Steps begin at 0, 1, 2, 2.5 .. 4.5, 5, 7, 9, 11 ms; the first spike ends at 1 ms.
    times = outcome.times * 1e3
    fired = [times[outcome.spikes["a"][0, :, n].numpy() > 0].tolist() for n in range(3)]
    assert fired[0] == pytest.approx(times.tolist())
    assert fired[1] == pytest.approx([0, 3, 7, 11])  # 1 + 2, 3.5 + 2 -> 7, 9 + 2
    assert fired[2] == pytest.approx([0, 3.5, 7])  # 1 + 2.5, 4 + 2.5 -> 7, 9 + 2.5 is later
    left = outcome.states["a.countdown"][0, :, 1] * 1e3
    assert left[:5].tolist() == pytest.approx([2, 1, 0.5, 0, 2])
    assert bool((outcome.states["a.countdown"] >= 0).all())


def test_refractory_time_is_exact_to_the_picosecond():
    cell = Cell(Lif, threshold=0.5, decay=0.0, refractory=Duration([20e-3, 20e-3 + 1e-12]))
    net = SpikingNetwork(
        [Input("in", 1)],
        [Layer("a", 2, cell)],
        [Connection("in", "a", [[1.0]] * 2)],
        [Readout("a", "count")],
    )
    fired = net(torch.ones(1, 30, 1), dt=1e-3).spikes["a"][0]
    assert [fired[:, n].nonzero().flatten().tolist() for n in range(2)] == [[0, 21], [0, 22]]


def test_start_that_does_not_suit_is_refused():
    net, x = timed_network(0), random_spikes()
    with torch.no_grad():
        state = net(x, dt=1e-3).after
    cases = [
        ({"start": 3}, TypeError, "Start must be the NetworkState after another run, not 3"),
        (
            {"start": replace(state, seconds=False)},
            ValueError,
            "Start must be after a run with dt or plan, not after a run without dt and plan",
        ),
        (
            {"start": replace(state, scales={"a": 1.0})},
            ValueError,
            "Start must be after a run in floating point, not in integers",
        ),
        (
            {"start": replace(state, neurons={})},
            ValueError,
            "Start must have the states of this network, and so not lack 'a.countdown'",
        ),
        (
            {"start": state.select([0])},
            ValueError,
            "Start must have a.v of shape (4, 4), not (1, 4)",
        ),
        ({"start": replace(state, delays={})}, ValueError, "Start must have the delays of"),
    ]
    for options, error, text in cases:
        with pytest.raises(error, match=re.escape(text)):
            net(x, dt=1e-3, **options)


def test_start_with_other_scales_is_refused_in_integers():
    net, x = integer_network(), random_spikes()
    integers = Quantization().fit(net)
    with torch.no_grad():
        state = net(x, integers).after
        other = replace(integers, scales={name: 2 * s for name, s in integers.scales.items()})
        with pytest.raises(ValueError, match="Start must be after a run with the same scales"):
            net(x, other, start=state)


def test_network_in_seconds_says_what_a_run_must_have():
    net, x = timed_network(0), random_spikes()
    text = (
        "Network 'network' has times in seconds, and so a run must have the length of its steps: "
        "write net(x, dt=1e-3) or net(x, plan=[(1e-3, steps)]), or set net.dt"
    )
    for run in (net, net.run):
        with pytest.raises(ValueError, match=re.escape(text)):
            run(x.int())
    net.dt = 1e-3
    assert isinstance(net(x).after, NetworkState)
    assert net.run(x.int()).scores.shape == (4, 2)


def test_network_without_seconds_needs_no_step_and_may_have_one():
    net = SpikingNetwork(
        [Input("in", 5)],
        [Layer("a", 4, Cell(Lif, threshold=0.4, decay=Decay.shift(2)))],
        [Connection("in", "a", dynamics=FirstOrder(0.5))],
        [Readout("a", "count")],
    )
    x = random_spikes().float()
    plain = net(x, record=["a.v"])
    assert plain.times is None
    timed = net(x, dt=2e-3, record=["a.v"])
    assert timed.times.tolist() == [2 * t / 1e3 for t in range(24)]
    assert timed.ends.tolist() == [2 * (t + 1) / 1e3 for t in range(24)]
    assert timed.ends[-1] == pytest.approx(48e-3)
    assert torch.equal(plain.states["a.v"], timed.states["a.v"])
    with pytest.raises(ValueError, match="Start must be after a run with dt or plan"):
        net(x, dt=2e-3, start=plain.after)


def test_each_length_of_a_step_has_its_own_factors():
    net = SpikingNetwork(
        [Input("in", 1)],
        [Layer("a", 1, Cell(Lif, threshold=9.0, decay=Tau(10e-3)))],
        [Connection("in", "a", [[1.0]])],
        [Readout("a", "count")],
    ).double()
    x = torch.tensor([[[1.0], [0], [0], [0]]])
    v = net(x, plan=[(1e-3, 2), (5e-3, 2)], record=["a.v"]).states["a.v"].flatten()
    time = torch.tensor([0.0, 1, 6, 11], dtype=torch.float64)
    assert torch.allclose(v, torch.exp(-time / 10), rtol=1e-14)


def test_result_of_a_run_in_batches_starts_from_a_state_too():
    net, x = timed_network(3), random_spikes(seed=3)
    with torch.no_grad():
        begin = net(x[:, :7], dt=1e-3).after
        expected = net(x[:, 7:], dt=1e-3, start=begin, record=["a.v"])
    spikes = x.numpy().astype(int)
    options = {"dt": 1e-3, "record": ["a.v", "a"], "start": begin}
    for batch in (1, len(x)):
        result = net.run(spikes[:, 7:], batch=batch, **options)
        assert (result.spikes["a"] == expected.spikes["a"].numpy()).all()
        assert result.spikes["a.v"] == pytest.approx(expected.states["a.v"].numpy(), rel=1e-12)
    rested = net.run(spikes[:, 7:], dt=1e-3, record=["a.v"])
    assert (rested.spikes["a.v"] != result.spikes["a.v"]).any()
    with pytest.raises(
        ValueError, match=f"must be of as many samples as the spikes, 1, not {len(x)}"
    ):
        net.run(spikes[:1, 7:], **options)
    with pytest.raises(TypeError, match="Start must be the NetworkState after another run, not 3"):
        net.run(spikes, dt=1e-3, start=3)


@pytest.mark.slow
def test_random_networks_in_seconds_run_in_kernels_as_step_by_step():
    for seed in range(12):
        net, x = timed_network(seed), random_spikes(seed=seed)
        record = recordable(net)
        with torch.no_grad(), distances() as seen:
            start = net(x, plan=PLAN, kernel="eager").after
            eager, fused = (
                net(x, plan=PLAN, record=record, start=start, kernel=kernel)
                for kernel in ("eager", "fused")
            )
        assert set(fused.kernels.values()) == {"fused"}
        assert_equal_runs(traces(eager), traces(fused), near_threshold(seen, len(x)))
