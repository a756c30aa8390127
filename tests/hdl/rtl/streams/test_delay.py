# amaranth: UnusedElaboratable=no

"""Tests of delays and of bare tokens: against lists, cycle by cycle, and bad input."""

import re
from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl import AddressEvent, Delay, Ticks

from support.bench import get, pause, put, simulate
from support.events import (
    END,
    LAST,
    clocked,
    converts,
    events_of,
    plain,
    random_samples,
    transfer,
    written,
)

# -- by hand -------------------------------------------------------------------------------------


def read(dut, samples, *, random, pauses=(0, 0), wait=0):
    """Send samples in, and return the events of each step, as a reader of as many steps gets them.

    The reader takes a token ``wait`` cycles after it came, as one does that has other inputs.
    """
    steps = []

    async def drive(ctx):
        for event in events_of(samples):
            await pause(ctx, random, pauses[0])
            await put(ctx, dut.i, written(event))

    async def receive(ctx):
        for sample in samples:
            for n in range(len(sample)):
                step = []
                while True:
                    await pause(ctx, random, pauses[1])
                    while not ctx.get(dut.o.valid):
                        await ctx.tick()
                    event = plain(ctx.get(dut.o.payload))
                    if event in {END, LAST}:
                        for _ in range(wait):
                            await ctx.tick()
                        ctx.set(dut.finish, n == len(sample) - 1)
                    assert plain(await get(ctx, dut.o)) == event
                    ctx.set(dut.finish, 0)
                    if event in {END, LAST}:
                        assert event == END, "a delayed input never says that a sample ends"
                        break
                    step.append(event)
                steps.append(step)

    simulate(dut, drive, receive, watch=[dut.o])
    return steps


A, B, C3 = {0: 0}, {1: 0, 2: 0}, {3: 0}


@pytest.mark.parametrize(
    "delay, samples, steps",
    [
        (1, [[A, B, C3]], [[], [(0, 0)], [(1, 0), (2, 0)]]),
        (2, [[A, B, C3]], [[], [], [(0, 0)]]),
        (3, [[A, B, C3]], [[], [], []]),
        (7, [[A, B, C3]], [[], [], []]),  # longer than the sample
        (1, [[A]], [[]]),
        (1, [[A], [B], [C3, A]], [[], [], [], [(3, 0)]]),
        (2, [[A], [B, B, B], [A, A]], [[], [], [], [(1, 0), (2, 0)], [], []]),
        (1, [[{}, A], [{}, {}, B]], [[], [], [], [], []]),
    ],
)
@pytest.mark.parametrize("pauses, wait", [((0, 0), 0), ((0.5, 0.2), 0), ((0, 0.5), 3)])
def test_delay_by_hand(delay, samples, steps, pauses, wait):
    dut = Delay(AddressEvent(4), delay=delay)
    assert read(dut, samples, random=Random(1), pauses=pauses, wait=wait) == steps


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("pauses, wait", [((0, 0), 0), ((0.5, 0), 0), ((0, 0.5), 0), ((0.2, 0), 2)])
@pytest.mark.parametrize("delay", [1, 2, 3, 5, 9])
def test_delay_moves_steps(delay, pauses, wait):
    random = Random(delay)
    samples = random_samples(random, 5, samples=12, steps=8, values=(-3, 3))
    dut = Delay(AddressEvent(5, signed(3)), delay=delay)
    expected = []
    for sample in samples:
        late = [{}] * delay + sample
        expected += [sorted(step.items()) for step in late[: len(sample)]]
    assert read(dut, samples, random=random, pauses=pauses, wait=wait) == expected


# -- cycle by cycle ------------------------------------------------------------------------------


def test_a_delay_costs_no_cycle_and_drops_one_event_a_cycle():
    dut = Delay(AddressEvent(4), delay=2)
    trace = []
    sent = [(1, 0), END, (2, 0), END, (3, 0), LAST, (1, 0)]

    async def testbench(ctx):
        left = [*sent]
        # Two steps that it makes up, one that it passes on, the last of its reader's sample.
        for ready, finish in [(0, 0), (1, 0), (1, 0), (1, 0), (1, 1), *[(0, 0)] * 6]:
            ctx.set(dut.i.valid, bool(left))
            if left:
                ctx.set(dut.i.payload, written(left[0]))
            ctx.set(dut.o.ready, ready)
            ctx.set(dut.finish, finish)
            _, _, taken, valid, payload = await ctx.tick().sample(
                dut.i.ready, dut.o.valid, dut.o.payload
            )
            trace.append((taken, plain(payload) if valid else None))
            if taken and left:
                left.pop(0)

    simulate(dut, testbench, watch=[dut.o])
    assert trace == [
        (0, END),
        (0, END),
        (0, END),
        (1, (1, 0)),
        (1, END),
        (1, None),
        (1, None),
        (1, None),
        (1, None),
        (0, END),  # the next sample
        (0, END),
    ]


# -- bare tokens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5)])
def test_ticks_are_the_tokens(pauses):
    random = Random(3)
    events = events_of(random_samples(random, 4, samples=8))
    expected = [event for event in events if event in {END, LAST}]
    dut = Ticks(AddressEvent(4))
    sent = [written(event) for event in events]
    received = transfer(dut, sent, len(expected), random=random, pauses=pauses, top=clocked(dut))
    assert [plain(item) for item in received] == expected


def test_ticks_drop_an_event_a_cycle_even_while_stalled():
    dut = Ticks(AddressEvent(4))
    trace = []

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        for event, ready in [((1, 0), 0), ((2, 0), 1), (END, 0), (END, 1), ((0, 0), 0), (LAST, 1)]:
            ctx.set(dut.i.payload, written(event))
            ctx.set(dut.o.ready, ready)
            _, _, *now = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.payload.last)
            trace.append(tuple(now))

    simulate(clocked(dut), testbench, watch=[dut.o])
    assert trace == [(1, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 0), (1, 1, 1)]


@pytest.mark.parametrize("dut", [Delay(AddressEvent(9), delay=3), Ticks(AddressEvent(9))])
def test_delay_converts(dut):
    assert converts(dut)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "delay, error, message",
    [
        (0, ValueError, "Delay must be at least 1, not 0"),
        (1.0, TypeError, "Delay must be an int, not 1.0"),
        (False, TypeError, "Delay must be an int, not False"),
    ],
)
def test_delay_rejects(delay, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Delay(AddressEvent(4), delay=delay)
