"""The neurons' turns: which group of them steps when."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .accumulators import Turn

__all__ = ["UpdateSequencer"]


class UpdateSequencer(wiring.Component):
    """Let one group of neurons after the other step, once a step's events have all come.

    The first group's sums are asked for in the cycle after ``begin``, and taken one cycle later.

    Parameters
    ----------
    size : int
        Number of neurons.
    lanes : int
        Sums in a row.
    units : int
        Neurons in a group.

    Members
    -------
    begin : In(1)
        A step has ended; not again while groups still have their turn.
    last : In(1)
        With ``begin``: so has its sample.
    empty : In(1)
        With ``begin``: without any event.
    keep : In(1)
        With ``begin``: the sums are kept.
    turn : Out(Turn)
        Whose sums are taken in the next cycle.
    ahead : Out(range(groups))
        Which group's those are.
    go : Out(1)
        Sums are taken in this cycle.
    group : Out(range(groups))
        Whose those are.
    first, final : Out(1)
        Whether the step is its sample's first, or its last.
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
        last = Signal()
        fresh = Signal(init=1)
        final = self.ahead == self.groups - 1
        over = turn.part == self.parts - 1
        m.d.comb += [self.turn.eq(turn), self.turn.final.eq(turn.take & final)]
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
        with m.If(turn.take & final):
            m.d.sync += fresh.eq(last)
        m.d.sync += [
            self.go.eq(turn.take),
            self.group.eq(self.ahead),
            self.first.eq(fresh),
            self.final.eq(last),
        ]

        return m
