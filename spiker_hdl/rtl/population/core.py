"""A population of neurons with its synapses: the core of the accelerator."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.model import Mapping, Network, Projection
from spiker_hdl.model.mapping.microarchitecture import clocked, interval, overlaps, reads_potential
from spiker_hdl.model.mapping.reload import stores
from spiker_hdl.rtl.common.memory import Load
from spiker_hdl.rtl.streams.events import AddressEvent, value_shape
from spiker_hdl.rtl.streams.spike_output import SpikeOutput
from spiker_hdl.rtl.synapses.sparse_lookup import SynapseEvent, added_width
from spiker_hdl.rtl.synapses.weight_memory import WeightMemory

from .accumulators import FoldedLanes, RingLanes, product, total
from .event_merger import EventMerger
from .neuron_update import NeuronUpdate, range_shape
from .update_sequencer import UpdateSequencer

__all__ = ["PopulationCore", "event_of"]


class PopulationCore(wiring.Component):
    """A population that takes address events, and steps when each input has ended its step.

    Events of as many sources as there are banks take ``ceil(size / lanes)`` cycles together; a step
    takes ``max(3 + stages, ceil(size / units))`` in which no events are accepted, unless they
    overlap, but the population's own events leave it meanwhile. Inputs have fixed priority, the
    first the highest. Before a step starts, there must be room for its events: those of at most one
    step before it may still wait to be taken, so that silent steps that follow each other may take
    a cycle or two more: see :mod:`spiker_hdl.model.timing.prediction`.

    Parameters
    ----------
    network : Network
    name : str
        Which population.
    mapping : Mapping
        How it lies in hardware.

    Attributes
    ----------
    reads_potential : bool
        Whether a readout wants the potentials.
    clocked : bool
        Whether all its projections are delayed (or none exist), so that an input of bare tokens
        says when to step.

    Members
    -------
    i0, i1, ... : In(stream.Signature(AddressEvent or SynapseEvent))
        Events of each projection, side by side in banks, or those of its synapses where these are
        stored one by one; then, if ``clocked``, bare tokens.
    finish : Out(1)
        The tokens of a sample's last step are taken in this cycle.
    rest : Out(1)
        No step keeps what comes waiting.
    o : Out(stream.Signature(AddressEvent(size, banks))), if the neurons fire
        Spikes, in as many banks as their readers have.
    potentials : Out(stream.Signature(AddressEvent(size, value))), if ``reads_potential``
        Potential of every neuron in every step.
    outcome : Out(Outcome)
        Everything, as it is computed; for observers.
    load : In(Load), if there is what can be written
    """

    load: Any

    finish: Signal
    rest: Signal
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
        self.overlap = overlaps(network, name, core)
        self.clocked = clocked(network, name)
        self.reads_potential = reads_potential(network, name)
        neuron, size = self.population.neuron, self.population.size
        # What all have in common is left to where the sums are taken.
        self.shifts = [one.shift - self.bounds.sum_shift for one in self.projections]
        self.dense = [one for one in self.projections if mapping.store(network, one) == "rows"]
        self.events = [self._event(one) for one in self.projections]
        if self.clocked:
            self.events.append(AddressEvent(1))
        self.folds = -(-size // core.lanes)
        stores_ = [one for one in stores(network, mapping) if one.population == name]
        self.stores = [one for one in stores_ if one.part == "weights"]
        self.neuron_update = NeuronUpdate(
            self.population,
            self.bounds,
            units=core.units,
            stages=core.stages,
            kind=core.states,
            store=next((one for one in stores_ if one.part == "parameters"), None),
        )
        members = {f"i{n}": In(stream.Signature(event)) for n, event in enumerate(self.events)}
        members["finish"] = Out(1)
        members["rest"] = Out(1)
        members["outcome"] = Out(self.neuron_update.o.shape())
        if neuron.spiking:
            members["o"] = Out(stream.Signature(event_of(network, name, mapping)))
        if self.reads_potential:
            shape = range_shape(*self.bounds.states[neuron.potential])
            members["potentials"] = Out(stream.Signature(AddressEvent(size, shape)))
        if stores_:
            members["load"] = In(Load())
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()

        m.submodules.event_merger = event_merger = self._intake()
        m.submodules.neuron_update = neuron_update = self.neuron_update
        if neuron_update.store is not None:
            wiring.connect(m, wiring.flipped(self.load), neuron_update.load)
        for n in range(len(self.events)):
            wiring.connect(
                m, wiring.flipped(getattr(self, f"i{n}")), getattr(event_merger, f"i{n}")
            )
        emitters = [*self._emitters(m)]
        m.d.comb += [
            event_merger.free.eq(Cat(one.free for one in emitters).all()),
            self.finish.eq(event_merger.complete & event_merger.last),
            self.rest.eq(event_merger.rest),
            self.outcome.eq(neuron_update.o),
        ]
        for one in emitters:
            m.d.comb += one.start.eq(event_merger.complete)

        m.submodules.sequencer = sequencer = UpdateSequencer(
            self.population.size, lanes=self.core.lanes, units=self.core.units
        )
        keep = event_merger.holds & ~event_merger.last
        begin = Cat(event_merger.complete, event_merger.last, event_merger.first, keep)
        if self.core.banks > 1:
            begin = _later(m, begin)
        m.d.comb += [
            Cat(sequencer.begin, sequencer.last, sequencer.empty, sequencer.keep).eq(begin),
            neuron_update.ahead.eq(sequencer.ahead),
            neuron_update.go.eq(sequencer.go),
            neuron_update.group.eq(sequencer.group),
            neuron_update.first.eq(sequencer.first),
            neuron_update.last.eq(sequencer.final),
        ]
        self._sum(m, event_merger, sequencer.turn)

        return m

    def _event(self, projection: Projection) -> AddressEvent | SynapseEvent:
        node = self.network.nodes[projection.source]
        event = AddressEvent(node.size, value_shape(node), self.core.banks)
        if projection in self.dense:
            return event
        shift = self.shifts[self.projections.index(projection)]
        width = added_width(projection, event) + shift
        return SynapseEvent(self.population.size, self.core.lanes, width)

    def _intake(self) -> EventMerger:
        # The rows of a projection stand after those of the projections before it.
        banks = self.core.banks
        shifts = [
            shift if one in self.dense else 0
            for one, shift in zip(self.projections, self.shifts, strict=True)
        ]
        sizes = [
            -(-one.synapses.source_size // banks) if one in self.dense else 0
            for one in self.projections
        ]
        return EventMerger(
            self.events,
            bases=[sum(sizes[:n]) for n in range(len(self.events))],
            rows=max(1, sum(sizes)),
            folds=self.folds,
            lanes=self.core.lanes,
            banks=banks,
            interval=interval(self.core, self.neuron_update.groups),
            overlap=self.overlap,
            holds=self.network.holds(self.population.name),
            shifts=[*shifts, 0] if self.clocked else shifts,
        )

    def _sum(self, m, event_merger, turn) -> None:
        """Bring weights and sums together: two cycles after an event, they are added.

        Of several banks, the weights are added up first, which takes one cycle more.
        """
        if not self.projections:
            return
        lanes, banks = self.core.lanes, self.core.banks
        read = Signal(_Read(event_merger))
        m.d.sync += [read[name].eq(getattr(event_merger, name)) for name in _Read.NAMES]
        m.d.sync += [read.values[n].eq(event_merger.slots[n].value) for n in range(banks)]
        found = _later(m, read)
        rows, weight = self._rows(m, event_merger, found)
        value = found.values[0]
        if banks > 1:
            shape = Shape.cast(Value.cast(rows[0]).shape())
            summed = Signal(data.ArrayLayout(signed(shape.width), lanes))
            m.d.sync += [summed[n].eq(row) for n, row in enumerate(rows)]
            read, found = found, _later(m, found)
            rows, weight = [summed[n] for n in range(lanes)], shape.width
            value = Const(0, 0)
        m.submodules.lanes = sums = (RingLanes if self.folds == 1 else FoldedLanes)(
            self.population.size,
            lanes=lanes,
            units=self.core.units,
            width=self.bounds.sum_width,
            weight=weight,
            value=value.shape(),
            scattered=len(self.dense) < len(self.projections),
            overlap=self.overlap,
            kind=self.core.states,
        )
        m.d.comb += [
            sums.ahead.eq(read.fold),
            sums.row.eq(found.fold),
            sums.add.eq(found.event),
            sums.first.eq(found.first),
            sums.value.eq(value),
            sums.turn.eq(turn),
            self.neuron_update.sums.eq(sums.sums),
        ]
        m.d.comb += [sums.weights[n].eq(row) for n, row in enumerate(rows)]

    def _rows(self, m, event_merger, found) -> tuple[list, int]:
        """Return what an event adds to each lane, still to be multiplied if there is one bank."""
        lanes, banks = self.core.lanes, self.core.banks
        scattered = len(self.dense) < len(self.projections)
        rows = [C(0, signed(1))] * lanes
        if self.dense:
            m.submodules.synapses = synapses = WeightMemory(
                self.dense,
                lanes=lanes,
                banks=banks,
                kind=self.core.weights,
                stores=self.stores,
                block=self.core.block,
            )
            if self.stores:
                wiring.connect(m, wiring.flipped(self.load), synapses.load)
            for bank in range(banks):
                slot = event_merger.slots[bank]
                m.d.comb += synapses.row[bank].eq(slot.row)
                m.d.comb += synapses.read[bank].eq(event_merger.event & slot.present)
            weights = [
                [self._shifted(synapses.weights[bank][n], found.shift) for bank in range(banks)]
                for n in range(lanes)
            ]
            rows = [each[0] for each in weights]
            if banks > 1:
                values = [found.values[bank] for bank in range(banks)]
                rows = [total([*map(product, each, values)]) for each in weights]
        if scattered:
            # Of a row and a synapse's own weight, one is zero.
            one = found.event & found.direct
            own = [Mux(one & (found.lane == n), found.weight, 0) for n in range(lanes)]
            rows = [row | weight for row, weight in zip(rows, own, strict=True)]
        return rows, Value.cast(rows[0]).shape().width

    def _shifted(self, weight, shift):
        """Return a weight shifted as that of the projection from which the event came."""
        wanted = {
            each
            for one, each in zip(self.projections, self.shifts, strict=True)
            if one in self.dense
        }
        least, *others = sorted(wanted)
        found = weight << least
        for other in others:
            found = Mux(shift == other, weight << other, found)
        return found

    def _emitters(self, m):
        outcome, size, units = self.neuron_update.o, self.population.size, self.core.units
        streams = [name for name in ("o", "potentials") if name in self.signature.members]
        for name in streams:
            event = getattr(self, name).p.shape()
            spike_output = SpikeOutput(
                size, width=units, value=event.value_shape, banks=event.banks
            )
            m.submodules[f"{name}_emitter"] = spike_output
            wiring.connect(m, spike_output.o, wiring.flipped(getattr(self, name)))
            end = outcome.group == self.neuron_update.groups - 1
            present = Cat(outcome.group * units + n < size for n in range(units))
            flags = outcome.fired & present
            m.d.comb += [
                spike_output.i.index.eq(outcome.group),
                spike_output.i.end.eq(end),
                spike_output.i.last.eq(outcome.last),
            ]
            if name == "potentials":
                flags = present
                for n in range(units):
                    potential = outcome.states[n][self.population.neuron.potential]
                    m.d.comb += spike_output.i["values"][n].eq(potential)
            m.d.comb += spike_output.i.flags.eq(flags)
            m.d.comb += spike_output.valid.eq(outcome.valid & (end | flags.any()))
            yield spike_output


class _Read(data.StructLayout):
    """What goes along with rows of weights while they are read."""

    NAMES = ("event", "first", "fold", "shift", "direct", "lane", "weight")

    def __init__(self, event_merger: EventMerger):
        values = data.ArrayLayout(event_merger.value_shape, event_merger.banks)
        shapes = {name: getattr(event_merger, name).shape() for name in self.NAMES}
        super().__init__({**shapes, "values": values})


def _later(m, value):
    """Return what a value was in the cycle before."""
    register = Signal.like(value)
    m.d.sync += register.eq(value)
    return register


def event_of(network: Network, name: str, mapping: Mapping) -> AddressEvent:
    """Return the layout of the events of an input or population."""
    node = network.nodes[name]
    return AddressEvent(node.size, value_shape(node), mapping.banks(network, name))
