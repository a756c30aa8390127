# amaranth: UnusedElaboratable=no
"""Sums never overflow the width that is derived from the weights, and are exact."""

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume
from formal.prover import Harness, inside, opened, planted, prove

from spiker_hdl.model import Dense
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.rtl import lanes

pytestmark = pytest.mark.slow

WEIGHTS = np.array([[3, -4, 1], [-2, -4, -2], [3, 2, 2]])
LOWS, HIGHS = Dense(WEIGHTS).reach(0, 1)
WIDTH = signed_width(int(LOWS.min()), int(HIGHS.max()))
GRADED_LOWS, GRADED_HIGHS = Dense(WEIGHTS).reach(-2, 1)
GRADED = signed_width(int(GRADED_LOWS.min()), int(GRADED_HIGHS.max()))


class Summed(Harness):
    """Lanes as the port contract has them used, beside sums too wide to overflow.

    In each step any sources have an event, in any order, none of them twice.
    """

    def __init__(self, dut, *, invariants=False):
        super().__init__()
        self.dut = dut
        self.invariants = invariants

    def properties(self, m):
        dut = self.dut
        size, sources = WEIGHTS.shape
        lows, highs = (LOWS, HIGHS) if not dut.value_shape.width else (GRADED_LOWS, GRADED_HIGHS)
        module = opened(dut)
        m.submodules.dut = module
        groups = -(-dut.lanes // dut.units) if dut.folds == 1 else dut.folds

        adding, taking, turn = Signal(), Signal(), Signal(range(max(groups, dut.folds) + 1))
        source, used = Signal(range(sources)), Signal(sources)
        shape = dut.value_shape if dut.value_shape.width else unsigned(1)
        value = self.free(shape, "value")
        values = Array(Signal(shape, name=f"value_{s}") for s in range(sources))
        wish, step = self.free(range(sources), "source"), self.free(2, "step")
        over = ~(adding | taking) | (turn == Mux(adding, dut.folds, groups) - 1)
        now_used = used | Mux(adding, 1 << source, 0)
        with m.If(over):
            m.d.sync += [turn.eq(0), source.eq(wish)]
            m.d.sync += [adding.eq(step == 1), taking.eq(step == 2)]
            m.d.comb += Assume((step != 1) | ((wish < sources) & ~now_used.bit_select(wish, 1)))
            with m.If(step == 1):
                m.d.sync += values[wish].eq(value)
            if dut.value_shape.width:
                m.d.comb += Assume((value >= -2) & (value <= 1))
        with m.Else():
            m.d.sync += turn.eq(turn + 1)
        with m.If(over & taking):
            m.d.sync += used.eq(0)
        with m.Elif(over & adding):
            m.d.sync += used.eq(now_used)
        m.d.comb += [
            dut.add.eq(adding),
            dut.take.eq(taking),
            dut.first.eq(used == 0),
            dut.empty.eq(used == 0),
            dut.row.eq(Mux(dut.folds > 1, turn, 0)),
            dut.ahead.eq(Mux(over, 0, turn + 1)),
            dut.value.eq(values[source]),
        ]

        exact = [Signal(signed(12), name=f"exact_{n}") for n in range(size)]
        for n, total in enumerate(exact):
            fold, lane = divmod(n, dut.lanes)
            weight = Signal(signed(dut.weight), name=f"weight_{n}")
            with m.Switch(source):
                for s in range(sources):
                    with m.Case(s):
                        m.d.comb += weight.eq(int(WEIGHTS[n, s]))
            factor = values[source] if dut.value_shape.width else 1
            with m.If(adding & ((dut.folds == 1) | (turn == fold))):
                m.d.comb += dut.weights[lane].eq(weight)
                m.d.sync += total.eq(total + weight * factor)
            with m.If(over & taking):
                m.d.sync += total.eq(0)
            group, unit = divmod(n, dut.units)
            with m.If(taking & (turn == group)):
                m.d.comb += Assert(dut.sums[unit] == total)
            m.d.comb += Assert((total >= int(lows[n])) & (total <= int(highs[n])))
            if self.invariants:
                seen = used | Mux(adding & (turn > fold), 1 << source, 0)
                factors = values if dut.value_shape.width else [1] * sources
                chosen = (Mux(seen[s], int(WEIGHTS[n, s]) * factors[s], 0) for s in range(sources))
                m.d.comb += Assert(total == sum(chosen))
                stored, known = self.stored(m, module, n, seen)
                m.d.comb += Assert(~known | (stored == total))
        if self.invariants:
            for factor in values:
                m.d.comb += Assert((factor >= -2) & (factor <= 1))
            m.d.comb += [
                Assert(~(adding & taking)),
                Assert(turn < Mux(adding, dut.folds, Mux(taking, groups, 1))),
                Assert(~adding | ((source < sources) & ~used.bit_select(source, 1))),
            ]

    def stored(self, m, module, n, seen):
        """Return the sum of a neuron inside, and whether it means something now."""
        fold, lane = divmod(n, self.dut.lanes)
        if self.dut.folds == 1:
            return inside(module, "ring").word_select(n, self.dut.width).as_signed(), C(1)
        probe = module.submodules.memory.read_port(domain="comb")
        m.d.comb += probe.addr.eq(fold)
        return probe.data.word_select(lane, self.dut.width).as_signed(), seen.any()


def ring(module=lanes, *, units=3, width=WIDTH):
    return module.RingLanes(3, lanes=3, units=units, width=width, weight=3, value=unsigned(0))


def graded(module=lanes, *, width=GRADED):
    return module.RingLanes(3, lanes=3, units=3, width=width, weight=3, value=signed(2))


def folded(module=lanes, *, width=WIDTH):
    return module.FoldedLanes(3, lanes=2, units=2, width=width, weight=3, value=unsigned(0))


@pytest.mark.parametrize("make", [ring, graded, folded])
def test_sums_are_exact_and_never_overflow(make, tmp_path):
    assert prove(Summed(make(), invariants=True), tmp_path, depth=3).holds


def test_a_ring_that_turns_gives_all_sums(tmp_path):
    assert prove(Summed(ring(units=1)), tmp_path, mode="bmc", depth=11).holds


@pytest.mark.parametrize("make, width", [(ring, WIDTH), (graded, GRADED), (folded, WIDTH)])
def test_a_bit_less_is_too_little(make, width, tmp_path):
    assert not prove(Summed(make(width=width - 1)), tmp_path, mode="bmc", depth=12).holds


@pytest.mark.parametrize(
    "make, old, new",
    [
        (ring, "weight + Mux(self.take, behind, ring[n])", "weight + ring[n]"),
        (graded, "terms[-1] = -terms[-1]", "terms[-1] = terms[-1]"),
        (folded, "kept = Mux(zero, 0, before[n])", "kept = before[n]"),
        (folded, "zero, none = self.first, self.empty", "zero, none = self.first, C(0)"),
        (folded, "write.en.eq(self.add)", "write.en.eq(self.add & ~self.first)"),
    ],
)
def test_a_fault_is_found(make, old, new, tmp_path):
    dut = make(planted(lanes, old, new))
    assert not prove(Summed(dut), tmp_path, mode="bmc", depth=14).holds
