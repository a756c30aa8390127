# amaranth: UnusedElaboratable=no

"""Tests of the queue: as a list, cycle by cycle, and bad input."""

import re
from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl import Queue

from support.bench import get, put, simulate
from support.events import converts, transfer

# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 16])
def test_queue_holds_as_many_as_it_says(depth):
    dut = Queue(8, depth=depth)
    taken, left = [], []

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        for n in range(depth + 5):
            ctx.set(dut.i.payload, len(taken))
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            if ready:
                taken.append(n)
        ctx.set(dut.i.valid, 0)
        for _ in taken:
            left.append(await get(ctx, dut.o))

    simulate(dut, testbench, watch=[dut.o])
    assert left == [*range(depth)]


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3), (0, 0.9)])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 8, 17])
def test_queue_neither_loses_nor_invents(depth, pauses):
    random = Random(depth)
    sent = [random.randrange(-128, 128) for _ in range(100)]
    dut = Queue(signed(8), depth=depth)
    assert transfer(dut, sent, len(sent), random=random, pauses=pauses) == sent


# -- cycle by cycle ------------------------------------------------------------------------------


@pytest.mark.parametrize("depth, late", [(1, 1), (2, 2), (3, 2), (9, 2)])
def test_an_entry_comes_when_it_is_said_to(depth, late):
    dut = Queue(8, depth=depth)
    trace = []

    async def testbench(ctx):
        ctx.set(dut.i.payload, 7)
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(4):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            trace.append(valid)

    simulate(dut, testbench, watch=[dut.o])
    assert trace.index(1) == late - 1
    assert 0 not in trace[late - 1 :]


@pytest.mark.parametrize("depth", [3, 4, 9])
def test_an_entry_a_cycle(depth):
    dut = Queue(8, depth=depth)
    trace = []

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for n in range(20):
            ctx.set(dut.i.payload, n)
            _, _, *now = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.payload)
            trace.append(tuple(now))

    simulate(dut, testbench, watch=[dut.o])
    assert [ready for ready, _, _ in trace] == [1] * 20
    assert [payload for _, valid, payload in trace if valid] == [*range(18)]


def test_neither_side_sees_the_other_in_the_same_cycle():
    dut = Queue(8, depth=1)

    async def testbench(ctx):
        await put(ctx, dut.i, 5)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, 6)
        ctx.set(dut.o.ready, 1)
        assert ctx.get(dut.o.valid) == 1
        assert ctx.get(dut.i.ready) == 0
        await ctx.tick()
        assert (ctx.get(dut.o.valid), ctx.get(dut.i.ready)) == (0, 1)

    simulate(dut, testbench)


def test_queue_converts():
    assert converts(Queue(8, depth=4))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "depth, error, message",
    [
        (0, ValueError, "Queue depth must be at least 1, not 0"),
        (True, TypeError, "Queue depth must be an int, not True"),
        (2.0, TypeError, "Queue depth must be an int, not 2.0"),
    ],
)
def test_queue_rejects(depth, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Queue(8, depth=depth)
