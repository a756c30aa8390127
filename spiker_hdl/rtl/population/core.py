"""A population of neurons with its synapses: the core of the accelerator."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model import Mapping, Network, Projection
from spiker_hdl.model.mapping.layout import (
    kernel_size,
    neuron_order,
    parameter_period,
    pooled_width,
    summed_apart,
    updates_by_window,
)
from spiker_hdl.model.mapping.microarchitecture import (
    clears,
    clocked,
    interval,
    overlaps,
    reads_potential,
    scatters,
    window_interval,
)
from spiker_hdl.model.mapping.reload import in_memory, stores
from spiker_hdl.rtl.common.adders import adder_tree, product
from spiker_hdl.rtl.common.memory import Load
from spiker_hdl.rtl.common.shapes import range_shape
from spiker_hdl.rtl.streams.events import AddressEvent, value_shape
from spiker_hdl.rtl.streams.spike_output import SpikeOutput
from spiker_hdl.rtl.synapses.convolution_lookup import KernelEvent
from spiker_hdl.rtl.synapses.sparse_lookup import SynapseEvent, added_width
from spiker_hdl.rtl.synapses.weight_memory import WeightMemory

from .accumulators import FoldedLanes, RingLanes
from .event_merger import EventMerger
from .neuron_update import NeuronUpdate
from .pooled_convolution import PooledEvent
from .update_sequencer import UpdateSequencer
from .window_sequencer import WindowSequencer

__all__ = ["PopulationCore", "event_of"]

CoreEvent = AddressEvent | SynapseEvent | KernelEvent | PooledEvent


class PopulationCore(wiring.Component):
    """Core of a population: it adds address events, and updates the neurons after each step.

    A step ends when every input offers its token. A payload, which has up to one event for each
    bank, takes ``ceil(size / lanes)`` cycles. The update of all neurons takes ``max(3 + stages,
    ceil(size / units))`` cycles, and that of coupled neurons ``max(3 + stages, 1 + stages +
    ceil(size / units))``. During the update no events are accepted, unless the mapping
    overlaps the two, and the events of the population leave in ascending order. Inputs have fixed
    priority, and the first input has the highest. A population whose only input are the maxima of
    windows is updated as these come: see :class:`~.window_sequencer.WindowSequencer`.

    An update starts only if the outputs have room for its events. The outputs store the events of
    at most one earlier step, so consecutive steps without events may take one or two cycles more:
    see :mod:`spiker_hdl.model.timing.prediction`. After a reset the first step of a sample begins;
    memories need not be cleared.

    Parameters
    ----------
    network : Network
        Network to which the population belongs.
    name : str
        Name of the population.
    mapping : Mapping
        How it is mapped to hardware.

    Attributes
    ----------
    by_window : bool
        Whether neurons are updated as the maxima of windows come, which are added to nothing.
    reads_potential : bool
        Whether a readout reads the membrane potentials.
    clocked : bool
        Whether the population has no projection without a delay. It then has one more input, which
        carries only tokens, as its time base.
    clears : bool
        Whether rows of sums are cleared when they are read, and after a reset, so that no flip-flop
        must say of each whether it is zero.

    Members
    -------
    i0, i1, ... : In(stream.Signature(AddressEvent, SynapseEvent, KernelEvent or PooledEvent))
        Events and tokens of each projection; synapse events if its synapses are stored one by one,
        kernel events if its kernel is stored once, and pooled events if its sums are pooled. If
        ``clocked``, the last input carries only tokens. An event is accepted in the last of its
        cycles; the tokens of all inputs are accepted in the same cycle.
    finish : Out(1)
        1 in the cycle in which the tokens of a sample's last step are taken.
    idle : Out(1)
        1 if no update keeps the tokens of the next step waiting or, without overlap, its events.
    o : Out(stream.Signature(AddressEvent(size, value, banks))), if the neurons emit events
        Events of each step, then its token, in as many banks as the populations have that read it.
    potentials : Out(stream.Signature(AddressEvent(size, value))), if ``reads_potential``
        Potential of every neuron in every step, in ascending order, then the token.
    outcome : Out(Outcome)
        Result of the update of a group of neurons, for recording and for tests; valid while
        ``outcome.valid`` is 1.
    load : In(Load), if anything can be written
        New weights and parameters, which may be written only while the accelerator is idle.
    clean : Out(1), if ``clears``
        All sums have been cleared after the last reset, and events may come.
    """

    i0: stream.Interface
    load: Any
    clean: Signal

    finish: Signal
    idle: Signal
    o: stream.Interface
    potentials: stream.Interface
    outcome: data.View

    def __init__(self, network: Network, name: str, *, mapping: Mapping):
        check_kind("Mapping", mapping, Mapping)
        self.network = network
        self.population = network.population[name]
        self.mapping = mapping
        self.core = core = mapping.cores[name]
        self.bounds = network.bounds[name]
        self.projections = network.into(name)
        self.by_window = updates_by_window(network, mapping, name)
        self.overlap = overlaps(network, name, core)
        self.clocked = clocked(network, name)
        self.reads_potential = reads_potential(network, name)
        neuron, size = self.population.neuron, self.population.size
        self.folds = -(-size // core.lanes)
        # Low bits that are zero in all weights are left out of the sums, and added behind them.
        of_receptors = self.bounds.receptors
        self.shifts = [
            projection.shift - of_receptors[projection.receptor].sum_shift
            for projection in self.projections
        ]
        self.receptors = [projection.receptor for projection in self.projections]
        self.dense, kernels = (
            [
                projection
                for projection in self.projections
                if mapping.store(network, projection) == store
            ]
            for store in ("rows", "kernel")
        )
        self.pooled = [link for link in kernels if summed_apart(network, mapping, link)]
        self.kernels = [link for link in kernels if link not in self.pooled]
        # The sums of a single projection that lie apart come once in a step, one for each neuron,
        # so that every row is written as if it were the first.
        self.once = len(self.projections) == len(self.pooled) == 1
        self.clears = clears(network, mapping, name)
        self.events = [self._event(projection) for projection in self.projections]
        if self.clocked:
            self.events.append(AddressEvent(1))  # only its tokens are used
        writable = [store for store in stores(network, mapping) if store.population == name]
        self.stores = [store for store in writable if store.part == "weights"]
        self.synapses = self._weight_memory() if self.dense or self.kernels else None
        self.neuron_update = NeuronUpdate(
            self.population,
            self.bounds,
            units=core.units,
            stages=core.stages,
            kind=core.states,
            order=neuron_order(network, mapping, name),
            period=parameter_period(network, mapping, name),
            store=next((store for store in writable if store.part == "parameters"), None),
        )
        members = {f"i{n}": In(stream.Signature(event)) for n, event in enumerate(self.events)}
        members["finish"] = Out(1)
        members["idle"] = Out(1)
        members["outcome"] = Out(self.neuron_update.o.shape())
        if neuron.emits:
            members["o"] = Out(stream.Signature(event_of(network, name, mapping)))
        if self.reads_potential:
            shape = range_shape(*self.bounds.states[neuron.potential])
            members["potentials"] = Out(stream.Signature(AddressEvent(size, shape)))
        if writable:
            members["load"] = In(Load())
        if self.clears:
            members["clean"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()

        m.submodules.neuron_update = neuron_update = self.neuron_update
        if neuron_update.store is not None:
            wiring.connect(m, wiring.flipped(self.load), neuron_update.load)
        m.d.comb += self.outcome.eq(neuron_update.o)
        outputs = [*self._outputs(m)]
        # The neurons cannot stall, so a step ends only while every output has room for its result.
        free = Cat(output.free for output in outputs).all()
        start = self._update_by_window(m, free) if self.by_window else self._update(m, free)
        m.d.comb += [output.start.eq(start) for output in outputs]

        return m

    def _update_by_window(self, m, free) -> Signal:
        """Update neurons as the maxima of their windows come; return when a step starts."""
        maxima = self.i0
        m.submodules.window_sequencer = sequencer = WindowSequencer(
            maxima.p.shape(),
            size=self.population.size,
            lanes=self.core.lanes,
            units=self.core.units,
            interval=window_interval(self.core, self.neuron_update.groups),
            shift=self.shifts[0],
        )
        wiring.connect(m, wiring.flipped(maxima), sequencer.i)
        m.d.comb += [
            sequencer.free.eq(free),
            self.finish.eq(sequencer.finish),
            self.idle.eq(sequencer.idle),
        ]
        for name in ("ahead", "go", "group", "first", "last"):
            m.d.comb += getattr(self.neuron_update, name).eq(getattr(sequencer, name))
        sums = getattr(self.neuron_update, self.neuron_update.sums_port(self.receptors[0]))
        m.d.comb += [sums[n].eq(sequencer.sums[n]) for n in range(self.core.units)]
        return sequencer.start

    def _update(self, m, free) -> Signal:
        """Add events to sums, and update neurons when a step ends; return when one ends."""
        neuron_update = self.neuron_update
        m.submodules.event_merger = event_merger = self._event_merger()
        for n in range(len(self.events)):
            wiring.connect(
                m, wiring.flipped(getattr(self, f"i{n}")), getattr(event_merger, f"i{n}")
            )
        m.d.comb += [
            event_merger.free.eq(free),
            self.finish.eq(event_merger.complete & event_merger.last),
            self.idle.eq(event_merger.idle),
        ]
        m.submodules.update_sequencer = sequencer = UpdateSequencer(
            self.population.size, lanes=self.core.lanes, units=self.core.units
        )
        # Kept sums serve in every step of a sample, and are cleared with its last one.
        keep = event_merger.holds & ~event_merger.last
        begin = Cat(event_merger.complete, event_merger.last, event_merger.first, keep)
        # The adder tree of several banks takes a cycle, so the sums are complete one cycle later.
        if self.core.banks > 1:
            begin = _delayed(m, begin)
        m.d.comb += [
            Cat(sequencer.begin, sequencer.last, sequencer.empty, sequencer.keep).eq(begin),
            neuron_update.ahead.eq(sequencer.ahead),
            neuron_update.go.eq(sequencer.go),
            neuron_update.group.eq(sequencer.group),
            neuron_update.first.eq(sequencer.first),
            neuron_update.last.eq(sequencer.final),
        ]
        self._accumulate(m, event_merger, sequencer.turn)
        return event_merger.complete

    def _weight_memory(self) -> WeightMemory:
        rows, kernels = in_memory(self.network, self.mapping, self.population.name)
        return WeightMemory(
            rows,
            lanes=self.core.lanes,
            banks=self.core.banks,
            kind=self.core.weights,
            stores=self.stores,
            block=self.core.block,
            kernels=kernels,
        )

    def _event(self, projection: Projection) -> CoreEvent:
        """Return the layout of a projection's events at the input of the core."""
        node = self.network.nodes[projection.source]
        event = AddressEvent(node.size, value_shape(node), self.core.banks)
        if projection in self.dense:
            return event
        if projection in self.kernels:
            rows = kernel_size(projection.synapses, self.core.lanes)
            return KernelEvent(rows, self.folds, event.value_shape)
        if projection in self.pooled:
            width = pooled_width(self.network, self.mapping, projection)
            return PooledEvent(self.folds, self.core.lanes, width)
        shift = self.shifts[self.projections.index(projection)]
        width = added_width(projection, event) + shift
        return SynapseEvent(self.population.size, self.core.lanes, width)

    def _event_merger(self) -> EventMerger:
        banks = self.core.banks
        shifts = [
            shift if self._is_in_memory(projection) or projection in self.pooled else 0
            for projection, shift in zip(self.projections, self.shifts, strict=True)
        ]
        bases, rows, depth = dict.fromkeys(range(len(self.events)), 0), 1, 1
        if self.synapses is not None:
            rows, depth = max(1, self.synapses.rows), self.synapses.depth
            places = [*self.synapses.bases, *self.synapses.kernel_bases]
            for projection, base in zip([*self.dense, *self.kernels], places, strict=True):
                bases[self.projections.index(projection)] = base
        return EventMerger(
            self.events,
            bases=[*bases.values()],
            rows=rows,
            depth=depth,
            folds=self.folds,
            lanes=self.core.lanes,
            banks=banks,
            interval=interval(
                self.core, self.neuron_update.groups, self.population.coupling is not None
            ),
            overlap=self.overlap,
            holds=self.network.holds(self.population.name),
            shifts=[*shifts, 0] if self.clocked else shifts,
            receptors=[*self.receptors, 0] if self.clocked else self.receptors,
        )

    def _accumulate(self, m, event_merger, turn) -> None:
        """Connect the weight memory to the accumulators, which add an event two cycles later.

        With several banks, an adder tree first adds their weights, which takes one cycle more.
        """
        if not self.projections:
            return
        lanes, banks = self.core.lanes, self.core.banks
        # A read of the weight memory takes two cycles. The other fields of the event, which the
        # accumulators need together with the weights, are delayed by as many registers. ``read`` is
        # the event whose row the memory gives, ``arrived`` the one whose weights are added.
        fields = _EventInFlight(event_merger)
        read = Signal(fields)
        m.d.sync += [read[name].eq(getattr(event_merger, name)) for name in fields.names]
        m.d.sync += [read.values[n].eq(event_merger.slots[n].value) for n in range(banks)]
        arrived = _delayed(m, read)
        rows, weight = self._rows(m, event_merger, arrived)
        value = arrived.values[0]
        if banks > 1:
            # A register behind the adder tree keeps it out of the path through the accumulators.
            shape = Shape.cast(Value.cast(rows[0]).shape())
            summed = Signal(data.ArrayLayout(signed(shape.width), lanes))
            m.d.sync += [summed[n].eq(row) for n, row in enumerate(rows)]
            # Everything that goes with the weights is delayed by that register too.
            read, arrived = arrived, _delayed(m, arrived)
            rows, weight = [summed[n] for n in range(lanes)], shape.width
            value = Const(0, 0)  # the values were multiplied in before the tree
        several = any(self.receptors)
        if several and value.shape().width:
            # One product serves all receptors: the accumulators of only one of them add it.
            rows = [product(row, value) for row in rows]
            weight, value = Value.cast(rows[0]).shape().width, Const(0, 0)
        for receptor in sorted({*self.receptors}):
            sums = (RingLanes if self.folds == 1 else FoldedLanes)(
                self.population.size,
                lanes=lanes,
                units=self.core.units,
                width=self.bounds.receptors[receptor].sum_width,
                weight=weight,
                value=value.shape(),
                scattered=scatters(self.network, self.mapping, self.population.name),
                overlap=self.overlap,
                kind=self.core.states if self.core.sums == "auto" else self.core.sums,
                clears=self.clears,
            )
            m.submodules[f"accumulators{receptor or ''}"] = sums
            if self.clears:
                m.d.comb += self.clean.eq(sums.clean)  # those of all receptors begin together
            # An event is added at its own receptor, and all receptors are read together.
            own = arrived.receptor == receptor if several else Const(1)
            m.d.comb += [
                # The row of sums is requested a cycle before the weights arrive.
                sums.ahead.eq(read.fold),
                sums.row.eq(arrived.fold),
                sums.add.eq(arrived.event & own if several else arrived.event),
                sums.first.eq(1 if self.once else arrived.first),
                sums.value.eq(value),
                sums.turn.eq(turn),
                getattr(self.neuron_update, self.neuron_update.sums_port(receptor)).eq(sums.sums),
            ]
            m.d.comb += [
                sums.weights[n].eq(Mux(own, row, 0) if several else row)
                for n, row in enumerate(rows)
            ]

    def _rows(self, m, event_merger, arrived) -> tuple[list, int]:
        """Return the number that is added in each lane, and its bit width.

        With a single bank this is the weight; the accumulators multiply it by the event's value.
        """
        lanes, banks = self.core.lanes, self.core.banks
        direct = any(isinstance(event, SynapseEvent) for event in self.events)
        rows = [C(0, signed(1))] * lanes
        if self.synapses is not None:
            m.submodules.synapses = synapses = self.synapses
            if self.stores:
                wiring.connect(m, wiring.flipped(self.load), synapses.load)
            # Banks without an event give zeros, which the adder tree passes over.
            for bank in range(banks):
                slot = event_merger.slots[bank]
                m.d.comb += synapses.row[bank].eq(slot.row)
                m.d.comb += synapses.read[bank].eq(event_merger.event & slot.present)
            weights = [
                [self._shifted(synapses.weights[bank][n], arrived.shift) for bank in range(banks)]
                for n in range(lanes)
            ]
            rows = [lane[0] for lane in weights]
            if banks > 1:
                values = [arrived.values[bank] for bank in range(banks)]
                rows = [adder_tree([*map(product, lane, values)]) for lane in weights]
        if direct:
            # Either the row from the memory or the weight of a synapse event is zero, so an OR
            # selects the other one.
            single = arrived.event & arrived.direct
            own = [Mux(single & (arrived.lane == n), arrived.weight, 0) for n in range(lanes)]
            rows = [row | weight for row, weight in zip(rows, own, strict=True)]
        if self.pooled:
            # The same for the maxima of pooled sums, which are zero without such an event.
            maxima = [Mux(arrived.event, arrived.maxima[n], 0) for n in range(lanes)]
            rows = [row | maximum for row, maximum in zip(rows, maxima, strict=True)]
        return rows, Value.cast(rows[0]).shape().width

    def _shifted(self, weight, shift):
        """Return a weight shifted by the shift of the projection to which the event belongs."""
        shifts = {
            own
            for projection, own in zip(self.projections, self.shifts, strict=True)
            if self._is_in_memory(projection)
        }
        # The shifts are constants: only which of them applies is decided in hardware.
        smallest, *others = sorted(shifts)
        shifted = weight << smallest
        for other in others:
            shifted = Mux(shift == other, weight << other, shifted)
        return shifted

    def _is_in_memory(self, projection: Projection) -> bool:
        """Return whether rows of a projection's weights are in the weight memory."""
        return projection in self.dense or projection in self.kernels

    def _outputs(self, m):
        """Connect the results of the update to a queue and scanner for each output stream."""
        outcome, size, units = self.neuron_update.o, self.population.size, self.core.units
        streams = [name for name in ("o", "potentials") if name in self.signature.members]
        for name in streams:
            event = getattr(self, name).p.shape()
            spike_output = SpikeOutput(
                size,
                width=units,
                value=event.value_shape,
                banks=event.banks,
                gather=self.core.gather if name == "o" else 1,
            )
            m.submodules["spike_output" if name == "o" else "potential_output"] = spike_output
            wiring.connect(m, spike_output.o, wiring.flipped(getattr(self, name)))
            end = outcome.group == self.neuron_update.groups - 1
            # The last group may have fewer neurons than there are units.
            present = Cat(outcome.group * units + n < size for n in range(units))
            flags = outcome.fired & present
            m.d.comb += [
                spike_output.i.index.eq(outcome.group),
                spike_output.i.end.eq(end),
                spike_output.i.last.eq(outcome.last),
            ]
            if name == "potentials":
                flags = present  # every neuron has a potential, whether it fires or not
                for n in range(units):
                    potential = outcome.states[n][self.population.neuron.potential]
                    m.d.comb += spike_output.i["values"][n].eq(potential)
            elif "values" in outcome.shape().members:
                for n in range(units):
                    m.d.comb += spike_output.i["values"][n].eq(outcome["values"][n])
            m.d.comb += [spike_output.i.flags.eq(flags), spike_output.valid.eq(outcome.valid)]
            yield spike_output


class _EventInFlight(data.StructLayout):
    """Fields of an event that are delayed along with the read of its weights."""

    NAMES = ("event", "first", "fold", "shift", "direct", "lane", "weight")

    def __init__(self, event_merger: EventMerger):
        values = data.ArrayLayout(event_merger.value_shape, event_merger.banks)
        members = event_merger.signature.members
        self.names = (*self.NAMES, *(name for name in ("receptor", "maxima") if name in members))
        shapes = {name: getattr(event_merger, name).shape() for name in self.names}
        super().__init__({**shapes, "values": values})


def _delayed(m, value):
    """Return a value as it was one cycle earlier."""
    register = Signal.like(value)
    m.d.sync += register.eq(value)
    return register


def event_of(network: Network, name: str, mapping: Mapping) -> AddressEvent:
    """Return the layout of the events of an input or population, in as many banks as it has."""
    node = network.nodes[name]
    return AddressEvent(node.size, value_shape(node), mapping.banks(network, name))
