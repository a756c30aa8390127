# amaranth: UnusedElaboratable=no

"""Tests of the scanner: by hand, against sets of bits, cycle by cycle, and bad input."""

import re
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl import Scanner

from support.bench import simulate
from support.events import (
    END,
    LAST,
    converts,
    events_in,
    events_of,
    items_of,
    plain,
    random_samples,
    transfer,
)


def word(flags, index=0, end=0, last=0, values=None):
    return {"flags": flags, "index": index, "end": end, "last": last} | (
        {} if values is None else {"values": values}
    )


def words_of(samples, size, width, random=None):
    """Return the words of samples; with ``random``, some of those without events are left out."""
    results = []
    count = -(-size // width)
    for sample in samples:
        for n, step in enumerate(sample):
            for index in range(count):
                own = [address in step for address in range(index * width, (index + 1) * width)]
                end = index == count - 1
                if random is not None and not any(own) and not end and random.random() < 0.5:
                    continue
                flags = sum(bit << k for k, bit in enumerate(own))
                values = [step.get(index * width + k, 0) for k in range(width)]
                last = end and n == len(sample) - 1
                results.append(word(flags, index, int(end), int(last), values))
    return results


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, events",
    [
        ([word(0b0000)], []),
        ([word(0b0001)], [(0, 0)]),
        ([word(0b1011)], [(0, 0), (1, 0), (3, 0)]),
        ([word(0b1111, 2)], [(8, 0), (9, 0), (10, 0), (11, 0)]),
        ([word(0, 2, 1)], [END]),
        ([word(0, 2, 1, 1)], [LAST]),
        ([word(0b0100, 2, 1, 1)], [(10, 0), LAST]),
        ([word(0b1000), word(0b0001, 2, 1)], [(3, 0), (8, 0), END]),
        ([word(0), word(0), word(0, 2, 1), word(0b10)], [END, (1, 0)]),
    ],
)
def test_scanner_by_hand(words, events):
    dut = Scanner(12, width=4)
    received = transfer(dut, words, len(events), random=Random(0))
    assert [plain(item) for item in received] == events


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5), (0.3, 0.3)])
@pytest.mark.parametrize(
    "size, width", [(1, 1), (4, 4), (5, 1), (10, 4), (33, 16), (7, 8), (64, 9)]
)
def test_scanner_finds_the_bits_that_are_set(size, width, pauses):
    random = Random(size * width)
    samples = random_samples(random, size)
    sent = words_of(samples, size, width, random)
    for packet in sent:
        del packet["values"]
    expected = events_of(samples)
    received = transfer(
        Scanner(size, width=width), sent, len(expected), random=random, pauses=pauses
    )
    assert [plain(item) for item in received] == expected


@pytest.mark.parametrize("shape, values", [(unsigned(3), (1, 7)), (signed(4), (-8, 7))])
@pytest.mark.parametrize("size, width", [(1, 1), (10, 4), (13, 3)])
def test_scanner_gives_values(size, width, shape, values):
    random = Random(size)
    samples = random_samples(random, size, values=values)
    dut = Scanner(size, width=width, value=shape)
    expected = events_of(samples)
    sent = words_of(samples, size, width, random)
    received = transfer(dut, sent, len(expected), random=random, pauses=(0.2, 0.2))
    assert [plain(item) for item in received] == expected


@pytest.mark.parametrize("pauses", [(0, 0), (0.3, 0.3)])
@pytest.mark.parametrize("banks", [2, 4, 8])
@pytest.mark.parametrize("size, width", [(1, 1), (3, 5), (11, 11), (37, 16), (40, 8)])
def test_scanner_finds_the_lowest_of_each_bank(size, width, banks, pauses):
    random = Random(size * banks)
    samples = random_samples(random, size, values=(-4, 3))
    dut = Scanner(size, width=width, value=signed(3), banks=banks)
    expected = items_of(samples, banks, width=width)
    sent = words_of(samples, size, width, random)
    received = transfer(dut, sent, len(expected), random=random, pauses=pauses)
    assert [events_in(item) for item in received] == expected


# -- cycle by cycle ------------------------------------------------------------------------------


@pytest.mark.parametrize("banks", [1, 2, 4, 8])
def test_words_take_as_long_as_their_fullest_bank(banks):
    random = Random(banks)
    dut = Scanner(48, width=16, banks=banks)
    samples = random_samples(random, 48, samples=10)
    words = words_of(samples, 48, 16)
    for payload in words:
        del payload["values"]
    counts = []
    for payload in words:
        places = [n for n in range(16) if payload["flags"] >> n & 1]
        fullest = max(Counter(n % banks for n in places).values(), default=0)
        counts.append(max(1, fullest + payload["end"]))
    taken, now = [], [0]

    async def testbench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for payload in words:
            ctx.set(dut.i.payload, payload)
            ready = 0
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
                now[0] += 1
            taken.append(now[0])

    simulate(dut, testbench, watch=[dut.o])
    assert [b - a for a, b in pairwise(taken)] == counts[:-1]


def test_a_word_takes_a_cycle_for_each_event_and_token():
    dut = Scanner(8, width=4)
    words = [word(0b0101), word(0b0001, 1, 1), word(0), word(0, 1, 1, 1)]
    trace = []

    async def testbench(ctx):
        left = [*words]
        ctx.set(dut.o.ready, 1)
        for _ in range(9):
            ctx.set(dut.i.valid, bool(left))
            if left:
                ctx.set(dut.i.payload, left[0])
            _, _, ready, valid, payload = await ctx.tick().sample(
                dut.i.ready, dut.o.valid, dut.o.payload
            )
            trace.append((ready, plain(payload) if valid else None))
            if ready and left:
                left.pop(0)

    simulate(dut, testbench, watch=[dut.o])
    assert trace == [
        (1, None),
        (0, (0, 0)),
        (1, (2, 0)),  # the last event of a word that ends nothing: the next may come
        (0, (4, 0)),
        (1, END),
        (1, None),  # an empty word takes a cycle
        (1, LAST),
        (1, None),
        (1, None),
    ]


def test_a_stalled_event_stays():
    dut = Scanner(4, width=4)
    trace = []

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, word(0b1010, 0, 1))
        for ready in [0, 0, 1, 0, 1, 0, 1]:
            ctx.set(dut.o.ready, ready)
            _, _, taken, valid, payload = await ctx.tick().sample(
                dut.i.ready, dut.o.valid, dut.o.payload
            )
            trace.append((taken, plain(payload) if valid else None))

    simulate(dut, testbench, watch=[dut.o])
    assert trace == [
        (1, None),
        *[(0, (1, 0))] * 2,
        *[(0, (3, 0))] * 2,
        (0, END),
        (1, END),
    ]


def test_scanner_converts():
    assert converts(Scanner(10, width=4, value=signed(3)))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"size": 0}, ValueError, "Scanner size must be at least 1, not 0"),
        ({"size": "4"}, TypeError, "Scanner size must be an int, not '4'"),
        ({"width": 0}, ValueError, "Scanner width must be at least 1, not 0"),
        ({"width": 1.0}, TypeError, "Scanner width must be an int, not 1.0"),
        ({"banks": 0}, ValueError, "Banks must be at least 1, not 0"),
        (
            {"width": 6, "banks": 4},
            ValueError,
            "Scanner width must be a multiple of 4 banks, not 6",
        ),
    ],
)
def test_scanner_rejects(bad, error, message):
    arguments = {"size": 8, "width": 4, "banks": 1} | bad
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Scanner(arguments["size"], width=arguments["width"], banks=arguments["banks"])
