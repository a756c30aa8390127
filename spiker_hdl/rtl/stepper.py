"""The neurons' equations, for a few neurons at a time."""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..model import Bounds, Population
from ..model.bounds import signed_width
from ..model.check import check_int
from ..model.mapping import STAGES
from .gates import Gates
from .staged import Staged, budget

__all__ = ["Outcome", "Stepper", "range_shape", "state_layout"]


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


class Stepper(wiring.Component):
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

    Members
    -------
    ahead : In(range(groups))
        Group of the next cycle.
    go : In(1)
        Take the sums of ``group`` now.
    group : In(range(groups))
    sums : In(ArrayLayout(signed(bounds.sum_width), units))
    first, last : In(1)
        Whether the step is the first of its sample, so that states are at rest, or the last.
    o : Out(Outcome)
    """

    ahead: Signal
    go: Signal
    group: Signal
    sums: data.View
    first: Signal
    last: Signal
    o: data.View

    def __init__(self, population: Population, bounds: Bounds, *, units: int, stages: int = 1):
        check_int("Step units", units, 1, population.size)
        check_int("Stages", stages, 1, STAGES)
        self.population = population
        self.bounds = bounds
        self.units = units
        self.stages = stages
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
        })

    def values(self) -> dict[str, Any]:
        """Return parameters, bias and values at rest, by name, each one or one per neuron."""
        neuron = self.population.neuron
        rests = {f"rest_{name}": one.rest for name, one in neuron.states.items()}
        return (
            {n: p.value for n, p in neuron.parameters.items()}
            | rests
            | {"bias": self.population.bias}
        )

    def layout(self) -> data.StructLayout:
        """Return the layout of those values of :meth:`values` that differ between neurons."""
        return data.StructLayout({
            name: range_shape(min(value), max(value))
            for name, value in self.values().items()
            if isinstance(value, tuple)
        })

    def rom(self, layout: data.StructLayout) -> list[int]:
        """Return the rows of values that differ between neurons."""
        values = self.values()
        rows = []
        for group in range(self.groups):
            row = 0
            for unit in range(self.units):
                n = group * self.units + unit
                if n < self.population.size:
                    one = layout.const({name: values[name][n] for name, _ in layout})
                    row |= one.as_value().value << unit * layout.size
            rows.append(row)
        return rows

    def elaborate(self, platform):
        m = Module()

        kept = _rows(m, "states", self.states, self.units, self.groups, None, self)
        layout = self.layout()
        known = _rows(m, "parameters", layout, self.units, self.groups, self.rom(layout), self)

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
            values = self.values() | {name: known[n][name] for name, _ in layout}
            m.d.sync += current[n].eq(self.sums[n] + values["bias"])
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
            values = self.values() | {name: held.known[n][name] for name, _ in layout}
            steps.append(partial(self.step, values, held.states[n], current[n]))
        longest = budget(self.stages, steps[0]) if self.stages > 1 else 0
        for n, step in enumerate(steps):
            via = Staged(m, stages=self.stages, longest=longest) if self.stages > 1 else Gates(m)
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
        if not isinstance(via, Staged):
            return neuron.step(neuron.bind(known), SimpleNamespace(**before), current, via)
        known = {name: via.given(value) for name, value in known.items()}
        before = {name: via.given(value) for name, value in before.items()}
        fired, after = neuron.step(
            neuron.bind(known), SimpleNamespace(**before), via.given(current), via
        )
        fired = None if fired is None else via.taken(fired)
        return fired, {name: via.taken(value) for name, value in after.items()}


def _rows(m, name: str, layout, units: int, groups: int, init, stepper: Stepper):
    # A memory without width is no memory.
    row = data.ArrayLayout(layout, units)
    if not row.size:
        return Signal(row)
    m.submodules[name] = memory = Memory(shape=unsigned(row.size), depth=groups, init=init or [])
    read = memory.read_port()
    m.d.comb += read.addr.eq(stepper.ahead)
    if init is None:
        write = memory.write_port()
        m.d.comb += [
            write.addr.eq(stepper.o.group),
            write.data.eq(stepper.o.states),
            write.en.eq(stepper.o.valid),
        ]
    return data.View(row, read.data)
