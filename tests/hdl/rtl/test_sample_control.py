# amaranth: UnusedElaboratable=no

"""Tests of samples on their way, and of their counts: by hand, against lists, and bad input."""

import re
from random import Random

import pytest

from spiker_hdl.rtl import AddressEvent, SampleControl, SpikeCounter

from support.bench import get, pause, put, simulate
from support.events import (
    END,
    LAST,
    converts,
    events_of,
    given,
    items_of,
    random_samples,
    transfer,
    written,
)

# -- control, cycle by cycle ---------------------------------------------------------------------


def trace_of(dut, cycles):
    """Give ``(begin, finish)`` cycle by cycle; return ``admit``, and ``cycles`` with ``finish``."""
    trace = []

    async def testbench(ctx):
        for begin, finish in cycles:
            ctx.set(dut.begin, begin)
            ctx.set(dut.finish, finish)
            _, _, admit, count = await ctx.tick().sample(dut.admit, dut.cycles)
            trace.append((admit, count if finish else None))

    simulate(dut, testbench)
    return trace


@pytest.mark.parametrize("max_in_flight", [2, 3, 4])
def test_samples_that_begin_in_consecutive_cycles_have_starts_of_their_own(max_in_flight):
    dut = SampleControl(1, max_in_flight=max_in_flight)
    cycles = [(1, 0)] * max_in_flight + [(0, 0)] * 3 + [(0, 1)] * max_in_flight
    counts = [count for _, count in trace_of(dut, cycles)]
    # All take as long: as many cycles are between their ends as between their beginnings.
    assert counts == [None] * (max_in_flight + 3) + [max_in_flight + 4] * max_in_flight


def test_samples_are_admitted_while_there_is_room():
    dut = SampleControl(1, max_in_flight=2)
    begins = [
        (1, 0),
        (0, 0),
        (1, 0),
        (0, 0),
        (0, 0),
        (0, 1),
        (1, 0),
        (0, 1),
        (0, 0),
        (1, 1),
        (0, 0),
        (0, 0),
        (0, 1),
    ]
    assert trace_of(dut, begins) == [
        (1, None),
        (1, None),
        (1, None),
        (0, None),  # two are inside
        (0, None),
        (0, 6),  # begun in cycle 0, finished in 5, valid in 6
        (1, None),
        (0, 6),  # begun in cycle 2
        (1, None),
        (1, 4),  # one comes as another goes: begun in cycle 6
        (1, None),
        (1, None),
        (1, 4),
    ]


def test_each_input_is_admitted_for_itself():
    dut = SampleControl(2, max_in_flight=1)
    assert trace_of(dut, [(0b10, 0), (0, 0), (0b01, 0), (0, 0), (0, 0), (0, 1), (0, 0)]) == [
        (0b11, None),
        (0b01, None),
        (0b01, None),
        (0b00, None),
        (0b00, None),
        (0b00, 4),  # the time is that of the first input
        (0b11, None),
    ]


def test_no_sample_is_to_finish_before_its_time_is_known():
    dut = SampleControl(2, max_in_flight=2)
    begun = []

    async def testbench(ctx):
        for begin in [0b10, 0, 0, 0, 0b01, 0, 0, 0, 0]:
            ctx.set(dut.begin, begin)
            await ctx.delay(1e-9)
            begun.append(ctx.get(dut.begun) * ctx.get(dut.cycles))
            await ctx.tick()

    simulate(dut, testbench)
    # Begun in cycle 4: to end in 7 is to take four cycles.
    assert begun == [0, 0, 0, 0, 0, 0, 0, 4, 5]


def test_control_times_samples_of_any_length():
    random = Random(1)
    dut = SampleControl(1, max_in_flight=3)
    begun, expected, results = [], [], []

    async def testbench(ctx):
        for now in range(400):
            admit = ctx.get(dut.admit)
            assert ctx.get(dut.idle) == (not begun)
            assert admit == (len(begun) < 3)
            begin = admit and random.random() < 0.2
            # The time of a sample is kept in a queue, and can be read three cycles later.
            finish = bool(begun) and begun[0] < now - 2 and random.random() < 0.15
            ctx.set(dut.begin, int(begin))
            ctx.set(dut.finish, int(finish))
            if finish:
                expected.append(now + 1 - begun.pop(0))
                results.append(ctx.get(dut.cycles))
            if begin:
                begun.append(now)
            await ctx.tick()

    simulate(dut, testbench)
    assert results == expected
    assert len(results) > 20


def test_what_is_left_of_an_answered_sample_is_muted_where_it_enters():
    dut = SampleControl(2, max_in_flight=3)
    trace = []

    async def testbench(ctx):
        for begin, answered, finish in [
            (0b11, 0, 0),
            (0b00, 0, 0),
            (0b01, 1, 0),  # the next sample begins at the first input
            (0b00, 1, 0),
            (0b10, 1, 1),
            (0b00, 0, 0),
        ]:
            ctx.set(dut.begin, begin)
            ctx.set(dut.answered, answered)
            ctx.set(dut.finish, finish)
            _, _, mute, idle = await ctx.tick().sample(dut.mute, dut.idle)
            trace.append((mute, idle))

    simulate(dut, testbench)
    assert trace == [(0b00, 1), (0b00, 0), (0b11, 0), (0b10, 0), (0b10, 0), (0b00, 0)]


# -- counters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "events, counts",
    [
        ([LAST], [0]),
        ([END, END, LAST], [0]),
        ([(0, 0), LAST], [1]),
        ([(0, 0), (1, 0), END, (1, 0), LAST, LAST, (2, 0), LAST], [3, 0, 1]),
        ([*[(0, 0), (1, 0), (2, 0), END] * 3, LAST], [9]),
    ],
)
def test_counter_by_hand(events, counts):
    dut = SpikeCounter(AddressEvent(3), max_events=9, max_in_flight=2)
    sent = [written(event) for event in events]
    assert transfer(dut, sent, len(counts), random=Random(0)) == counts


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.9)])
@pytest.mark.parametrize("size, max_in_flight", [(1, 1), (5, 2), (17, 4)])
def test_counter_counts(size, max_in_flight, pauses):
    random = Random(size)
    samples = random_samples(random, size, samples=12)
    dut = SpikeCounter(AddressEvent(size), max_events=6 * size, max_in_flight=max_in_flight)
    sent = [written(event) for event in events_of(samples)]
    received = transfer(dut, sent, len(samples), random=random, pauses=pauses)
    assert received == [sum(map(len, sample)) for sample in samples]


@pytest.mark.parametrize("banks", [2, 4, 8])
@pytest.mark.parametrize("stepwise", [False, True])
def test_counter_counts_all_events_of_an_item(banks, stepwise):
    random = Random(banks)
    samples = random_samples(random, 17, samples=8)
    dut = SpikeCounter(
        AddressEvent(17, banks=banks), max_events=6 * 17, max_in_flight=2, stepwise=stepwise
    )
    sent = [given(item, banks) for item in items_of(samples, banks, random)]
    expected = [sum(map(len, sample[: n + 1])) for sample in samples for n in range(len(sample))]
    if not stepwise:
        expected = [sum(map(len, sample)) for sample in samples]
    assert transfer(dut, sent, len(expected), random=random, pauses=(0, 0.3)) == expected


@pytest.mark.parametrize("pauses", [(0, 0), (0, 0.5)])
def test_stepwise_counts_are_those_so_far(pauses):
    random = Random(4)
    samples = random_samples(random, 5, samples=8)
    dut = SpikeCounter(AddressEvent(5), max_events=30, max_in_flight=2, stepwise=True)
    sent = [written(event) for event in events_of(samples)]
    expected = [sum(map(len, sample[: n + 1])) for sample in samples for n in range(len(sample))]
    assert transfer(dut, sent, len(expected), random=random, pauses=pauses) == expected


def test_a_counter_takes_an_event_a_cycle_and_waits_only_with_a_count():
    dut = SpikeCounter(AddressEvent(3), max_events=9, max_in_flight=1)
    taken = []

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        for event in [(0, 0), LAST, (1, 0), (2, 0), END, LAST, LAST]:
            ctx.set(dut.i.payload, written(event))
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            taken.append(ready)
        ctx.set(dut.i.valid, 0)
        assert await get(ctx, dut.o) == 1

    simulate(dut, testbench, watch=[dut.o])
    assert taken == [1, 1, 1, 1, 1, 0, 0]  # the second count must wait for the first


def test_a_count_is_not_offered_before_its_sample_ends():
    dut = SpikeCounter(AddressEvent(3), max_events=9, max_in_flight=2)

    async def testbench(ctx):
        for event in [(0, 0), END, (1, 0)]:
            await put(ctx, dut.i, written(event))
        await pause(ctx, Random(0), 0.9)
        assert not ctx.get(dut.o.valid)

    simulate(dut, testbench, watch=[dut.o])


@pytest.mark.parametrize(
    "dut",
    [
        SampleControl(2, max_in_flight=3),
        SpikeCounter(AddressEvent(3), max_events=9, max_in_flight=2),
    ],
)
def test_control_converts(dut):
    assert converts(dut)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: SampleControl(0, max_in_flight=1), ValueError, "Inputs must be at least 1, not 0"),
        (lambda: SampleControl(1.0, max_in_flight=1), TypeError, "Inputs must be an int, not 1.0"),
        (
            lambda: SampleControl(1, max_in_flight=0),
            ValueError,
            "Samples in flight must be at least 1, not 0",
        ),
        (
            lambda: SpikeCounter(AddressEvent(3), max_events=0, max_in_flight=1),
            ValueError,
            "Events of a sample must be at least 1, not 0",
        ),
        (
            lambda: SpikeCounter(AddressEvent(3), max_events=1, max_in_flight=None),
            TypeError,
            "Samples in flight must be an int, not None",
        ),
    ],
)
def test_control_rejects(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
