# amaranth: UnusedElaboratable=no

"""Tests of the spike output: steps of words into events, cycle by cycle, and bad input."""

import re
from random import Random

import pytest
from amaranth import *

from spiker_hdl.rtl import SpikeOutput

from support.bench import get, pause, simulate
from support.events import (
    END,
    LAST,
    converts,
    events_in,
    events_of,
    items_of,
    plain,
    random_samples,
)


def feed(dut, samples, random, chance):
    """Make a test bench that gives all steps, a word a cycle, each as soon as there is room."""

    async def drive(ctx):
        for sample in samples:
            for n, step in enumerate(sample):
                await pause(ctx, random, chance)
                while not ctx.get(dut.free):
                    await ctx.tick()
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                for index in range(dut.groups):
                    await pause(ctx, random, chance)
                    await give(ctx, dut, step, index, n == len(sample) - 1)

    return drive


async def give(ctx, dut, step, index, last):
    own = [step.get(index * dut.width + k) for k in range(dut.width)]
    flags = sum((value is not None) << k for k, value in enumerate(own))
    end = index == dut.groups - 1
    word = {"flags": flags, "index": index, "end": int(end), "last": int(last)}
    ctx.set(dut.i, word | {"values": [value or 0 for value in own]} if dut.value.width else word)
    ctx.set(dut.valid, bool(flags) or end or dut.gather > 1)
    await ctx.tick()
    ctx.set(dut.valid, 0)


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5), (0, 0.9)])
@pytest.mark.parametrize("size, width", [(1, 1), (4, 4), (3, 2), (10, 1), (20, 3), (17, 16)])
def test_spike_output_emits_the_neurons_that_fired(size, width, pauses):
    random = Random(size)
    samples = random_samples(random, size)
    expected = events_of(samples)
    dut = SpikeOutput(size, width=width)
    received = []

    async def receive(ctx):
        for _ in expected:
            await pause(ctx, random, pauses[1])
            received.append(plain(await get(ctx, dut.o)))

    simulate(dut, feed(dut, samples, random, pauses[0]), receive, watch=[dut.o])
    assert received == expected


def test_spike_output_emits_values():
    random = Random(2)
    samples = random_samples(random, 5, values=(-4, 3))
    expected = events_of(samples)
    dut = SpikeOutput(5, width=2, value=signed(3))
    received = []

    async def receive(ctx):
        for _ in expected:
            received.append(plain(await get(ctx, dut.o)))

    simulate(dut, feed(dut, samples, random, 0.2), receive, watch=[dut.o])
    assert received == expected


@pytest.mark.parametrize("values", [None, (-4, 3)])
@pytest.mark.parametrize("gather, banks", [(2, 1), (4, 2), (8, 1)])
@pytest.mark.parametrize("size, width", [(10, 2), (21, 4), (3, 2)])
def test_spike_output_gathers_groups(size, width, gather, banks, values):
    random = Random(f"{size} {gather}")
    shape = unsigned(0) if values is None else signed(3)
    samples = random_samples(random, size, **({} if values is None else {"values": values}))
    single = banks == 1
    expected = events_of(samples) if single else items_of(samples, banks, width=width * gather)
    dut = SpikeOutput(size, width=width, value=shape, banks=banks, gather=gather)
    assert dut.words == -(-size // (width * gather))
    received = []

    async def receive(ctx):
        for _ in expected:
            await pause(ctx, random, 0.2)
            received.append((plain if single else events_in)(await get(ctx, dut.o)))

    simulate(dut, feed(dut, samples, random, 0.2), receive, watch=[dut.o])
    assert received == expected


@pytest.mark.parametrize("banks", [2, 4, 8])
@pytest.mark.parametrize("size, width", [(3, 3), (20, 8), (17, 16)])
def test_spike_output_emits_events_of_several_banks_at_once(size, width, banks):
    random = Random(size)
    samples = random_samples(random, size, values=(-4, 3))
    expected = items_of(samples, banks, width=width)
    dut = SpikeOutput(size, width=width, value=signed(3), banks=banks)
    received = []

    async def receive(ctx):
        for _ in expected:
            await pause(ctx, random, 0.2)
            received.append(events_in(await get(ctx, dut.o)))

    simulate(dut, feed(dut, samples, random, 0.2), receive, watch=[dut.o])
    assert received == expected


@pytest.mark.parametrize("size, width", [(1, 1), (2, 1), (12, 2), (8, 8)])
def test_spike_output_has_room_for_two_full_steps(size, width):
    dut = SpikeOutput(size, width=width)
    full = dict.fromkeys(range(size), 0)
    received = []

    async def testbench(ctx):
        for n in range(2):
            assert ctx.get(dut.free)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for index in range(dut.words):
                await give(ctx, dut, full, index, n == 1)
        for _ in range(5):
            assert not ctx.get(dut.free)
            await ctx.tick()
        for _ in range(2 * size + 2):
            received.append(plain(await get(ctx, dut.o)))

    simulate(dut, testbench, watch=[dut.o])
    assert received == [*full.items(), END, *full.items(), LAST]


# -- cycle by cycle ------------------------------------------------------------------------------


def test_a_step_is_waiting_from_its_start_to_its_token():
    dut = SpikeOutput(2, width=2)
    trace = []

    async def testbench(ctx):
        for start, valid, ready in [
            (1, 0, 0),
            (1, 1, 0),
            (0, 1, 0),
            *[(0, 0, 0)] * 3,
            *[(0, 0, 1)] * 3,
        ]:
            ctx.set(dut.start, start)
            ctx.set(dut.valid, valid)
            ctx.set(dut.i, {"flags": 0, "end": 1})
            ctx.set(dut.o.ready, ready)
            _, _, free = await ctx.tick().sample(dut.free)
            trace.append(free)

    simulate(dut, testbench, watch=[dut.o])
    assert trace == [1, 1, 0, 0, 0, 0, 0, 1, 1]


def test_spike_output_converts():
    assert converts(SpikeOutput(10, width=4))


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, error, message",
    [
        ({"size": 0}, ValueError, "Spike output size must be at least 1, not 0"),
        ({"size": 2.0}, TypeError, "Spike output size must be an int, not 2.0"),
        ({"width": 0}, ValueError, "Spike output width must be at least 1, not 0"),
        ({"width": None}, TypeError, "Spike output width must be an int, not None"),
        ({"gather": 3}, ValueError, "Gather must be a power of two, not 3"),
    ],
)
def test_spike_output_rejects(bad, error, message):
    arguments = {"size": 8, "width": 4} | bad
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        SpikeOutput(**arguments)
