# amaranth: UnusedElaboratable=no

"""Tests of the neurons' turns: a step by hand, many steps, and bad input."""

import re
from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl import UpdateSequencer

from support.bench import simulate
from support.events import converts


def trace_of(dut, begins, cycles):
    """Begin steps in some cycles, each a dict of the other inputs; return all outputs by cycle."""
    trace = []

    async def testbench(ctx):
        for n in range(cycles):
            ctx.set(dut.begin, int(n in begins))
            for name in ("last", "empty", "keep"):
                # Without a begin, they mean nothing.
                ctx.set(getattr(dut, name), begins.get(n, {}).get(name, n % 2))
            _, _, *now = await ctx.tick().sample(
                dut.turn, dut.ahead, dut.go, dut.group, dut.first, dut.final
            )
            trace.append(now)

    simulate(dut, testbench)
    return trace


# -- cycle by cycle ------------------------------------------------------------------------------


def test_the_turns_of_a_step_by_hand():
    dut = UpdateSequencer(10, lanes=4, units=2)
    begin = {"last": 0, "empty": 0, "keep": 1}
    turns, goes = [], []
    for turn, ahead, go, group, first, final in trace_of(dut, {1: begin}, 9):
        turns.append((turn.row, turn.part, ahead, turn.start, turn.final) if turn.take else None)
        goes.append((group, first, final) if go else None)
        assert not turn.take or (turn.keep, turn.empty) == (1, 0)
    assert turns == [
        *[None] * 2,
        (0, 0, 0, 1, 0),
        (0, 1, 1, 0, 0),
        (1, 0, 2, 0, 0),
        (1, 1, 3, 0, 0),
        (2, 0, 4, 0, 1),  # the last row has no second part
        *[None] * 2,
    ]
    assert goes == [*[None] * 3, *[(n, 1, 0) for n in range(5)], None]


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("spare", [0, 3])
@pytest.mark.parametrize(
    "size, lanes, units",
    [(1, 1, 1), (4, 4, 4), (7, 7, 2), (9, 9, 1), (9, 2, 1), (12, 4, 4), (13, 6, 2), (16, 8, 8)],
)
def test_groups_step_one_after_the_other(size, lanes, units, spare):
    random = Random(size)
    dut = UpdateSequencer(size, lanes=lanes, units=units)
    groups = -(-size // units)
    parts = -(-lanes // units)
    begins, now = {}, 0
    for _ in range(12):
        begins[now] = {name: random.randint(0, 1) for name in ("last", "empty", "keep")}
        # The next may begin as the last group is asked for.
        now += groups + random.randint(0, spare)
    trace = trace_of(dut, begins, now + 3)
    taken = dict.fromkeys(range(now + 3))
    fresh = 1
    for start, begin in begins.items():
        for group in range(groups):
            taken[start + 1 + group] = (group, fresh, begin)
        fresh = begin["last"]
    for n, (turn, ahead, go, group, first, final) in enumerate(trace):
        assert turn.take == (taken[n] is not None)
        if turn.take:
            mine, _, begin = taken[n]
            assert ahead == mine
            assert (turn.row, turn.part) == divmod(mine, parts)
            assert (turn.start, turn.final) == (mine == 0, mine == groups - 1)
            assert (turn.keep, turn.empty) == (begin["keep"], begin["empty"])
        else:
            assert not turn.final
        before = taken[n - 1] if n else None
        assert go == (before is not None)
        if go:
            assert (group, first, final) == (before[0], before[1], before[2]["last"])


def test_sequencer_converts():
    assert converts(UpdateSequencer(9, lanes=4, units=2))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"size": 0}, ValueError, "Size must be at least 1, not 0"),
        ({"lanes": 9}, ValueError, "Lanes must be at most 8, not 9"),
        ({"units": 5}, ValueError, "Step units must be at most 4, not 5"),
        ({"units": 1.0}, TypeError, "Step units must be an int, not 1.0"),
    ],
)
def test_sequencer_rejects(bad, error, message):
    arguments = {"size": 8, "lanes": 4, "units": 4} | bad
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        UpdateSequencer(arguments["size"], lanes=arguments["lanes"], units=arguments["units"])
