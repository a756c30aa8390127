# amaranth: UnusedElaboratable=no
"""A recurrent core accepts input again within a stated number of cycles: there is no deadlock."""

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from spiker_hdl.model import Core, If, Input, Mapping, Network, Population, Projection, Readout
from spiker_hdl.rtl.population import core as population
from spiker_hdl.rtl.population.neuron_update import NeuronUpdate
from spiker_hdl.rtl.streams import delay
from spiker_hdl.rtl.streams.broadcast import Broadcast
from spiker_hdl.rtl.streams.queue import Queue

from support.prover import Harness, planted, solve

pytestmark = pytest.mark.slow

SIZE = 2
NETWORK = Network(
    (Input("in", SIZE),),
    (Population("p", SIZE, If(threshold=0, width=2)),),
    (
        Projection("in", "p", np.array([[1, 0], [0, 1]]), bits=2),
        Projection("p", "p", np.array([[0, 1], [1, 0]]), delay=1, bits=2, name="back"),
    ),
    (Readout("p", "count"),),
)


class Recurrent(Harness):
    """A population whose spikes return to it one step later, and also leave.

    What the neurons compute is left open: in every step, any of them may fire. So the proof holds
    for all weights and neurons.
    """

    def __init__(self, core, *, stall, limit, depth=SIZE + 1, delayed=delay):
        super().__init__()
        self.core = core
        self.stall = stall
        self.limit = limit
        self.depth = depth
        self.delayed = delayed

    def properties(self, m):
        m.submodules.core = core = self.core
        event = core.o.p.shape()
        m.submodules.broadcast = broadcast = Broadcast(event, branches=2)
        m.submodules.queue = queue = Queue(event, depth=self.depth)
        m.submodules.delay = delayed = self.delayed.Delay(event, delay=1)
        wiring.connect(m, core.o, broadcast.i)
        wiring.connect(m, broadcast.o[0], queue.i)
        wiring.connect(m, queue.o, delayed.i)
        wiring.connect(m, delayed.o, core.i1)
        m.d.comb += delayed.finish.eq(core.finish)

        # The source sends steps of ascending events; the reader stalls for a bounded time.
        self.offer(m, core.i0, "i")
        i, o = core.i0, broadcast.o[1]
        next_address = Signal(range(SIZE + 1))
        with m.If(i.valid):
            m.d.comb += Assume(i.p.end | ((i.p.address >= next_address) & (i.p.address < SIZE)))
            m.d.comb += Assume(i.p.end | ~i.p.last)
            with m.If(i.ready):
                m.d.sync += next_address.eq(Mux(i.p.end, 0, i.p.address + 1))
        self.accept(m, o, "o")
        stalled = Signal(range(self.stall + 2))
        m.d.sync += stalled.eq(Mux(o.valid & ~o.ready, stalled + 1, 0))
        m.d.comb += Assume(~o.valid | o.ready | (stalled < self.stall))

        waiting = Signal(range(self.limit + 2))
        m.d.sync += waiting.eq(Mux(i.valid & ~i.ready, waiting + 1, 0))
        m.d.comb += Assert(waiting <= self.limit)


@pytest.fixture(autouse=True)
def any_spikes(monkeypatch):
    """Let neurons fire freely."""
    free_signals = []

    def step(self, m, values, states, current):
        fired = Signal(name=f"any_{len(free_signals)}")
        free_signals.append(fired)
        return fired, dict.fromkeys(self.population.neuron.states, 0)

    monkeypatch.setattr(NeuronUpdate, "step", step)
    return free_signals


def accepts_again(
    folder, free_signals, *, stall, limit, cycles, lanes=SIZE, units=1, module=population, **options
):
    mapping = Mapping(
        {"p": Core(lanes, units)},
        {projection.name: 8 for projection in NETWORK.projections},
        form="events",
    )
    core = module.PopulationCore(NETWORK, "p", mapping=mapping)
    harness = Recurrent(core, stall=stall, limit=limit, **options)
    # The core is elaborated first, which creates the free signals.
    body = core.elaborate(None)
    core.elaborate = lambda platform: body
    core.neuron_update.elaborate = _elaborated(core.neuron_update.elaborate(None))
    harness.ports += free_signals
    return solve(harness, folder, depth=cycles).holds


def _elaborated(module):
    return lambda platform: module


# Lanes; maximum cycles that the reader of the spikes stalls, and that an offer then waits.
BOUNDS = [(SIZE, 0, 11), (SIZE, 1, 13), (SIZE, 2, 15), (1, 0, 12)]
CYCLES = 30


@pytest.mark.parametrize("lanes, stall, limit", BOUNDS)
def test_core_accepts_input_within_the_limit(lanes, stall, limit, tmp_path, any_spikes):
    options = {"lanes": lanes, "stall": stall, "cycles": CYCLES}
    assert accepts_again(tmp_path, any_spikes, limit=limit, **options)


@pytest.mark.parametrize("lanes, stall, limit", BOUNDS)
def test_limit_is_reached(lanes, stall, limit, tmp_path, any_spikes):
    options = {"lanes": lanes, "stall": stall, "cycles": CYCLES}
    assert not accepts_again(tmp_path, any_spikes, limit=limit - 1, **options)


@pytest.mark.parametrize(
    "name, module, old, new",
    [
        ("delayed", delay, "[self.o.valid.eq(1), self.o.p.end.eq(1)]", "[self.o.p.end.eq(1)]"),
        ("delayed", delay, 'm.next = "During"', 'm.next = "Before"'),
        (
            "module",
            population,
            "free = Cat(output.free for output in outputs).all()",
            "free = Cat(~output.free for output in outputs).all()",
        ),
        (
            "module",
            population,
            "return event_merger.complete",
            "return event_merger.event",
        ),
    ],
    ids=["delay-never-valid", "delay-starts-again", "full-outputs-free", "starts-with-an-event"],
)
def test_planted_fault_is_found(name, module, old, new, tmp_path, any_spikes):
    faulty = {name: planted(module, old, new)}
    assert not accepts_again(tmp_path, any_spikes, stall=0, limit=11, cycles=CYCLES, **faulty)
