# amaranth: UnusedElaboratable=no

"""Tests of the serializer: by hand, against sets of events, cycle by cycle, and bad input."""

import re
from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl import AddressEvent, Serializer

from support.bench import simulate
from support.events import (
    END,
    LAST,
    converts,
    events_in,
    given,
    items_of,
    plain,
    random_samples,
    transfer,
)


def turns(events, banks):
    """Return the events of an item as turns for a reader with fewer banks."""
    if events[0] in {END, LAST}:
        return [events]
    parts = {}
    for address, value in events:
        parts.setdefault(address % WIDE // banks, []).append((address, value))
    return [parts[n] for n in sorted(parts)]


WIDE = 8


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "banks, events, expected",
    [
        (1, [(3, 0)], [[(3, 0)]]),
        (1, [(8, 0), (1, 0), (15, 0)], [[(8, 0)], [(1, 0)], [(15, 0)]]),
        (2, [(8, 0), (1, 0), (15, 0)], [[(8, 0), (1, 0)], [(15, 0)]]),
        (2, [(2, 0), (13, 0)], [[(2, 0)], [(13, 0)]]),
        (4, [(8, 0), (1, 0), (15, 0)], [[(8, 0), (1, 0)], [(15, 0)]]),
        (4, [(0, 0), (19, 0)], [[(0, 0), (19, 0)]]),
        (4, [(12, 0)], [[(12, 0)]]),
        (1, [END], [[END]]),
        (2, [LAST], [[LAST]]),
    ],
)
def test_turns_by_hand(banks, events, expected):
    dut = Serializer(AddressEvent(20, banks=WIDE), banks=banks)
    received = transfer(dut, [given(events, WIDE)], len(expected), random=Random(0))
    results = [[plain(item)] if banks == 1 else events_in(item) for item in received]
    assert results == expected


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [(0, 0), (0.4, 0), (0, 0.4)])
@pytest.mark.parametrize("banks", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 7, 8, 29])
def test_all_events_come_in_turns(size, banks, pauses):
    random = Random(size * banks)
    samples = random_samples(random, size, values=(-4, 3))
    items = items_of(samples, WIDE, random)
    dut = Serializer(AddressEvent(size, signed(3), WIDE), banks=banks)
    expected = [turn for entry in items for turn in turns(entry, banks)]
    sent = [given(entry, WIDE) for entry in items]
    received = transfer(dut, sent, len(expected), random=random, pauses=pauses)
    assert [[plain(item)] if banks == 1 else events_in(item) for item in received] == expected


# -- cycle by cycle ------------------------------------------------------------------------------


def test_a_turn_takes_a_cycle_and_an_item_stays_until_its_last():
    dut = Serializer(AddressEvent(8, banks=4), banks=2)
    items = [[(0, 0), (5, 0), (3, 0)], [(2, 0)], [END], [(1, 0), (2, 0)], [LAST]]
    trace = []

    async def testbench(ctx):
        left = [*items]
        for ready in [1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1]:
            ctx.set(dut.i.valid, bool(left))
            ctx.set(dut.o.ready, ready)
            if left:
                ctx.set(dut.i.payload, given(left[0], 4))
            _, _, taken, valid, payload = await ctx.tick().sample(
                dut.i.ready, dut.o.valid, dut.o.payload
            )
            trace.append((taken, events_in(payload) if valid else None))
            if taken and left:
                left.pop(0)

    simulate(dut, testbench, watch=[dut.o])
    assert trace == [
        (0, [(0, 0), (5, 0)]),
        (0, [(3, 0)]),
        (1, [(3, 0)]),
        (1, [(2, 0)]),
        (1, [END]),
        (0, [(1, 0)]),
        (0, [(1, 0)]),
        (0, [(1, 0)]),
        (1, [(2, 0)]),
        (0, [LAST]),
        (1, [LAST]),
        (1, None),
    ]


def test_serializer_converts():
    assert converts(Serializer(AddressEvent(9, signed(3), 4), banks=1))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "banks, error, message",
    [
        (0, ValueError, "Banks must be at least 1, not 0"),
        (4, ValueError, "Banks must be at most 2, not 4"),
        (1.0, TypeError, "Banks must be an int, not 1.0"),
    ],
)
def test_serializer_rejects(banks, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Serializer(AddressEvent(9, banks=4), banks=banks)
