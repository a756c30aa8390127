# amaranth: UnusedElaboratable=no

"""Tests of pooled sums: by hand, against the model, cycle by cycle, and conversion."""

from random import Random

import numpy as np
import pytest
from amaranth import *

from spiker_hdl.model import Convolution, Input, MaxPooling, Projection
from spiker_hdl.model.bounds import position_sums, signed_width
from spiker_hdl.rtl import AddressEvent
from spiker_hdl.rtl.population.pooled_convolution import PooledConvolution

from support.bench import get, put, simulate
from support.convolutions import random_convolution, random_pooling
from support.events import END, LAST, converts, transfer, written


def made(synapses, pooling, lanes, high=1, **options):
    """Make the component of a projection, with events of values up to ``high``."""
    projection = Projection("a", "b", synapses, pooling=pooling)
    event = AddressEvent(synapses.source_size, unsigned(high.bit_length() if high > 1 else 0))
    width = signed_width(*position_sums(projection, Input("a", 1, 0, high), False))
    return PooledConvolution(projection, event, lanes=lanes, width=width, **options)


def maxima(payload):
    """Return the row of sums and what is added to it, or the token."""
    if payload.end:
        return LAST if payload.last else END
    return payload.fold, [*payload.maxima]


def expected_of(synapses, pooling, lanes, steps):
    """Return what is expected of steps, each a dict of addresses and values."""
    results = []
    for n, step in enumerate(steps):
        events = np.zeros(synapses.source_size, dtype=np.int64)
        events[[*step]] = [*step.values()]
        pooled = synapses.sums(events).reshape(synapses.target_shape)
        if pooling is not None:
            pooled = pooling.maxima(pooled.ravel()).reshape(pooling.target_shape)
        rows = np.moveaxis(pooled, 0, -1).reshape(-1, lanes).tolist()
        # Only a step with an event that has a window is pooled.
        some = Convolution(np.ones_like(synapses.kernel), *geometry(synapses))
        if some.sums(np.minimum(events, 1)).any():
            results += [(fold, row) for fold, row in enumerate(rows)]
        results.append(LAST if n == len(steps) - 1 else END)
    return results


def geometry(synapses):
    return (
        synapses.shape,
        synapses.stride,
        synapses.padding,
        synapses.dilation,
        synapses.groups,
    )


def sent_of(steps):
    """Return the payloads of steps."""
    sent = []
    for n, step in enumerate(steps):
        sent += [written((address, value)) for address, value in sorted(step.items())]
        sent.append(written(LAST if n == len(steps) - 1 else END))
    return sent


# -- by hand -------------------------------------------------------------------------------------


def test_first_sum_of_a_window_is_its_maximum_so_far():
    synapses = Convolution(np.array([[[-3]], [[2]]]), (1, 4))
    dut = made(synapses, MaxPooling((2, 4), 2), 2)
    steps = [{0: 1, 1: 1, 2: 1}, {}, {3: 1}]
    received = transfer(dut, sent_of(steps), 7, random=Random(0))
    assert [maxima(item) for item in received] == [
        (0, [-3, 2]),  # both positions have a sum of -3, so that 0 does not win
        (1, [0, 2]),  # one position has no event
        END,
        END,  # nothing to pool
        (0, [0, 0]),
        (1, [0, 2]),
        LAST,
    ]


# -- against the model ---------------------------------------------------------------------------


def run_seed(seed, positions=None):
    """Compare a random convolution with random windows."""
    random = Random(seed)
    axes = [random.randint(1, 5) for _ in range(random.choice([1, 2]))]
    synapses = random_convolution(random, (random.randint(1, 3), *axes), outputs=(1, 6))
    pooling = random_pooling(random, synapses.target_shape) if random.random() < 0.8 else None
    channels = len(synapses.kernel) // synapses.groups
    lanes = random.choice([n for n in range(1, channels + 1) if channels % n == 0])
    high = random.choice([1, 3])
    steps = [
        {
            address: random.randint(1, high)
            for address in range(synapses.source_size)
            if random.random() < density
        }
        for density in [1, *random.choices([0, 0.1, 0.5], k=3)]
    ]
    positions = positions or random.choice(["one", "line", "window"])
    states = random.choice(["auto", "block", "distributed"])
    dut = made(synapses, pooling, lanes, high=high, positions=positions, states=states)
    expected = expected_of(synapses, pooling, lanes, steps)
    pauses = random.choice([(0, 0), (0.5, 0), (0, 0.5), (0.2, 0.8)])
    received = transfer(dut, sent_of(steps), len(expected), random=random, pauses=pauses)
    assert [maxima(item) for item in received] == expected, seed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("positions", ["one", "line", "window"])
def test_maxima_of_every_window(positions, seed):
    run_seed(seed, positions)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(100, 300, 20))
def test_many_maxima_of_every_window(start):
    for seed in range(start, start + 20):
        run_seed(seed)


# -- cycle by cycle ------------------------------------------------------------------------------


@pytest.mark.parametrize("stalled", [False, True])
def test_cycles_of_a_step(stalled):
    synapses = Convolution(np.array([[[1]]]), (1, 4))
    dut = made(synapses, MaxPooling((1, 4), 2), 1)
    items, seen = [(1, 0), LAST], []

    async def testbench(ctx):
        while not ctx.get(dut.clean):
            await ctx.tick()
        while items:
            ctx.set(dut.o.ready, not stalled or len(seen) > 11)
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, written(items[0]))
            *_, taken, valid, payload = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.p)
            seen.append(maxima(payload) if valid else None)
            if taken:
                items.pop(0)

    simulate(dut, testbench, watch=[dut.o])
    first, second = (0, [1]), (1, [0])
    if stalled:
        # The second window waits with its last row while the first is not taken.
        assert seen == [None] * 10 + [first] * 3 + [second, LAST]
        return
    # An address is divided, its row added, and the token seen; then two rows of each window.
    assert seen == [None] * 10 + [first, None, second, LAST]


# -- reset and idle ------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 9, 14])
@pytest.mark.parametrize(
    "positions, states", [("one", "block"), ("window", "auto"), ("window", "block")]
)
def test_reset_within_a_step_leaves_no_sums(positions, states, after):
    """Reset while events are added, and while windows are read."""
    synapses = Convolution(np.array([[[2, 3]]]), (1, 9))
    dut = made(synapses, MaxPooling((1, 8), 2), 1, positions=positions, states=states)
    reset, received = Signal(), []
    step = {0: 1, 4: 1}
    expected = expected_of(synapses, dut.projection.pooling, 1, [step])

    async def testbench(ctx):
        while not ctx.get(dut.clean):
            await ctx.tick()
        for address in range(9):
            await put(ctx, dut.i, written((address, 0)))
        ctx.set(dut.i.p, written(LAST))
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(after):
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert not ctx.get(dut.idle)
        for _ in range(dut.rows):
            assert not ctx.get(dut.clean)
            await ctx.tick()
        assert ctx.get(dut.clean)
        assert ctx.get(dut.idle)
        for item in sent_of([step])[:-1]:
            await put(ctx, dut.i, item)
        ctx.set(dut.i.p, sent_of([step])[-1])
        ctx.set(dut.i.valid, 1)
        for _ in expected:
            received.append(maxima(await get(ctx, dut.o)))

    simulate(ResetInserter(reset)(dut), testbench)
    assert received == expected


def test_idle_only_while_all_sums_are_zero():
    synapses = Convolution(np.array([[[1, 1]]]), (1, 4))
    dut = made(synapses, None, 1, positions="window")
    seen = []

    async def testbench(ctx):
        while not ctx.get(dut.clean):
            await ctx.tick()
        assert ctx.get(dut.idle)
        await put(ctx, dut.i, written((1, 0)))
        for _ in range(4):  # a row was added long ago
            assert not ctx.get(dut.idle)
            await ctx.tick()
        ctx.set(dut.i.p, written(LAST))
        ctx.set(dut.i.valid, 1)
        for _ in range(3):
            assert not ctx.get(dut.idle)
            seen.append(maxima(await get(ctx, dut.o)))
        assert ctx.get(dut.idle)
        seen.append(maxima(await get(ctx, dut.o)))

    simulate(dut, testbench)
    assert seen == [(0, [1]), (1, [1]), (2, [0]), LAST]


def test_converts():
    synapses = Convolution(np.ones((2, 1, 3, 3), int), (1, 5, 7), padding=1)
    converts(made(synapses, MaxPooling((2, 5, 7), 2), 2))
    converts(made(synapses, None, 2, positions="window"))
