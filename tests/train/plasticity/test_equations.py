"""Tests of rules in floating point against what their sources state."""

import numpy as np
import pytest
import torch

from spiker_hdl.model import Decay, EProp, OutputDelta, PairStdp, RewardStdp, TripletStdp, Voltage
from spiker_train import Tau
from spiker_train.plasticity import drive, floating_rule

ERROR = OutputDelta("classes")
DT = 1e-3
UP, DOWN, GAIN, LOSS = 0.0168, 0.0337, 0.9, 0.7


def trains(steps, pre, post):
    """Return the spikes of one source and one target, from their steps."""
    events = torch.zeros(2, steps, 1)
    events[0, pre], events[1, post] = 1, 1
    return events


def stdp(**options):
    amplitudes = {"potentiation": GAIN, "depression": LOSS}
    decays = {"pre_decay": Tau(UP), "post_decay": Tau(DOWN)}
    return floating_rule(PairStdp, dt=DT, **decays, **amplitudes | options)


def test_stdp_window_is_its_closed_form():
    for gap in range(-40, 41):
        pre, post = trains(100, [50], [50 + gap])
        change = drive(stdp(), [[0.0]], pre, post).item()
        seconds = gap * DT
        expected = GAIN * np.exp(-seconds / UP) if gap > 0 else -LOSS * np.exp(seconds / DOWN)
        assert abs(change - (expected if gap else 0)) < 1e-6


def test_shift_is_the_rate_and_soft_bounds_multiply_by_the_distance():
    pre, post = trains(30, [5], [9])
    closed = GAIN * np.exp(-4 * DT / UP)
    assert abs(drive(stdp(shift=3), [[0.0]], pre, post).item() - closed / 8) < 1e-6
    soft = stdp(bounds="soft", low=0.0, high=2.0)
    assert abs(drive(soft, [[0.5]], pre, post).item() - (0.5 + 1.5 * closed)) < 1e-6
    assert drive(stdp(high=0.25), [[0.0]], pre, post).item() == 0.25


def test_nearest_pairs_alone_count():
    pre, post = trains(40, [5, 9], [12, 20])
    near = drive(stdp(pairing="nearest", depression=0.0), [[0.0]], pre, post).item()
    expected = sum(GAIN * np.exp(-gap * DT / UP) for gap in (3, 11))
    assert abs(near - expected) < 1e-6


# Pfister and Gerstner 2006, table 4: minimal all-to-all model of the visual cortex.
CORTEX = {"plus": 0.0168, "minus": 0.0337, "y": 0.114, "pair_minus": 7.1e-3, "triplet_plus": 6.5e-3}


def protocol(frequency, gap, pairs=60):
    """Return the steps of the spikes of pairs at a frequency, and their number of steps."""
    period = round(1 / frequency / DT)
    pre = 100 + period * np.arange(pairs)
    return pre, pre + gap, 100 + period * pairs + 200


def triplet_sum(pre, post):
    """Return the change of a weight, summed over pairs and triplets of spikes."""
    change = 0.0
    for t in post:
        x = np.exp(-(t - pre[pre < t]) * DT / CORTEX["plus"]).sum()
        y = np.exp(-(t - post[post < t]) * DT / CORTEX["y"]).sum()
        change += CORTEX["triplet_plus"] * x * y
    for t in pre:
        change -= CORTEX["pair_minus"] * np.exp(-(t - post[post < t]) * DT / CORTEX["minus"]).sum()
    return change


def triplet():
    return floating_rule(
        TripletStdp,
        dt=DT,
        pre_decay=Tau(CORTEX["plus"]),
        post_decay=Tau(CORTEX["minus"]),
        slow_pre_decay=Tau(0.1),
        slow_post_decay=Tau(CORTEX["y"]),
        pair_potentiation=CORTEX["triplet_plus"],
        pair_depression=CORTEX["pair_minus"],
        slow_pre_jump=0.0,
        slow_post_jump=1.0,
        pair_term=False,
    )


@pytest.mark.parametrize("gap", [10, -10])
def test_triplet_rule_sums_over_pairs_and_triplets(gap):
    pre, post, steps = protocol(30, gap, pairs=8)
    change = drive(triplet(), [[0.0]], *trains(steps, pre, post)).item()
    assert abs(change - triplet_sum(pre, post)) < 1e-9


@pytest.mark.slow
def test_triplet_rule_has_the_frequency_curve_of_its_source():
    curves = {}
    for gap in (10, -10):
        changes = []
        for frequency in (1, 10, 20, 40, 50):
            pre, post, steps = protocol(frequency, gap)
            change = drive(triplet(), [[0.0]], *trains(steps, pre, post)).item()
            assert abs(change - triplet_sum(pre, post)) < 1e-9
            changes.append(change)
        curves[gap] = changes
    # Sjöström et al. 2001: post after pre does nothing at low frequencies and potentiates at high
    # ones; pre after post depresses at low frequencies, and potentiates at 50 Hz.
    assert abs(curves[10][0]) < 0.02
    assert all(np.diff(curves[10]) > 0)
    assert 0.4 < curves[10][-1] < 0.8
    assert -0.4 < curves[-10][0] < -0.25
    assert curves[-10][-1] > 0.2


class Box(torch.autograd.Function):
    """A spike whose derivative is 1 where the potential after it is in the gate."""

    @staticmethod
    def forward(ctx, u):
        fired = (u > 1).to(u.dtype)
        after = u - fired
        ctx.save_for_backward((after > 0.4) & (after < 5))
        return fired

    @staticmethod
    def backward(ctx, grad):
        (inside,) = ctx.saved_tensors
        return grad * inside


def test_eprop_is_the_gradient_through_time_where_they_are_equal():
    generator = torch.Generator().manual_seed(3)
    steps, sources, targets, classes = 40, 12, 7, 3
    pre = (torch.rand(steps, sources, generator=generator) < 0.3).double()
    weights = torch.rand(sources, targets, generator=generator).double() * 0.5
    output = torch.randn(targets, classes, generator=generator).double()
    wanted = torch.randn(classes, generator=generator).double() * 9
    weights.requires_grad_(True)
    v, spikes, potentials = torch.zeros(targets, dtype=torch.float64), [], []
    for t in range(steps):
        u = 0.8 * v + pre[t] @ weights
        fired = Box.apply(u)
        v = u - fired.detach()  # the reset carries no gradient
        spikes.append(fired)
        potentials.append(v.detach())
    post = torch.stack(spikes)
    error = post.sum(0) @ output - wanted
    (error.square().sum() / 2).backward()
    rule = floating_rule(EProp, pre_decay=0.8, jump=1.0, gate_low=0.4, gate_high=5.0, third=ERROR)
    signal = -(output @ error.detach())
    own = drive(
        rule,
        weights.detach(),
        pre,
        post.detach(),
        potential=torch.stack(potentials),
        third=signal,
    )
    assert weights.grad is not None
    assert post.sum() > 20
    assert torch.allclose(own - weights.detach(), -weights.grad, atol=1e-9)


def test_reward_changes_by_the_eligibility():
    rule = floating_rule(
        RewardStdp,
        dt=DT,
        pre_decay=Tau(UP),
        post_decay=Tau(DOWN),
        eligibility_decay=Tau(0.5),
        potentiation=GAIN,
        depression=LOSS,
        third=ERROR,
    )
    pre, post = trains(100, [50], [58])
    change = drive(rule, [[0.0]], pre, post, third=[-2.0]).item()
    expected = -2 * GAIN * np.exp(-8 * DT / UP) * np.exp(-41 * DT / 0.5)
    assert abs(change - expected) < 1e-6


def test_voltage_rule_depresses_below_and_potentiates_above_its_thresholds():
    rule = floating_rule(
        Voltage,
        pre_decay=0.5,
        potentiation=1.0,
        threshold_plus=10,
        threshold_minus=2,
        spike_potential=60,
        plus_shift=1,
        minus_shift=1,
    )
    pre = torch.ones(30, 1)
    silent = torch.zeros(30, 1)
    low = drive(rule, [[0.0]], pre, silent, potential=torch.full((30, 1), 5.0)).item()
    high = drive(rule, [[0.0]], pre, silent, potential=torch.full((30, 1), 15.0)).item()
    rest = drive(rule, [[0.0]], pre, silent, potential=torch.full((30, 1), 1.0)).item()
    assert low < -50
    assert high > 100
    assert rest == 0


def test_what_a_rule_needs_is_checked():
    pre, post = trains(5, [1], [2])
    with pytest.raises(ValueError, match="PairStdp pre_decay must have a length of the step"):
        floating_rule(
            PairStdp,
            pre_decay=Tau(UP),
            post_decay=Tau(UP),
            potentiation=1.0,
            depression=1.0,
        )
    with pytest.raises(TypeError, match="PairStdp must have a value for 'pre_decay', not none"):
        floating_rule(PairStdp)
    with pytest.raises(TypeError, match=r"must have fields among .*, not \['speed'\]"):
        floating_rule(PairStdp, speed=1)
    with pytest.raises(ValueError, match="Third factor must be None for PairStdp, not 3"):
        drive(stdp(), [[0.0]], pre, post, third=3)
    with pytest.raises(ValueError, match="Events must be of 1 sources and 1 targets in as many"):
        drive(stdp(), [[0.0]], pre[:3], post)
    with pytest.raises(ValueError, match="must be driven with floating=True"):
        drive(stdp(), [[0.0]], pre, post, floating=False)


def test_rule_of_integers_is_driven_in_integers():
    leak = Decay.shift(2)
    rule = PairStdp(pre_decay=leak, post_decay=leak, potentiation=40, depression=30, low=-99)
    pre, post = trains(9, [1], [3])
    assert drive(rule, [[5]], pre, post, floating=False).item() == 5 + 22
