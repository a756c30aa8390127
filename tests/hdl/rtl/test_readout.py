# amaranth: UnusedElaboratable=no

"""Tests of the readouts: by hand, against plain scores, cycle by cycle, and bad input."""

from random import Random

import numpy as np
import pytest
from amaranth import *

from spiker_hdl.model import Accumulator, If, Input, Network, Population, Projection, Readout
from spiker_hdl.rtl import ReadoutCore
from spiker_hdl.rtl.readout import score_shape

from support.bench import get, put, simulate
from support.events import END, LAST, converts, events_of, random_samples, transfer, written


def readout(kind, neurons=4, *, max_steps=20, width=6, stepwise=False, groups=None):
    """Make a readout of a population that is nothing else."""
    neuron = (
        If(width=width, threshold=9) if kind in {"count", "first"} else Accumulator(width=width)
    )
    network = Network(
        [Input("x", 1, -100, 100)],
        [Population("p", neurons, neuron)],
        [Projection("x", "p", np.ones((neurons, 1), dtype=int))],
        [Readout("p", kind, groups=groups)],
        max_steps,
    )
    return ReadoutCore(network, network.readout, stepwise=stepwise)


def answer(kind, neurons, sample, groups=None):
    """Return winner and scores of a sample, each step a dict from neuron to value."""
    scores = []
    for n in range(neurons):
        values = [step.get(n) for step in sample]
        if kind == "count":
            scores.append(sum(value is not None for value in values))
        elif kind == "first":
            at = [t for t, value in enumerate(values) if value is not None]
            scores.append(len(sample) - at[0] if at else 0)
        elif kind == "last":
            scores.append(values[-1])
        else:
            scores.append({"largest": max, "sum": sum}[kind](values))
    if groups is not None:
        share = neurons // groups
        scores = [sum(scores[n * share : (n + 1) * share]) for n in range(groups)]
    return scores.index(max(scores)), scores


def plain(o):
    return o.winner, [*o.scores], o.steps


# -- by hand -------------------------------------------------------------------------------------

A, B, C3, AB = {0: 0}, {1: 0}, {3: 0}, {0: 0, 1: 0}
V = [{0: 1, 1: 5, 2: -3, 3: 5}, {0: 2, 1: -9, 2: 2, 3: 2}]


@pytest.mark.parametrize(
    "kind, sample, expected",
    [
        ("count", [{}], (0, [0, 0, 0, 0], 1)),
        ("count", [B], (1, [0, 1, 0, 0], 1)),
        ("count", [B, A], (0, [1, 1, 0, 0], 2)),  # the lowest of those that share the score
        ("count", [AB, B, A, C3], (0, [2, 2, 0, 1], 4)),
        ("count", [AB, C3, C3], (3, [1, 1, 0, 2], 3)),
        ("first", [{}, {}], (0, [0, 0, 0, 0], 2)),
        ("first", [{}, B, A], (1, [1, 2, 0, 0], 3)),
        ("first", [C3, AB, AB], (3, [2, 2, 0, 3], 3)),
        ("first", [{}, AB], (0, [1, 1, 0, 0], 2)),
        ("last", V, (0, [2, -9, 2, 2], 2)),
        ("last", V[:1], (1, [1, 5, -3, 5], 1)),
        ("last", [dict.fromkeys(range(4), -32)], (0, [-32] * 4, 1)),
        ("largest", V, (1, [2, 5, 2, 5], 2)),
        ("largest", [dict.fromkeys(range(4), -2), V[1]], (0, [2, -2, 2, 2], 2)),
        ("sum", V, (3, [3, -4, -1, 7], 2)),
        ("sum", [{0: -1, 1: -9, 2: -1, 3: -7}] * 3, (0, [-3, -27, -3, -21], 3)),
    ],
)
def test_readout_by_hand(kind, sample, expected):
    sent = [written(event) for event in events_of([sample])]
    (received,) = transfer(readout(kind), sent, 1, random=Random(0))
    assert plain(received) == expected
    assert (received.answer, received.last) == (1, 1)


@pytest.mark.parametrize(
    "kind, groups, sample, expected",
    [
        ("count", 2, [A, C3], (0, [1, 1], 2)),  # the lowest of those that share the score
        ("count", 2, [AB, {2: 0, 3: 0}, C3], (1, [2, 3], 3)),
        ("count", 1, [AB, C3], (0, [3], 2)),
        ("last", 2, V, (1, [-7, 4], 2)),
        ("last", 2, [dict.fromkeys(range(4), -32)], (0, [-64, -64], 1)),
        ("sum", 2, V, (1, [-1, 6], 2)),
        ("sum", 1, V, (0, [5], 2)),
    ],
)
def test_groups_of_neurons_by_hand(kind, groups, sample, expected):
    sent = [written(event) for event in events_of([sample])]
    (received,) = transfer(readout(kind, groups=groups), sent, 1, random=Random(0))
    assert plain(received) == expected


# -- against the model ---------------------------------------------------------------------------


def random_runs(random, kind, classes, width, samples=10, steps=8):
    """Draw samples: spikes, or potentials of all classes in every step."""
    if kind in {"count", "first"}:
        return random_samples(random, classes, samples=samples, steps=steps)
    low, high = -(2 ** (width - 1)), 2 ** (width - 1) - 1
    return [
        [
            {
                n: random.choice([low, high, random.randint(-3, 3), random.randint(low, high)])
                for n in range(classes)
            }
            for _ in range(random.randint(1, steps))
        ]
        for _ in range(samples)
    ]


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.9)])
@pytest.mark.parametrize("classes", [1, 2, 5, 10])
@pytest.mark.parametrize("kind", ["count", "first", "last", "largest", "sum"])
def test_scores_and_winners(kind, classes, pauses):
    random = Random(classes)
    samples = random_runs(random, kind, classes, 6)
    dut = readout(kind, classes)
    sent = [written(event) for event in events_of(samples)]
    received = transfer(dut, sent, len(samples), random=random, pauses=pauses)
    for sample, o in zip(samples, received, strict=True):
        assert plain(o) == (*answer(kind, classes, sample), len(sample))


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("neurons, groups", [(6, 1), (6, 2), (6, 3), (6, 6), (16, 4), (15, 3)])
@pytest.mark.parametrize("kind", ["count", "last", "sum"])
def test_scores_and_winners_of_groups(kind, neurons, groups, stepwise):
    random = Random(neurons + groups)
    samples = random_runs(random, kind, neurons, 6, steps=4)
    dut = readout(kind, neurons, groups=groups, stepwise=stepwise)
    sent = [written(event) for event in events_of(samples)]
    expected = []
    for sample in samples:
        parts = range(1, len(sample) + 1) if stepwise else [len(sample)]
        expected += [(*answer(kind, neurons, sample[:n], groups), n) for n in parts]
    received = transfer(dut, sent, len(expected), random=random, pauses=(0.2, 0.4))
    assert [plain(item) for item in received] == expected


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("kind", ["count", "first"])
def test_spikes_of_a_step_come_in_any_order(kind, stepwise):
    random = Random(3)
    samples = random_runs(random, kind, 7, 6, samples=30, steps=4)
    dut = readout(kind, 7, stepwise=stepwise)
    sent = []
    for sample in samples:
        for n, step in enumerate(sample):
            events = random.sample([*step.items()], len(step))
            sent += [written(event) for event in (*events, LAST if n == len(sample) - 1 else END)]
    expected = []
    for sample in samples:
        parts = range(1, len(sample) + 1) if stepwise else [len(sample)]
        expected += [(*answer(kind, 7, sample[:n]), n) for n in parts]
    received = transfer(dut, sent, len(expected), random=random, pauses=(0, 0.2))
    assert [plain(item) for item in received] == expected


@pytest.mark.parametrize("window", [0, 1, 3])
@pytest.mark.parametrize("kind", ["count", "first", "last", "largest", "sum"])
def test_every_step_and_window_of_a_stepwise_readout(kind, window):
    random = Random(window)
    samples = random_runs(random, kind, 4, 6)
    if window:  # of whole windows
        samples = [sample * window for sample in samples]
    dut = readout(kind, stepwise=True, max_steps=40)
    top = Module()
    top.submodules.dut = dut
    top.d.comb += dut.window.eq(window)
    sent = [written(event) for event in events_of(samples)]
    steps = sum(map(len, samples))
    received = iter(transfer(dut, sent, steps, random=random, pauses=(0.1, 0.3), top=top))
    for sample in samples:
        for n in range(len(sample)):
            start = n // window * window if window else 0
            o = next(received)
            assert plain(o) == (*answer(kind, 4, sample[start : n + 1]), n + 1)
            assert o.last == (n == len(sample) - 1)
            assert o.answer == (o.last or (window > 0 and (n + 1) % window == 0))


# -- cycle by cycle ------------------------------------------------------------------------------


def test_the_result_comes_a_cycle_after_the_last_token():
    dut = readout("count")
    trace = []

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        for event, ready in [
            ((1, 0), 0),
            (END, 0),
            (LAST, 0),
            ((2, 0), 0),
            (LAST, 0),  # waits for the result before it
            (LAST, 1),
            (LAST, 0),
        ]:
            ctx.set(dut.i.payload, written(event))
            ctx.set(dut.o.ready, ready)
            _, _, *now = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.p.winner)
            trace.append(tuple(now))

    simulate(dut, testbench, watch=[dut.o])
    assert trace == [
        (1, 0, 0),
        (1, 0, 0),
        (1, 0, 0),
        (1, 1, 1),
        (0, 1, 1),
        (1, 1, 1),
        (0, 1, 2),
    ]


def test_a_result_is_taken_once():
    dut = readout("count")

    async def testbench(ctx):
        await put(ctx, dut.i, written(LAST))
        await get(ctx, dut.o)
        assert not ctx.get(dut.o.valid)

    simulate(dut, testbench)


@pytest.mark.parametrize(
    "kind, shape",
    [
        ("count", unsigned(5)),
        ("first", unsigned(5)),
        ("last", signed(6)),
        ("largest", signed(6)),
        ("sum", signed(11)),  # -32 * 20
    ],
)
def test_scores_are_as_wide_as_need_be(kind, shape):
    dut = readout(kind)
    assert score_shape(dut.network, dut.readout) == shape


@pytest.mark.parametrize(
    "kind, groups, shape",
    [
        ("count", 2, unsigned(6)),  # 2 * 20
        ("count", 4, unsigned(5)),
        ("last", 2, signed(7)),  # -32 * 2
        ("sum", 1, signed(13)),  # -32 * 20 * 4 = -2560
    ],
)
def test_scores_of_groups_are_as_wide_as_need_be(kind, groups, shape):
    dut = readout(kind, groups=groups)
    assert score_shape(dut.network, dut.readout) == shape
    assert dut.o.p.shape()["scores"].shape.length == groups


@pytest.mark.parametrize(
    "kind, groups", [("count", None), ("largest", None), ("count", 3), ("last", 3)]
)
def test_readout_converts(kind, groups):
    assert converts(readout(kind, 6, groups=groups))


# -- bad input -----------------------------------------------------------------------------------


def test_readout_rejects():
    with pytest.raises(TypeError, match=r"^Readout must be a Readout, not 'p'$"):
        ReadoutCore(readout("count").network, "p")
