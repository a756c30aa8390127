# amaranth: UnusedElaboratable=no

"""Tests of updates window by window: a step by hand, random streams, and bad input."""

from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl.population.pooled_convolution import PooledEvent
from spiker_hdl.rtl.population.window_sequencer import WindowSequencer

from support.bench import simulate
from support.events import converts

TOKEN, LAST = "token", "last"


def made(size, lanes, units, interval=1, shift=0):
    event = PooledEvent(-(-size // lanes), lanes, 6)
    return WindowSequencer(
        event, size=size, lanes=lanes, units=units, interval=interval, shift=shift
    )


def offered(dut, item, last):
    """Return the payload of a row of maxima, or of a token."""
    if item in (TOKEN, LAST):
        return {"fold": 0, "maxima": [0] * dut.lanes, "end": 1, "last": int(last)}
    fold, maxima = item
    padded = [*maxima, *[0] * (dut.lanes - len(maxima))]
    return {"fold": fold, "maxima": padded, "end": 0, "last": int(last)}


def trace_of(dut, items, offers, frees, cycles=400):
    """Offer rows of maxima and tokens; return what happens in each cycle until all are taken."""
    trace, left = [], [*items]

    async def testbench(ctx):
        for n in range(cycles):
            last = next((item for item in left if item in (TOKEN, LAST)), None) == LAST
            ctx.set(dut.i.valid, int(bool(left) and offers(n)))
            if left:
                ctx.set(dut.i.payload, offered(dut, left[0], last))
            ctx.set(dut.free, int(frees(n)))
            _, _, valid, ready, *now = await ctx.tick().sample(
                dut.i.valid, dut.i.ready, dut.start, dut.finish, dut.go, dut.group, dut.first,
                dut.last, dut.sums,
            )  # fmt: skip
            trace.append(now)
            if valid and ready:
                left.pop(0)
        assert not left

    simulate(dut, testbench)
    return trace


def always(n):
    return True


def test_groups_of_a_step_by_hand():
    dut = made(6, lanes=4, units=2, shift=1)
    items = [(0, [1, 2, 3, -4]), (1, [5, -6]), TOKEN, LAST]
    rows = [
        (start, finish, (group, first, last, [*sums]) if go else None)
        for start, finish, go, group, first, last, sums in trace_of(dut, items, always, always, 9)
    ]
    assert rows == [
        (1, 0, (0, 1, 0, [2, 4])),
        (0, 0, (1, 1, 0, [6, -8])),
        (0, 0, (2, 1, 0, [10, -12])),
        (0, 0, None),  # the token of the step
        (1, 0, (0, 0, 1, [0, 0])),  # a step without rows
        (0, 0, (1, 0, 1, [0, 0])),
        (0, 1, (2, 0, 1, [0, 0])),
        (0, 0, None),
        (0, 0, None),
    ]


@pytest.mark.parametrize("interval", [1, 4])
@pytest.mark.parametrize(
    "size, lanes, units", [(1, 1, 1), (2, 1, 1), (8, 4, 1), (9, 3, 1), (12, 4, 4)]
)
def test_every_group_reads_its_sums_once_in_a_step(size, lanes, units, interval):
    random = Random(size)
    dut = made(size, lanes, units, interval)
    folds, steps, items = -(-size // lanes), [], []
    for _ in range(8):
        empty, last = random.random() < 0.4, random.random() < 0.5
        sums = [0 if empty else random.randint(-32, 31) for _ in range(folds * lanes)]
        steps.append((sums, last))
        if not empty:
            items += [(n, sums[n * lanes : (n + 1) * lanes]) for n in range(folds)]
        items.append(LAST if last else TOKEN)
    trace = trace_of(dut, items, lambda n: random.random() < 0.7, lambda n: random.random() < 0.7)
    groups, reads = size // units, []
    for n, (start, _, go, group, first, last, sums) in enumerate(trace):
        assert start == (go and group == 0)
        if go:
            reads.append((n, group, first, last, [*sums]))
    assert sum(finish for _, finish, *_ in trace) == sum(last for _, last in steps)
    assert len(reads) == groups * len(steps)
    for k, (sums, last) in enumerate(steps):
        own = reads[k * groups : (k + 1) * groups]
        first = k == 0 or steps[k - 1][1]
        assert [row[1:] for row in own] == [
            (n, first, last, sums[n * units : (n + 1) * units]) for n in range(groups)
        ]
        # The next step begins so long after the last group of this one.
        following = reads[(k + 1) * groups : (k + 1) * groups + 1]
        assert all(row[0] - own[-1][0] >= interval for row in following)


def test_step_begins_only_while_there_is_room():
    dut = made(2, lanes=1, units=1)
    trace = trace_of(dut, [(0, [1]), (1, [2]), TOKEN], always, lambda n: n == 3, 8)
    assert [n for n, (_, _, go, *_) in enumerate(trace) if go] == [3, 4]


# The token is the last to come, and then the pause is.
@pytest.mark.parametrize("interval, expected", [(2, "1000011"), (4, "1000001")])
def test_idle_only_between_steps(interval, expected):
    dut = made(2, lanes=1, units=1, interval=interval)
    seen = ""

    async def testbench(ctx):
        nonlocal seen
        ctx.set(dut.free, 1)
        for item in [(0, [1]), None, (1, [2]), None, TOKEN, None, None]:
            ctx.set(dut.i.valid, int(item is not None))
            if item is not None:
                ctx.set(dut.i.payload, offered(dut, item, False))
            seen += str((await ctx.tick().sample(dut.idle))[-1])

    simulate(dut, testbench)
    assert seen == expected


def test_window_sequencer_converts():
    converts(made(12, lanes=4, units=2, interval=3))


@pytest.mark.parametrize("units", [0, 5])
def test_units_must_fit_the_lanes(units):
    with pytest.raises(ValueError, match="Step units"):
        made(12, lanes=4, units=units)
