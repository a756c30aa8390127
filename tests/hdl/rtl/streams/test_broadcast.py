# amaranth: UnusedElaboratable=no

"""Tests of the broadcast: each branch gets everything once, cycle by cycle, and bad input."""

import re
from random import Random

import pytest

from spiker_hdl.rtl import Broadcast

from support.bench import get, pause, put, simulate
from support.events import converts

# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.6)])
@pytest.mark.parametrize("branches", [1, 2, 3, 7])
def test_each_branch_gets_everything_once(branches, pauses):
    random = Random(branches)
    dut = Broadcast(8, branches=branches)
    sent = [random.randrange(256) for _ in range(60)]
    received = [[] for _ in range(branches)]

    async def drive(ctx):
        for payload in sent:
            await pause(ctx, random, pauses[0])
            await put(ctx, dut.i, payload)

    def reader(n):
        async def receive(ctx):
            for _ in sent:
                await pause(ctx, random, pauses[1] * (n + 1) / branches)
                received[n].append(await get(ctx, dut.o[n]))

        return receive

    simulate(dut, drive, *map(reader, range(branches)), watch=dut.o)
    assert received == [sent] * branches


def test_without_branches_all_is_taken():
    dut = Broadcast(8, branches=0)

    async def drive(ctx):
        for n in range(10):
            assert ctx.get(dut.i.ready)
            await put(ctx, dut.i, n)

    simulate(dut, drive, deadline=11)


# -- cycle by cycle ------------------------------------------------------------------------------


def test_branches_take_it_when_they_can():
    dut = Broadcast(8, branches=2)
    trace = []

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, 5)
        for ready in [(0, 0), (1, 0), (1, 0), (0, 1), (1, 1), (0, 1), (0, 1), (1, 0)]:
            ctx.set(dut.o[0].ready, ready[0])
            ctx.set(dut.o[1].ready, ready[1])
            _, _, *now = await ctx.tick().sample(dut.i.ready, dut.o[0].valid, dut.o[1].valid)
            trace.append(tuple(now))

    simulate(dut, testbench, watch=dut.o)
    assert trace == [
        (0, 1, 1),  # nobody takes it
        (0, 1, 1),  # the first does
        (0, 0, 1),  # and takes it but once
        (1, 0, 1),  # so does the second: it is gone
        (1, 1, 1),  # both at once
        (0, 1, 1),
        (0, 1, 0),
        (1, 1, 0),
    ]


def test_broadcast_converts():
    assert converts(Broadcast(8, branches=3))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "branches, error, message",
    [
        (-1, ValueError, "Branches must be at least 0, not -1"),
        (None, TypeError, "Branches must be an int, not None"),
    ],
)
def test_broadcast_rejects(branches, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Broadcast(8, branches=branches)
