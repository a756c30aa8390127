"""Control of the samples in flight: their admission, their latency and their spike counts."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model.mapping.microarchitecture import start_queue_depth
from spiker_hdl.rtl.common.adders import adder_tree
from spiker_hdl.rtl.streams.events import AddressEvent, slots
from spiker_hdl.rtl.streams.queue import Queue

__all__ = ["CYCLE_BITS", "SampleControl", "SpikeCounter"]

CYCLE_BITS = 32
"""Bits of a cycle count, which wraps around after 43 s at 100 MHz."""


class SampleControl(wiring.Component):
    """Admission control for samples, which also measures their latency.

    A sample is admitted while there is room for its result. It is in flight at an input from
    ``begin`` of this input until ``finish``. Samples finish in the order in which they began. One
    sample may begin at each input in each cycle. All outputs except ``mute`` come from registers.
    After a reset no sample is in flight.

    Parameters
    ----------
    inputs : int
        Number of inputs.
    max_in_flight : int
        Maximum number of samples in flight.

    Members
    -------
    begin : In(inputs)
        For each input: 1 in the cycle in which a sample's first beat is taken. The latency is
        counted from the first input.
    admit : Out(inputs)
        For each input: 1 if a further sample may begin in this cycle.
    finish : In(1)
        1 in the cycle in which the oldest sample has passed all readouts and counters.
    answered : In(1)
        1 if the oldest sample has an early answer, so that its remaining events can be dropped.
    mute : Out(inputs)
        For each input: 1 if ``answered`` is 1 and no later sample has begun there, so that the
        events that still enter there belong to the answered sample.
    begun : Out(1)
        With several inputs: 1 if the oldest sample has begun at every input (at the first one, at
        least three cycles ago). Only then may it finish. With one input it is always 1.
    cycles : Out(CYCLE_BITS)
        Number of cycles from ``begin`` of the oldest sample at the first input to the next cycle;
        sampled with ``finish``.
    idle : Out(1)
        1 if no sample is in flight.
    """

    begin: Signal
    admit: Signal
    finish: Signal
    answered: Signal
    mute: Signal
    begun: Signal
    cycles: Signal
    idle: Signal

    def __init__(self, inputs: int, *, max_in_flight: int):
        inputs = check_int("Inputs", inputs, 1)
        max_in_flight = check_int("Samples in flight", max_in_flight, 1)
        self.inputs = inputs
        self.max_in_flight = max_in_flight
        super().__init__({
            "begin": In(inputs),
            "admit": Out(inputs),
            "finish": In(1),
            "answered": In(1),
            "mute": Out(inputs),
            "begun": Out(1),
            "cycles": Out(CYCLE_BITS),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # It is never cleared: differences of it are right even where it wraps around.
        now = Signal(CYCLE_BITS)
        m.d.sync += now.eq(now + 1)
        counts = [
            Signal(range(self.max_in_flight + 1), name=f"inside_{n}") for n in range(self.inputs)
        ]
        for n, inside in enumerate(counts):
            m.d.comb += self.admit[n].eq(inside < self.max_in_flight)
            # With one sample inside, what enters belongs to the answered sample, not to a later
            # one.
            m.d.comb += self.mute[n].eq(self.answered & (inside == 1))
            m.d.sync += inside.eq(inside + self.begin[n] - self.finish)
        m.d.comb += self.idle.eq(~Cat(counts).any())
        # ``begin`` comes from a long combinational path, so the time is stored one cycle later.
        m.submodules.starts = starts = Queue(
            CYCLE_BITS, depth=start_queue_depth(self.max_in_flight)
        )
        m.d.sync += starts.i.valid.eq(self.begin[0])
        # The entry is one more than the cycle of ``begin``, and the result is valid in the cycle
        # after ``finish``: hence the 2.
        m.d.comb += [
            starts.i.p.eq(now),
            starts.o.ready.eq(self.finish),
            self.cycles.eq(now + 2 - starts.o.p),
        ]

        # With one input, a sample that finishes has begun there. With several inputs, a result may
        # be complete before the sample has begun at an input with a delayed or no projection. For
        # the first input the start itself must have arrived, which ``cycles`` reads.
        begun = [starts.o.valid, *[inside.any() for inside in counts[1:]]]
        m.d.comb += self.begun.eq(Cat(begun).all() if self.inputs > 1 else 1)

        return m


class SpikeCounter(wiring.Component):
    """Counter of the events of each sample.

    It takes a payload in each cycle, with up to one event for each bank. The count is available two
    cycles after the token of the sample's last step, in the order of the samples. After a reset the
    count is 0.

    Parameters
    ----------
    event : AddressEvent
        Layout of the events.
    max_events : int
        Maximum number of events of a sample.
    max_in_flight : int
        Number of counts that may wait to be taken.
    stepwise : bool
        Whether the count so far is sent after every step, and not only after the last one.

    Members
    -------
    i : In(stream.Signature(event))
        Events and tokens; a token with which a count is sent waits while there is no room for it.
    o : Out(stream.Signature(range(max_events + 1)))
        The count of each sample; if ``stepwise``, the count of the sample after each of its steps.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(
        self, event: AddressEvent, *, max_events: int, max_in_flight: int, stepwise: bool = False
    ):
        max_events = check_int("Events of a sample", max_events, 1)
        max_in_flight = check_int("Samples in flight", max_in_flight, 1)
        self.event = event
        self.max_events = max_events
        self.stepwise = stepwise
        self.max_in_flight = max_in_flight
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(unsigned(max_events.bit_length()))),
        })

    def elaborate(self, platform):
        m = Module()

        count = Signal(range(self.max_events + 1))
        m.submodules.queue = queue = Queue(unsigned(len(count)), depth=self.max_in_flight)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        end = self.i.p.end & self.i.p.last
        reports = self.i.p.end if self.stepwise else end
        # A token brings no event, so the register has the whole count when the token comes.
        m.d.comb += [
            queue.i.p.eq(count),
            queue.i.valid.eq(self.i.valid & reports),
            self.i.ready.eq(queue.i.ready | ~reports),
        ]
        with m.If(self.i.valid & self.i.ready):
            present = [there & ~self.i.p.end for there, _, _ in slots(self.i.p)]
            m.d.sync += count.eq(Mux(end, 0, adder_tree([count, *present])))

        return m
