"""Conversion of packets into samples: short ones are padded, long ones cut, and both reported."""

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
    """Return the shape of the number of a step; it has at least one bit."""
    return unsigned(max(1, (max_steps - 1).bit_length()))


class Causes(data.StructLayout):
    """Faults of a packet, named after the bits of the register ``error``."""

    def __init__(self):
        super().__init__({bit.name: 1 for bit in register("error").bits})


class Framer(wiring.Component):
    """Convert each packet into one sample, whatever the packet contains.

    A packet that is a valid sample passes unchanged, each beat in the cycle in which it is offered.
    If a packet ends inside a step, the rest of that step is added without events. If it goes on
    after its sample must end, the excess is taken and dropped. Events and values that the input
    does not have are left out. Samples keep the order of the packets. After reset a packet begins;
    after ``reset`` the rest of a packet that had begun is dropped.

    Parameters
    ----------
    input_port : InputPort
        Input that takes the beats.
    max_steps : int
        Maximum number of steps of a sample.
    width : int
        Number of bits of ``tdata``.

    Members
    -------
    i : In(AxiStream(width))
        Packets.
    o : Out(stream.Signature(Word or AddressEvent))
        Samples.
    reset : In(1)
        Drop the sample that is entering, and the rest of its packet.
    room : In(1)
        There is room to store the fault of one more sample; beats pass only with it.
    step : Out(unsigned)
        Number of steps of the sample that have passed.
    closes : Out(1)
        The last beat of a step passes in this cycle.
    wish : Out(1)
        Valid with the last beat of a step: the packet ends its sample with this step, or the sample
        has its maximum number of steps.
    last : In(1)
        The sample ends with this step; sampled with the last beat of the step.
    known : In(1)
        Another input has decided already whether the sample ends with this step.
    done : Out(1)
        The last beat of the sample passes in this cycle.
    causes : Out(Causes)
        Faults that were found in this cycle.
    fault : Out(1)
        With ``done``: whether the sample had any fault.
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

    def __init__(self, input_port: InputPort, *, max_steps: int, width: int):
        max_steps = check_int("Steps of a sample", max_steps, 1)
        self.input_port = input_port
        self.max_steps = max_steps
        super().__init__({
            "i": In(AxiStream(width)),
            "o": Out(stream.Signature(input_port.i.p.shape())),
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

        # All beats of a packet that is a valid sample pass. If the packet has ended and the sample
        # has not, beats are added (filling); if the sample has ended and the packet has not, they
        # are dropped (dropping).
        filling = Signal()
        dropping = Signal()
        part = Signal()  # the beats that are added complete a step that had begun
        inside = Signal()  # the packet has not ended
        take = Signal()  # a beat of the packet is taken
        passed = Signal()  # a beat of the sample passes
        end = Signal()  # the beat that passes is the last one of its step
        bad = Signal()  # the packet's beat has an event or a value that the input does not have
        skip = Signal()  # such a beat is left out as a whole
        final = self.step == self.max_steps - 1
        over = take & self.i.tlast & ~dropping
        # The last beat of an added step waits until another input has decided whether the sample
        # ends there, unless the packet had begun that step itself.
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
        read = self._words if self.input_port.mapping.form == "words" else self._events
        read(m, filling, self.o.p, end, bad, skip, passed)
        m.d.comb += self.o.p.last.eq(end & self.last)

        self._track(m, take, over, filling, dropping, part, inside)
        ended = Mux(filling, part, self.i.tlast)  # the packet ends with the step that closes
        cut = self.done & ~ended & ~filling
        m.d.comb += [
            self.causes.partial.eq(over & ~self.closes),
            self.causes.long.eq(cut & final),
            self.causes.unequal.eq((cut & ~final) | (self.closes & ended & ~self.last)),
            self.causes.invalid.eq(take & ~dropping & bad),
        ]
        self._collect_faults(m)

        return m

    def _track(self, m, take, over, filling, dropping, part, inside) -> None:
        """Track which of packet and sample has ended before the other."""
        with m.If(self.closes):
            m.d.sync += [self.step.eq(Mux(self.last, 0, self.step + 1)), part.eq(0)]
        # The packet ends first: the sample is filled up. If both end together, the next beat begins
        # both anew.
        with m.If(over & ~self.done):
            m.d.sync += [filling.eq(1), part.eq(~self.closes)]
        # The sample ends first: the rest of the packet is dropped.
        with m.Elif(self.done):
            m.d.sync += [filling.eq(0), dropping.eq(~filling & ~over)]
        with m.If(take):
            m.d.sync += inside.eq(~self.i.tlast)
            with m.If(self.i.tlast):
                m.d.sync += dropping.eq(0)
        # A packet that has begun is not taken back by its sender: its rest is dropped as it comes.
        with m.If(self.reset):
            m.d.sync += [self.step.eq(0), filling.eq(0), part.eq(0)]
            m.d.sync += dropping.eq(inside & ~(take & self.i.tlast))

    def _collect_faults(self, m) -> None:
        """Remember until the end of the sample whether it had a fault."""
        wrong = Signal()
        m.d.comb += self.fault.eq(wrong | self.causes.as_value().any())
        with m.If(self.reset | self.done):
            m.d.sync += wrong.eq(0)
        with m.Else():
            m.d.sync += wrong.eq(self.fault)

    def _words(self, m, filling, beat, end, bad, skip, passed) -> None:
        """Find the end of a step by counting its words, and replace values out of range by 0."""
        node, words = self.input_port.node, self.input_port.words
        index = Signal(range(words))  # of the word in its step
        later = self._later(m)
        m.d.comb += end.eq(later | (index == words - 1))
        shape = beat.shape()["values"].shape.elem_shape
        channels = self.i.tdata[: len(Value.cast(beat)) - 1]
        values = data.View(beat.shape()["values"].shape, channels)
        wrong = []
        for n in range(self.input_port.width):
            outside = self._outside(values[n], shape)
            wrong.append(outside & ~later & (index * self.input_port.width + n < node.size))
            with m.If(~filling & ~outside):
                m.d.comb += beat["values"][n].eq(values[n])
        m.d.comb += bad.eq(Cat(wrong).any())
        with m.If(passed):
            m.d.sync += index.eq(Mux(end, 0, index + 1))
        with m.If(self.reset):
            m.d.sync += index.eq(0)

    def _events(self, m, filling, beat, end, bad, skip, passed) -> None:
        """Pass events whose addresses ascend and exist, and whose values are in range."""
        node = self.input_port.node
        # The highest bit of the beat is ``last``, which is not in ``tdata``.
        event = data.View(beat.shape(), Cat(self.i.tdata[: len(Value.cast(beat)) - 1], C(0, 1)))
        lowest = Signal(range(node.size + 1))  # address that the next event may have
        outside = self._outside(event.value, value_shape(node))
        order = (event.address < lowest) | (event.address >= node.size)
        m.d.comb += [
            beat.eq(event),
            bad.eq(~event.end & (order | outside | self._later(m))),
            skip.eq(bad),
            end.eq(filling | event.end),
        ]
        # A step that is added has no event: its token alone.
        with m.If(filling):
            m.d.comb += [Value.cast(beat).eq(0), beat.end.eq(1)]
        with m.If(passed):
            m.d.sync += lowest.eq(Mux(end, 0, event.address + 1))
        with m.If(self.reset):
            m.d.sync += lowest.eq(0)

    def _later(self, m):
        """Return whether this is a later step of a static input, in which nothing may fire."""
        return self.step != 0 if self.input_port.node.static else C(0, 1)

    def _outside(self, value, shape: Shape):
        """Return whether a value is outside the range of the input."""
        node = self.input_port.node
        if not node.graded or not shape.width:
            return C(0, 1)
        return (value < node.low) | (value > node.high)


class Agreement(wiring.Component):
    """Make the samples of several inputs have the same number of steps.

    The first input to pass a step decides whether the sample ends with it, and the others follow.
    So no input waits if their packets agree. Decisions are made in the cycle in which a step
    closes, in the order of the inputs' numbers. After reset all inputs are at the first step of a
    sample.

    Parameters
    ----------
    inputs : int
        Number of inputs.
    max_steps : int
        Maximum number of steps of a sample.
    apart : int
        Maximum number of samples by which one input may be ahead of another.

    Members
    -------
    step, closes, wish : In
        For each input, the port of its :class:`Framer` of that name.
    last, known : Out
        For each input, the port of its :class:`Framer` of that name; valid in every cycle.
    reset : In(1)
        All inputs begin a new sample.
    """

    step: Any
    closes: Signal
    wish: Signal
    last: Signal
    known: Signal
    reset: Signal

    def __init__(self, inputs: int, *, max_steps: int, apart: int):
        inputs = check_int("Inputs", inputs, 2)
        max_steps = check_int("Steps of a sample", max_steps, 1)
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

        # The ring has the last step of each sample that has ended at one input or more; ``front``
        # is the step that the foremost input has reached in the sample after these.
        shape = _step_shape(self.max_steps)
        ring = Signal(data.ArrayLayout(shape, self.apart + 1))
        head = Signal(range(self.apart + 1))  # place in the ring of the foremost input's sample
        front = Signal(shape)
        # In this cycle, by an input with a lower number: whether the foremost step was decided, and
        # whether the sample ends with it.
        decided, ends = C(0, 1), C(0, 1)
        for n in range(self.inputs):
            place = Signal.like(head, name=f"place_{n}")  # the same of this input
            step = self.step[n]
            newest = place == head
            first = newest & (step == front)
            own = Mux(decided, ends, self.wish[n])
            # A signal of its own: if the bit were read from the port, each would seem to depend on
            # all.
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
        # The step is stored even if the sample goes on: it is overwritten by the next one.
        with m.If(decided):
            m.d.sync += [ring[head].eq(front), front.eq(Mux(ends, 0, front + 1))]
            with m.If(ends):
                m.d.sync += head.eq(self._next(head))
        with m.If(self.reset):
            m.d.sync += [head.eq(0), front.eq(0)]

        return m

    def _next(self, place):
        return Mux(place == self.apart, 0, place + 1)
