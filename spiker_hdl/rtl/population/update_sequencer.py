"""The schedule by which the groups of neurons of a population are updated."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .accumulators import Turn

__all__ = ["UpdateSequencer"]


class UpdateSequencer(wiring.Component):
    """Update one group of neurons after the other, once all events of a step have been added.

    One group in each cycle, in ascending order. The sums of the first group are requested in the
    cycle after ``begin`` and read one cycle later. After reset nothing is updated, and the first
    step that begins is the first of its sample.

    Parameters
    ----------
    size : int
        Number of neurons.
    lanes : int
        Number of sums in a row.
    units : int
        Number of neurons in a group.

    Members
    -------
    begin : In(1)
        1 in the cycle in which a step ends. It must stay 0 while groups are still to be updated.
    last : In(1)
        Sampled with ``begin``: the step is the last of its sample.
    empty : In(1)
        Sampled with ``begin``: the step had no event.
    keep : In(1)
        Sampled with ``begin``: the sums are not cleared when they are read.
    turn : Out(Turn)
        The sums that are read in the next cycle.
    ahead : Out(range(groups))
        Number of the group in ``turn``, valid with ``turn.take``.
    go : Out(1)
        The sums of a group are read in this cycle.
    group : Out(range(groups))
        With ``go``: the number of that group.
    first, final : Out(1)
        With ``go``: whether the step is the first of its sample; whether it is the last.
    """

    begin: Signal
    last: Signal
    empty: Signal
    keep: Signal
    turn: data.View
    ahead: Signal
    go: Signal
    group: Signal
    first: Signal
    final: Signal

    def __init__(self, size: int, *, lanes: int, units: int):
        size = check_int("Size", size, 1)
        lanes = check_int("Lanes", lanes, 1, size)
        units = check_int("Step units", units, 1, lanes)
        self.groups = -(-size // units)
        self.folds = -(-size // lanes)
        self.parts = -(-lanes // units)
        super().__init__({
            "begin": In(1),
            "last": In(1),
            "empty": In(1),
            "keep": In(1),
            "turn": Out(Turn(self.folds, self.parts)),
            "ahead": Out(range(self.groups)),
            "go": Out(1),
            "group": Out(range(self.groups)),
            "first": Out(1),
            "final": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        turn = Signal.like(self.turn)
        last = Signal()  # the step that is updated is the last of its sample
        fresh = Signal(init=1)  # the step that is updated is the first of its sample
        final = self.ahead == self.groups - 1
        over = turn.part == self.parts - 1  # the next group is in the next row of sums
        m.d.comb += [self.turn.eq(turn), self.turn.final.eq(turn.take & final)]
        # ``begin`` may come with the final group of the step before, and has precedence over it.
        with m.If(self.begin):
            m.d.sync += [
                turn.eq(turn.shape().const({"take": 1, "start": 1})),
                turn.keep.eq(self.keep),
                turn.empty.eq(self.empty),
                self.ahead.eq(0),
                last.eq(self.last),
            ]
        with m.Elif(turn.take):
            m.d.sync += [
                turn.take.eq(~final),
                turn.start.eq(0),
                turn.part.eq(Mux(over, 0, turn.part + 1)),
                turn.row.eq(turn.row + over),
                self.ahead.eq(self.ahead + 1),
            ]
        # The flag changes with the step's final group, which still belongs to the step before.
        with m.If(turn.take & final):
            m.d.sync += fresh.eq(last)
        # One register behind ``turn``: the sums and the states come from memory a cycle later.
        m.d.sync += [
            self.go.eq(turn.take),
            self.group.eq(self.ahead),
            self.first.eq(fresh),
            self.final.eq(last),
        ]

        return m
