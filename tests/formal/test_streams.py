"""Every stream output keeps its payload stable until it is taken, if its inputs do."""

from functools import partial

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import Assume

from spiker_hdl.model import (
    Decay,
    Input,
    Lif,
    Mapping,
    Network,
    Population,
    Projection,
    Readout,
    Sparse,
)
from spiker_hdl.rtl import input_port, readout, sample_control
from spiker_hdl.rtl.streams import broadcast, delay, queue, scanner, serializer, spike_output
from spiker_hdl.rtl.streams.events import AddressEvent
from spiker_hdl.rtl.synapses import sparse_lookup

from support.prover import Harness, planted, prove

pytestmark = pytest.mark.slow

EVENT = AddressEvent(3, signed(2))
SPARSE = Projection("a", "b", Sparse.from_matrix(np.array([[1, 0, -2], [1, 0, 0]])), bits=3)
NETWORK = Network(
    (Input("in", 2),),
    (Population("out", 3, Lif(threshold=2, decay=Decay.shift(1), width=4)),),
    (Projection("in", "out", np.array([[1, 2], [-1, 1], [2, -2]]), bits=3),),
    (Readout("out", "count"),),
    max_steps=3,
)


class Stable(Harness):
    """A component between inputs that keep their payloads stable, and readers that stall freely."""

    def __init__(self, dut):
        super().__init__()
        self.dut = dut

    def properties(self, m):
        m.submodules.dut = dut = self.dut
        for name in ("admit", "mute", "finish", "window", "start", "valid"):
            if name in dut.signature.members:
                port = getattr(dut, name)
                m.d.comb += port.eq(self.free(port.shape(), name))
        if "free" in dut.signature.members:
            m.d.comb += dut.i.eq(self.free(dut.i.shape(), "i"))
        else:
            self.offer(m, dut.i, "i")
        outputs = dut.o if isinstance(dut.o, list) else [dut.o]
        for o in outputs:
            self.accept(m, o, "o")
            self.stable(m, o)
        if "finish" in dut.signature.members:
            token = dut.o.valid & dut.o.ready & dut.o.p.end
            m.d.comb += Assume(~dut.finish | token)
        if "admit" in dut.signature.members:
            # Once a sample is admitted, it stays admitted until it begins.
            admitted = Signal()
            m.d.sync += admitted.eq(dut.admit & ~dut.begin)
            m.d.comb += Assume(dut.admit | ~admitted)


def input_port_of(module, form):
    node = Input("in", 5)
    mapping = Mapping({}, form=form, word=2)
    return module.InputPort(node, mapping)


# Component, mode and depth of its proof, and a fault in its module that the proof must find.
SPIKE_OUTPUT = (
    "self.free.eq(waiting < WAITING_STEPS)",
    "[self.free.eq(waiting < WAITING_STEPS), self.o.p.last.eq(self.i.last)]",
)
"""A token that tells whether the sample ends before it is stored."""

CASES = {
    "queue of one": (
        queue,
        lambda module: module.Queue(3, depth=1),
        ("prove", 3),
        ("buffer.r_en.eq(self.o.ready)", "buffer.r_en.eq(1)"),
    ),
    "queue of three": (
        queue,
        lambda module: module.Queue(3, depth=3),
        ("prove", 3),
        (
            "Value.cast(self.o.payload).eq(buffer.r_data)",
            "Value.cast(self.o.payload).eq(buffer.level)",
        ),
    ),
    "broadcast": (
        broadcast,
        lambda module: module.Broadcast(3, branches=3),
        ("prove", 3),
        ("now.all()", "now.any()"),
    ),
    "scanner": (
        scanner,
        lambda module: module.Scanner(5, width=3, value=signed(2)),
        ("prove", 3),
        ("with m.If(advance):", "with m.If(self.o.valid):"),
    ),
    "scanner of banks": (
        scanner,
        lambda module: module.Scanner(5, width=4, value=signed(2), banks=2),
        ("prove", 3),
        ("with m.If(advance):", "with m.If(self.o.valid):"),
    ),
    "serializer": (
        serializer,
        lambda module: module.Serializer(AddressEvent(5, signed(2), 4), banks=2),
        ("prove", 3),
        ("with m.If(self.i.valid & self.o.ready):", "with m.If(self.i.valid):"),
    ),
    "delay": (
        delay,
        lambda module: module.Delay(EVENT, delay=2),
        ("prove", 4),
        ("self.i.ready.eq(self.o.ready),", "self.i.ready.eq(1),"),
    ),
    "ticks": (
        delay,
        lambda module: module.Ticks(EVENT),
        ("prove", 3),
        ("self.i.ready.eq(self.o.ready | ~self.i.p.end)", "self.i.ready.eq(1)"),
    ),
    "sparse_lookup": (
        sparse_lookup,
        lambda module: module.SparseLookup(SPARSE, EVENT, lanes=2),
        ("bmc", 14),
        ("entry.addr.eq(address + self.o.ready)", "entry.addr.eq(address + 1)"),
    ),
    "spike_output": (
        spike_output,
        lambda module: module.SpikeOutput(5, width=3),
        ("prove", 3),
        SPIKE_OUTPUT,
    ),
    "spike_output of gathered groups": (
        spike_output,
        lambda module: module.SpikeOutput(5, width=1, gather=2),
        ("prove", 3),
        SPIKE_OUTPUT,
    ),
    "input port of events": (
        input_port,
        partial(input_port_of, form="events"),
        ("prove", 3),
        ("with m.If(~through | ready):", "with m.If(1):"),
    ),
    "input port of words": (
        input_port,
        partial(input_port_of, form="words"),
        ("prove", 3),
        (
            "wiring.connect(m, scanner.o, wiring.flipped(self.o))",
            "wiring.connect(m, scanner.o, wiring.flipped(self.o))\n"
            "        m.d.comb += self.o.valid.eq(scanner.o.valid & ~muted)",
        ),
    ),
    "readout": (
        readout,
        lambda module: module.ReadoutCore(NETWORK, NETWORK.readouts[0]),
        ("prove", 3),
        ("~result | ~self.o.valid | self.o.ready", "C(1)"),
    ),
    "stepwise readout": (
        readout,
        lambda module: module.ReadoutCore(NETWORK, NETWORK.readouts[0], stepwise=True),
        ("prove", 3),
        ("with m.If(self.o.ready):", "with m.If(1):"),
    ),
    "counter": (
        sample_control,
        lambda module: module.SpikeCounter(EVENT, max_events=3, max_in_flight=2),
        ("prove", 3),
        (
            "wiring.connect(m, queue.o, wiring.flipped(self.o))",
            "wiring.connect(m, queue.o, wiring.flipped(self.o))\n"
            "        m.d.comb += self.o.p.eq(queue.o.p ^ count)",
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs_stay_stable_until_they_are_taken(case, tmp_path):
    module, make, (mode, depth), _ = CASES[case]
    assert prove(Stable(make(module)), tmp_path, mode=mode, depth=depth).holds


@pytest.mark.parametrize("case", CASES)
def test_planted_fault_is_found(case, tmp_path):
    module, make, _, fault = CASES[case]
    dut = make(planted(module, *fault))
    assert not prove(Stable(dut), tmp_path, mode="bmc", depth=14).holds
