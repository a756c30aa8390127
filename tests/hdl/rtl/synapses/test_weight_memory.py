# amaranth: UnusedElaboratable=no

"""Tests of the weight memory: every row against the matrix, cycle by cycle, and bad input."""

import re
from random import Random

import numpy as np
import pytest
from amaranth.back import rtlil

from spiker_hdl.model import OneToOne, Projection, Sparse
from spiker_hdl.rtl import WeightMemory

from support.bench import simulate
from support.events import converts


def dense(random, targets, sources, low=-8, high=7):
    weights = [[random.randint(low, high) for _ in range(sources)] for _ in range(targets)]
    return Projection("a", "b", np.array(weights))


def read(dut, bank=0):
    """Read all rows of a bank, one a cycle; return them in order of their addresses."""
    rows = []
    count = dut.folds * dut.rows

    async def testbench(ctx):
        for n in range(count + 2):
            ctx.set(dut.row[bank], min(n, count - 1))
            ctx.set(dut.read, 1 << bank)
            _, _, weights = await ctx.tick().sample(dut.weights)
            rows.append([*weights[bank]])
            assert not any(w for other in range(dut.banks) if other != bank for w in weights[other])

    simulate(dut, testbench)
    # Two cycles late.
    return rows[2:]


# -- by hand -------------------------------------------------------------------------------------


def test_synapses_by_hand():
    dut = WeightMemory([Projection("a", "b", np.array([[1, -2], [3, 0], [-4, 2]]))], lanes=2)
    assert (dut.folds, dut.rows, dut.width, dut.bases) == (2, 2, 3, [0])
    assert dut.contents() == [
        0b011_001,  # from source 0 to neurons 0 and 1
        0b000_110,
        0b000_100,  # from source 0 to neuron 2; there is no neuron 3
        0b000_010,
    ]


# -- against the matrix --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lanes, block", [(1, 0), (2, 0), (3, 0), (7, 0), (1, 16), (2, 16), (3, 16), (2, 64)]
)
def test_every_row_is_read(lanes, block):
    random = Random(lanes)
    projections = [
        dense(random, 7, 3),
        Projection("c", "b", Sparse.from_matrix(np.eye(7, 4, dtype=int) * -100)),
        Projection("d", "b", OneToOne(np.arange(1, 8)), bits=9),
    ]
    dut = WeightMemory(projections, lanes=lanes, block=block)
    assert dut.bases == [0, 3, 7]
    rows = read(dut)
    whole = np.concatenate([projection.synapses.matrix() for projection in projections], axis=1)
    for fold in range(dut.folds):
        for source in range(14):
            expected = whole[fold * lanes : (fold + 1) * lanes, source].tolist()
            expected += [0] * (lanes - len(expected))
            assert rows[fold * 14 + source] == expected


@pytest.mark.parametrize(
    "lanes, banks, block", [(1, 2, 0), (3, 2, 0), (7, 4, 0), (2, 8, 0), (1, 2, 16), (1, 4, 16)]
)
def test_every_row_is_read_from_its_bank(lanes, banks, block):
    random = Random(lanes)
    projections = [
        dense(random, 7, 3),
        dense(random, 7, 1),
        Projection("c", "b", Sparse.from_matrix(np.eye(7, 4, dtype=int) * -100)),
        Projection("d", "b", OneToOne(np.arange(1, 8)), bits=9),
    ]
    dut = WeightMemory(projections, lanes=lanes, banks=banks, block=block)
    sizes = [3, 1, 4, 7]
    each = [-(-size // banks) for size in sizes]
    assert dut.bases == [sum(each[:n]) for n in range(4)]
    assert dut.rows == sum(each)
    for bank in range(banks):
        rows = read(dut, bank)
        assert len(rows) == dut.folds * dut.rows
        expected = [[0] * lanes for _ in rows]  # where there is no source
        for projection, base, size in zip(projections, dut.bases, sizes, strict=True):
            padded = np.zeros((dut.folds * lanes, size), dtype=int)
            padded[:7] = projection.synapses.matrix()
            for source in range(bank, size, banks):
                for fold in range(dut.folds):
                    row = fold * dut.rows + base + source // banks
                    expected[row] = padded[fold * lanes : (fold + 1) * lanes, source].tolist()
        assert rows == expected


def test_banks_are_read_at_once_two_cycles_late_and_zero_where_they_are_not():
    dut = WeightMemory(
        [Projection("a", "b", np.array([[1, 2, 3, 4], [5, 6, 7, 8]]))], lanes=2, banks=2
    )
    trace = []

    async def testbench(ctx):
        for rows, reads in [
            ([0, 1], 0b11),
            ([1, 0], 0b11),
            ([1, 0], 0b10),
            ([1, 1], 0),
            ([0, 0], 0),
            ([0, 0], 0),
        ]:
            ctx.set(dut.row, rows)
            ctx.set(dut.read, reads)
            _, _, weights = await ctx.tick().sample(dut.weights)
            trace.append([[*weight] for weight in weights])

    none = [[0, 0], [0, 0]]
    simulate(dut, testbench)
    assert trace[1:] == [
        none,
        [[1, 5], [4, 8]],
        [[3, 7], [2, 6]],
        [[0, 0], [2, 6]],
        none,
    ]


@pytest.mark.parametrize(
    "low, high, width", [(-1, 1, 2), (-128, 127, 8), (1 - 2**31, 2**31 - 1, 32)]
)
def test_extreme_weights(low, high, width):
    dut = WeightMemory([Projection("a", "b", np.array([[low, high], [high, low]]))], lanes=2)
    assert dut.width == width
    assert read(dut) == [[low, high], [high, low]]


@pytest.mark.parametrize(
    "sources, depths, logic",
    [(49, [32, 16, 1], 1), (50, [32, 16, 2], 1), (51, [32, 16, 3], 0), (48, [32, 16], 0)],
)
def test_rows_are_split_into_memories(sources, depths, logic):
    text = rtlil.convert(WeightMemory([dense(Random(0), 3, sources)], lanes=3, block=16))
    sizes = re.findall(r"memory width \d+ size (\d+)", text)
    assert [int(size) for size in sizes] == depths
    assert text.count('attribute \\ram_style "registers"') == logic


def test_synapses_convert():
    assert converts(WeightMemory([dense(Random(0), 5, 3)], lanes=2, banks=2))
    assert converts(WeightMemory([dense(Random(0), 5, 17)], lanes=2, banks=1, block=16))


# -- bad input -----------------------------------------------------------------------------------


def test_synapses_reject():
    with pytest.raises(ValueError, match=re.escape("Synapses must have a projection, not none")):
        WeightMemory([], lanes=2)
    with pytest.raises(ValueError, match=re.escape("Lanes must be at least 1, not 0")):
        WeightMemory([dense(Random(0), 2, 2)], lanes=0)
    with pytest.raises(ValueError, match=re.escape("Block must be at least 0, not -1")):
        WeightMemory([dense(Random(0), 2, 2)], lanes=1, block=-1)
