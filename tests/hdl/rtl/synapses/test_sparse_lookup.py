# amaranth: UnusedElaboratable=no

"""Tests of synapses stored one by one: against the matrix, cycle by cycle, and bad input."""

import re
from random import Random

import numpy as np
import pytest
from amaranth import *
from amaranth.back import rtlil

from spiker_hdl.model import (
    Accumulator,
    Core,
    Input,
    Network,
    OneToOne,
    Population,
    Projection,
    Readout,
    Sparse,
    store_bits,
)
from spiker_hdl.rtl import AddressEvent
from spiker_hdl.rtl.synapses.sparse_lookup import SparseLookup, added_width

from support.bench import simulate
from support.events import END, LAST, converts, events_of, random_samples, transfer, written


def added(payload, lanes):
    """Return the target and what is added to it, or the token."""
    if payload.end:
        return LAST if payload.last else END
    return payload.fold * lanes + payload.lane, payload.weight


def wanted_of(matrix, events, straight):
    results = []
    for event in events:
        if event in {END, LAST}:
            results.append(event)
            continue
        address, value = event
        for target in range(len(matrix)):
            weight = int(matrix[target, address])
            if weight or (straight and target == address):
                results.append((target, weight * (value or 1)))
    return results


def random_matrix(random, targets, sources, low, high, share):
    """Draw weights of which a share is not zero, and one source has none."""
    matrix = np.array([
        [random.choice([low, high, random.randint(low, high)]) for _ in range(sources)]
        for _ in range(targets)
    ])
    kept = np.array([[random.random() < share for _ in range(sources)] for _ in range(targets)])
    matrix = np.where(kept, matrix, 0)
    matrix[:, random.randrange(sources)] = 0
    return matrix


# -- against the model ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, values",
    [
        (unsigned(0), (0, 0)),
        (unsigned(3), (1, 7)),
        (signed(3), (-4, 3)),
    ],
)
@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5)])
@pytest.mark.parametrize(
    "targets, sources, lanes, share",
    [(1, 2, 1, 1), (5, 4, 5, 0.5), (7, 6, 2, 0.3), (6, 3, 4, 1), (3, 3, 1, 0)],
)
def test_every_synapse_of_an_event(targets, sources, lanes, share, shape, values, pauses):
    random = Random(targets)
    matrix = random_matrix(random, targets, sources, -8, 7, share)
    synapses = matrix if share == 1 else Sparse.from_matrix(matrix)
    dut = SparseLookup(Projection("a", "b", synapses), AddressEvent(sources, shape), lanes=lanes)
    events = events_of(random_samples(random, sources, values=values))
    expected = wanted_of(matrix, events, False)
    sent = [written(event) for event in events]
    received = transfer(dut, sent, len(expected), random=random, pauses=pauses)
    assert [added(item, lanes) for item in received] == expected


@pytest.mark.parametrize("shift", [0, 1, 4])
def test_what_is_added_is_shifted(shift):
    matrix = np.array([[3, -8], [7, 0], [-1, 2]])
    projection = Projection("a", "b", Sparse.from_matrix(matrix), bits=4)
    event = AddressEvent(2, signed(3))
    dut = SparseLookup(projection, event, lanes=2, shift=shift)
    assert dut.o.p.shape().weight_width == added_width(projection, event) + shift
    events = events_of(random_samples(Random(1), 2, values=(-4, 3)))
    expected = wanted_of(matrix * 2**shift, events, False)
    received = transfer(
        dut, [written(offered) for offered in events], len(expected), random=Random(2)
    )
    assert [added(item, 2) for item in received] == expected


@pytest.mark.parametrize("pauses", [(0, 0), (0.5, 0), (0, 0.5)])
@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_one_to_one(lanes, pauses):
    random = Random(lanes)
    weights = np.array([3, -4, 1, 2, -1])
    projection = Projection("a", "b", OneToOne(weights))
    dut = SparseLookup(projection, AddressEvent(5, signed(3)), lanes=lanes)
    events = events_of(random_samples(random, 5, values=(-4, 3)))
    expected = wanted_of(np.diag(weights), events, True)
    sent = [written(event) for event in events]
    received = transfer(dut, sent, len(expected), random=random, pauses=pauses)
    assert [added(item, lanes) for item in received] == expected


# -- cycle by cycle ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "synapses, cycles",
    [
        # An event takes two cycles more than it has synapses; a token takes one.
        (Sparse.from_matrix(np.array([[1, 0], [1, 0], [1, 0]])), [5, 2, 1]),
        (OneToOne(np.array([1, 2])), [2, 2, 1]),
    ],
)
def test_how_long_an_event_takes(synapses, cycles):
    dut = SparseLookup(Projection("a", "b", synapses), AddressEvent(2), lanes=1)
    taken = []

    async def testbench(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for event in [(0, 0), (1, 0), LAST]:
            ctx.set(dut.i.payload, written(event))
            ready, count = 0, 0
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
                count += 1
            taken.append(count)

    simulate(dut, testbench, watch=[dut.o])
    assert all(count <= limit for count, limit in zip(taken, cycles, strict=True))


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["sparse", "one_to_one"])
def test_memories_are_as_large_as_said(kind, lanes):
    weights = np.array([[1, 0, -3], [0, 2, 0], [0, 0, 3]])
    synapses = OneToOne(weights.diagonal()) if kind == "one_to_one" else Sparse.from_matrix(weights)
    network = Network(
        (Input("a", 3),),
        (Population("b", 3, Accumulator(width=6)),),
        (Projection("a", "b", synapses),),
        (Readout("b", "last"),),
    )
    projection = network.projections[0]
    text = rtlil.convert(SparseLookup(projection, AddressEvent(3), lanes=lanes), emit_src=False)
    memories = re.findall(r"memory width (\d+) size (\d+)", text)
    bits = sum(int(width) * int(size) for width, size in memories)
    assert bits == store_bits(network, projection, Core(lanes, lanes))["synapses"]


@pytest.mark.parametrize(
    "value, bits",
    [
        (unsigned(0), 4),  # -8..7
        (unsigned(2), 6),  # -24..21
        (signed(2), 6),  # -14..16
        (signed(3), 7),  # -28..32
    ],
)
def test_what_is_added_has_the_bits_that_it_needs(value, bits):
    projection = Projection("a", "b", np.array([[7]]), bits=4)
    low, high = -8, 7
    maximum = 2 ** (value.width - 1) - 1 if value.signed else max(1, 2**value.width - 1)
    minimum = -(2 ** (value.width - 1)) if value.signed else 0
    reach = [weight * bound for weight in (low, high) for bound in (minimum, maximum)]
    assert bits == max(max(reach).bit_length(), (~min(reach)).bit_length()) + 1
    assert added_width(projection, AddressEvent(1, value)) == bits


@pytest.mark.parametrize("bits", range(2, 6))
@pytest.mark.parametrize("value", [unsigned(1), unsigned(2), signed(1), signed(2), signed(4)])
def test_a_product_has_all_the_bits_that_it_needs_and_no_more(bits, value):
    projection = Projection("a", "b", np.array([[-1]]), bits=bits)
    span = range(-(2 ** (bits - 1)), 2 ** (bits - 1))
    values = range(2**value.width)
    if value.signed:
        values = range(-(2 ** (value.width - 1)), 2 ** (value.width - 1))
    products = [weight * factor for weight in span for factor in values]
    width = added_width(projection, AddressEvent(1, value))
    assert -(2 ** (width - 1)) <= min(products)
    assert max(products) < 2 ** (width - 1)
    assert min(products) < -(2 ** (width - 2)) or max(products) >= 2 ** (width - 2)


def test_sparse_lookup_converts():
    projection = Projection("a", "b", Sparse.from_matrix(np.eye(4, 6, dtype=int)))
    assert converts(SparseLookup(projection, AddressEvent(6), lanes=2))


# -- bad input -----------------------------------------------------------------------------------


def test_sparse_lookup_rejects():
    projection = Projection("a", "b", OneToOne(np.array([1])))
    with pytest.raises(ValueError, match=re.escape("Lanes must be at least 1, not 0")):
        SparseLookup(projection, AddressEvent(1), lanes=0)
