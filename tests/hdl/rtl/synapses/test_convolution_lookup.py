# amaranth: UnusedElaboratable=no

"""Tests of kernels that are stored once: by hand, all positions, cycle by cycle, and bad input."""

import re
from itertools import product
from math import prod
from random import Random

import numpy as np
import pytest
from amaranth import *

from spiker_hdl.model import Convolution
from spiker_hdl.model.mapping.layout import kernel_events, kernel_rows
from spiker_hdl.rtl import AddressEvent
from spiker_hdl.rtl.streams.events import NO_VALUE
from spiker_hdl.rtl.synapses.convolution_lookup import ConvolutionLookup

from support.bench import simulate
from support.convolutions import number_of, plainly, random_convolution
from support.events import END, LAST, converts, transfer, written


def added(payload):
    """Return the row of the kernel, the row of sums and the value, or the token."""
    if payload.end:
        return LAST if payload.last else END
    return payload.row, payload.fold, payload.value


def walked(synapses, lanes, by_position, random=None, pauses=(0, 0), shape=NO_VALUE):
    """Return what every source of a convolution adds, as ``plainly`` does, and what is expected."""
    dut = ConvolutionLookup(
        synapses, AddressEvent(synapses.source_size, shape), lanes=lanes, by_position=by_position
    )
    sent, expected = [], []
    for n, place in enumerate(product(*map(range, synapses.shape))):
        value = n % 2**shape.width
        sent.append(written((number_of(synapses, place, by_position), value)))
        expected += plainly(synapses, lanes, place, value)
    sent += [written(END), written(LAST)]
    expected += [END, LAST]
    random = random or Random(0)
    received = transfer(dut, sent, len(expected), random=random, pauses=pauses)
    rows = kernel_rows(synapses, lanes).tolist()
    items = [added(item) for item in received]
    return [item if item in {END, LAST} else (rows[item[0]], *item[1:]) for item in items], expected


# -- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "position, items",
    [
        # Rows of the kernel by channel, offset and output channel; folds by position and channel.
        # Position 0 is in window 0 alone, at offset 1, since one position of padding is before it.
        (0, [(2, 0), (3, 1)]),
        # Position 1 is in window 0 at offset 2 and in window 1 at offset 0.
        (1, [(4, 0), (5, 1), (0, 2), (1, 3)]),
        (2, [(2, 2), (3, 3)]),
        (3, [(4, 2), (5, 3)]),
    ],
)
def test_windows_of_a_position(position, items):
    # Windows of 3 positions at a stride of 2: window 0 has -1, 0 and 1, window 1 has 1, 2 and 3.
    synapses = Convolution(np.ones((4, 1, 3), int), (1, 4), stride=2, padding=((1, 0),))
    dut = ConvolutionLookup(synapses, AddressEvent(4), lanes=2)
    sent = [written((position, 0)), written(END)]
    received = transfer(dut, sent, len(items) + 1, random=Random(0))
    assert [added(item) for item in received] == [(*item, 0) for item in items] + [END]


def test_channels_of_groups_reach_their_own_outputs():
    kernel = np.arange(4).reshape(4, 1, 1, 1)
    synapses = Convolution(kernel, (2, 1, 2), groups=2)
    dut = ConvolutionLookup(synapses, AddressEvent(4), lanes=2, by_position=True)
    # Position 1 of channel 1, whose address is 1 * 2 + 1.
    received = transfer(dut, [written((3, 0)), written(LAST)], 2, random=Random(0))
    assert [added(item) for item in received] == [(1, 3, 0), LAST]
    assert kernel_rows(synapses, 2).tolist() == [[0, 1], [2, 3]]


def test_position_without_a_window_adds_nothing():
    synapses = Convolution(np.ones((1, 1, 1), int), (1, 5), stride=3)
    dut = ConvolutionLookup(synapses, AddressEvent(5), lanes=1)
    sent = [written((n, 0)) for n in range(5)] + [written(LAST)]
    received = transfer(dut, sent, 3, random=Random(0))
    assert [added(item) for item in received] == [(0, 0, 0), (0, 1, 0), LAST]


# -- against a plain statement -------------------------------------------------------------------


@pytest.mark.parametrize("by_position", [False, True])
@pytest.mark.parametrize(
    "shape, kernel, options, lanes",
    [
        ((3, 5), (4, 3, 3), {"padding": 1}, 2),
        ((2, 3, 4), (2, 2, 2, 3), {"stride": (1, 2), "padding": ((1, 0), (0, 2))}, 1),
        ((4, 4, 3), (4, 2, 3, 2), {"groups": 2, "padding": 1, "dilation": (1, 2)}, 2),
        ((1, 5, 5), (3, 1, 2, 2), {"stride": 2, "dilation": 2, "padding": 1}, 3),
        ((2, 1, 1), (2, 2, 2, 2), {"stride": (3, 1), "padding": 1, "dilation": (1, 2)}, 1),
    ],
)
def test_every_position(shape, kernel, options, lanes, by_position):
    weights = np.arange(prod(kernel)).reshape(kernel) % 50
    received, expected = walked(Convolution(weights, shape, **options), lanes, by_position)
    assert received == expected


@pytest.mark.parametrize("pauses", [(0.5, 0), (0, 0.5), (0.3, 0.3)])
def test_values_go_along_through_stalls(pauses):
    synapses = Convolution(np.arange(36).reshape(4, 1, 3, 3), (1, 4, 3), padding=1)
    received, expected = walked(synapses, 2, False, Random(1), pauses, unsigned(2))
    assert received == expected


def test_token_is_held_until_it_is_taken():
    synapses = Convolution(np.ones((1, 1, 1, 1), int), (1, 4, 3))
    dut = ConvolutionLookup(synapses, AddressEvent(12), lanes=1)
    sent = [written(event) for n in range(10) for event in ((n, 0), END)]
    received = transfer(dut, sent, 20, random=Random(0), pauses=(0.5, 0.5))
    assert [item.end for item in received] == [0, 1] * 10


def test_token_that_comes_while_an_item_is_offered_changes_nothing():
    synapses = Convolution(np.ones((1, 1, 1), int), (1, 2))
    dut = ConvolutionLookup(synapses, AddressEvent(2), lanes=1)
    seen = []

    async def testbench(ctx):
        ctx.set(dut.i.payload, written((1, 0)))
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await ctx.tick().until(dut.o.valid)
        ctx.set(dut.i.payload, written(LAST))
        ctx.set(dut.i.valid, 1)
        for ready in (0, 0, 1, 1):  # the item is held, then taken, then the token
            ctx.set(dut.o.ready, ready)
            payload = ctx.get(dut.o.payload)
            seen.append((payload.end, payload.last, ctx.get(dut.i.ready)))
            await ctx.tick()

    simulate(dut, testbench, watch=[dut.o])
    assert seen == [(0, 0, 0), (0, 0, 0), (0, 0, 0), (1, 1, 1)]


SIZES = [(positions, size) for positions in range(1, 7) for size in range(1, 5)]


@pytest.mark.slow
@pytest.mark.parametrize("positions, size", SIZES)
def test_all_geometries_of_one_axis(positions, size):
    for stride, dilation, before, after in product((1, 2, 3, 4), (1, 2, 3), (0, 1, 2), (0, 1)):
        try:
            synapses = Convolution(
                np.arange(2 * size).reshape(2, 1, size),
                (1, positions),
                stride,
                ((before, after),),
                dilation,
            )
        except ValueError:  # a window that does not fit
            continue
        received, expected = walked(synapses, 1, False)
        assert received == expected, synapses.windows


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 200, 20))
def test_many_random_convolutions(start):
    for seed in range(start, start + 20):
        random = Random(seed)
        axes = [random.randint(1, 7) for _ in range(random.choice([1, 2, 2]))]
        synapses = random_convolution(random, (random.randint(1, 5), *axes), outputs=(1, 8))
        channels = len(synapses.kernel) // synapses.groups
        lanes = random.choice([n for n in range(1, channels + 1) if channels % n == 0])
        pauses = random.choice([(0, 0), (0.4, 0.4)])
        received, expected = walked(synapses, lanes, random.random() < 0.5, random, pauses)
        assert received == expected, seed
        assert len(expected) - 2 == kernel_events(synapses, lanes).sum()


# -- cycle by cycle ------------------------------------------------------------------------------


def trace(synapses, items):
    """Return for each cycle whether an item is taken, and what is offered behind the look-up."""
    dut = ConvolutionLookup(synapses, AddressEvent(synapses.source_size), lanes=1)
    items, seen = [*items], []

    async def testbench(ctx):
        ctx.set(dut.o.ready, 1)
        while items:
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, written(items[0]))
            *_, taken, valid, payload = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.p)
            offered = added(payload) if valid else None
            seen.append(("taken" if taken else "waits", offered and offered[:2]))
            if taken:
                items.pop(0)

    simulate(dut, testbench, watch=[dut.o])
    return seen


def test_one_axis_takes_one_cycle_more_than_a_walk():
    synapses = Convolution(np.ones((1, 1, 2), int), (1, 3), padding=1)
    assert (
        trace(synapses, [(0, 0), (1, 0), LAST])
        == [
            ("taken", None),  # the address is divided
            ("taken", None),  # the next one is, while the windows of the first are looked up
            ("waits", (1, 0)),
            ("waits", (0, 1)),
            ("waits", (1, 1)),  # the walks follow each other without a gap
            ("waits", (0, 2)),
            ("taken", LAST[:2]),  # in the cycle in which it is offered, once nothing is before it
        ]
    )


def test_two_axes_take_two_cycles_more_than_a_walk():
    synapses = Convolution(np.ones((1, 1, 1, 1), int), (1, 2, 2), stride=(2, 1))
    # The second event has no window.
    assert trace(synapses, [(0, 0), (2, 0), (1, 0), LAST]) == [
        ("taken", None),
        ("taken", None),
        ("taken", None),
        ("waits", (0, 0)),
        ("waits", None),
        ("waits", (0, 1)),
        ("taken", LAST[:2]),
    ]


# -- conversion and bad input --------------------------------------------------------------------


def test_converts():
    synapses = Convolution(np.ones((2, 1, 3, 3), int), (1, 5, 7), padding=1)
    converts(ConvolutionLookup(synapses, AddressEvent(35), lanes=2))


def test_lanes_must_divide_the_channels_of_a_group():
    synapses = Convolution(np.ones((4, 1, 1), int), (2, 3), groups=2)
    message = "Lanes must divide 2 output channels, not be 4"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConvolutionLookup(synapses, AddressEvent(6), lanes=4)
