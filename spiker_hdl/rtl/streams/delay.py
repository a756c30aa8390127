"""Events that arrive some time steps later, and events that only mark the time."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .events import AddressEvent

__all__ = ["Delay", "Ticks"]


class Delay(wiring.Component):
    """Put empty steps before those of a sample, and drop as many at its end.

    It holds nothing: the queue before it does. The tokens that it makes up, and those that it
    passes on, have no ``last``.

    Parameters
    ----------
    event : AddressEvent
        Layout of the events.
    delay : int
        Number of steps, at least 1.

    Members
    -------
    i : In(stream.Signature(event))
    o : Out(stream.Signature(event))
    finish : In(1)
        The reader has taken the token of its sample's last step, in this cycle.
    rest : Out(1)
        Nothing is to be dropped.
    """

    i: stream.Interface
    o: stream.Interface
    finish: Signal
    rest: Signal

    def __init__(self, event: AddressEvent, *, delay: int):
        delay = check_int("Delay", delay, 1)
        self.event = event
        self.delay = delay
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(event)),
            "finish": In(1),
            "rest": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        ahead = Signal(range(self.delay + 1))
        token = Signal()
        m.d.comb += token.eq(self.o.ready & self.o.valid & self.o.p.end)

        with m.FSM() as states:
            with m.State("Before"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.end.eq(1)]
                with m.If(token):
                    m.d.sync += ahead.eq(ahead + 1)
                    with m.If(ahead == self.delay - 1):
                        m.next = "During"
                with m.If(self.finish):
                    m.next = "After"
            with m.State("During"):
                m.d.comb += [
                    self.o.p.eq(self.i.p),
                    self.o.p.last.eq(0),
                    self.o.valid.eq(self.i.valid),
                    self.i.ready.eq(self.o.ready),
                ]
                with m.If(self.finish):
                    m.next = "After"
            with m.State("After"):
                m.d.sync += ahead.eq(0)
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid & self.i.p.end & self.i.p.last):
                    m.next = "Before"
        m.d.comb += self.rest.eq(~states.ongoing("After"))

        return m


class Ticks(wiring.Component):
    """Drop all events of a stream but its tokens.

    Parameters
    ----------
    event : AddressEvent
        Layout of the events.

    Members
    -------
    i : In(stream.Signature(event))
    o : Out(stream.Signature(event))
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
