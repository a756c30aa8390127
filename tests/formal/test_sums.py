# amaranth: UnusedElaboratable=no
"""Sums never overflow the width that is derived from the weights, and are exact."""

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume

from spiker_hdl.model import Dense
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.rtl.common import adders
from spiker_hdl.rtl.population import accumulators

from support.prover import Harness, inside, opened, planted, prove, solve

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
        # What is asked for in a cycle is taken in the next, in which nothing is added.
        now_taking, now_turn, now_over = Signal(), Signal.like(turn), Signal()
        m.d.sync += [now_taking.eq(taking), now_turn.eq(turn), now_over.eq(over & taking)]
        now_used = Mux(now_over, 0, used | Mux(adding, 1 << source, 0))[:sources]
        with m.If(over):
            m.d.sync += [turn.eq(0), source.eq(wish)]
            m.d.sync += [adding.eq(step == 1), taking.eq(step == 2)]
            m.d.comb += Assume((step != 1) | ~taking)
            m.d.comb += Assume((step != 1) | ((wish < sources) & ~now_used.bit_select(wish, 1)))
            with m.If(step == 1):
                m.d.sync += values[wish].eq(value)
            if dut.value_shape.width:
                m.d.comb += Assume((value >= -2) & (value <= 1))
        with m.Else():
            m.d.sync += turn.eq(turn + 1)
        with m.If(now_over):
            m.d.sync += used.eq(0)
        with m.Elif(over & adding):
            m.d.sync += used.eq(now_used)
        m.d.comb += [
            dut.add.eq(adding),
            dut.turn.take.eq(taking),
            dut.turn.start.eq(taking & (turn == 0)),
            dut.turn.final.eq(over & taking),
            dut.turn.empty.eq(now_used == 0),
            dut.turn.row.eq(turn if dut.folds > 1 else 0),
            dut.first.eq(used == 0),
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
            with m.If(now_over):
                m.d.sync += total.eq(0)
            group, unit = divmod(n, dut.units)
            with m.If(now_taking & (now_turn == group)):
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
                Assert(~(adding & now_taking)),
                Assert(~now_over | now_taking),
                Assert(~now_taking | (now_turn < groups)),
                Assert(~now_taking | (now_over == (now_turn == groups - 1))),
                Assert(~now_taking | now_over | (taking & (turn == now_turn + 1))),
                Assert(~(taking & (turn > 0)) | (now_taking & (now_turn == turn - 1))),
                Assert(turn < Mux(adding, dut.folds, Mux(taking, groups, 1))),
                Assert(~adding | ((source < sources) & ~used.bit_select(source, 1))),
            ]

    def stored(self, m, module, n, seen):
        """Return the sum of a neuron inside, and whether it means something now."""
        fold, lane = divmod(n, self.dut.lanes)
        if self.dut.folds == 1:
            return inside(module, "running_sums").word_select(n, self.dut.width).as_signed(), C(1)
        probe = module.submodules.memory.read_port(domain="comb")
        m.d.comb += probe.addr.eq(fold)
        return probe.data.word_select(lane, self.dut.width).as_signed(), seen.any()


def ring(module=accumulators, *, units=3, width=WIDTH):
    return module.RingLanes(3, lanes=3, units=units, width=width, weight=3, value=unsigned(0))


def graded(module=accumulators, *, width=GRADED):
    return module.RingLanes(3, lanes=3, units=3, width=width, weight=3, value=signed(2))


def folded(module=accumulators, *, width=WIDTH):
    return module.FoldedLanes(3, lanes=2, units=2, width=width, weight=3, value=unsigned(0))


@pytest.mark.parametrize("make", [ring, graded, folded])
def test_sums_are_exact_and_never_overflow(make, tmp_path):
    assert prove(Summed(make(), invariants=True), tmp_path, depth=3).holds


def test_ring_gives_all_sums_as_it_rotates(tmp_path):
    assert prove(Summed(ring(units=1)), tmp_path, mode="bmc", depth=11).holds


@pytest.mark.parametrize("make, width", [(ring, WIDTH), (graded, GRADED), (folded, WIDTH)])
def test_one_bit_less_overflows(make, width, tmp_path):
    assert not prove(Summed(make(width=width - 1)), tmp_path, mode="bmc", depth=12).holds


@pytest.mark.parametrize(
    "make, old, new",
    [
        (ring, "Mux(now.take, following, accumulators[n])", "accumulators[n]"),
        (folded, "sum_before = Mux(zero, 0, before[n])", "sum_before = before[n]"),
        (folded, "else (self.first, now.empty)", "else (self.first, C(0))"),
        (folded, "write.en.eq(self.add)", "write.en.eq(self.add & ~self.first)"),
    ],
)
def test_a_fault_is_found(make, old, new, tmp_path):
    dut = make(planted(accumulators, old, new))
    assert not prove(Summed(dut), tmp_path, mode="bmc", depth=14).holds


def test_fault_in_the_sign_of_a_value_is_found(tmp_path, monkeypatch):
    faulty = planted(adders, "terms[-1] = -terms[-1]", "terms[-1] = terms[-1]")
    monkeypatch.setattr(accumulators, "product", faulty.product)
    assert not prove(Summed(graded()), tmp_path, mode="bmc", depth=14).holds


# -- sums that are read while weights of the next step are added ---------------------------------


class Overlapped(Harness):
    """Lanes to which is added whenever the contract has it, with any weights, beside plain sums."""

    def __init__(self, dut):
        super().__init__()
        self.dut = dut

    def properties(self, m):
        m.submodules.dut = dut = self.dut
        groups = -(-dut.size // dut.units)
        busy, group = Signal(), Signal(range(groups))
        start, keep = self.free(1, "start"), self.free(1, "keep")
        kept = Signal()
        final = busy & (group == groups - 1)
        asks = start & (~busy | final)
        m.d.sync += [busy.eq(asks | (busy & ~final)), group.eq(Mux(asks, 0, group + 1))]
        with m.If(asks):
            m.d.sync += kept.eq(keep if dut.folds == 1 else 0)
        now = Signal.like(dut.turn)
        now_group = Signal.like(group)
        m.d.sync += [now.eq(dut.turn), now_group.eq(group)]
        m.d.comb += [
            dut.turn.take.eq(busy),
            dut.turn.start.eq(busy & (group == 0)),
            dut.turn.final.eq(final),
            dut.turn.keep.eq(kept),
            dut.turn.row.eq(group // dut.parts),
            dut.turn.part.eq(group % dut.parts),
        ]

        add, ahead = self.free(1, "add"), self.free(range(dut.folds), "ahead")
        m.d.comb += [dut.add.eq(add), dut.ahead.eq(ahead), Assume(ahead < dut.folds)]
        m.d.sync += dut.row.eq(ahead)
        m.d.comb += Assume(~add | ~now.start)
        sums = [Signal(signed(dut.width), name=f"sum_{n}") for n in range(dut.size)]
        taken = [Signal(signed(dut.width), name=f"taken_{n}") for n in range(dut.size)]
        weights = [self.free(signed(dut.weight), f"weight_{n}") for n in range(dut.lanes)]
        for n, weight in enumerate(weights):
            m.d.comb += dut.weights[n].eq(Mux(add, weight, 0))
        for n, (total, before) in enumerate(zip(sums, taken, strict=True)):
            row, lane = divmod(n, dut.lanes)
            gets = Mux(add & (dut.row == row), weights[lane], 0)
            m.d.sync += total.eq(Mux(now.start & ~now.keep, 0, total) + gets)
            with m.If(now.start):
                m.d.sync += before.eq(total)
            with m.If(now.take & (now_group == n // dut.units)):
                m.d.comb += Assert(dut.sums[n % dut.units] == Mux(now.start, total, before))


def beside(module=accumulators):
    return module.RingLanes(3, lanes=3, units=1, width=5, weight=2, value=unsigned(0), overlap=True)


def halves(module=accumulators):
    return module.FoldedLanes(
        4,
        lanes=2,
        units=1,
        width=5,
        weight=2,
        value=unsigned(0),
        scattered=True,
        overlap=True,
    )


@pytest.mark.parametrize("make", [beside, halves])
def test_sums_are_exact_where_steps_overlap(make, tmp_path):
    assert solve(Overlapped(make()), tmp_path, depth=10).holds


@pytest.mark.parametrize(
    "make, old, new",
    [
        (beside, "cleared = now.start & ~now.keep", "cleared = now.start"),
        (beside, "cleared = now.start & ~now.keep", "cleared = now.take & ~now.keep"),
        (
            beside,
            "Mux(now.start, accumulators[k], ring[k])",
            "Mux(now.take, accumulators[k], ring[k])",
        ),
        (halves, "half.eq(half ^ ~self.turn.keep)", "half.eq(half)"),
        (halves, "other.eq(half)", "other.eq(~half)"),
        (
            halves,
            "sums_port = memory.read_port(transparent_for=[write] if self.scattered else [])",
            "sums_port = memory.read_port()",
        ),
        (halves, "saved.eq(taken)", "saved.eq(touched)"),
        (halves, "(now.start if self.overlap else now.final)", "now.final"),
        (halves, "parts[now.part]", "parts[0]"),
    ],
)
def test_a_fault_of_overlap_is_found(make, old, new, tmp_path):
    dut = make(planted(accumulators, old, new))
    assert not solve(Overlapped(dut), tmp_path, depth=10).holds
