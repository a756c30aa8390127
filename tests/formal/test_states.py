# amaranth: UnusedElaboratable=no
"""States never leave the ranges that are derived for them, nor their stored widths."""

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume

from spiker_hdl.model import (
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    Decay,
    Dendrite,
    If,
    Input,
    Integrator,
    Lif,
    Network,
    Population,
    Projection,
    Readout,
)
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.parameters import values_of
from spiker_hdl.rtl.neurons import combinational, pipelined
from spiker_hdl.rtl.population import neuron_update

from support.prover import Harness, planted, prove, solve

pytestmark = pytest.mark.slow

NEURONS = {
    "If": If(threshold=9, width=6, fire=">="),
    "If with a floor": If(threshold=9, width=6, floor=-4, refractory=3),
    "Lif": Lif(threshold=5, width=5, decay=Decay.shift(2)),
    "late Lif": Lif(threshold=5, width=5, decay=Decay.shifts(1, 3), reset_timing="next_step"),
    "CurrentLif": CurrentLif(
        threshold=5, width=6, decay=Decay(3, 4), current_decay=Decay.shift(1), current_width=5
    ),
    "AdaptiveLif": AdaptiveLif(
        threshold=5, width=6, decay=Decay.shift(2), rise=3, rise_decay=Decay.shift(3)
    ),
    "Integrator": Integrator(width=8, decay=Decay.shift(2)),
    "Dendrite": Dendrite(width=7, decay=Decay.shift(2), resolution=4, low=-9, high=15),
    "Accumulator": Accumulator(width=6),
}


def population(neuron):
    """Return a population of two, and its bounds."""
    network = Network(
        (Input("in", 3),),
        (Population("p", 2, neuron, bias=(1, -2)),),
        (Projection("in", "p", np.array([[3, -4, 1], [-2, 3, -5]]), bits=4),),
        (Readout("p", "count" if neuron.spiking else "last"),),
    )
    return network.population["p"], network.bounds["p"]


class Closed(Harness):
    """One step from any states and current in their ranges."""

    def __init__(self, neuron, claimed=None):
        super().__init__()
        self.population, self.bounds = population(neuron)
        self.claimed = claimed or self.bounds.states

    def properties(self, m):
        dut = neuron_update.NeuronUpdate(self.population, self.bounds, units=1)
        states = self.free(dut.states, "states")
        low, high = self.bounds.current_low, self.bounds.current_high
        current = self.free(signed(signed_width(low, high)), "current")
        m.d.comb += Assume((current >= low) & (current <= high))
        for name, _ in dut.states:
            low, high = self.bounds.states[name]
            m.d.comb += Assume((states[name] >= low) & (states[name] <= high))
        _, after = dut.step(
            values_of(self.population), states, [current], neuron_update.CombinationalArithmetic(m)
        )
        for name, value in after.items():
            low, high = self.claimed[name]
            m.d.comb += Assert((value >= low) & (value <= high))


class Stepped(Harness):
    """A neuron update as its core uses it, beside potentials that are wide enough for any value."""

    def __init__(self, dut):
        super().__init__()
        self.dut = dut

    def properties(self, m):
        dut, bounds = self.dut, self.dut.bounds
        m.submodules.dut = dut
        groups, integer = dut.groups, signed(20)
        sums = self.free(signed(bounds.sum_width), "sum")
        starts, first, last = (self.free(1, name) for name in ("starts", "first", "last"))
        m.d.comb += Assume((sums >= bounds.sum_low) & (sums <= bounds.sum_high))

        # An update goes through all groups; the next one starts at least ``interval`` cycles later.
        interval = 3 + dut.stages
        clock = Signal(range(interval + 1))
        fresh = Signal()
        turning = clock < groups
        with m.If(turning | (clock != interval)):
            m.d.sync += clock.eq(clock + 1)
        with m.Elif(starts):
            m.d.sync += [clock.eq(0), fresh.eq(first)]
        started = Signal()
        m.d.sync += started.eq(1)
        go, group = Signal(), Signal(range(groups))
        m.d.sync += [go.eq(turning & started), group.eq(clock)]
        m.d.comb += [
            dut.ahead.eq(clock),
            dut.go.eq(go),
            dut.group.eq(group),
            dut.sums[0].eq(sums),
            dut.first.eq(fresh),
            dut.last.eq(last),
        ]
        for n in range(groups):
            # Before the first sample, potentials are anything: it must start from rest.
            kept = Signal(integer, name=f"kept_{n}")
            some = Signal(name=f"some_{n}")
            before, current = Signal(integer), Signal(integer)
            fires, after = Signal(name=f"fires_{n}"), Signal(integer, name=f"after_{n}")
            bias = dut.population.bias[n]
            m.d.comb += [before.eq(Mux(fresh, 0, kept)), current.eq(sums + bias)]
            m.submodules[f"by_hand_{n}"] = Instance(
                "lif_neuron",
                p_WIDTH=5,
                p_BITS=2,
                i_x=current,
                i_threshold=Const(5, integer),
                i_reset_value=Const(0, integer),
                i_refractory=Const(0, integer),
                i_decay=Const(1, integer),
                i_rest=Const(0, integer),
                i_v=before,
                i_countdown=Const(0, integer),
                i_pending=Const(0, integer),
                o_fired=fires,
                o_v_after=after,
                o_countdown_after=Signal(integer, name=f"countdown_{n}"),
                o_pending_after=Signal(integer, name=f"pending_{n}"),
            )
            fired = Signal(name=f"fired_{n}")
            late = Signal(1 + dut.stages, name=f"late_{n}")
            goes = go & (group == n) & (fresh | some)
            m.d.sync += late.eq(Cat(goes, late[:-1]))
            with m.If(goes):
                m.d.sync += [kept.eq(after), fired.eq(fires), some.eq(1)]
            with m.If(late[-1]):
                low, high = bounds.states["v"]
                m.d.comb += [
                    Assert(dut.o.valid & (dut.o.group == n)),
                    Assert(dut.o.states[0].v == kept),
                    Assert(dut.o.fired == fired),
                    Assert((dut.o.states[0].v >= low) & (dut.o.states[0].v <= high)),
                ]


@pytest.mark.parametrize("name", NEURONS)
def test_no_step_leaves_the_derived_ranges(name, tmp_path):
    neuron = NEURONS[name]
    _, bounds = population(neuron)
    for state, (low, high) in bounds.states.items():
        assert low <= neuron.states[state].rest <= high
    assert solve(Closed(neuron), tmp_path).holds


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("name", ["If with a floor", "Lif", "Accumulator"])
def test_the_derived_ranges_are_no_wider_than_needed(name, end, tmp_path):
    _, bounds = population(NEURONS[name])
    low, high = bounds.states["v"]
    claimed = bounds.states | {"v": (low + (end == 0), high - (end == 1))}
    assert not solve(Closed(NEURONS[name], claimed), tmp_path).holds


def test_a_fault_in_saturation_is_found(tmp_path, monkeypatch):
    faulty = planted(combinational, "beyond.all() | ~beyond.any()", "beyond.any()")
    monkeypatch.setattr(neuron_update, "CombinationalArithmetic", faulty.CombinationalArithmetic)
    assert not solve(Closed(NEURONS["Integrator"]), tmp_path).holds


def stepped(module, folder, stages=1, depth=12):
    members = population(NEURONS["Lif"])
    dut = Stepped(module.NeuronUpdate(*members, units=1, stages=stages))
    return prove(dut, folder, mode="bmc", depth=depth + 2 * stages, verilog=["neurons.v"]).holds


@pytest.mark.parametrize("stages", [1, 2])
def test_neuron_update_stores_every_bit_of_a_potential(stages, tmp_path):
    assert stepped(neuron_update, tmp_path, stages)


@pytest.mark.parametrize(
    "old, new",
    [
        (
            "self.delayed.append(self.via.register(self.delayed[-1]))",
            "self.delayed.append(self.delayed[-1])",
        ),
        ("operand.at(stage) if isinstance", "operand.delayed[0] if isinstance"),
    ],
)
def test_fault_between_stages_is_found(old, new, tmp_path, monkeypatch):
    faulty = planted(pipelined, old, new)
    monkeypatch.setattr(neuron_update, "PipelinedArithmetic", faulty.PipelinedArithmetic)
    monkeypatch.setattr(neuron_update, "budget", faulty.budget)
    assert not stepped(neuron_update, tmp_path, 2)


@pytest.mark.parametrize(
    "old, new",
    [
        ("own.current_high)), self.units", "own.current_high) - 1), self.units"),
        ('total += values["bias"]', "pass"),
        ("Mux(self.first, values", "Mux(0, values"),
        ("write.en.eq(self.o.valid)", "write.en.eq(self.o.fired.any())"),
        ("read.addr.eq(self.ahead)", "read.addr.eq(0)"),
        ("tag.valid.eq(self.go)", "tag.valid.eq(self.go & self.first)"),
    ],
)
def test_fault_in_the_neuron_update_is_found(old, new, tmp_path):
    assert not stepped(planted(neuron_update, old, new), tmp_path, depth=18)
