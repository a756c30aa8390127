# amaranth: UnusedElaboratable=no

"""Tests of the accumulators: against plain sums, cycle by cycle, and bad input."""

import re
from random import Random
from types import SimpleNamespace

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from events import clocked, converts

from spiker_hdl.rtl import FoldedLanes, RingLanes
from spiker_hdl.rtl.lanes import product

from bench import pause, simulate

# -- the product ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [unsigned(0), unsigned(1), unsigned(3), signed(1), signed(4)])
def test_product_of_all_small_numbers(shape):
    weight, value = Signal(signed(4)), Signal(shape)

    class Product(wiring.Component):
        o: Out(signed(9))

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.o.eq(product(weight, value))
            return m

    dut = Product()
    low, high = 0, 2**shape.width - 1
    if shape.signed:
        low, high = -(2 ** (shape.width - 1)), 2 ** (shape.width - 1) - 1

    async def testbench(ctx):
        for a in range(-8, 8):
            for b in range(low, high + 1):
                ctx.set(weight, a)
                if shape.width:
                    ctx.set(value, b)
                assert ctx.get(dut.o) == a * (b if shape.width else 1)

    simulate(clocked(dut), testbench)


# -- against plain sums --------------------------------------------------------------------------


def random_steps(random, dut, count=8):
    """Draw the events of some steps: each a list of (weights, value), a row for each fold."""
    low, high = -(2 ** (dut.weight - 1)), 2 ** (dut.weight - 1) - 1
    shape = dut.value_shape
    least, most = 0, 2**shape.width - 1
    if shape.signed:
        least, most = -(2 ** (shape.width - 1)), 2 ** (shape.width - 1) - 1

    def weight():
        return random.choice([low, high, random.randint(low, high)])

    steps = []
    for _ in range(count):
        events = []
        for _ in range(random.choice([0, 0, 1, 2, 5])):
            rows = [[weight() for _ in range(dut.lanes)] for _ in range(dut.folds)]
            events.append((rows, random.choice([least, most]) if shape.width else 1))
        steps.append(events)
    return steps


async def add(ctx, dut, fold, row, value, first):
    """Add a row; its number was known a cycle before."""
    ctx.set(dut.ahead, fold)
    await ctx.tick()
    ctx.set(dut.add, 1)
    ctx.set(dut.first, first)
    ctx.set(dut.row, fold)
    ctx.set(dut.weights, row)
    if dut.value_shape.width:
        ctx.set(dut.value, value)
    # The next row is asked for while this one is added; another than itself, if there is one.
    ctx.set(dut.ahead, (fold + 1) % dut.folds)
    await ctx.tick()
    ctx.set(dut.add, 0)
    ctx.set(dut.weights, [0] * dut.lanes)


async def take(ctx, dut, empty):
    """Take all sums of a step."""
    found = []
    groups = -(-dut.size // dut.units)
    ctx.set(dut.ahead, 0)
    await ctx.tick()
    ctx.set(dut.take, 1)
    ctx.set(dut.empty, empty)
    for n in range(groups):
        ctx.set(dut.row, min(n, dut.folds - 1))
        ctx.set(dut.ahead, min(n + 1, dut.folds - 1))
        _, _, sums = await ctx.tick().sample(dut.sums)
        found += [*sums]
    ctx.set(dut.take, 0)
    return found[: dut.size]


@pytest.mark.parametrize("value", [unsigned(0), unsigned(3), signed(3)])
@pytest.mark.parametrize(
    "size, lanes, units",
    [
        (1, 1, 1),
        (5, 5, 5),
        (5, 5, 1),
        (7, 7, 2),
        (8, 8, 4),
        (2, 1, 1),
        (7, 2, 2),
        (9, 3, 3),
        (9, 8, 8),
    ],
)
def test_lanes_sum_the_weights(size, lanes, units, value):
    random = Random(size * units)
    kind = RingLanes if lanes == size else FoldedLanes
    dut = kind(size, lanes=lanes, units=units, width=14, weight=5, value=value)
    steps = random_steps(random, dut)
    received = []

    async def testbench(ctx):
        for events in steps:
            for n, (rows, factor) in enumerate(events):
                for fold, row in enumerate(rows):
                    await pause(ctx, random, 0.2)
                    await add(ctx, dut, fold, row, factor, n == 0)
            await pause(ctx, random, 0.2)
            received.append(await take(ctx, dut, not events))

    simulate(dut, testbench)
    for events, sums in zip(steps, received, strict=True):
        wanted = [
            sum(rows[n // lanes][n % lanes] * factor for rows, factor in events)
            for n in range(size)
        ]
        assert sums == wanted


@pytest.mark.parametrize("size, lanes", [(2, 1), (7, 2), (9, 3)])
def test_scattered_lanes_know_which_rows_are_zero(size, lanes):
    random = Random(size)
    dut = FoldedLanes(
        size, lanes=lanes, units=lanes, width=14, weight=5, value=unsigned(0), scattered=True
    )
    steps = [
        [
            (random.randrange(dut.folds), [random.randint(-16, 15) for _ in range(lanes)])
            for _ in range(random.choice([0, 1, 2, 9]))
        ]
        for _ in range(12)
    ]
    received = []

    async def testbench(ctx):
        for events in steps:
            for fold, row in events:
                await add(ctx, dut, fold, row, 1, random.randint(0, 1))
            received.append(await take(ctx, dut, random.randint(0, 1)))

    simulate(dut, testbench)
    for events, sums in zip(steps, received, strict=True):
        wanted = [
            sum(row[n % lanes] for fold, row in events if fold == n // lanes) for n in range(size)
        ]
        assert sums == wanted


# -- cycle by cycle ------------------------------------------------------------------------------


def test_a_ring_adds_every_cycle_and_turns_by_its_units():
    dut = RingLanes(4, lanes=4, units=2, width=6, weight=3, value=unsigned(0))
    trace = []

    async def testbench(ctx):
        for inputs in [
            {"add": 1, "weights": [1, 2, 3, -4]},
            {"add": 1, "weights": [1, -1, 3, -4]},
            {},
            {"take": 1},
            {"take": 1},
            {"add": 1, "weights": [1, 1, 1, 1]},
            {},
        ]:
            given = SimpleNamespace(**{"add": 0, "take": 0, "weights": [0] * 4} | inputs)
            ctx.set(dut.add, given.add)
            ctx.set(dut.take, given.take)
            ctx.set(dut.weights, given.weights)
            _, _, sums = await ctx.tick().sample(dut.sums)
            trace.append(tuple(sums))

    simulate(dut, testbench)
    assert trace == [(0, 0), (1, 2), (2, 1), (2, 1), (6, -8), (0, 0), (1, 1)]


def test_folded_lanes_add_every_cycle():
    dut = FoldedLanes(4, lanes=2, units=2, width=6, weight=3, value=unsigned(0))
    trace = []

    async def testbench(ctx):
        for inputs in [
            {"ahead": 0},
            {"ahead": 1, "row": 0, "add": 1, "first": 1, "weights": [1, 2]},
            {"ahead": 0, "row": 1, "add": 1, "first": 1, "weights": [3, -4]},
            {"ahead": 1, "row": 0, "add": 1, "weights": [1, -1]},
            {"ahead": 0, "row": 1, "add": 1, "weights": [3, -4]},
            {"ahead": 1, "take": 1},
            {"ahead": 0, "row": 1, "take": 1},
            {"ahead": 1, "take": 1, "empty": 1},  # a step without events
            {"ahead": 0, "row": 1, "take": 1, "empty": 1},
        ]:
            given = {"add": 0, "take": 0, "first": 0, "row": 0, "empty": 0, "weights": [0, 0]}
            for name, value in (given | inputs).items():
                ctx.set(getattr(dut, name), value)
            _, _, sums = await ctx.tick().sample(dut.sums)
            trace.append(tuple(sums))

    simulate(dut, testbench)
    assert trace[5:] == [(2, 1), (6, -8), (0, 0), (0, 0)]


@pytest.mark.parametrize("kind, lanes", [(RingLanes, 5), (FoldedLanes, 2)])
def test_lanes_convert(kind, lanes):
    assert converts(kind(5, lanes=lanes, units=lanes, width=9, weight=4, value=signed(3)))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RingLanes, FoldedLanes])
@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"size": 0}, ValueError, "Size must be at least 1, not 0"),
        ({"lanes": 9}, ValueError, "Lanes must be at most 8, not 9"),
        ({"lanes": 0}, ValueError, "Lanes must be at least 1, not 0"),
        ({"units": 5}, ValueError, "Step units must be at most 4, not 5"),
        ({"width": 0}, ValueError, "Sum width must be at least 1, not 0"),
        ({"weight": 2.5}, TypeError, "Weight width must be an int, not 2.5"),
    ],
)
def test_lanes_reject(kind, bad, error, message):
    given = {"size": 8, "lanes": 4, "units": 4, "width": 8, "weight": 4, "value": unsigned(0)}
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        kind(**given | bad)
