# amaranth: UnusedElaboratable=no

"""Tests of the accumulators: against plain sums, cycle by cycle, and bad input."""

import re
from collections import defaultdict
from random import Random

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from spiker_hdl.rtl import FoldedLanes, RingLanes
from spiker_hdl.rtl.common.adders import product

from support.bench import simulate
from support.events import clocked, converts

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


def random_steps(random, dut, *, keeps=False, count=10):
    """Draw steps: of each its events, and whether its sums are kept.

    An event is what it adds: a list of (row, weights), all rows or one of them; and its value.
    """
    low, high = -(2 ** (dut.weight - 1)), 2 ** (dut.weight - 1) - 1
    shape = dut.value_shape
    minimum, maximum = 0, 2**shape.width - 1
    if shape.signed:
        minimum, maximum = -(2 ** (shape.width - 1)), 2 ** (shape.width - 1) - 1

    def weights():
        return [random.choice([low, high, random.randint(low, high)]) for _ in range(dut.lanes)]

    steps = []
    for _ in range(count):
        events = []
        for _ in range(random.choice([0, 0, 1, 2, 5])):
            rows = range(dut.folds)
            if dut.scattered and random.random() < 0.7:
                rows = [random.choice([0, random.randrange(dut.folds)])]
            added = [(row, weights()) for row in rows]
            events.append((added, random.choice([minimum, maximum]) if shape.width else 1))
        steps.append((events, keeps and random.random() < 0.6))
    return steps


def plan(random, dut, steps, chance):
    """Lay steps out in cycles, each as early as the contract has it, but for pauses by chance.

    Returns the inputs by cycle, and for each step the cycles in which its sums are taken.
    """
    cycles, taken = defaultdict(dict), []
    groups = -(-dut.size // dut.units)
    ended = dut.folds if dut.clears else 0  # rows are cleared first
    free = ended + 1  # the earliest cycle in which may be added, and then sums may be asked for
    empty = True
    for events, keep in steps:
        now = free
        for added, value in events:
            while random.random() < chance:
                now += 1
            for row, weights in added:
                cycles[now - 1]["ahead"] = row
                inputs = {"add": 1, "row": row, "weights": weights, "value": value}
                cycles[now] |= inputs | {"first": int(empty)}
                now += 1
            empty = False
        # The first sums may be asked for in the cycle in which the last weights are added.
        start = max(ended, now - 1 if events else free - 1)
        while random.random() < chance:
            start += 1
        for group in range(groups):
            row, part = divmod(group, dut.parts)
            cycles[start + group]["turn"] = {
                "take": 1,
                "start": int(group == 0),
                "final": int(group == groups - 1),
                "row": row,
                "part": part,
                "keep": int(keep),
                "empty": int(empty),
            }
        taken.append([start + 1 + group for group in range(groups)])
        ended = start + groups
        together = dut.overlap and not (keep and dut.folds > 1)
        free = start + 2 if together else ended + 1
        empty = empty or not keep
    return cycles, taken


def run(random, dut, steps, chance):
    """Return the sums of each step."""
    cycles, taken = plan(random, dut, steps, chance)
    results = []

    async def testbench(ctx):
        for now in range(taken[-1][-1] + 1):
            given = cycles[now]
            anything = {"row": random.randrange(dut.folds), "part": random.randrange(dut.parts)}
            turn = given.get("turn", {"take": 0} | anything)
            if dut.scattered:
                turn["empty"] = random.randint(0, 1)
                given["first"] = random.randint(0, 1)
            ctx.set(dut.turn, turn)
            ctx.set(dut.ahead, given.get("ahead", random.randrange(dut.folds)))
            ctx.set(dut.row, given.get("row", random.randrange(dut.folds)))
            ctx.set(dut.add, given.get("add", 0))
            ctx.set(dut.first, given.get("first", random.randint(0, 1)))
            ctx.set(dut.weights, given.get("weights", [0] * dut.lanes))
            if dut.value_shape.width:
                ctx.set(dut.value, given.get("value", 1))
            _, _, sums = await ctx.tick().sample(dut.sums)
            results.append([*sums])

    simulate(dut, testbench)
    return [[lane for now in item for lane in results[now]][: dut.size] for item in taken]


def answer(dut, steps):
    """Return the sums of each step, in plain Python."""
    results, sums = [], [0] * dut.size
    for events, keep in steps:
        for added, value in events:
            for row, weights in added:
                for n, weight in enumerate(weights, row * dut.lanes):
                    if n < dut.size:
                        sums[n] += weight * value
        results.append(sums)
        sums = [*sums] if keep else [0] * dut.size
    return results


def make(size, lanes, units, **options):
    kind = RingLanes if lanes == size else FoldedLanes
    options = {"value": unsigned(0)} | options
    return kind(size, lanes=lanes, units=units, width=16, weight=5, **options)


SIZES = [
    *((1, 1, 1), (5, 5, 5), (5, 5, 1), (7, 7, 2), (8, 8, 4), (9, 9, 2)),
    *((2, 1, 1), (7, 2, 2), (9, 3, 3), (9, 8, 8), (9, 8, 1), (16, 4, 2), (13, 6, 3), (12, 4, 1)),
]


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("value", [unsigned(0), unsigned(3), signed(3)])
@pytest.mark.parametrize("size, lanes, units", SIZES)
def test_lanes_sum_the_weights(size, lanes, units, value, overlap):
    random = Random(f"{size} {units}")
    dut = make(size, lanes, units, value=value, overlap=overlap)
    steps = random_steps(random, dut)
    assert run(random, dut, steps, 0.2) == answer(dut, steps)


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("size, lanes, units", SIZES)
def test_lanes_keep_their_sums(size, lanes, units, overlap):
    random = Random(f"{size} {units}")
    dut = make(size, lanes, units, value=signed(2), overlap=overlap)
    steps = random_steps(random, dut, keeps=True, count=16)
    assert run(random, dut, steps, 0.2) == answer(dut, steps)


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("size, lanes, units", [size for size in SIZES if size[1] < size[0]])
def test_scattered_lanes_know_which_rows_are_zero(size, lanes, units, overlap):
    random = Random(f"{size} {units}")
    dut = make(size, lanes, units, scattered=True, overlap=overlap)
    steps = random_steps(random, dut, count=20)
    assert run(random, dut, steps, 0.2) == answer(dut, steps)


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("size, lanes, units", [size for size in SIZES if size[1] < size[0]])
def test_cleared_lanes_need_no_flags(size, lanes, units, keeps):
    random = Random(f"{size} {units}")
    dut = make(size, lanes, units, scattered=True, clears=True)
    steps = random_steps(random, dut, keeps=keeps, count=20)
    assert run(random, dut, steps, 0.2) == answer(dut, steps)


def test_a_reset_clears_lanes_whatever_they_hold():
    dut = FoldedLanes(
        6, lanes=2, units=1, width=8, weight=4, value=unsigned(0), scattered=True, clears=True
    )
    reset = Signal()

    async def testbench(ctx):
        for held in (0, 2):  # nothing, or all rows with sums
            for row in range(3):
                ctx.set(dut.ahead, row)
                await ctx.tick()
                ctx.set(dut.row, row)
                ctx.set(dut.add, held > 0)
                ctx.set(dut.weights, [held, -held])
                await ctx.tick()
                ctx.set(dut.add, 0)
                ctx.set(dut.weights, [0, 0])
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            for _ in range(3):
                assert not ctx.get(dut.clean)
                await ctx.tick()
            assert ctx.get(dut.clean)
            for group in range(6):
                row, part = divmod(group, 2)
                ctx.set(dut.turn, {"take": 1, "row": row, "part": part, "final": group == 5})
                await ctx.tick()
                assert [*ctx.get(dut.sums)] == [0]
            ctx.set(dut.turn, {})
            await ctx.tick()

    simulate(ResetInserter(reset)(dut), testbench)


# -- cycle by cycle ------------------------------------------------------------------------------


def trace_of(dut, cycles):
    """Give inputs cycle by cycle, all others zero; return the sums."""
    trace = []

    async def testbench(ctx):
        rest = {"add": 0, "first": 0, "row": 0, "ahead": 0, "turn": {}, "weights": [0] * dut.lanes}
        for inputs in cycles:
            for name, value in (rest | inputs).items():
                ctx.set(getattr(dut, name), value)
            _, _, sums = await ctx.tick().sample(dut.sums)
            trace.append(tuple(sums))

    simulate(dut, testbench)
    return trace


def test_a_ring_adds_every_cycle_and_turns_by_its_units():
    dut = RingLanes(4, lanes=4, units=2, width=6, weight=3, value=unsigned(0))
    assert trace_of(
        dut,
        [
            {"add": 1, "weights": [1, 2, 3, -4]},
            {"add": 1, "weights": [1, -1, 3, -4], "turn": {"take": 1, "start": 1}},
            {"turn": {"take": 1, "final": 1}},
            {},
            {"add": 1, "weights": [1, 1, 1, 1]},
            {},
        ],
    ) == [(0, 0), (1, 2), (2, 1), (6, -8), (0, 0), (1, 1)]


def test_an_overlapping_ring_adds_while_it_turns():
    dut = RingLanes(4, lanes=4, units=2, width=6, weight=3, value=unsigned(0), overlap=True)
    turns = [{"take": 1, "start": 1}, {"take": 1, "final": 1}]
    trace = trace_of(
        dut,
        [
            {"add": 1, "weights": [1, 2, 3, -4], "turn": turns[0]},
            {"turn": turns[1]},
            {"add": 1, "weights": [2, 2, 2, 2], "turn": turns[0]},
            {"turn": turns[1]},
            {"turn": turns[0]},
            {"turn": turns[1]},
            {},
        ],
    )
    assert trace[1:] == [(1, 2), (3, -4), (2, 2), (2, 2), (0, 0), (0, 0)]


@pytest.mark.parametrize("overlap", [False, True])
def test_folded_lanes_add_every_cycle(overlap):
    dut = FoldedLanes(4, lanes=2, units=2, width=6, weight=3, value=unsigned(0), overlap=overlap)
    start, final = {"take": 1, "start": 1}, {"take": 1, "final": 1, "row": 1}
    trace = trace_of(
        dut,
        [
            {"ahead": 0},
            {"ahead": 1, "row": 0, "add": 1, "first": 1, "weights": [1, 2]},
            {"ahead": 0, "row": 1, "add": 1, "first": 1, "weights": [3, -4]},
            {"ahead": 1, "row": 0, "add": 1, "weights": [1, -1]},
            {"row": 1, "add": 1, "weights": [3, -4], "turn": start},
            {"turn": final},
            {"turn": start | {"empty": 1}},  # a step without events
            {"turn": final | {"empty": 1}},
            {},
        ],
    )
    assert trace[5:] == [(2, 1), (6, -8), (0, 0), (0, 0)]


def test_the_parts_of_a_row_are_taken_in_turn():
    dut = FoldedLanes(8, lanes=4, units=1, width=6, weight=4, value=unsigned(0))
    rows = [[1, 2, 3, 4], [5, 6, 7, -8]]
    taken = [{"take": 1, "row": n // 4, "part": n % 4, "start": n == 0} for n in range(8)]
    trace = trace_of(
        dut,
        [
            {"ahead": 0},
            {"ahead": 1, "row": 0, "add": 1, "first": 1, "weights": rows[0]},
            {"row": 1, "add": 1, "first": 1, "weights": rows[1]},
            *({"turn": turn} for turn in taken),
            {},
        ],
    )
    assert trace[4:] == [(n,) for row in rows for n in row]


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("kind, lanes", [(RingLanes, 5), (FoldedLanes, 2)])
def test_lanes_convert(kind, lanes, overlap):
    options = {"lanes": lanes, "units": 1, "width": 9, "weight": 4, "overlap": overlap}
    assert converts(kind(5, value=signed(3), **options))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RingLanes, FoldedLanes])
@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"size": 0}, ValueError, "Size must be at least 1, not 0"),
        ({"lanes": 9}, ValueError, "Lanes must be at most 8, not 9"),
        ({"lanes": 0}, ValueError, "Lanes must be at least 1, not 0"),
        ({"units": 5}, ValueError, "Step units must be at most 4, not 5"),
        ({"units": 3}, ValueError, "Step units must divide 4 lanes, not be 3"),
        ({"width": 0}, ValueError, "Sum width must be at least 1, not 0"),
        (
            {"clears": True, "overlap": True},
            ValueError,
            "Sums that are cleared must be in memory, without overlap",
        ),
        (
            {"kind": "uninitialized"},
            ValueError,
            "Sums in memory without contents must be cleared",
        ),
        ({"weight": 2.5}, TypeError, "Weight width must be an int, not 2.5"),
    ],
)
def test_lanes_reject(kind, bad, error, message):
    arguments = {"size": 8, "lanes": 4, "units": 4, "width": 8, "weight": 4, "value": unsigned(0)}
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        kind(**arguments | bad)
