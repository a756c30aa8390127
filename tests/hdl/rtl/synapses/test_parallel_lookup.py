# amaranth: UnusedElaboratable=no

"""Tests of convolutions that reach several positions at once: all of them, pauses, conversion."""

import re
from collections import Counter
from itertools import product
from random import Random

import numpy as np
import pytest
from amaranth import *

from spiker_hdl.model import Convolution
from spiker_hdl.model.mapping.interleave import bank_places
from spiker_hdl.model.mapping.layout import kernel_events, kernel_rows
from spiker_hdl.rtl import AddressEvent
from spiker_hdl.rtl.synapses.parallel_lookup import ParallelLookup

from support.convolutions import number_of, plainly, random_convolution
from support.events import END, LAST, converts, transfer, written


def looked_up(synapses, lanes, positions, by_position, random=None, pauses=(0, 0)):
    """Check what every source of a convolution adds, and in how many cycles."""
    event = AddressEvent(synapses.source_size, unsigned(2))
    dut = ParallelLookup(synapses, event, lanes=lanes, positions=positions, by_position=by_position)
    places = [*product(*map(range, synapses.shape))]
    cycles = kernel_events(synapses, lanes, positions)
    assert cycles.size == len(places)
    # A token behind each event says which items are its own.
    sent = []
    for n, place in enumerate(places):
        sent += [written((number_of(synapses, place, by_position), n % 4)), written(END)]
    sent.append(written(LAST))
    count = int(cycles.sum()) + len(places) + 1
    received = transfer(dut, sent, count, random=random or Random(0), pauses=pauses)
    rows = kernel_rows(synapses, lanes).tolist()
    where = {
        tuple(place): fold
        for fold, place in enumerate(bank_places(synapses, lanes, positions).reshape(-1, 2))
    }
    items = iter(received)
    for n, place in enumerate(places):
        added, own = [], 0
        while not (item := next(items)).end:
            own += 1
            for bank, slot in enumerate(item.banks):
                if slot.present:
                    added.append((rows[slot.row], where[bank, slot.fold], item.value))
        assert own == cycles[n], place
        expected = plainly(synapses, lanes, place, n % 4)
        assert Counter(map(str, added)) == Counter(map(str, expected)), place
    assert next(items).last


@pytest.mark.parametrize("positions", ["line", "window"])
@pytest.mark.parametrize(
    "shape, kernel, options, lanes, by_position",
    [
        ((1, 3, 4), (2, 3, 3), {"padding": 1}, 2, False),
        ((2, 4, 3), (2, 2, 2, 3), {"stride": (1, 2), "padding": ((1, 0), (0, 2))}, 1, True),
        ((4, 3, 4), (4, 2, 2, 2), {"groups": 2, "dilation": (1, 2)}, 2, True),
        ((2, 7), (4, 3), {"stride": 2, "dilation": 2, "padding": 2}, 2, False),
        ((1, 3, 3), (1, 1, 1), {"stride": 2}, 1, False),
    ],
)
def test_every_position(shape, kernel, options, lanes, by_position, positions):
    inputs = shape[0] // options.get("groups", 1)
    sizes = kernel[-(len(shape) - 1) :]
    values = np.arange(1, 1 + kernel[0] * inputs * int(np.prod(sizes))) % 50
    synapses = Convolution(values.reshape(kernel[0], inputs, *sizes), shape, **options)
    # With pauses, a token must stay as it was offered.
    looked_up(synapses, lanes, positions, by_position, pauses=(0.5, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 60, 10))
def test_every_position_of_random_convolutions(start):
    for seed in range(start, start + 10):
        random = Random(seed)
        axes = [random.randint(1, 6) for _ in range(random.choice([1, 2]))]
        synapses = random_convolution(random, (random.randint(1, 3), *axes), outputs=(1, 6))
        channels = len(synapses.kernel) // synapses.groups
        lanes = random.choice([n for n in range(1, channels + 1) if channels % n == 0])
        positions, by_position = random.choice(["line", "window"]), random.random() < 0.5
        pauses = random.choice([(0, 0), (0.5, 0), (0, 0.5), (0.2, 0.8)])
        looked_up(synapses, lanes, positions, by_position, random, pauses)


def test_lanes_that_do_not_divide_the_channels_are_refused():
    synapses = Convolution(np.ones((4, 1, 1), int), (1, 3))
    message = "Lanes must divide 4 output channels, not be 3"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ParallelLookup(synapses, AddressEvent(3), lanes=3, positions="line")


def test_converts():
    synapses = Convolution(np.ones((2, 1, 3, 3), int), (1, 5, 7), padding=1)
    converts(ParallelLookup(synapses, AddressEvent(35), lanes=2, positions="line"))
