# amaranth: UnusedElaboratable=no
"""A queue neither loses, nor invents, nor reorders, and keeps its time; a broadcast gives all."""

import pytest
from amaranth import *
from amaranth.hdl import Assert

from spiker_hdl.rtl.streams import broadcast, queue

from support.prover import Harness, inside, opened, planted, prove

pytestmark = pytest.mark.slow

SHAPE = unsigned(2)


class Ordered(Harness):
    """A queue, and one entry of all that ever enter it, on its way.

    The entry is any: the solver picks it as it enters. From then on, ``ahead`` counts those that
    must leave before it. Whatever else is asserted ties the queue's own signals to what is
    counted outside, so that induction has no state to start from that never comes.
    """

    def __init__(self, dut):
        super().__init__()
        self.dut = dut

    def properties(self, m):
        dut, depth = self.dut, self.dut.depth
        module = opened(dut)
        fifo = module.submodules.fifo
        m.submodules.dut = module
        self.offer(m, dut.i, "i")
        self.accept(m, dut.o, "o")
        came, left = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready

        level = Signal(range(depth + 2))
        m.d.sync += level.eq(level + came - left)
        m.d.comb += [
            Assert(level <= depth),
            Assert(~dut.o.valid | (level > 0)),
            Assert(level == fifo.level),
        ]

        pick, picked, gone = self.free(1, "pick"), Signal(), Signal()
        ahead, kept = Signal(range(depth + 1)), Signal(SHAPE)
        next_one = picked & ~gone & (ahead == 0)
        with m.If(pick & came & ~picked):
            m.d.sync += [picked.eq(1), kept.eq(dut.i.p), ahead.eq(level - left)]
        with m.Elif(picked & ~gone & left):
            m.d.sync += [ahead.eq(ahead - 1), gone.eq(ahead == 0)]
        with m.If(picked & ~gone):
            m.d.comb += Assert(ahead < level)
        with m.If(next_one & dut.o.valid):
            m.d.comb += Assert(dut.o.p == kept)
        m.d.comb += Assert(~gone | picked)

        # What is held can be taken two cycles after it came, and a free place is offered.
        waited = Signal()
        m.d.sync += waited.eq((level > 0) & ~dut.o.valid)
        m.d.comb += Assert(~waited | dut.o.valid)
        m.d.comb += Assert(dut.i.ready | (level >= max(1, depth - 1)))

        if depth > 1:
            self.within(m, fifo, depth - 1, picked & ~gone, ahead, kept)

    def within(self, m, fifo, inner, waiting, ahead, kept):
        """Say where in the queue's memory the entry is that waits."""
        body = opened(fifo)
        produce, consume, level = (inside(body, n) for n in ("produce", "consume", "inner_level"))
        probe = body.submodules.storage.read_port(domain="comb")
        place = Signal(range(2 * inner + 2))
        m.d.comb += [
            place.eq(consume + ahead - fifo.r_rdy),
            probe.addr.eq(Mux(place >= inner, place - inner, place)),
            Assert(consume < inner),
            Assert(level <= inner),
            Assert((produce == consume + level) | (produce + inner == consume + level)),
            Assert(produce < inner),
        ]
        with m.If(waiting & ((ahead > 0) | ~fifo.r_rdy)):
            m.d.comb += Assert(probe.data == kept)


class Given(Harness):
    """A broadcast, and for each branch whether it has had what is offered now."""

    def __init__(self, dut):
        super().__init__()
        self.dut = dut

    def properties(self, m):
        module = opened(self.dut)
        m.submodules.dut = module
        i = self.dut.i
        self.offer(m, i, "i")
        done = inside(module, "done")
        for n, branch in enumerate(self.dut.o):
            self.accept(m, branch, "o")
            had = Signal()
            gets = branch.valid & branch.ready
            m.d.sync += had.eq((had | gets) & ~(i.valid & i.ready))
            m.d.comb += [
                Assert(~gets | (branch.p == i.p)),
                Assert(~(had & gets)),  # not twice
                Assert(~gets | i.valid),
                Assert(~(i.valid & i.ready) | had | gets),  # nor never
                Assert(had == done[n]),
                Assert(~had | i.valid),
            ]
        # All is taken as soon as all branches have had it.
        ready = Cat(branch.ready for branch in self.dut.o).all()
        m.d.comb += Assert(~(i.valid & ready) | i.ready)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
def test_a_queue_keeps_all_in_order(depth, tmp_path):
    assert prove(Ordered(queue.Queue(SHAPE, depth=depth)), tmp_path, depth=3).holds


@pytest.mark.parametrize(
    "old, new",
    [
        ("buffer.w_en.eq(self.i.valid)", "buffer.w_en.eq(1)"),  # invents
        ("buffer.r_en.eq(self.o.ready)", "buffer.r_en.eq(1)"),  # loses
        ("self.i.ready.eq(buffer.w_rdy)", "self.i.ready.eq(1)"),  # loses
        ("self.o.valid.eq(buffer.r_rdy)", "self.o.valid.eq(buffer.level > 0)"),  # too early
        (
            "self.o.valid.eq(buffer.r_rdy)",
            "self.o.valid.eq(buffer.r_rdy & ~buffer.w_en)",
        ),  # too late
        (
            "eq(buffer.r_data)",
            "eq(Mux(buffer.level == 3, buffer.w_data, buffer.r_data))",
        ),  # reorders
    ],
)
def test_a_fault_in_a_queue_is_found(old, new, tmp_path):
    dut = planted(queue, old, new).Queue(SHAPE, depth=3)
    assert not prove(Ordered(dut), tmp_path, mode="bmc", depth=12).holds


@pytest.mark.parametrize("branches", [1, 2, 4])
def test_a_broadcast_gives_each_payload_once_to_each(branches, tmp_path):
    assert prove(Given(broadcast.Broadcast(SHAPE, branches=branches)), tmp_path, depth=2).holds


@pytest.mark.parametrize(
    "old, new",
    [
        ("self.i.valid & ~done[n]", "self.i.valid"),  # twice
        ("now.all()", "now.any()"),  # never
        ("Mux(self.i.ready, 0, now)", "now"),  # never, the next time
        ("now.all()", "done.all()"),  # too late
    ],
)
def test_a_fault_in_a_broadcast_is_found(old, new, tmp_path):
    dut = planted(broadcast, old, new).Broadcast(SHAPE, branches=2)
    assert not prove(Given(dut), tmp_path, mode="bmc", depth=8).holds
