"""The accelerator: a whole network as hardware."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.base.identifiers import identifiers
from spiker_hdl.model import Mapping, Network, Projection
from spiker_hdl.model.answer_policy import MARGIN_BITS
from spiker_hdl.model.graph import SPIKE_READOUTS
from spiker_hdl.model.mapping.layout import in_machine_order, neuron_order
from spiker_hdl.model.mapping.microarchitecture import TOKEN_QUEUE_DEPTH, max_in_flight
from spiker_hdl.model.mapping.reload import stores, with_worst_case_bounds
from spiker_hdl.rtl.common.memory import LoadBeat
from spiker_hdl.rtl.population.core import PopulationCore, event_of
from spiker_hdl.rtl.population.pooled_convolution import PooledConvolution
from spiker_hdl.rtl.streams.broadcast import Broadcast
from spiker_hdl.rtl.streams.delay import Delay, Ticks
from spiker_hdl.rtl.streams.events import AddressEvent, value_shape
from spiker_hdl.rtl.streams.network_order import NetworkOrder
from spiker_hdl.rtl.streams.queue import Queue
from spiker_hdl.rtl.streams.serializer import Serializer
from spiker_hdl.rtl.synapses.convolution_lookup import ConvolutionLookup
from spiker_hdl.rtl.synapses.sparse_lookup import SparseLookup

from .input_port import InputPort
from .probes import probes
from .readout import ReadoutCore
from .sample_control import SampleControl, SpikeCounter
from .sample_result import SampleResult, collect_results

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """A core for each population, connected by streams of address events.

    Samples follow each other at an input without a gap, and results come in the same order, one for
    each sample. Several samples may be in flight. Answers do not depend on when beats are offered
    and taken; :mod:`spiker_hdl.model.timing.prediction` gives the cycles of each sample. After
    reset no sample is in flight, and the next beat at each input begins one; memories are not
    cleared, and need not be.

    Parameters
    ----------
    network : Network
        The network to be computed.
    mapping : Mapping, optional
        How it is mapped to hardware; :meth:`Mapping.default` by default.
    observe : sequence of str
        Populations whose neurons are observed at ``observe_NAME``.
    streams : sequence of str
        Populations whose spikes, or outputs, leave as address events at ``events_NAME``. Those of a
        map that a stored kernel reaches leave by position within a step, with the addresses of the
        network; those of others ascend.
    stepwise : bool
        Whether answers before a sample's last step are supported.
    probed : bool
        Whether the handshakes of the streams within are visible at ``probe``, to find out where a
        design is blocked.

    Attributes
    ----------
    names : dict of str to str
        Identifier of each input and population; those of inputs name the ports.
    probes : list of Probe
        Streams within the accelerator.

    Members
    -------
    i : In(stream.Signature(Word or AddressEvent)), if there is one input
        Beats of the samples. The first beat of a sample waits until there is room for its result.
    i_NAME : In(stream.Signature(Word or AddressEvent)), for each of several inputs
        The same for the input of that name; each input takes part in every sample.
    o : Out(stream.Signature(SampleResult))
        Result of each sample, from registers.
    idle : Out(1)
        No sample is in flight, and nothing is left of earlier ones: the next sample takes as many
        cycles as it would after reset.
    load : In(stream.Signature(LoadBeat)), if the mapping has writable populations
        Weights and parameters of another network; ``ready`` only while ``idle``. A sample whose
        first beat is taken in the same cycle as a beat of these, or later, runs with what that
        beat wrote. See :mod:`spiker_hdl.model.mapping.reload`.
    observe_NAME : Out(Outcome)
        Result of each update of the neurons, valid in single cycles, with ``observe_NAME.valid``.
    events_NAME : Out(stream.Signature(AddressEvent))
        Events of the population. The accelerator waits for them to be taken.
    window, length, margin, exact : In, if ``stepwise``
        Number of steps between answers; number of steps of a sample; lead of the winner over all
        other classes with which a sample is answered; and whether it is answered once the winner
        can no longer change, which needs ``length``. A 0 turns each of them off. They must be
        stable from a sample's first beat to its last answer. A sample in windows may be longer than
        :attr:`Network.max_steps`: the numbers of its steps and spikes wrap.
    probe : Out(2 * number of probes), if ``probed``
        ``valid``, then ``ready``, of the stream of each probe in this cycle.

    Raises
    ------
    TypeError
        If a parameter is of another type.
    ValueError
        If the mapping does not fit the network.
    """

    o: stream.Interface
    load: stream.Interface
    idle: Signal
    window: Signal
    length: Signal
    margin: Signal
    exact: Signal
    probe: Signal

    def __init__(
        self,
        network: Network,
        mapping: Mapping | None = None,
        *,
        observe: Sequence[str] = (),
        streams: Sequence[str] = (),
        stepwise: bool = False,
        probed: bool = False,
    ):
        check_kind("Network", network, Network)
        mapping = Mapping.default(network) if mapping is None else mapping
        check_kind("Mapping", mapping, Mapping)
        mapping.check(network)
        network = with_worst_case_bounds(network, mapping.writable)
        self.network = network
        self.mapping = mapping
        self.observe = tuple(observe)
        self.streams = tuple(streams)
        self.stepwise = stepwise
        self.probed = probed
        self.max_in_flight = max_in_flight(network, mapping)
        self.names = identifiers(network.nodes)
        self.readout_names = identifiers(readout.name for readout in network.readouts)
        self.ports = {
            node.name: "i" if len(network.inputs) == 1 else f"i_{self.names[node.name]}"
            for node in network.inputs
        }
        self.input_ports = {
            node.name: InputPort(node, mapping, banks=mapping.banks(network, node.name))
            for node in network.inputs
        }
        self.cores = {
            population.name: PopulationCore(network, population.name, mapping=mapping)
            for population in network.populations
        }
        self.readouts = {
            readout.name: ReadoutCore(network, readout, stepwise=stepwise)
            for readout in network.readouts
        }
        self.counters = {
            population.name: SpikeCounter(
                event_of(network, population.name, mapping),
                max_events=population.size * network.max_steps,
                max_in_flight=self.max_in_flight,
                stepwise=stepwise,
            )
            for population in network.populations
            if population.neuron.emits
        }
        self._stores = stores(network, mapping)
        self._pooled: list[PooledConvolution] = []  # those within, once it is elaborated
        self.probes = [*probes(self)]
        super().__init__(self._members())

    def _members(self) -> dict:
        """Return the ports, which depend on the network and on what is to be observed."""
        network, stepwise, mapping = self.network, self.stepwise, self.mapping
        answers = {self.readout_names[n]: r.o.p.shape() for n, r in self.readouts.items()}
        counts = {self.names[n]: c.o.p.shape() for n, c in self.counters.items()}
        steps = In(range(network.max_steps + 1))
        margin = In(unsigned(MARGIN_BITS))
        config = {"window": steps, "length": steps, "margin": margin, "exact": In(1)}
        return {
            **{
                self.ports[name]: In(stream.Signature(port.i.p.shape()))
                for name, port in self.input_ports.items()
            },
            "o": Out(stream.Signature(SampleResult(answers, counts))),
            "idle": Out(1),
            **(config if stepwise else {}),
            **({"probe": Out(2 * len(self.probes))} if self.probed else {}),
            **({"load": In(stream.Signature(LoadBeat()))} if mapping.writable else {}),
            **{
                f"observe_{self.names[n]}": Out(self.cores[n].outcome.shape()) for n in self.observe
            },
            **{
                f"events_{self.names[n]}": Out(stream.Signature(self._event(n)))
                for n in self.streams
            },
        }

    def elaborate(self, platform):
        m = Module()

        self._pooled.clear()
        clean = Signal()  # all sums that are not zero by themselves have been cleared after a reset
        m.submodules.control = control = SampleControl(
            len(self.input_ports), max_in_flight=self.max_in_flight
        )
        for n, (name, port) in enumerate(self.input_ports.items()):
            m.submodules[f"input_{self.names[name]}"] = port
            wiring.connect(m, wiring.flipped(getattr(self, self.ports[name])), port.i)
            m.d.comb += [port.admit.eq(control.admit[n] & clean), control.begin[n].eq(port.begin)]
            m.d.comb += port.mute.eq(control.mute[n])
        for name, core in self.cores.items():
            m.submodules[f"population_{self.names[name]}"] = core
        for name, readout in self.readouts.items():
            m.submodules[f"readout_{self.readout_names[name]}"] = readout
        for name, counter in self.counters.items():
            m.submodules[f"counter_{self.names[name]}"] = counter
        for name in self.observe:
            m.d.comb += getattr(self, f"observe_{self.names[name]}").eq(self.cores[name].outcome)

        # A sample's result may leave before its last events, so that no sample in flight does not
        # mean that nothing moves: every part that stores events is asked.
        idle = [part for name in self.network.nodes for part in self._fan_out(m, name)]
        idle += [part.idle for part in (*self.cores.values(), *self.input_ports.values())]
        m.d.comb += self.idle.eq(control.idle & Cat(idle).all())
        clears = [*self._pooled, *(core for core in self.cores.values() if core.clears)]
        m.d.comb += clean.eq(Cat(C(1), *(part.clean for part in clears)).all())
        for name, core in self.cores.items():
            if core.reads_potential:
                sinks = [
                    self.readouts[readout.name].i
                    for readout in self.network.readouts
                    if readout.population == name and readout.kind not in SPIKE_READOUTS
                ]
                self._broadcast(m, f"potentials_{self.names[name]}", core.potentials, sinks)
        if self.probed:
            m.d.comb += self.probe.eq(Cat(probe.signals for probe in self.probes))
        collect_results(m, self, control)
        if self.mapping.writable:
            self._load(m)

        return m

    def _load(self, m) -> None:
        """Send the beats of ``load`` to all memories, while none of them is read."""
        load = Signal(data.StructLayout({"valid": 1, "beat": LoadBeat()}))
        ready = self.idle
        if self._reads_at_once:
            # Its first event would ask for a row in the cycle in which that row is written.
            ready = ready & ~Cat(port.begin for port in self.input_ports.values()).any()
        m.d.comb += self.load.ready.eq(ready)
        # A register, since the beats fan out to the memories of the whole accelerator: a beat is
        # written in the cycle after it was taken.
        m.d.sync += [load.valid.eq(self.load.valid & self.load.ready), load.beat.eq(self.load.p)]
        for core in (*self.cores.values(), *self._pooled):
            if "load" in core.signature.members:
                m.d.comb += [core.load.valid.eq(load.valid), core.load.beat.eq(load.beat)]

    @property
    def _reads_at_once(self) -> bool:
        """Whether weights can be asked for in the cycle after a sample's first beat was taken."""
        # Scanned words, and queues that are deeper, take a cycle more.
        return self.mapping.form == "events" and any(
            self.mapping.queues[projection.name] == 1
            for node in self.network.inputs
            for projection in self.network.out_of(node.name)
            if projection.target in self.mapping.writable
        )

    def _fan_out(self, m, name: str):
        """Connect the events of a node to all that read them.

        Yields signals that are 1 while no event waits and none is to be dropped.
        """
        label = self.names[name]
        # Populations that emit no events have only potentials, which a readout reads.
        source = (self.input_ports | self.cores)[name].o if self._fires(name) else None
        if source is None:
            return
        sinks = []
        for projection in self.network.out_of(name):
            sinks.append((yield from self._connect(m, projection, source)))
        # All inputs have the same steps, so the first one gives the time base of the clocked cores.
        for core in self.cores.values() if name == self.network.inputs[0].name else ():
            if core.clocked:
                ticks, queue = self._ticks(m, name, core)
                sinks.append(ticks.i)
                yield queue.empty
        if name in self.counters:
            sinks.append(self.counters[name].i)
        for readout in self.network.readouts:
            if readout.population == name and readout.kind in SPIKE_READOUTS:
                readout_label = f"readout_{self.readout_names[readout.name]}"
                sink = self.readouts[readout.name].i
                sinks.append(self._in_network_order(m, readout_label, name, sink))
        if name in self.streams:
            sink = wiring.flipped(getattr(self, f"events_{label}"))
            sinks.append(self._in_network_order(m, f"events_{label}", name, sink))
        self._broadcast(m, f"spikes_{label}", source, sinks)

    def _connect(self, m, projection: Projection, source):
        """Connect a projection to its target, and return the stream that takes its events.

        From the source to the target, events pass a queue of the projection's own, its delay, a
        conversion to the target's banks, and the look-up of synapses that are stored one by one, or
        of the rows of a kernel.
        """
        name, core = projection.source, self.cores[projection.target]
        number = self.network.projections.index(projection)
        label = f"{self.names[name]}_to_{self.names[projection.target]}_{number}"
        # The chain is built from its end: each part that is put in front becomes the next sink.
        sink = getattr(core, f"i{core.projections.index(projection)}")
        banks = core.core.banks
        if projection in core.kernels:
            banks = 1  # the look-up takes one event after the other
            lookup = ConvolutionLookup(
                projection.synapses,
                self._event(name),
                lanes=core.core.lanes,
                by_position=neuron_order(self.network, self.mapping, name) is not None,
            )
            m.submodules[f"convolution_lookup_{label}"] = lookup
            yield lookup.idle
            wiring.connect(m, lookup.o, sink)
            sink = lookup.i
        elif projection in core.pooled:
            banks = 1
            pooled = PooledConvolution(
                projection,
                self._event(name),
                lanes=core.core.lanes,
                width=sink.p.shape().width,
                by_position=neuron_order(self.network, self.mapping, name) is not None,
                positions=core.core.positions,
                weights=core.core.weights,
                states=core.core.states,
                block=core.core.block,
                store=next((s for s in self._stores if s.projection == projection.name), None),
            )
            m.submodules[f"pooled_convolution_{label}"] = pooled
            self._pooled.append(pooled)
            yield pooled.idle
            wiring.connect(m, pooled.o, sink)
            sink = pooled.i
        elif projection not in core.dense:
            banks = 1
            shift = core.shifts[core.projections.index(projection)]
            ordered = in_machine_order(self.network, self.mapping, projection)
            sparse_lookup = SparseLookup(
                ordered, self._event(name), lanes=core.core.lanes, shift=shift
            )
            m.submodules[f"sparse_lookup_{label}"] = sparse_lookup
            wiring.connect(m, sparse_lookup.o, sink)
            sink = sparse_lookup.i
        sink = self._serialize(m, label, name, sink, banks)
        if projection.delay:
            # The queue must be in front: it stores the events of the steps that are delayed.
            delay = Delay(source.p.shape(), delay=projection.delay)
            m.submodules[f"delay_{label}"] = delay
            m.d.comb += delay.finish.eq(core.finish)
            yield delay.idle
            wiring.connect(m, delay.o, sink)
            sink = delay.i
        queue = self._queue(m, label, sink, self.mapping.queues[projection.name])
        yield queue.empty
        return queue.i

    def _serialize(self, m, label: str, name: str, sink, banks: int = 1):
        """Return a sink for a node's events in front of one with fewer banks, if it has fewer."""
        event = event_of(self.network, name, self.mapping)
        if event.banks <= banks:
            return sink
        m.submodules[f"serializer_{label}"] = serializer = Serializer(event, banks=banks)
        wiring.connect(m, serializer.o, sink)
        return serializer.i

    def _in_network_order(self, m, label: str, name: str, sink):
        """Return a sink for a node's events in front of one with the addresses of the network."""
        shape = self.network.nodes[name].shape
        ordered = neuron_order(self.network, self.mapping, name) is None
        if not ordered and isinstance(shape, tuple):
            order = NetworkOrder(shape, self._event(name).value_shape)
            m.submodules[f"network_order_{label}"] = order
            wiring.connect(m, order.o, sink)
            sink = order.i
        return self._serialize(m, label, name, sink)

    def _event(self, name: str) -> AddressEvent:
        """Return the layout of a node's events in a single bank."""
        node = self.network.nodes[name]
        return AddressEvent(node.size, value_shape(node))

    def _fires(self, name: str) -> bool:
        return name in self.input_ports or name in self.counters

    def _ticks(self, m, name: str, core: PopulationCore):
        """Send the tokens of an input to a population that has no other input without a delay."""
        label = f"ticks_{self.names[core.population.name]}"
        m.submodules[label] = ticks = Ticks(event_of(self.network, name, self.mapping))
        sink = getattr(core, f"i{len(core.projections)}")
        queue = self._queue(m, label, sink, TOKEN_QUEUE_DEPTH)
        m.d.comb += [
            queue.i.p.end.eq(ticks.o.p.end),
            queue.i.p.last.eq(ticks.o.p.last),
            queue.i.valid.eq(ticks.o.valid),
            ticks.o.ready.eq(queue.i.ready),
        ]
        return ticks, queue

    @staticmethod
    def _queue(m, label: str, sink, depth: int) -> Queue:
        """Put a queue in front of a sink."""
        queue = Queue(sink.p.shape(), depth=depth)
        m.submodules[f"queue_{label}"] = queue
        wiring.connect(m, queue.o, sink)
        return queue

    @staticmethod
    def _broadcast(m, label: str, source, sinks: list) -> None:
        """Send a stream to several sinks."""
        broadcast = Broadcast(source.p.shape(), branches=len(sinks))
        m.submodules[f"broadcast_{label}"] = broadcast
        wiring.connect(m, source, broadcast.i)
        for branch, sink in zip(broadcast.o, sinks, strict=True):
            wiring.connect(m, branch, sink)
