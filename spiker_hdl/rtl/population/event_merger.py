"""Where the events of all inputs of a population come together, and its time steps end."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.rtl.streams.events import AddressEvent, slots
from spiker_hdl.rtl.synapses.sparse_lookup import SynapseEvent

__all__ = ["EventMerger"]


class EventMerger(wiring.Component):
    """Take the items of a step one by one, and all its tokens at once.

    Events may come from whichever input has one, the first input first. An input whose token has
    come waits until those of all others have.

    Parameters
    ----------
    events : sequence of AddressEvent or SynapseEvent
        Layout of each input. A synapse's event takes one cycle.
    bases : sequence of int
        What is added to each input's rows.
    rows : int
        What is added to a row with each fold.
    folds : int
        Cycles that address events take.
    lanes : int
        Targets that lie side by side.
    banks : int
        Address events side by side.
    interval : int
        Least cycles from one step to the next.
    overlap : bool
        Whether events are taken in those cycles.
    holds : bool
        Whether sums are kept from step to step of a sample.
    shifts : sequence of int, optional
        For each input, the bits by which its weights are to be shifted.

    Members
    -------
    i0, i1, ... : In(stream.Signature(event))
    free : In(1)
        A step may end.
    rest : Out(1)
        Nothing is kept waiting by the step before.
    event : Out(1)
        What follows is that of events.
    slots : Out(ArrayLayout(StructLayout, banks))
        For each bank: whether an event is ``present``, the ``row`` of its weights, and its
        ``value``, as wide as the widest; 1 for binary events where there are graded ones.
    shift : Out(range(max(shifts) + 1))
        Bits by which the weights of ``slots`` are to be shifted.
    fold : Out(range(folds))
    direct : Out(1)
        The event is a synapse's: ``weight`` goes to ``lane`` of ``fold``.
    lane : Out(range(lanes))
    weight : Out(signed)
    first : Out(1)
        No event has come in this step, or, if ``holds``, in this sample.
    complete : Out(1)
        The step ends; never together with ``event``.
    last : Out(1)
        With ``complete``: so does the sample.
    """

    free: Signal
    rest: Signal
    event: Signal
    slots: data.View
    shift: Signal
    fold: Signal
    direct: Signal
    lane: Signal
    weight: Signal
    first: Signal
    complete: Signal
    last: Signal

    def __init__(
        self,
        events: Sequence[AddressEvent | SynapseEvent],
        *,
        bases: Sequence[int],
        rows: int,
        folds: int,
        lanes: int,
        interval: int,
        banks: int = 1,
        overlap: bool = False,
        holds: bool = False,
        shifts: Sequence[int] = (),
    ):
        rows = check_int("Rows", rows, 1)
        folds = check_int("Folds", folds, 1)
        lanes = check_int("Lanes", lanes, 1)
        banks = check_int("Banks", banks, 1)
        interval = check_int("Interval", interval, 1)
        self.events = tuple(events)
        self.bases = tuple(bases)
        self.rows = rows
        self.folds = folds
        self.lanes = lanes
        self.banks = banks
        self.interval = interval
        self.overlap = overlap
        self.holds = holds
        self.shifts = tuple(shifts) or (0,) * len(events)
        self.value_shape = widest([e.value_shape for e in events if isinstance(e, AddressEvent)])
        direct = [e.weight_width for e in events if isinstance(e, SynapseEvent)]
        slot = {"present": 1, "row": range(folds * rows), "value": self.value_shape}
        super().__init__({
            **{f"i{n}": In(stream.Signature(event)) for n, event in enumerate(events)},
            "free": In(1),
            "rest": Out(1),
            "event": Out(1),
            "slots": Out(data.ArrayLayout(data.StructLayout(slot), banks)),
            "shift": Out(range(max(self.shifts, default=0) + 1)),
            "fold": Out(range(folds)),
            "direct": Out(1),
            "lane": Out(range(lanes)),
            "weight": Out(signed(max(direct, default=1))),
            "first": Out(1),
            "complete": Out(1),
            "last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        inputs = [getattr(self, f"i{n}") for n in range(len(self.events))]
        tokens = Cat(i.valid & i.p.end for i in inputs)
        waits = Cat(i.valid & ~i.p.end for i in inputs)
        chosen = Signal(len(inputs))
        kept = Signal(len(inputs))
        pause = Signal(range(self.interval))
        done = Signal()
        first = Signal(init=1)
        turn = Signal(range(self.folds))
        base = Signal(range(self.folds * self.rows))
        m.d.comb += [self.first.eq(first), self.rest.eq(pause == 0)]
        m.d.comb += done.eq(self.event & (self.direct | (turn == self.folds - 1)))

        # An event keeps its turn for all of its folds, whoever else comes meanwhile.
        m.d.comb += chosen.eq(Mux(turn == 0, waits & (~waits + 1), kept))
        m.d.sync += kept.eq(chosen)
        with m.If(pause > 0):
            m.d.sync += pause.eq(pause - 1)
        m.d.comb += self.event.eq(waits.any() & (self.rest | self.overlap))
        m.d.comb += self.complete.eq(tokens.all() & self.free & self.rest)
        # Delayed inputs never say that a sample ends, those on time all say it together.
        m.d.comb += self.last.eq(Cat(i.p.last for i in inputs).any())
        for n, (i, offset) in enumerate(zip(inputs, self.bases, strict=True)):
            m.d.comb += i.ready.eq(Mux(i.p.end, self.complete, done & chosen[n]))
            with m.If(chosen[n]):
                m.d.comb += self._event(n, i, base + offset, turn)

        with m.If(self.complete):
            m.d.sync += pause.eq(self.interval - 1)
            m.d.sync += first.eq((first | self.last) if self.holds else 1)
        with m.Elif(done):
            m.d.sync += [turn.eq(0), base.eq(0), first.eq(0)]
        with m.Elif(self.event):
            m.d.sync += [turn.eq(turn + 1), base.eq(base + self.rows)]

        return m

    def _event(self, n: int, i: stream.Interface, base, turn):
        event = self.events[n]
        if isinstance(event, SynapseEvent):
            return [
                self.direct.eq(1),
                self.fold.eq(i.p.fold),
                self.lane.eq(i.p.lane),
                self.weight.eq(i.p.weight),
                self.slots[0].value.eq(1),
            ]
        taken = [self.fold.eq(turn), self.shift.eq(self.shifts[n])]
        for bank, (present, row, value) in enumerate(slots(i.p)):
            slot = self.slots[bank]
            taken += [slot.present.eq(present), slot.row.eq(base + row), slot.value.eq(value)]
        return taken


def widest(shapes: Sequence[Shape]) -> Shape:
    """Return the shape that holds the values of all of ``shapes``, where no width means 1."""
    if not any(shape.width for shape in shapes):
        return unsigned(0)
    shapes = [shape if shape.width else unsigned(1) for shape in shapes]
    if not any(shape.signed for shape in shapes):
        return unsigned(max(shape.width for shape in shapes))
    return signed(max(shape.width + (not shape.signed) for shape in shapes))
