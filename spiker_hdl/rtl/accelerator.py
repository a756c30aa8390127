"""The whole network as hardware."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_kind
from spiker_hdl.base.identifiers import identifiers
from spiker_hdl.model import Mapping, Network
from spiker_hdl.model.answer_policy import MARGIN_BITS
from spiker_hdl.model.graph import SPIKE_READOUTS
from spiker_hdl.model.mapping.microarchitecture import TOKEN_QUEUE_DEPTH, max_in_flight
from spiker_hdl.model.mapping.reload import with_worst_case_bounds
from spiker_hdl.rtl.common.memory import LoadBeat
from spiker_hdl.rtl.population.core import PopulationCore, event_of
from spiker_hdl.rtl.streams.broadcast import Broadcast
from spiker_hdl.rtl.streams.delay import Delay, Ticks
from spiker_hdl.rtl.streams.events import AddressEvent, value_shape
from spiker_hdl.rtl.streams.queue import Queue
from spiker_hdl.rtl.streams.serializer import Serializer
from spiker_hdl.rtl.synapses.sparse_lookup import SparseLookup

from .input_port import InputPort
from .probes import probes
from .readout import ReadoutCore
from .sample_control import CYCLE_BITS, SampleControl, SpikeCounter

__all__ = ["Accelerator", "SampleResult"]


class SampleResult(data.StructLayout):
    """What the accelerator says of a sample.

    Members
    -------
    answers : StructLayout
        For each readout, by its identifier, a :class:`~.readout.ReadoutResult`.
    counts : StructLayout
        Spikes of each population that fires.
    cycles : unsigned(CYCLE_BITS)
        From the cycle in which the first input's first beat was taken to the first one in which
        this result is valid.
    """

    def __init__(self, answers: dict, counts: dict):
        super().__init__({
            "answers": data.StructLayout(answers),
            "counts": data.StructLayout(counts),
            "cycles": CYCLE_BITS,
        })


class Accelerator(wiring.Component):
    """A network of processes: a core for each population, joined by streams of address events.

    The samples at an input follow each other without a gap, and so do the results, in the same
    order. The answers do not depend on when beats are offered and taken.

    Parameters
    ----------
    network : Network
        What it computes.
    mapping : Mapping, optional
        How it lies in hardware; :meth:`Mapping.default` where none is given.
    observe : sequence of str
        Populations whose outcome is put out at ``observe_NAME``.
    streams : sequence of str
        Populations whose spikes are put out as address events at ``events_NAME``.
    stepwise : bool
        Whether there may be answers before a sample's last step.
    probed : bool
        Whether it is put out at ``probe`` what streams within offer and take, to find out why
        nothing moves any more.

    Attributes
    ----------
    names : dict of str to str
        Identifier of each input and population; those of inputs name the ports.
    probes : list of Probe
        Streams within.

    Members
    -------
    i : In(stream.Signature(Word or AddressEvent)), if there is one input
    i_NAME : In(stream.Signature(Word or AddressEvent)), for each of several inputs
    o : Out(stream.Signature(SampleResult))
    idle : Out(1)
        No sample is on its way, and nothing is left of those before: the next one takes as long as
        a first.
    load : In(stream.Signature(LoadBeat)), if the mapping makes something writable
        Another network's numbers, taken while no sample is on its way: see
        :mod:`spiker_hdl.model.mapping.reload`.
    observe_NAME : Out(Outcome)
    events_NAME : Out(stream.Signature(AddressEvent))
    window, length, margin, exact : In, if ``stepwise``
        Steps from one answer to the next; steps of a sample; lead of the winner after which a
        sample is answered; and whether it is as soon as the winner is sure, which needs
        ``length``. 0 turns each off. To be held from a sample's first beat to its last answer.
        A sample in windows may be longer than :attr:`Network.max_steps`: its steps and counts wrap.
    probe : Out(2 * number of probes), if ``probed``
        For each probe its stream's ``valid``, then its ``ready``.

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
        self.max_in_flight = max_in_flight(network)
        self.names = identifiers(network.nodes)
        self.readout_names = identifiers(one.name for one in network.readouts)
        self.ports = {
            one.name: "i" if len(network.inputs) == 1 else f"i_{self.names[one.name]}"
            for one in network.inputs
        }
        self.entries = {
            one.name: InputPort(one, mapping, banks=mapping.banks(network, one.name))
            for one in network.inputs
        }
        self.cores = {
            one.name: PopulationCore(network, one.name, mapping=mapping)
            for one in network.populations
        }
        self.readouts = {
            one.name: ReadoutCore(network, one, stepwise=stepwise) for one in network.readouts
        }
        self.counters = {
            one.name: SpikeCounter(
                event_of(network, one.name, mapping),
                most=one.size * network.max_steps,
                max_in_flight=self.max_in_flight,
                stepwise=stepwise,
            )
            for one in network.populations
            if one.neuron.spiking
        }
        self.probes = [*probes(self)]
        answers = {self.readout_names[n]: r.o.p.shape() for n, r in self.readouts.items()}
        counts = {self.names[n]: c.o.p.shape() for n, c in self.counters.items()}
        steps = In(range(network.max_steps + 1))
        margin = In(unsigned(MARGIN_BITS))
        config = {"window": steps, "length": steps, "margin": margin, "exact": In(1)}
        super().__init__({
            **{self.ports[n]: In(stream.Signature(e.i.p.shape())) for n, e in self.entries.items()},
            "o": Out(stream.Signature(SampleResult(answers, counts))),
            "idle": Out(1),
            **(config if stepwise else {}),
            **({"probe": Out(2 * len(self.probes))} if probed else {}),
            **({"load": In(stream.Signature(LoadBeat()))} if mapping.writable else {}),
            **{
                f"observe_{self.names[n]}": Out(self.cores[n].outcome.shape()) for n in self.observe
            },
            **{
                f"events_{self.names[n]}": Out(stream.Signature(self._event(n)))
                for n in self.streams
            },
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.control = control = SampleControl(
            len(self.entries), max_in_flight=self.max_in_flight
        )
        for n, (name, entry) in enumerate(self.entries.items()):
            m.submodules[f"entry_{self.names[name]}"] = entry
            wiring.connect(m, wiring.flipped(getattr(self, self.ports[name])), entry.i)
            m.d.comb += [entry.admit.eq(control.admit[n]), control.begin[n].eq(entry.begin)]
            m.d.comb += entry.mute.eq(control.mute[n])
        for name, core in self.cores.items():
            m.submodules[f"population_{self.names[name]}"] = core
        for name, readout in self.readouts.items():
            m.submodules[f"readout_{self.readout_names[name]}"] = readout
        for name, counter in self.counters.items():
            m.submodules[f"counter_{self.names[name]}"] = counter
        for name in self.observe:
            m.d.comb += getattr(self, f"observe_{self.names[name]}").eq(self.cores[name].outcome)

        rests = [rest for name in self.network.nodes for rest in self._fan_out(m, name)]
        rests += [one.rest for one in (*self.cores.values(), *self.entries.values())]
        m.d.comb += self.idle.eq(control.idle & Cat(rests).all())
        for name, core in self.cores.items():
            if core.reads_potential:
                sinks = [
                    self.readouts[one.name].i
                    for one in self.network.readouts
                    if one.population == name and one.kind not in SPIKE_READOUTS
                ]
                self._branch(m, f"potentials_{self.names[name]}", core.potentials, sinks)
        if self.probed:
            m.d.comb += self.probe.eq(Cat(one.signals for one in self.probes))
        self._report(m, control)
        if self.mapping.writable:
            self._load(m)

        return m

    def _load(self, m) -> None:
        """Tell all memories what is to be written, while none is read."""
        load = Signal(data.StructLayout({"valid": 1, "beat": LoadBeat()}))
        m.d.comb += self.load.ready.eq(self.idle)
        m.d.sync += [load.valid.eq(self.load.valid & self.load.ready), load.beat.eq(self.load.p)]
        for core in self.cores.values():
            if "load" in core.signature.members:
                m.d.comb += [core.load.valid.eq(load.valid), core.load.beat.eq(load.beat)]

    def _fan_out(self, m, name: str):
        """Lead the events of a node to all that read them, each through a queue of its own.

        Yields what is 1 while nothing waits or is to be dropped.
        """
        of = self.names[name]
        source = (self.entries | self.cores)[name].o if self._fires(name) else None
        if source is None:
            return
        sinks = []
        for one in self.network.out_of(name):
            label = f"{of}_to_{self.names[one.target]}_{self.network.projections.index(one)}"
            core = self.cores[one.target]
            sink = getattr(core, f"i{core.projections.index(one)}")
            banks = core.core.banks
            if one not in core.dense:
                banks = 1
                shift = core.shifts[core.projections.index(one)]
                sparse_lookup = SparseLookup(
                    one, self._event(name), lanes=core.core.lanes, shift=shift
                )
                m.submodules[f"expander_{label}"] = sparse_lookup
                wiring.connect(m, sparse_lookup.o, sink)
                sink = sparse_lookup.i
            sink = self._serial(m, label, name, sink, banks)
            if one.delay:
                delay = Delay(source.p.shape(), delay=one.delay)
                m.submodules[f"delay_{label}"] = delay
                m.d.comb += delay.finish.eq(core.finish)
                yield delay.rest
                wiring.connect(m, delay.o, sink)
                sink = delay.i
            queue = self._queue(m, label, sink, self.mapping.queues[one.name])
            sinks.append(queue.i)
            yield queue.empty
        for core in self.cores.values() if name == self.network.inputs[0].name else ():
            if core.clocked:
                ticks, queue = self._ticks(m, name, core)
                sinks.append(ticks.i)
                yield queue.empty
        if name in self.counters:
            sinks.append(self.counters[name].i)
        for one in self.network.readouts:
            if one.population == name and one.kind in SPIKE_READOUTS:
                label = f"readout_{self.readout_names[one.name]}"
                sinks.append(self._serial(m, label, name, self.readouts[one.name].i))
        if name in self.streams:
            sink = wiring.flipped(getattr(self, f"events_{of}"))
            sinks.append(self._serial(m, f"events_{of}", name, sink))
        self._branch(m, f"spikes_{of}", source, sinks)

    def _serial(self, m, label: str, name: str, sink, banks: int = 1):
        """Let a node's events through to a sink that has fewer banks."""
        event = event_of(self.network, name, self.mapping)
        if event.banks <= banks:
            return sink
        m.submodules[f"serializer_{label}"] = serializer = Serializer(event, banks=banks)
        wiring.connect(m, serializer.o, sink)
        return serializer.i

    def _event(self, name: str) -> AddressEvent:
        """Return the layout of a node's events one by one."""
        node = self.network.nodes[name]
        return AddressEvent(node.size, value_shape(node))

    def _fires(self, name: str) -> bool:
        return name in self.entries or name in self.counters

    def _ticks(self, m, name: str, core: PopulationCore):
        """Lead bare tokens to a population that nothing else tells the time."""
        of = self.names[core.population.name]
        m.submodules[f"ticks_{of}"] = ticks = Ticks(event_of(self.network, name, self.mapping))
        sink = getattr(core, f"i{len(core.projections)}")
        queue = self._queue(m, f"ticks_{of}", sink, TOKEN_QUEUE_DEPTH)
        m.d.comb += [
            queue.i.p.end.eq(ticks.o.p.end),
            queue.i.p.last.eq(ticks.o.p.last),
            queue.i.valid.eq(ticks.o.valid),
            ticks.o.ready.eq(queue.i.ready),
        ]
        return ticks, queue

    @staticmethod
    def _queue(m, label: str, sink, depth: int) -> Queue:
        queue = Queue(sink.p.shape(), depth=depth)
        m.submodules[f"queue_{label}"] = queue
        wiring.connect(m, queue.o, sink)
        return queue

    @staticmethod
    def _branch(m, label: str, source, sinks: list) -> None:
        broadcast = Broadcast(source.p.shape(), branches=len(sinks))
        m.submodules[f"broadcast_{label}"] = broadcast
        wiring.connect(m, source, broadcast.i)
        for branch, sink in zip(broadcast.o, sinks, strict=True):
            wiring.connect(m, branch, sink)

    def _report(self, m, control: SampleControl) -> None:
        """Make a result of what all readouts and counters say of a sample."""
        parts = {
            **{(("answers", self.readout_names[n])): r.o for n, r in self.readouts.items()},
            **{(("counts", self.names[n])): c.o for n, c in self.counters.items()},
        }
        first = next(iter(self.readouts.values()))
        answered = Signal()
        answers = Signal()
        ready = Signal()
        decided = self._decided(m, first) if self.stepwise else 0
        m.d.comb += [
            answers.eq(~answered & (first.o.p.answer | decided)),
            ready.eq(
                Cat(part.valid for part in parts.values()).all()
                & (~answers | self.o.ready | ~self.o.valid)
                & control.begun
            ),
            control.finish.eq(ready & first.o.p.last),
            control.answered.eq(answered),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(ready):
            m.d.sync += answered.eq(~first.o.p.last & (answered | decided))
        with m.If(ready & answers):
            m.d.sync += [self.o.valid.eq(1), self.o.p.cycles.eq(control.cycles)]
        for (group, name), part in parts.items():
            m.d.comb += part.ready.eq(ready)
            with m.If(ready & answers):
                m.d.sync += self.o.p[group][name].eq(part.p)
        for readout in self.readouts.values() if self.stepwise else ():
            m.d.comb += readout.window.eq(self.window)

    def _decided(self, m, first: ReadoutCore):
        """Tell whether the sample needs no more steps to be answered."""
        found = first.o.p
        best = found.scores[found.winner]
        gain = (self.length - found.steps) * first.share  # all neurons in all steps to come
        sure = Signal(first.classes)
        ahead = Signal(first.classes)
        # Two scores differ by less than a power of two, beyond which no lead suffices.
        reach = Shape.cast(first.score).width
        margin, beyond = self.margin[:reach], self.margin[reach:].any()
        for n in range(first.classes):
            lower = n < found.winner
            m.d.comb += sure[n].eq((best >= found.scores[n] + gain + lower) | (found.winner == n))
            leads = ~beyond & (best >= found.scores[n] + margin)
            m.d.comb += ahead[n].eq(leads | (found.winner == n))
        certain = sure.all() if first.readout.kind == "count" else best > 0
        return (self.exact & certain) | (self.margin.any() & ahead.all())
