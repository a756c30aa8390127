"""The update of the neurons' states, a few neurons at a time."""

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
from spiker_hdl.rtl.common.division import divided
from spiker_hdl.rtl.common.memory import Load, kept_in, readable
from spiker_hdl.rtl.common.shapes import range_shape
from spiker_hdl.rtl.neurons.combinational import CombinationalArithmetic
from spiker_hdl.rtl.neurons.pipelined import PipelinedArithmetic, budget

from .winner_gate import WinnerGate

__all__ = ["NeuronUpdate", "Outcome", "state_layout"]


def state_layout(population: Population, bounds: Bounds) -> data.StructLayout:
    """Return the layout of a neuron's states, each as wide as the range that it can reach."""
    return data.StructLayout({
        name: range_shape(*bounds.states[name]) for name in population.neuron.states
    })


def output_shape(population: Population) -> Shape | None:
    """Return the shape of the values that neurons emit; None if they emit spikes or nothing."""
    neuron = population.neuron
    if neuron.spiking or neuron.event_range is None:
        return None
    return range_shape(*neuron.event_range)


class Outcome(data.StructLayout):
    """Result of the update of a group of neurons in a time step.

    Parameters
    ----------
    states : StructLayout
        Layout of the states of a neuron.
    units, groups : int
        Number of neurons in a group, and of groups.
    values : Shape, optional
        Shape of the values that neurons emit, unless they are spikes.

    Members
    -------
    valid : unsigned(1)
        There is a result in this cycle; the other fields belong to it.
    group : unsigned
        Number of the group: it has the neurons from ``group * units`` on.
    fired : unsigned(units)
        Whether each neuron emits an event: a spike, or a value other than 0.
    values : ArrayLayout(values, units), if the output of the neurons is a value
        The value that each neuron emits, or 0.
    states : ArrayLayout(states, units)
        States after the step.
    last : unsigned(1)
        Whether the step is the last of its sample.
    """

    def __init__(
        self, states: data.StructLayout, units: int, groups: int, values: Shape | None = None
    ):
        super().__init__({
            "valid": 1,
            "group": range(groups),
            "fired": units,
            **({} if values is None else {"values": data.ArrayLayout(values, units)}),
            "states": data.ArrayLayout(states, units),
            "last": 1,
        })


class NeuronUpdate(wiring.Component):
    """States of a population, and the logic that updates ``units`` of its neurons.

    The states are in memory, one group of neurons in each row, and so are the parameters that
    differ from neuron to neuron. The result of a group is valid ``1 + stages`` cycles after its
    sums: one cycle adds the bias, the others compute the neuron's equations. Then it is written
    back. One group enters in each cycle, and results leave in the same order.

    After reset no group is being updated. States need no reset: the first step of a sample takes
    them at their rest values.

    Parameters
    ----------
    population : Population
        The neurons.
    bounds : Bounds
        Ranges of their sums and states.
    units : int
        Number of neurons in a group.
    stages : int
        Number of cycles among which the operations of the equations are divided.
    kind : str
        Kind of memory for states and parameters: see :class:`~spiker_hdl.model.Core`.
    store : Store, optional
        The memory of the parameters, if a host can write it.
    order : array of int, optional
        For each neuron in the machine its number in the population, where these differ.
    period : int, optional
        Number of neurons, a multiple of ``units``, after which all parameters repeat; those of the
        first ones are stored then.

    Members
    -------
    ahead : In(range(groups))
        Number of the group in the next cycle, so that its states are read in time.
    go : In(1)
        The sums of a group are valid in this cycle.
    group : In(range(groups))
        With ``go``: the number of the group; it was ``ahead`` in the cycle before.
    sums : In(ArrayLayout(signed(bounds.sum_width), units))
        With ``go``: the sums, without their lowest ``bounds.sum_shift`` bits, which are zero.
    sums1, sums2, ... : In(ArrayLayout(signed(width), units))
        With ``go``, where neurons have several receptors: the sums of receptors 1, 2, ..., alike.
    first, last : In(1)
        With ``go``: whether the step is the first of its sample, so that states are at rest;
        whether it is the last.
    o : Out(Outcome)
        Result of a group, valid in one cycle.
    load : In(Load), if there is a store
        New parameters; must come only while no group is being updated.
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
        order: Any = None,
        period: int | None = None,
    ):
        units = check_int("Step units", units, 1, population.size)
        stages = check_int("Stages", stages, 1, STAGES)
        self.population = population
        self.bounds = bounds
        self.units = units
        self.stages = stages
        self.kind = kind
        self.store = store
        self.order = order
        self.period = period
        self.groups = -(-population.size // units)
        self.states = state_layout(population, bounds)
        super().__init__({
            "ahead": In(range(self.groups)),
            "go": In(1),
            "group": In(range(self.groups)),
            **{
                self.sums_port(k): In(data.ArrayLayout(signed(own.sum_width), units))
                for k, own in enumerate(bounds.receptors)
            },
            "first": In(1),
            "last": In(1),
            "o": Out(Outcome(self.states, units, self.groups, output_shape(population))),
            **({} if store is None else {"load": In(Load())}),
        })

    @staticmethod
    def sums_port(receptor: int) -> str:
        """Return the name of the port that takes the sums of a receptor."""
        return f"sums{receptor or ''}"

    def layout(self) -> data.StructLayout:
        """Return the layout of the parameters of a neuron that are in memory."""
        fields = fields_of(self.population, self.store is not None)
        return data.StructLayout({name: range_shape(*ends) for name, ends in fields.items()})

    def elaborate(self, platform):
        m = Module()

        layout, fixed = self.layout(), values_of(self.population)
        states = self._states(m)
        parameters = self._parameters(m, layout)

        # In the cycle of ``go``, the sums are at the port, and the memories give the row of the
        # group that was ``ahead`` one cycle before. Registers behind it: operands, current and the
        # tag that says whose they are. The bias is added here, where nothing else is computed.
        operands = Signal(
            data.StructLayout({
                "states": data.ArrayLayout(self.states, self.units),
                "parameters": data.ArrayLayout(layout, self.units),
            })
        )
        current, *others = (
            Signal(
                data.ArrayLayout(
                    signed(signed_width(own.current_low, own.current_high)), self.units
                ),
                name=f"current{k or ''}",
            )
            for k, own in enumerate(self.bounds.receptors)
        )
        currents = [current, *others]
        coupling = self.population.coupling
        members = {"valid": 1, "group": range(self.groups), "last": 1}
        tag = Signal(data.StructLayout(members | ({} if coupling is None else {"first": 1})))
        m.d.sync += [tag.valid.eq(self.go), tag.group.eq(self.group), tag.last.eq(self.last)]
        gate = None
        if coupling is not None:
            m.submodules.gate = gate = WinnerGate(coupling, self.population.size, units=self.units)
            m.d.sync += tag.first.eq(self.first)
            m.d.comb += [gate.ahead.eq(self.group), gate.start.eq(self.first)]
        for n in range(self.units):
            values = fixed | {name: parameters[n][name] for name, _ in layout}
            for k, own in enumerate(self.bounds.receptors):
                # The low bits that no weight has are left out of the sums; here they come back as
                # zeros.
                total = getattr(self, self.sums_port(k))[n] << own.sum_shift
                if k == self.population.neuron.bias_receptor:
                    total += values["bias"]
                if gate is not None:
                    # A step begins only after the last group of the one before has passed the gate.
                    total = Mux(gate.inhibited[n], 0, total)
                m.d.sync += currents[k][n].eq(total)
            m.d.sync += operands.parameters[n].eq(parameters[n])
            for name, _ in self.states:
                # Memory is not cleared: in a sample's first step the rest values replace it.
                state = Mux(self.first, values[f"rest_{name}"], states[n][name])
                m.d.sync += operands.states[n][name].eq(state)

        # The other cycles compute the neurons' equations; the tag goes along, through as many
        # registers as the equations have, of which the last is the output.
        for _ in range(self.stages - 1):
            before, tag = tag, Signal.like(tag)
            m.d.sync += tag.eq(before)
        m.d.sync += [
            self.o.valid.eq(tag.valid),
            self.o.group.eq(tag.group),
            self.o.last.eq(tag.last),
        ]
        fired = self.o.fired
        if gate is not None:
            # The neurons' own spikes are registered, and those that pass the gate are the result.
            m.d.sync += gate.first.eq(tag.first)
            m.d.comb += [
                gate.valid.eq(self.o.valid),
                gate.group.eq(self.o.group),
                self.o.fired.eq(gate.emitted),
            ]
            fired = gate.fired
        self._equations(m, layout, fixed, operands, currents, fired)

        return m

    def _equations(self, m, layout, fixed, operands, currents, spikes) -> None:
        """Compute the update of each neuron of the group, and register it as the result."""
        # The computation of each neuron, which is first timed and then built.
        steps = []
        for n in range(self.units):
            values = fixed | {name: operands.parameters[n][name] for name, _ in layout}
            own = [current[n] for current in currents]
            steps.append(partial(self.step, values, operands.states[n], own))
        # The operands of all neurons have the same shapes, so the cycles of one are those of all.
        cycle_budget = budget(self.stages, steps[0]) if self.stages > 1 else 0
        for n, step in enumerate(steps):
            via = (
                PipelinedArithmetic(m, stages=self.stages, cycle_budget=cycle_budget)
                if self.stages > 1
                else CombinationalArithmetic(m)
            )
            fired, after = step(via)
            # The output register, from which the states are also written back.
            if "values" in self.o.shape().members:
                m.d.sync += self.o["values"][n].eq(fired)
                m.d.comb += spikes[n].eq(self.o["values"][n].any())
            else:
                m.d.sync += spikes[n].eq(0 if fired is None else fired)
            for name, value in after.items():
                m.d.sync += self.o.states[n][name].eq(value)

    def step(self, values: Mapping[str, Any], states, currents, via) -> tuple[Any, dict]:
        """Return what a neuron emits, and its new states, computed by ``via``.

        There is a current for each receptor.
        """
        neuron = self.population.neuron
        parameters = {name: values[name] for name in neuron.parameters}
        before = {name: states[name] for name in neuron.states}
        if not isinstance(via, PipelinedArithmetic):
            current = neuron.as_current(currents)
            return neuron.step(neuron.bind(parameters), SimpleNamespace(**before), current, via)
        parameters = {name: via.operand(value) for name, value in parameters.items()}
        before = {name: via.operand(value) for name, value in before.items()}
        currents = [via.operand(current) for current in currents]
        current = neuron.as_current(currents)
        fired, after = neuron.step(neuron.bind(parameters), SimpleNamespace(**before), current, via)
        fired = None if fired is None else via.result(fired)
        return fired, {name: via.result(value) for name, value in after.items()}

    def _states(self, m) -> data.View:
        """Return the states of the group that was ``ahead`` in the cycle before."""
        row = data.ArrayLayout(self.states, self.units)
        if not row.size:  # there is no memory without width
            return Signal(row)
        m.submodules.states = memory = Memory(
            shape=unsigned(row.size), depth=self.groups, init=[], attrs=kept_in(self.kind)
        )
        # The ports need not be transparent: steps are so far apart that a group is written back in
        # the cycle before it is read again, at the latest.
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(self.ahead),
            write.addr.eq(self.o.group),
            write.data.eq(self.o.states),
            write.en.eq(self.o.valid),
        ]
        return data.View(row, read.data)

    def _parameters(self, m, layout: data.StructLayout) -> data.View:
        """Return the parameters in memory of the group that was ``ahead`` in the cycle before."""
        row = data.ArrayLayout(layout, self.units)
        if not row.size:
            return Signal(row)
        init = parameter_rows(self.population, self.units, self.store is not None, self.order)
        row_number = self.ahead
        if self.period is not None:
            depth = self.period // self.units
            init = init[:depth]
            _, row_number = divided(self.ahead, depth, self.groups)
        if self.store is not None:
            address, contents = readable(
                m, "parameters", self.store, init, self.load, kind=self.kind
            )
        else:
            m.submodules.parameters = memory = Memory(
                shape=unsigned(row.size),
                depth=len(init),
                init=init,
                attrs=kept_in(self.kind, fixed=True),
            )
            port = memory.read_port()
            address, contents = port.addr, port.data
        m.d.comb += address.eq(row_number)
        return data.View(row, contents)
