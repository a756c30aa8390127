# amaranth: UnusedElaboratable=no

"""Tests of the event merger: against sets of events, cycle by cycle, and bad input."""

import re
from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl import AddressEvent, EventMerger
from spiker_hdl.rtl.common.shapes import common_shape
from spiker_hdl.rtl.synapses.sparse_lookup import SynapseEvent

from support.bench import pause, put, simulate
from support.events import END, LAST, converts, given, items_of, random_samples, written

OUTPUTS = ("event", "slots", "fold", "first", "complete", "last")


def event_merger(sizes, *, folds=1, shapes=None, banks=1, **options):
    """Make an event merger with an input of each size."""
    shapes = shapes or [unsigned(0)] * len(sizes)
    events = [AddressEvent(size, shape, banks) for size, shape in zip(sizes, shapes, strict=True)]
    rows = [-(-size // banks) for size in sizes]
    bases = [sum(rows[:n]) for n in range(len(sizes))]
    options = {"interval": 1} | options
    return EventMerger(
        events, bases=bases, rows=sum(rows), folds=folds, lanes=1, banks=banks, **options
    )


async def observe(ctx, dut, names=OUTPUTS):
    """Let a cycle pass; return what the outputs were in it."""
    _, _, *now = await ctx.tick().sample(*(getattr(dut, name) for name in names))
    return tuple(now)


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("chance, free", [(0, 1), (0.5, 1), (0.2, 0.3)])
@pytest.mark.parametrize(
    "folds, interval, banks, overlap",
    [(1, 1, 1, False), (1, 4, 1, False), (3, 2, 1, False), (1, 5, 2, True), (2, 4, 4, False)],
)
@pytest.mark.parametrize("sizes", [(1,), (6,), (4, 3), (2, 1, 5)])
def test_steps_are_taken_whole(sizes, folds, interval, banks, overlap, chance, free):
    random = Random(len(sizes) * 10 + folds)
    shapes = [unsigned(2) if n % 2 else unsigned(0) for n in range(len(sizes))]
    dut = event_merger(
        sizes, folds=folds, interval=interval, shapes=shapes, banks=banks, overlap=overlap
    )
    trains = []  # by input
    steps = [random.randint(1, 5) for _ in range(5)]
    for n, size in enumerate(sizes):
        values = (1, 3) if n % 2 else (0, 0)
        drawn = random_samples(random, size, samples=sum(steps), steps=1, values=values)
        train = iter(step for sample in drawn for step in sample)
        trains.append([[next(train) for _ in range(count)] for count in steps])
    trace = []

    def source(n):
        i = getattr(dut, f"i{n}")

        async def drive(ctx):
            for events in items_of(trains[n], banks, random):
                await pause(ctx, random, chance)
                # Of several inputs, the last is delayed: it never says that a sample ends.
                late = n and n == len(sizes) - 1
                await put(ctx, i, given([END] if events == [LAST] and late else events, banks))

        return drive

    async def watch(ctx):
        while sum(now[4] for now in trace) < sum(steps):
            ctx.set(dut.free, int(random.random() < free))
            trace.append(await observe(ctx, dut))

    simulate(dut, *map(source, range(len(sizes))), watch)
    check(trace, trains, dut)


def check(trace, trains, dut):
    expected = [
        (sample, n, n == len(train) - 1)
        for sample, train in enumerate(trains[0])
        for n in range(len(train))
    ]
    widened = any(
        value > 0 for train in trains for s in train for event in s for value in event.values()
    )
    idle = dut.interval
    part, events = [], []
    for event, slots, fold, first, complete, last in trace:
        assert not (event and complete)
        assert idle >= dut.interval or not complete
        assert idle >= dut.interval or dut.overlap or not event
        idle += 1
        assert first == (not events)
        if event:
            results = [(n, slot.row, slot.value) for n, slot in enumerate(slots) if slot.present]
            assert results
            part.append((fold, results))
            if len(part) == dut.folds:
                assert [tensor[0] for tensor in part] == [*range(dut.folds)]
                at = part[0][1]
                for n, (_, each) in enumerate(part):
                    assert each == [(bank, row + n * dut.rows, value) for bank, row, value in at]
                events += at
                part = []
        else:
            assert not part, "an event lost its turn"
        if complete:
            sample, n, ends = expected.pop(0)
            assert last == ends
            sent = [
                (address % dut.banks, address // dut.banks + base, value or int(widened))
                for base, train in zip(dut.bases, trains, strict=True)
                for address, value in train[sample][n].items()
            ]
            assert sorted(events) == sorted(sent)
            idle, events = 1, []
    assert not expected


def test_synapses_of_their_own_take_a_cycle():
    dut = EventMerger(
        [AddressEvent(3), SynapseEvent(5, 2, 4), AddressEvent(2)],
        bases=[0, 3, 3],
        rows=5,
        folds=3,
        lanes=2,
        interval=1,
    )
    trace = []
    token = {"end": 1, "last": 1}
    trains = [
        [written((2, 0)), written(LAST)],
        [
            {"fold": 2, "lane": 0, "weight": -8},
            {"fold": 0, "lane": 1, "weight": 7},
            token,
        ],
        [written((1, 0)), written(LAST)],
    ]

    def source(n):
        async def drive(ctx):
            for payload in trains[n]:
                await put(ctx, getattr(dut, f"i{n}"), payload)

        return drive

    async def watch(ctx):
        ctx.set(dut.free, 1)
        for _ in range(9):
            names = ("event", "direct", "fold", "complete", "lane", "weight", "slots")
            *now, lane, weight, slots = await observe(ctx, dut, names)
            trace.append(tuple(now))
            if now[:2] == [1, 1]:
                added.append((lane, weight))
            elif now[0]:
                rows.append(slots[0].row)

    added, rows = [], []
    simulate(dut, *map(source, range(3)), watch)
    assert trace == [
        *[(1, 0, 0, 0), (1, 0, 1, 0), (1, 0, 2, 0)],  # all folds of an address event
        *[(1, 1, 2, 0), (1, 1, 0, 0)],
        *[(1, 0, 0, 0), (1, 0, 1, 0), (1, 0, 2, 0)],
        (0, 0, 0, 1),
    ]
    assert added == [(0, -8), (1, 7)]
    assert rows == [2, 7, 12, 4, 9, 14]


# -- cycle by cycle ------------------------------------------------------------------------------


async def offer(ctx, dut, n, event):
    """Offer an event, or none, at an input."""
    i = getattr(dut, f"i{n}")
    ctx.set(i.valid, event is not None)
    if event is not None:
        ctx.set(i.payload, written(event))


def run(dut, offers, ready=(), free=1):
    """Offer events cycle by cycle, whether taken or not; return the outputs and who was ready."""
    trace = []

    async def testbench(ctx):
        ctx.set(dut.free, free)
        for offered in offers:
            for n, event in enumerate(offered):
                await offer(ctx, dut, n, event)
            _, _, *now = await ctx.tick().sample(
                dut.event,
                dut.slots[0].row,
                dut.complete,
                dut.last,
                *(getattr(dut, f"i{n}").ready for n in range(len(offered))),
            )
            event, address, complete, last, *taken = now
            trace.append((address if event else None, complete, last if complete else 0, *taken))

    simulate(dut, testbench)
    return trace


def test_the_first_input_goes_first_and_tokens_wait_for_each_other():
    dut = event_merger((4, 3), interval=3)
    assert run(
        dut,
        [
            ((2, 0), (1, 0)),
            ((3, 0), (1, 0)),
            (END, (1, 0)),
            (END, None),
            (END, END),
            ((0, 0), (0, 0)),
            ((0, 0), (0, 0)),
            ((0, 0), LAST),
            (LAST, LAST),
        ],
    ) == [
        (2, 0, 0, 1, 0),
        (3, 0, 0, 1, 0),
        (5, 0, 0, 0, 1),
        (None, 0, 0, 0, 0),
        (None, 1, 0, 1, 1),
        (None, 0, 0, 0, 0),  # three cycles from step to step
        (None, 0, 0, 0, 0),
        (0, 0, 0, 1, 0),
        (None, 1, 1, 1, 1),
    ]


def test_an_event_keeps_its_turn():
    dut = event_merger((4, 3), folds=3)
    assert run(
        dut,
        [
            (None, (1, 0)),
            ((2, 0), (1, 0)),  # comes too late
            ((2, 0), (1, 0)),
            ((2, 0), (2, 0)),
            ((2, 0), (2, 0)),
            ((2, 0), (2, 0)),
            (None, (2, 0)),
        ],
    ) == [
        (5, 0, 0, 0, 0),
        (5 + 7, 0, 0, 0, 0),
        (5 + 14, 0, 0, 0, 1),
        (2, 0, 0, 0, 0),
        (2 + 7, 0, 0, 0, 0),
        (2 + 14, 0, 0, 1, 0),
        (6, 0, 0, 0, 0),
    ]


def test_a_step_ends_only_where_it_may():
    dut = event_merger((4,))
    assert run(dut, [(END,), ((1, 0),)], free=0) == [(None, 0, 0, 0), (1, 0, 0, 1)]


OVERLAPPED = [
    ((2, 0),),
    (END,),
    ((1, 0),),
    ((3, 0),),
    (END,),
    (END,),
    ((0, 0),),
]


@pytest.mark.parametrize("overlap", [False, True])
def test_events_are_taken_between_steps_only_where_these_overlap(overlap):
    dut = event_merger((4,), interval=4, overlap=overlap)
    assert run(dut, OVERLAPPED) == [
        (2, 0, 0, 1),
        (None, 1, 0, 1),
        (1 if overlap else None, 0, 0, int(overlap)),
        (3 if overlap else None, 0, 0, int(overlap)),
        (None, 0, 0, 0),
        (None, 1, 0, 1),  # four cycles from step to step
        (0 if overlap else None, 0, 0, int(overlap)),
    ]


@pytest.mark.parametrize("holds", [False, True])
def test_the_first_event_of_a_sample_or_of_a_step(holds):
    dut = event_merger((4,), folds=2, holds=holds)
    firsts = []

    async def testbench(ctx):
        ctx.set(dut.free, 1)
        ctx.set(dut.i0.valid, 1)
        two = [(1, 0)] * 2
        for event in [END, *two, *two, END, END, *two, LAST, LAST, *two, LAST, END]:
            ctx.set(dut.i0.payload, written(event))
            _, _, first = await ctx.tick().sample(dut.first)
            firsts.append(first)

    simulate(dut, testbench)
    again = 0 if holds else 1
    assert firsts == [1, 1, 1, 0, 0, 0, again, again, again, 0, 1, 1, 1, 0, 1]


def test_an_expanded_event_is_in_no_bank():
    dut = EventMerger(
        [AddressEvent(3, banks=2), SynapseEvent(5, 2, 4)],
        bases=[0, 2],
        rows=2,
        folds=3,
        lanes=2,
        interval=1,
        banks=2,
    )
    trace = []

    async def testbench(ctx):
        ctx.set(dut.i1.valid, 1)
        ctx.set(dut.i1.payload, {"fold": 1, "lane": 1, "weight": -3})
        for n in range(3):
            ctx.set(dut.i0.valid, int(n > 0))
            ctx.set(dut.i0.payload, given([(2, 0), (1, 0)], 2))
            now = await observe(ctx, dut, ("event", "direct", "slots", "fold"))
            trace.append((*now[:2], [event.present for event in now[2]], now[3]))

    simulate(dut, testbench)
    assert trace == [(1, 1, [0, 0], 1), (1, 0, [1, 1], 0), (1, 0, [1, 1], 1)]


def test_event_merger_converts():
    assert converts(event_merger((4, 3), folds=2, shapes=[signed(3), unsigned(0)], banks=4))


# -- the common shape ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shapes, shape",
    [
        ([], unsigned(0)),
        ([unsigned(0), unsigned(0)], unsigned(0)),
        ([unsigned(0), unsigned(1)], unsigned(1)),
        ([unsigned(3), unsigned(5)], unsigned(5)),
        ([unsigned(0), signed(1)], signed(2)),  # 1 beside -1..0
        ([unsigned(4), signed(3)], signed(5)),
        ([unsigned(4), signed(7)], signed(7)),
    ],
)
def test_common_shape_holds_the_values_of_all(shapes, shape):
    assert common_shape(shapes) == shape


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"rows": 0}, ValueError, "Rows must be at least 1, not 0"),
        ({"folds": 0}, ValueError, "Folds must be at least 1, not 0"),
        ({"folds": 1.0}, TypeError, "Folds must be an int, not 1.0"),
        ({"interval": 0}, ValueError, "Interval must be at least 1, not 0"),
        ({"lanes": 0}, ValueError, "Lanes must be at least 1, not 0"),
        ({"banks": 0}, ValueError, "Banks must be at least 1, not 0"),
    ],
)
def test_event_merger_rejects(bad, error, message):
    options = {"bases": [0], "rows": 4, "folds": 1, "lanes": 1, "interval": 1} | bad
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        EventMerger([AddressEvent(4)], **options)
