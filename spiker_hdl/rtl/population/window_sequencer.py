"""The schedule by which a population is updated from the maxima of windows as they come."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .pooled_convolution import PooledEvent

__all__ = ["WindowSequencer"]


class WindowSequencer(wiring.Component):
    """Update the neurons of each row of maxima in the cycles in which the row is offered.

    The maxima of a window are the whole input of its neurons, so that they are added to nothing,
    and need no memory: groups of ``units`` neurons read them, one group in each cycle, from the
    first cycle in which the row is offered, which is taken with its last group. In a step without
    rows its token is offered alone: all groups read its zeros then, and the token is taken with
    the last of them. The token behind rows is taken at once.

    A step begins only while ``free``, and ``interval`` cycles after the last group of the step
    before at the earliest. After reset nothing is updated, and the first step is the first of its
    sample.

    Parameters
    ----------
    event : PooledEvent
        Layout of the maxima.
    size : int
        Number of neurons.
    lanes : int
        Number of maxima in a row.
    units : int
        Number of neurons in a group; a divisor of ``lanes`` if these are fewer than ``size``.
    interval : int
        Minimum number of cycles from the last group of a step to the first one of the next.
    shift : int
        Bits by which maxima are shifted to the left.

    Members
    -------
    i : In(stream.Signature(event))
        Maxima of the windows of a step, then its token. ``last`` must be valid with both.
    free : In(1)
        There is room for the result of one more step.
    idle : Out(1)
        No step is being updated, and the next one may begin.
    start : Out(1)
        The first group of a step is read in this cycle.
    finish : Out(1)
        The token of a sample's last step is taken in this cycle.
    go : Out(1)
        The sums of a group are valid in this cycle.
    group, ahead : Out(range(groups))
        With ``go``: the number of that group; always: that of the next cycle.
    first, last : Out(1)
        With ``go``: whether the step is the first of its sample; whether it is the last.
    sums : Out(ArrayLayout(signed(event.width + shift), units))
        With ``go``: the sums of the group.
    """

    i: stream.Interface
    free: Signal
    idle: Signal
    start: Signal
    finish: Signal
    go: Signal
    group: Signal
    ahead: Signal
    first: Signal
    last: Signal
    sums: data.View

    def __init__(
        self,
        event: PooledEvent,
        *,
        size: int,
        lanes: int,
        units: int,
        interval: int,
        shift: int = 0,
    ):
        size = check_int("Size", size, 1)
        self.lanes = check_int("Lanes", lanes, 1, size)
        self.units = check_int("Step units", units, 1, lanes)
        self.interval = check_int("Interval", interval, 1)
        self.shift = check_int("Shift", shift, 0)
        self.groups = -(-size // units)
        self.parts = -(-lanes // units)
        super().__init__({
            "i": In(stream.Signature(event)),
            "free": In(1),
            "idle": Out(1),
            "start": Out(1),
            "finish": Out(1),
            "go": Out(1),
            "group": Out(range(self.groups)),
            "ahead": Out(range(self.groups)),
            "first": Out(1),
            "last": Out(1),
            "sums": Out(data.ArrayLayout(signed(event.width + shift), units)),
        })

    def elaborate(self, platform):
        m = Module()

        last = Signal(init=1)  # the step before was the last of its sample
        pause = Signal(range(self.interval))  # cycles until the next step may begin
        part = Signal(range(self.parts))  # the group's number within the row of maxima
        updated = Signal()  # all groups were read, and the token of the step is still to come
        # What is taken is known from registers, since banks of sums without a clock follow it.
        begins, final = Signal(init=1), Signal(init=self.groups == 1)  # the group of this cycle
        ends = Signal(init=self.parts == 1)  # the part is the row's last
        over = ends | final
        m.d.comb += [
            self.go.eq(self.i.valid & ~updated & (~begins | (self.free & (pause == 0)))),
            self.start.eq(self.go & begins),
            self.ahead.eq(Mux(self.go, Mux(final, 0, self.group + 1), self.group)),
            self.i.ready.eq(Mux(self.i.p.end, updated | (self.go & final), self.go & over)),
            self.first.eq(last),
            self.last.eq(self.i.p.last),
            self.finish.eq(self.i.valid & self.i.ready & self.i.p.end & self.i.p.last),
            self.idle.eq(begins & ~updated & (pause == 0)),
        ]
        m.d.sync += [
            self.group.eq(self.ahead),
            begins.eq(self.ahead == 0),
            final.eq(self.ahead == self.groups - 1),
        ]
        with m.If(self.go & final):
            m.d.sync += pause.eq(self.interval - 1)
        with m.Elif(pause > 0):
            m.d.sync += pause.eq(pause - 1)
        with m.If(self.go):
            following = Mux(over, 0, part + 1)
            m.d.sync += [part.eq(following), ends.eq(following == self.parts - 1)]
            m.d.sync += updated.eq(final & ~self.i.p.end)
        with m.If(self.i.valid & self.i.ready & self.i.p.end):
            m.d.sync += [updated.eq(0), last.eq(self.i.p.last)]
        maxima = [self.i.p.maxima[n] << self.shift for n in range(self.lanes)]
        maxima += [C(0)] * (self.parts * self.units - self.lanes)
        for n in range(self.units):
            parts = Array(maxima[n :: self.units])
            m.d.comb += self.sums[n].eq(parts[part])

        return m
