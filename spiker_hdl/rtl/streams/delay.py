"""Synaptic delays of whole time steps, and streams of tokens alone."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .events import AddressEvent

__all__ = ["Delay", "Ticks"]


class Delay(wiring.Component):
    """Put ``delay`` empty steps before the steps of a sample, and drop as many at its end.

    Nothing is stored here: events of the steps that are delayed wait in the queue before. Events
    pass in order and in the cycle in which they are offered, one a cycle; each empty step is one
    token, which takes one cycle. No token that leaves has ``last``, since the reader learns from
    its other inputs when a sample ends. After reset the first sample begins.

    Parameters
    ----------
    event : AddressEvent
        Layout of the events.
    delay : int
        Number of steps, at least 1.

    Members
    -------
    i : In(stream.Signature(event))
        Events as the source emits them. Taken only while the sample's own steps pass or its last
        ones are dropped.
    o : Out(stream.Signature(event))
        The same events ``delay`` steps later.
    finish : In(1)
        1 in the cycle in which the reader takes the tokens of its sample's last step.
    idle : Out(1)
        No event of a sample that the reader has finished is still to be dropped.
    """

    i: stream.Interface
    o: stream.Interface
    finish: Signal
    idle: Signal

    def __init__(self, event: AddressEvent, *, delay: int):
        delay = check_int("Delay", delay, 1)
        self.event = event
        self.delay = delay
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(event)),
            "finish": In(1),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        ahead = Signal(range(self.delay + 1))  # empty steps that were already put before
        token = Signal()
        m.d.comb += token.eq(self.o.ready & self.o.valid & self.o.p.end)

        with m.FSM() as states:
            # The sample's first steps are empty. A sample may be shorter than the delay, so that
            # it can finish here, before any of its events were passed on.
            with m.State("Before"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.end.eq(1)]
                with m.If(token):
                    m.d.sync += ahead.eq(ahead + 1)
                    with m.If(ahead == self.delay - 1):
                        m.next = "During"
                with m.If(self.finish):
                    m.next = "After"
            # The source's steps pass, now ``delay`` steps late. The source's own ``last`` comes too
            # early for the reader, by as many steps.
            with m.State("During"):
                m.d.comb += [
                    self.o.p.eq(self.i.p),
                    self.o.p.last.eq(0),
                    self.o.valid.eq(self.i.valid),
                    self.i.ready.eq(self.o.ready),
                ]
                with m.If(self.finish):
                    m.next = "After"
            # The reader has left the sample: what the source emitted in its final steps would
            # otherwise arrive in the next sample. The token with the source's ``last`` is the last
            # of it, however many steps that are.
            with m.State("After"):
                m.d.sync += ahead.eq(0)
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid & self.i.p.end & self.i.p.last):
                    m.next = "Before"
        # In the other states, events that wait for their step belong to a sample in flight, for
        # which the accelerator is busy anyway.
        m.d.comb += self.idle.eq(~states.ongoing("After"))

        return m


class Ticks(wiring.Component):
    """Pass the tokens of a stream and drop its events.

    A population whose projections are all delayed gets these tokens as its time base. A token
    passes in the cycle in which it is offered; an event takes a cycle. There is no state, so
    nothing changes with a reset.

    Parameters
    ----------
    event : AddressEvent
        Layout of the events.

    Members
    -------
    i : In(stream.Signature(event))
        Events, taken at once, and tokens, taken as the reader takes them.
    o : Out(stream.Signature(event))
        The tokens; ``valid`` only for these.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, event: AddressEvent):
        self.event = event
        super().__init__({"i": In(stream.Signature(event)), "o": Out(stream.Signature(event))})

    def elaborate(self, platform):
        m = Module()

        m.d.comb += [
            self.o.p.eq(self.i.p),
            self.o.valid.eq(self.i.valid & self.i.p.end),
            self.i.ready.eq(self.o.ready | ~self.i.p.end),
        ]

        return m
