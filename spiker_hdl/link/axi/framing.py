"""Samples out of packets: what is too short is filled up, what is too long is cut, and told."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.link.protocol.registers import register
from spiker_hdl.rtl.input_port import InputPort
from spiker_hdl.rtl.streams.events import value_shape

from .ports import AxiStream

__all__ = ["Agreement", "Causes", "Framer"]


def _step_shape(max_steps: int) -> Shape:
    """Return the shape of the number of a step, which has a bit even where there is one step."""
    return unsigned(max(1, (max_steps - 1).bit_length()))


class Causes(data.StructLayout):
    """What is wrong with a packet, by the names of the bits of the register ``error``."""

    def __init__(self):
        super().__init__({bit.name: 1 for bit in register("error").bits})


class Framer(wiring.Component):
    """Make a sample of each packet, whatever the packet holds.

    A packet that is a sample passes as it is, in the same cycle. One that ends inside a step gets
    the rest of that step without events. Of one that goes on where its sample must end, the excess
    is taken and dropped. Events and values that the input does not have are left out.

    Parameters
    ----------
    entry : Entry
        What takes the beats.
    max_steps : int
        Most steps of a sample.
    width : int
        Bits of ``tdata``.

    Members
    -------
    i : In(AxiStream(width))
    o : Out(stream.Signature(Word or AddressEvent))
    reset : In(1)
        Drop the sample that is entering, and what is still to come of its packet.
    room : In(1)
        There is a place for what is said of one more sample.
    step : Out(unsigned)
        Steps of the sample that have passed.
    closes : Out(1)
        A step's last beat passes in this cycle.
    wish : Out(1)
        The packet says that the sample ends with this step, or the sample may have no more.
    last : In(1)
        The sample does end with this step.
    known : In(1)
        Whether it does is known without this input.
    done : Out(1)
        The sample's last beat passes in this cycle.
    causes : Out(Causes)
        What was found wrong in this cycle.
    fault : Out(1)
        With ``done``: whether anything was wrong with the sample.
    busy : Out(1)
        A packet or a sample has begun and not ended.
    """

    i: Any
    o: Any
    reset: Signal
    room: Signal
    step: Signal
    closes: Signal
    wish: Signal
    last: Signal
    known: Signal
    done: Signal
    causes: Any
    fault: Signal
    busy: Signal

    def __init__(self, entry: InputPort, *, max_steps: int, width: int):
        max_steps = check_int("Longest sample", max_steps, 1)
        self.entry = entry
        self.max_steps = max_steps
        super().__init__({
            "i": In(AxiStream(width)),
            "o": Out(stream.Signature(entry.i.p.shape())),
            "reset": In(1),
            "room": In(1),
            "step": Out(_step_shape(max_steps)),
            "closes": Out(1),
            "wish": Out(1),
            "last": In(1),
            "known": In(1),
            "done": Out(1),
            "causes": Out(Causes()),
            "fault": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        # Of the beats of a packet that is a sample, all pass. Where the packet has ended and the
        # sample has not, beats are added; where it is the other way round, they are dropped.
        filling, dropping = Signal(), Signal()
        part = Signal()  # what is added completes a step that had begun
        inside = Signal()  # the packet has not ended
        take, passed, end, bad, skip = Signal(), Signal(), Signal(), Signal(), Signal()
        final = self.step == self.max_steps - 1
        over = take & self.i.tlast & ~dropping
        added = part | self.known | ~end
        m.d.comb += [
            self.o.valid.eq(
                Mux(filling, added, self.i.tvalid & ~dropping & ~skip) & self.room & ~self.reset
            ),
            self.i.tready.eq(dropping | (self.o.ready & self.room & ~filling & ~self.reset)),
            take.eq(self.i.tvalid & self.i.tready),
            passed.eq(self.o.valid & self.o.ready),
            self.closes.eq(passed & end),
            self.wish.eq(filling | self.i.tlast | final),
            self.done.eq(self.closes & self.last),
            self.busy.eq(inside | filling),
        ]
        read = self._words if self.entry.mapping.form == "words" else self._events
        read(m, filling, self.o.p, end, bad, skip, passed)
        m.d.comb += self.o.p.last.eq(end & self.last)

        with m.If(self.closes):
            m.d.sync += [self.step.eq(Mux(self.last, 0, self.step + 1)), part.eq(0)]
        with m.If(over & ~self.done):
            m.d.sync += [filling.eq(1), part.eq(~self.closes)]
        with m.Elif(self.done):
            m.d.sync += [filling.eq(0), dropping.eq(~filling & ~over)]
        with m.If(take):
            m.d.sync += inside.eq(~self.i.tlast)
            with m.If(self.i.tlast):
                m.d.sync += dropping.eq(0)
        with m.If(self.reset):
            m.d.sync += [self.step.eq(0), filling.eq(0), part.eq(0)]
            m.d.sync += dropping.eq(inside & ~(take & self.i.tlast))

        ended = Mux(filling, part, self.i.tlast)  # with this step, where it closes
        cut = self.done & ~ended & ~filling
        m.d.comb += [
            self.causes.partial.eq(over & ~self.closes),
            self.causes.long.eq(cut & final),
            self.causes.unequal.eq((cut & ~final) | (self.closes & ended & ~self.last)),
            self.causes.invalid.eq(take & ~dropping & bad),
        ]
        self._judge(m)

        return m

    def _judge(self, m) -> None:
        """Keep in mind whether something was wrong until the sample has ended."""
        wrong = Signal()
        m.d.comb += self.fault.eq(wrong | self.causes.as_value().any())
        with m.If(self.reset | self.done):
            m.d.sync += wrong.eq(0)
        with m.Else():
            m.d.sync += wrong.eq(self.fault)

    def _words(self, m, filling, beat, end, bad, skip, passed) -> None:
        """Count the words of a step; values out of range become 0."""
        node, words = self.entry.node, self.entry.words
        index = Signal(range(words))
        later = self._later(m)
        m.d.comb += end.eq(later | (index == words - 1))
        shape = beat.shape()["values"].shape.elem_shape
        channels = self.i.tdata[: len(Value.cast(beat)) - 1]
        values = data.View(beat.shape()["values"].shape, channels)
        wrong = []
        for n in range(self.entry.width):
            outside = self._outside(values[n], shape)
            wrong.append(outside & ~later & (index * self.entry.width + n < node.size))
            with m.If(~filling & ~outside):
                m.d.comb += beat["values"][n].eq(values[n])
        m.d.comb += bad.eq(Cat(wrong).any())
        with m.If(passed):
            m.d.sync += index.eq(Mux(end, 0, index + 1))
        with m.If(self.reset):
            m.d.sync += index.eq(0)

    def _events(self, m, filling, beat, end, bad, skip, passed) -> None:
        """Let events through that ascend and that the input has."""
        node = self.entry.node
        given = data.View(beat.shape(), Cat(self.i.tdata[: len(Value.cast(beat)) - 1], C(0, 1)))
        least = Signal(range(node.size + 1))  # address of the next event
        outside = self._outside(given.value, value_shape(node))
        order = (given.address < least) | (given.address >= node.size)
        m.d.comb += [
            beat.eq(given),
            bad.eq(~given.end & (order | outside | self._later(m))),
            skip.eq(bad),
            end.eq(filling | given.end),
        ]
        with m.If(filling):
            m.d.comb += [Value.cast(beat).eq(0), beat.end.eq(1)]
        with m.If(passed):
            m.d.sync += least.eq(Mux(end, 0, given.address + 1))
        with m.If(self.reset):
            m.d.sync += least.eq(0)

    def _later(self, m):
        """Tell of a static input whether this is not the sample's first step."""
        return self.step != 0 if self.entry.node.static else C(0, 1)

    def _outside(self, value, shape: Shape):
        """Tell whether the input has no such value."""
        node = self.entry.node
        if not node.graded or not shape.width:
            return C(0, 1)
        return (value < node.low) | (value > node.high)


class Agreement(wiring.Component):
    """Let the samples of several inputs have the same steps.

    The input that is the first to pass a step says whether the sample ends with it; the others
    follow. So none waits where all say the same.

    Parameters
    ----------
    inputs : int
    max_steps : int
        Most steps of a sample.
    apart : int
        Samples by which one input may be ahead of another.

    Members
    -------
    step, closes, wish : In
        Of each :class:`Framer`, as it has them.
    last, known : Out
        For each.
    reset : In(1)
    """

    step: Any
    closes: Signal
    wish: Signal
    last: Signal
    known: Signal
    reset: Signal

    def __init__(self, inputs: int, *, max_steps: int, apart: int):
        inputs = check_int("Inputs", inputs, 2)
        max_steps = check_int("Longest sample", max_steps, 1)
        apart = check_int("Samples apart", apart, 1)
        self.inputs = inputs
        self.max_steps = max_steps
        self.apart = apart
        super().__init__({
            "step": In(data.ArrayLayout(_step_shape(max_steps), inputs)),
            "closes": In(inputs),
            "wish": In(inputs),
            "last": Out(inputs),
            "known": Out(inputs),
            "reset": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        # A ring of the last step of each sample that has ended at one input at least, and the step
        # that the foremost input has come to in the sample behind these.
        shape = _step_shape(self.max_steps)
        ring = Signal(data.ArrayLayout(shape, self.apart + 1))
        head = Signal(range(self.apart + 1))
        front = Signal(shape)
        decided, ends = C(0, 1), C(0, 1)  # in this cycle, by an input with a lower number
        for n in range(self.inputs):
            place = Signal.like(head, name=f"place_{n}")
            step = self.step[n]
            newest = place == head
            first = newest & (step == front)
            own = Mux(decided, ends, self.wish[n])
            # A signal apart: read from the port, one bit would seem to depend on all of them.
            last = Signal(name=f"last_{n}")
            m.d.comb += [
                self.known[n].eq(~first),
                last.eq(Mux(newest, first & own, step == ring[place])),
                self.last[n].eq(last),
            ]
            with m.If(self.reset):
                m.d.sync += place.eq(0)
            with m.Elif(self.closes[n] & last):
                m.d.sync += place.eq(self._next(place))
            ends = Mux(decided, ends, last)
            decided |= self.closes[n] & first
        with m.If(decided):
            m.d.sync += [ring[head].eq(front), front.eq(Mux(ends, 0, front + 1))]
            with m.If(ends):
                m.d.sync += head.eq(self._next(head))
        with m.If(self.reset):
            m.d.sync += [head.eq(0), front.eq(0)]

        return m

    def _next(self, place):
        return Mux(place == self.apart, 0, place + 1)
