"""Samples on their way: how many, since when, and what is reported of each."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.rtl.population.accumulators import total
from spiker_hdl.rtl.streams.events import AddressEvent, slots
from spiker_hdl.rtl.streams.queue import Queue

__all__ = ["CYCLE_BITS", "SampleControl", "SpikeCounter"]

CYCLE_BITS = 32
"""Bits of a cycle count, which wraps beyond: 43 s at 100 MHz."""


class SampleControl(wiring.Component):
    """Admit samples while there is room for what is reported of them, and time them.

    Parameters
    ----------
    inputs : int
        Number of inputs.
    max_in_flight : int
        Samples that may be on their way.

    Members
    -------
    begin : In(inputs)
        A sample begins at an input; of the first, this starts its time.
    admit : Out(inputs)
        A sample may begin.
    finish : In(1)
        A sample has gone through all that reports of it, in this cycle.
    answered : In(1)
        The oldest sample on its way has its answer, and what is left of it does not matter.
    mute : Out(inputs)
        That sample is the one that still enters at an input.
    begun : Out(1)
        The oldest sample has begun at every input, of the first three cycles ago, without which it
        is not to finish.
    cycles : Out(CYCLE_BITS)
        Cycles from the begin of the oldest sample on its way to the next cycle.
    idle : Out(1)
        No sample is on its way.
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
        max_in_flight = check_int("Room", max_in_flight, 1)
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

        now = Signal(CYCLE_BITS)
        m.d.sync += now.eq(now + 1)
        each = [
            Signal(range(self.max_in_flight + 1), name=f"inside_{n}") for n in range(self.inputs)
        ]
        for n, inside in enumerate(each):
            m.d.comb += self.admit[n].eq(inside < self.max_in_flight)
            m.d.comb += self.mute[n].eq(self.answered & (inside == 1))
            m.d.sync += inside.eq(inside + self.begin[n] - self.finish)
        m.d.comb += self.idle.eq(~Cat(each).any())
        # What tells of a begin comes late in its cycle, and so is noted in the next one.
        m.submodules.starts = starts = Queue(CYCLE_BITS, depth=self.max_in_flight)
        m.d.sync += starts.i.valid.eq(self.begin[0])
        m.d.comb += [
            starts.i.p.eq(now),
            starts.o.ready.eq(self.finish),
            self.cycles.eq(now + 2 - starts.o.p),
        ]

        # A lone input leads to all that reports; of several, one may be read late, or not at all.
        begun = [starts.o.valid, *[inside.any() for inside in each[1:]]]
        m.d.comb += self.begun.eq(Cat(begun).all() if self.inputs > 1 else 1)

        return m


class SpikeCounter(wiring.Component):
    """Count the events of each sample.

    Parameters
    ----------
    event : AddressEvent
        Layout of the events.
    most : int
        Most events of a sample.
    max_in_flight : int
        Samples whose counts may wait.
    stepwise : bool
        Whether the count so far is given with every token.

    Members
    -------
    i : In(stream.Signature(event))
    o : Out(stream.Signature(range(most + 1)))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(
        self, event: AddressEvent, *, most: int, max_in_flight: int, stepwise: bool = False
    ):
        most = check_int("Most events", most, 1)
        max_in_flight = check_int("Room", max_in_flight, 1)
        self.event = event
        self.most = most
        self.stepwise = stepwise
        self.max_in_flight = max_in_flight
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(unsigned(most.bit_length()))),
        })

    def elaborate(self, platform):
        m = Module()

        count = Signal(range(self.most + 1))
        m.submodules.queue = queue = Queue(unsigned(len(count)), depth=self.max_in_flight)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        end = self.i.p.end & self.i.p.last
        told = self.i.p.end if self.stepwise else end
        m.d.comb += [
            queue.i.p.eq(count),
            queue.i.valid.eq(self.i.valid & told),
            self.i.ready.eq(queue.i.ready | ~told),
        ]
        with m.If(self.i.valid & self.i.ready):
            come = [there & ~self.i.p.end for there, _, _ in slots(self.i.p)]
            m.d.sync += count.eq(Mux(end, 0, total([count, *come])))

        return m
