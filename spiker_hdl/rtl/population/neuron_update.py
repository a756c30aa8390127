"""The neurons' equations, for a few neurons at a time."""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import Bounds, Population
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.model.mapping.core import STAGES
from spiker_hdl.model.mapping.reload import Store
from spiker_hdl.model.parameters import fields_of, parameter_rows, values_of
from spiker_hdl.rtl.common.memory import Load, kept_in, readable
from spiker_hdl.rtl.neurons.combinational import CombinationalArithmetic
from spiker_hdl.rtl.neurons.pipelined import PipelinedArithmetic, budget

__all__ = ["NeuronUpdate", "Outcome", "range_shape", "state_layout"]


def range_shape(low: int, high: int) -> Shape:
    """Return the narrowest shape that holds ``low..high``."""
    return unsigned(high.bit_length()) if low >= 0 else signed(signed_width(low, high))


def state_layout(population: Population, bounds: Bounds) -> data.StructLayout:
    """Return the layout of a neuron's states, as wide as what they can reach."""
    return data.StructLayout({
        name: range_shape(*bounds.states[name]) for name in population.neuron.states
    })


class Outcome(data.StructLayout):
    """What became of a group of neurons in a time step.

    Parameters
    ----------
    states : StructLayout
        States of a neuron.
    units, groups : int
        Neurons in a group, and number of groups.

    Members
    -------
    valid : unsigned(1)
    group : unsigned
        Which ``units`` neighbouring neurons.
    fired : unsigned(units)
        Who fires.
    states : ArrayLayout(states, units)
        States after the step.
    last : unsigned(1)
        Whether the step is the last of its sample.
    """

    def __init__(self, states: data.StructLayout, units: int, groups: int):
        super().__init__({
            "valid": 1,
            "group": range(groups),
            "fired": units,
            "states": data.ArrayLayout(states, units),
            "last": 1,
        })


class NeuronUpdate(wiring.Component):
    """States of a population, and the logic of one step for ``units`` of its neurons.

    The states lie in memory, a group of neurons a row, with the parameters that differ from neuron
    to neuron beside them. A group's outcome, and its states in memory, come ``1 + stages`` cycles
    after its sums: one to add the bias, the others for the step.

    Parameters
    ----------
    population : Population
    bounds : Bounds
    units : int
        Neurons in a group.
    stages : int
        Cycles of a step, among which its operations are shared out.
    kind : str
        Memory that holds states and parameters: see :class:`~spiker_hdl.model.Core`.
    store : Store, optional
        How the parameters are written, if they can be.

    Members
    -------
    ahead : In(range(groups))
        Group of the next cycle.
    go : In(1)
        Take the sums of ``group`` now.
    group : In(range(groups))
    sums : In(ArrayLayout(signed(bounds.sum_width), units))
        Without the lowest ``bounds.sum_shift`` bits, which are zero.
    first, last : In(1)
        Whether the step is the first of its sample, so that states are at rest, or the last.
    o : Out(Outcome)
    load : In(Load), if there is a store
    """

    load: Any
    ahead: Signal
    go: Signal
    group: Signal
    sums: data.View
    first: Signal
    last: Signal
    o: data.View

    def __init__(
        self,
        population: Population,
        bounds: Bounds,
        *,
        units: int,
        stages: int = 1,
        kind: str = "auto",
        store: Store | None = None,
    ):
        units = check_int("Step units", units, 1, population.size)
        stages = check_int("Stages", stages, 1, STAGES)
        self.population = population
        self.bounds = bounds
        self.units = units
        self.stages = stages
        self.kind = kind
        self.store = store
        self.groups = -(-population.size // units)
        self.states = state_layout(population, bounds)
        super().__init__({
            "ahead": In(range(self.groups)),
            "go": In(1),
            "group": In(range(self.groups)),
            "sums": In(data.ArrayLayout(signed(bounds.sum_width), units)),
            "first": In(1),
            "last": In(1),
            "o": Out(Outcome(self.states, units, self.groups)),
            **({} if store is None else {"load": In(Load())}),
        })

    def layout(self) -> data.StructLayout:
        """Return the layout of those values of a neuron that lie in memory."""
        fields = fields_of(self.population, self.store is not None)
        return data.StructLayout({name: range_shape(*ends) for name, ends in fields.items()})

    def elaborate(self, platform):
        m = Module()

        layout, fixed = self.layout(), values_of(self.population)
        kept = self._states(m)
        known = self._parameters(m, layout)

        # First cycle: what is stored and what flows in are brought together.
        held = Signal(
            data.StructLayout({
                "states": data.ArrayLayout(self.states, self.units),
                "known": data.ArrayLayout(layout, self.units),
            })
        )
        ends = self.bounds.current_low, self.bounds.current_high
        current = Signal(data.ArrayLayout(signed(signed_width(*ends)), self.units))
        mark = Signal(data.StructLayout({"valid": 1, "group": range(self.groups), "last": 1}))
        m.d.sync += [mark.valid.eq(self.go), mark.group.eq(self.group), mark.last.eq(self.last)]
        for n in range(self.units):
            values = fixed | {name: known[n][name] for name, _ in layout}
            m.d.sync += current[n].eq((self.sums[n] << self.bounds.sum_shift) + values["bias"])
            m.d.sync += held.known[n].eq(known[n])
            for name, _ in self.states:
                rested = Mux(self.first, values[f"rest_{name}"], kept[n][name])
                m.d.sync += held.states[n][name].eq(rested)

        # The other cycles: the neurons' own equations.
        for _ in range(self.stages - 1):
            before, mark = mark, Signal.like(mark)
            m.d.sync += mark.eq(before)
        m.d.sync += [
            self.o.valid.eq(mark.valid),
            self.o.group.eq(mark.group),
            self.o.last.eq(mark.last),
        ]
        steps = []
        for n in range(self.units):
            values = fixed | {name: held.known[n][name] for name, _ in layout}
            steps.append(partial(self.step, values, held.states[n], current[n]))
        cycle_budget = budget(self.stages, steps[0]) if self.stages > 1 else 0
        for n, step in enumerate(steps):
            via = (
                PipelinedArithmetic(m, stages=self.stages, cycle_budget=cycle_budget)
                if self.stages > 1
                else CombinationalArithmetic(m)
            )
            fired, after = step(via)
            m.d.sync += self.o.fired[n].eq(0 if fired is None else fired)
            for name, value in after.items():
                m.d.sync += self.o.states[n][name].eq(value)

        return m

    def step(self, values: Mapping[str, Any], states, current, via) -> tuple[Any, dict]:
        """Return what a neuron computes, as gates."""
        neuron = self.population.neuron
        known = {name: values[name] for name in neuron.parameters}
        before = {name: states[name] for name in neuron.states}
        if not isinstance(via, PipelinedArithmetic):
            return neuron.step(neuron.bind(known), SimpleNamespace(**before), current, via)
        known = {name: via.given(value) for name, value in known.items()}
        before = {name: via.given(value) for name, value in before.items()}
        fired, after = neuron.step(
            neuron.bind(known), SimpleNamespace(**before), via.given(current), via
        )
        fired = None if fired is None else via.taken(fired)
        return fired, {name: via.taken(value) for name, value in after.items()}

    def _states(self, m) -> data.View:
        """Return the states of the group ahead; they are written as they come out."""
        row = data.ArrayLayout(self.states, self.units)
        if not row.size:  # a memory without width is none
            return Signal(row)
        m.submodules.states = memory = Memory(
            shape=unsigned(row.size), depth=self.groups, init=[], attrs=kept_in(self.kind)
        )
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(self.ahead),
            write.addr.eq(self.o.group),
            write.data.eq(self.o.states),
            write.en.eq(self.o.valid),
        ]
        return data.View(row, read.data)

    def _parameters(self, m, layout: data.StructLayout) -> data.View:
        """Return what lies in memory of the parameters of the group ahead."""
        row = data.ArrayLayout(layout, self.units)
        if not row.size:
            return Signal(row)
        init = parameter_rows(self.population, self.units, self.store is not None)
        if self.store is not None:
            at, found = readable(m, "parameters", self.store, init, self.load, kind=self.kind)
        else:
            m.submodules.parameters = memory = Memory(
                shape=unsigned(row.size), depth=self.groups, init=init, attrs=kept_in(self.kind)
            )
            port = memory.read_port()
            at, found = port.addr, port.data
        m.d.comb += at.eq(self.ahead)
        return data.View(row, found)
