"""A population of neurons with its synapses: the core of the accelerator."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..model import Mapping, Network, Projection
from ..model.check import check_kind
from ..model.machine import LEAST_INTERVAL, clocked, reads_potential
from .emitter import Emitter
from .events import AddressEvent, value_shape
from .expander import SynapseEvent, added_width
from .intake import Intake
from .lanes import FoldedLanes, RingLanes
from .stepper import Stepper, range_shape
from .synapses import Synapses

__all__ = ["PopulationCore", "event_of"]


class PopulationCore(wiring.Component):
    """A population that takes address events, and steps when each input has ended its step.

    An event takes ``ceil(size / lanes)`` cycles; a step takes ``max(4, ceil(size / units))`` in
    which no events are accepted, but the population's own events leave it meanwhile. Inputs have
    fixed priority, the first the highest. Before a step starts, there must be room for its events:
    those of at most one step before it may still wait to be taken, so that silent steps take six or
    seven cycles each where they follow each other: see :mod:`spiker_hdl.model.timing`.

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
        Events of each projection, or of its synapses where these are stored one by one; then, if
        ``clocked``, bare tokens.
    finish : Out(1)
        The tokens of a sample's last step are taken in this cycle.
    rest : Out(1)
        No step keeps what comes waiting.
    o : Out(stream.Signature(AddressEvent(size))), if the neurons fire
        Spikes.
    potentials : Out(stream.Signature(AddressEvent(size, value))), if ``reads_potential``
        Potential of every neuron in every step.
    outcome : Out(Outcome)
        Everything, as it is computed; for observers.
    """

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
        self.clocked = clocked(network, name)
        self.reads_potential = reads_potential(network, name)
        neuron, size = self.population.neuron, self.population.size
        self.dense = [one for one in self.projections if mapping.store(network, one) == "rows"]
        self.events = [self._event(one) for one in self.projections]
        if self.clocked:
            self.events.append(AddressEvent(1))
        self.folds = -(-size // core.lanes)
        self.stepper = Stepper(self.population, self.bounds, units=core.units)
        members = {f"i{n}": In(stream.Signature(event)) for n, event in enumerate(self.events)}
        members["finish"] = Out(1)
        members["rest"] = Out(1)
        members["outcome"] = Out(self.stepper.o.shape())
        if neuron.spiking:
            members["o"] = Out(stream.Signature(AddressEvent(size)))
        if self.reads_potential:
            shape = range_shape(*self.bounds.states[neuron.potential])
            members["potentials"] = Out(stream.Signature(AddressEvent(size, shape)))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()

        m.submodules.intake = intake = self._intake()
        m.submodules.stepper = stepper = self.stepper
        for n in range(len(self.events)):
            wiring.connect(m, wiring.flipped(getattr(self, f"i{n}")), getattr(intake, f"i{n}"))
        emitters = [*self._emitters(m)]
        m.d.comb += [
            intake.free.eq(Cat(one.free for one in emitters).all()),
            self.finish.eq(intake.complete & intake.last),
            self.rest.eq(intake.rest),
            self.outcome.eq(stepper.o),
        ]
        for one in emitters:
            m.d.comb += one.start.eq(intake.complete)

        # The groups are asked for from the cycle after the step's end, and step one cycle later.
        turn = Signal(range(self.stepper.groups))
        turning = Signal()
        last = Signal()
        empty = Signal()
        fresh = Signal(init=1)
        with m.If(intake.complete):
            m.d.sync += [turn.eq(0), turning.eq(1), last.eq(intake.last), empty.eq(intake.first)]
        with m.Elif(turning):
            m.d.sync += [turn.eq(turn + 1), turning.eq(turn != self.stepper.groups - 1)]
        with m.If(turning & (turn == self.stepper.groups - 1)):
            m.d.sync += fresh.eq(last)
        m.d.comb += stepper.ahead.eq(turn)
        m.d.sync += [
            stepper.go.eq(turning),
            stepper.group.eq(turn),
            stepper.first.eq(fresh),
            stepper.last.eq(last),
        ]
        self._sum(m, intake, turning, turn, empty, last)

        return m

    def _event(self, projection: Projection) -> AddressEvent | SynapseEvent:
        event = event_of(self.network, projection.source)
        if projection in self.dense:
            return event
        width = added_width(projection, event)
        return SynapseEvent(self.population.size, self.core.lanes, width)

    def _intake(self) -> Intake:
        # The rows of a projection stand after those of the projections before it.
        sizes = [one.synapses.source_size if one in self.dense else 0 for one in self.projections]
        return Intake(
            self.events,
            bases=[sum(sizes[:n]) for n in range(len(self.events))],
            rows=max(1, sum(sizes)),
            folds=self.folds,
            lanes=self.core.lanes,
            interval=max(LEAST_INTERVAL, self.stepper.groups),
            holds=self.network.holds(self.population.name),
        )

    def _sum(self, m, intake, turning, turn, empty, last) -> None:
        """Bring weights and sums together: two cycles after an event, they are added."""
        if not self.projections:
            return
        direct = len(intake.weight) if len(self.dense) < len(self.projections) else 1
        weight = max(direct, *(one.width for one in self.dense), 1)
        row = Signal(data.ArrayLayout(signed(weight), self.core.lanes))
        m.submodules.lanes = lanes = (RingLanes if self.folds == 1 else FoldedLanes)(
            self.population.size,
            lanes=self.core.lanes,
            units=self.core.units,
            width=self.bounds.sum_width,
            weight=weight,
            value=intake.value_shape,
            scattered=len(self.dense) < len(self.projections),
        )
        read = Signal(_Read(intake))
        summed = Signal(_Read(intake))
        m.d.sync += [read[name].eq(getattr(intake, name)) for name, _ in read.shape()]
        m.d.sync += [summed.eq(read), lanes.row.eq(lanes.ahead)]
        m.d.sync += [lanes.empty.eq(empty), lanes.take.eq(turning)]
        m.d.sync += lanes.keep.eq(intake.holds & ~last)
        m.d.comb += [
            lanes.ahead.eq(Mux(turning, turn, read.fold)),
            lanes.add.eq(summed.event),
            lanes.first.eq(summed.first),
            lanes.value.eq(summed.value),
            lanes.weights.eq(row),
            self.stepper.sums.eq(lanes.sums),
        ]
        # Of a row and a synapse's own weight, one is zero.
        rows = [C(0, 1)] * self.core.lanes
        if self.dense:
            m.submodules.synapses = synapses = Synapses(self.dense, lanes=self.core.lanes)
            m.d.comb += synapses.address.eq(intake.address)
            m.d.comb += synapses.read.eq(intake.event & ~intake.direct)
            rows = [synapses.weights[n] for n in range(self.core.lanes)]
        for n in range(self.core.lanes):
            meant = summed.event & summed.direct & (summed.lane == n)
            own = Mux(meant, summed.weight, 0) if lanes.scattered else C(0, 1)
            m.d.comb += row[n].eq(rows[n] | own)

    def _emitters(self, m):
        outcome, size, units = self.stepper.o, self.population.size, self.core.units
        streams = []
        if self.population.neuron.spiking:
            streams.append(("o", unsigned(0)))
        if self.reads_potential:
            streams.append(("potentials", self.potentials.p.shape().value_shape))
        for name, value in streams:
            emitter = Emitter(size, width=units, value=value)
            m.submodules[f"{name}_emitter"] = emitter
            wiring.connect(m, emitter.o, wiring.flipped(getattr(self, name)))
            end = outcome.group == self.stepper.groups - 1
            present = Cat(outcome.group * units + n < size for n in range(units))
            flags = outcome.fired & present
            m.d.comb += [
                emitter.i.index.eq(outcome.group),
                emitter.i.end.eq(end),
                emitter.i.last.eq(outcome.last),
            ]
            if name == "potentials":
                flags = present
                for n in range(units):
                    potential = outcome.states[n][self.population.neuron.potential]
                    m.d.comb += emitter.i["values"][n].eq(potential)
            m.d.comb += emitter.i.flags.eq(flags)
            m.d.comb += emitter.valid.eq(outcome.valid & (end | flags.any()))
            yield emitter


class _Read(data.StructLayout):
    """What goes along with a row of weights while it is read."""

    def __init__(self, intake: Intake):
        names = ("event", "first", "fold", "value", "direct", "lane", "weight")
        super().__init__({name: getattr(intake, name).shape() for name in names})


def event_of(network: Network, name: str) -> AddressEvent:
    """Return the layout of the events of an input or population."""
    node = network.nodes[name]
    return AddressEvent(node.size, value_shape(node))
