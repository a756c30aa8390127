# amaranth: UnusedElaboratable=no

"""Tests of the input port: words and events of samples, admission, cycle by cycle."""

from random import Random

import pytest

from spiker_hdl.model import Input, Mapping
from spiker_hdl.rtl import InputPort

from support.bench import get, pause, put, simulate
from support.events import (
    END,
    LAST,
    converts,
    events_in,
    events_of,
    items_of,
    plain,
    random_samples,
    written,
)


def mapping(form="words", word=32):
    return Mapping({}, {}, form, word)


def beats_of(dut, samples):
    """Return the payloads that samples enter as."""
    if dut.mapping.form == "events":
        return [written(event) for event in events_of(samples)]
    results = []
    for sample in samples:
        for n, step in enumerate(sample):
            for index in range(dut.words):
                addresses = range(index * dut.width, (index + 1) * dut.width)
                # What lies beyond the last channel is not looked at.
                beyond = 1 if n % 2 else 0
                values = [
                    (step[a] or 1 if a in step else 0) if a < dut.node.size else beyond
                    for a in addresses
                ]
                # Only a step's final word says whether it is the last.
                last = n == len(sample) - 1 if index == dut.words - 1 else n % 2 == 0
                results.append({"values": values, "last": int(last)})
    return results


def enter(dut, samples, random, *, pauses=(0, 0), shut=0.0):
    """Send samples in; return the events, and for each beat taken whether a sample began.

    What is admitted stays so until a sample begins; then follow cycles in which none is, each with
    the chance ``shut``.
    """
    beats, expected = beats_of(dut, samples), events_of(samples)
    if dut.banks > 1:
        expected = items_of(
            samples, dut.banks, width=1 if dut.mapping.form == "events" else dut.width
        )
    received, begins = [], []

    async def drive(ctx):
        for beat in beats:
            await pause(ctx, random, pauses[0])
            await put(ctx, dut.i, beat)

    async def receive(ctx):
        for _ in expected:
            await pause(ctx, random, pauses[1])
            item = await get(ctx, dut.o)
            received.append(plain(item) if dut.banks == 1 else events_in(item))

    async def admit(ctx):
        while len(begins) < len(beats):
            _, _, valid, ready, begin, admitted = await ctx.tick().sample(
                dut.i.valid, dut.i.ready, dut.begin, dut.admit
            )
            assert not begin or (admitted and valid and ready)
            if valid and ready:
                begins.append(begin)
            if begin or not admitted:
                ctx.set(dut.admit, int(random.random() >= shut))

    simulate(dut, drive, receive, admit, watch=[dut.o])
    assert received == expected
    return begins


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [(0, 0), (0.4, 0), (0, 0.4)])
@pytest.mark.parametrize(
    "node, port_mapping",
    [
        (Input("x", 1), mapping()),
        (Input("x", 8), mapping(word=4)),
        (Input("x", 11), mapping(word=4)),
        (Input("x", (2, 3)), mapping(word=1)),
        (Input("x", 33), mapping()),
        (Input("x", 11), mapping("events")),
        (Input("x", 7, 0, 5), mapping(word=3)),
        (Input("x", 7, -4, 2), mapping(word=16)),
        (Input("x", 7, -1, 1), mapping("events")),
    ],
)
def test_samples_become_events(node, port_mapping, pauses):
    random = Random(node.size)
    values = (node.low, node.high) if node.graded else (0, 0)
    samples = random_samples(random, node.size, samples=5, values=values)
    dut = InputPort(node, port_mapping)
    begins = enter(dut, samples, random, pauses=pauses, shut=0.6 if pauses[0] else 0)
    assert begins.count(1) == len(samples)
    assert begins == first_beats(dut, samples)


@pytest.mark.parametrize("banks", [2, 4, 8])
@pytest.mark.parametrize(
    "node, port_mapping",
    [
        (Input("x", 1), mapping()),
        (Input("x", 21), mapping(word=8)),
        (Input("x", 11), mapping("events")),
        (Input("x", 17, -4, 2), mapping(word=8)),
        (Input("x", 7, -1, 1), mapping("events")),
        (Input("x", 7, 0, 5), mapping(word=30)),
    ],
)
def test_samples_become_events_of_several_banks(node, port_mapping, banks):
    random = Random(node.size)
    values = (node.low, node.high) if node.graded else (0, 0)
    samples = random_samples(random, node.size, samples=5, values=values)
    dut = InputPort(node, port_mapping, banks=banks)
    begins = enter(dut, samples, random, pauses=random.choice([(0, 0), (0.3, 0.3)]))
    assert begins == first_beats(dut, samples)


def first_beats(dut, samples):
    """Return for each beat whether it is the first of its sample."""
    return [int(n == 0) for sample in samples for n in range(len(beats_of(dut, [sample])))]


# -- cycle by cycle ------------------------------------------------------------------------------


def test_a_sample_waits_until_it_is_admitted():
    dut = InputPort(Input("x", 4), mapping("events"))
    trace = []
    sent = [(1, 0), END, LAST, (2, 0), (2, 0)]

    async def testbench(ctx):
        left = [*sent]
        ctx.set(dut.o.ready, 1)
        for admit in [0, 1, 0, 0, 0, 1]:
            ctx.set(dut.admit, admit)
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, written(left[0]))
            _, _, *now = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.begin)
            trace.append(tuple(now))
            if now[0]:
                left.pop(0)

    simulate(dut, testbench)
    assert trace == [
        (0, 0, 0),
        (1, 1, 1),
        (1, 1, 0),  # inside, admission is no matter
        (1, 1, 0),
        (0, 0, 0),
        (1, 1, 1),
    ]


def test_a_sample_begins_only_when_its_beat_is_taken():
    dut = InputPort(Input("x", 4), mapping("events"))
    trace = []

    async def testbench(ctx):
        ctx.set(dut.admit, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload, written(LAST))
        for ready in [0, 0, 1, 1]:
            ctx.set(dut.o.ready, ready)
            _, _, begin = await ctx.tick().sample(dut.begin)
            trace.append(begin)

    simulate(dut, testbench, watch=[dut.o])
    assert trace == [0, 0, 1, 1]  # each of two samples has but one token


def test_words_go_through_as_fast_as_their_events():
    dut = InputPort(Input("x", 8), mapping(word=4))
    trace = []
    words = [([1, 0, 1, 0], 0), ([0, 0, 0, 0], 0), ([0, 0, 0, 0], 0), ([1, 0, 0, 0], 1)]

    async def testbench(ctx):
        left = [*words]
        ctx.set(dut.admit, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(8):
            ctx.set(dut.i.valid, bool(left))
            if left:
                ctx.set(dut.i.payload, {"values": left[0][0], "last": left[0][1]})
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
        (1, (2, 0)),
        (1, END),
        (1, None),
        (0, (4, 0)),
        (1, LAST),
        (1, None),
    ]


@pytest.mark.parametrize("form", ["words", "events"])
@pytest.mark.parametrize("chance", [0, 0.5])
def test_of_a_muted_sample_only_the_tokens_pass(form, chance):
    random = Random(7)
    dut = InputPort(Input("x", 6), mapping(form, 3))
    samples = random_samples(random, 6, samples=6, steps=5)
    muted = [random.random() < 0.5 for _ in samples]
    received = []

    async def drive(ctx):
        ctx.set(dut.admit, 1)
        for sample, mute in zip(samples, muted, strict=True):
            for beat in beats_of(dut, [sample]):
                await pause(ctx, random, chance)
                await put(ctx, dut.i, beat)
                if mute and not ctx.get(dut.mute):  # from the second beat on
                    ctx.set(dut.mute, 1)
                    await ctx.tick()
            ctx.set(dut.mute, 0)

    async def receive(ctx):
        tokens = sum(map(len, samples))
        while tokens:
            await pause(ctx, random, chance)
            received.append(plain(await get(ctx, dut.o)))
            tokens -= received[-1] in {END, LAST}

    simulate(dut, drive, receive, watch=[dut.o])
    whole, given = events_of(samples), iter(received)
    sample, left = 0, 0
    for event in whole:
        if event in {END, LAST} or not muted[sample] or left:
            expected = next(given, None)
            assert expected == event
        sample += event == LAST
    assert next(given, None) is None


@pytest.mark.parametrize("port_mapping", [mapping(), mapping("events")])
def test_input_port_converts(port_mapping):
    assert converts(InputPort(Input("x", 40, -2, 1), port_mapping, banks=4))
