"""Merging of the event streams of all projections into a population, and the end of its steps."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.rtl.common.shapes import common_shape
from spiker_hdl.rtl.streams.events import AddressEvent, slots
from spiker_hdl.rtl.synapses.convolution_lookup import KernelEvent
from spiker_hdl.rtl.synapses.sparse_lookup import SynapseEvent

from .pooled_convolution import PooledEvent

__all__ = ["EventMerger"]


class EventMerger(wiring.Component):
    """Take the events of a step one by one from all inputs, and their tokens together.

    Inputs have fixed priority, the first the highest. An input that offers its token waits until
    all others offer theirs; then the step ends. An address event takes ``folds`` cycles, every
    other event one; each is forwarded in the cycle in which it is offered. After reset a sample
    begins.

    Parameters
    ----------
    events : sequence of AddressEvent, SynapseEvent, KernelEvent or PooledEvent
        Layout of each input.
    bases : sequence of int
        For each input, the row of its first source, or of its kernel, in the weight memory.
    rows : int
        Distance between the rows of consecutive folds of a source.
    folds : int
        Cycles that an address event takes.
    lanes : int
        Number of parallel accumulators.
    banks : int
        Number of address events in one payload.
    interval : int
        Minimum number of cycles from the end of one step to the end of the next.
    overlap : bool
        Whether events are taken during those cycles.
    holds : bool
        Whether sums are kept from step to step of a sample.
    shifts : sequence of int, optional
        For each input, the number of bits by which its weights are shifted.
    receptors : sequence of int, optional
        For each input, the receptor that its events reach.
    depth : int, optional
        Rows of the weight memory: those of all folds, and of kernels. By default ``folds * rows``.

    Members
    -------
    i0, i1, ... : In(stream.Signature(event))
        Events and tokens of each input. An event is taken in the last of its cycles, a token in the
        cycle with ``complete``.
    free : In(1)
        The outputs of the population have room for a further step: ``complete`` may become 1.
    idle : Out(1)
        At least ``interval`` cycles have passed since the last step ended.
    event : Out(1)
        There is an event in this cycle: the ports from ``slots`` to ``weight`` are valid.
    slots : Out(ArrayLayout(StructLayout, banks))
        For each bank of an address event: whether there is one (``present``), the ``row`` of its
        weights in this fold, and its ``value`` in a shape common to all inputs.
    shift : Out(range(max(shifts) + 1))
        Number of bits by which the weights of ``slots`` are shifted.
    receptor : Out(range(max(receptors) + 1)), if one of them is not 0
        Receptor that the event reaches.
    fold : Out(range(folds))
        Row of accumulators to which this cycle adds.
    direct : Out(1)
        The event is a synapse event: ``weight`` is added to ``lane`` of ``fold``.
    lane : Out(range(lanes))
        With ``direct``: number of the accumulator.
    weight : Out(signed)
        With ``direct``: the weight.
    maxima : Out(ArrayLayout(signed, lanes)), if there are pooled events
        With ``event``: what a pooled event adds to each sum of the row; 0 with other events.
    first : Out(1)
        No earlier event has come in this step or, if ``holds``, in this sample.
    complete : Out(1)
        The step ends in this cycle; never together with ``event``.
    last : Out(1)
        With ``complete``: the sample ends too.
    """

    free: Signal
    idle: Signal
    event: Signal
    slots: data.View
    shift: Signal
    receptor: Signal
    fold: Signal
    direct: Signal
    lane: Signal
    weight: Signal
    maxima: data.View
    first: Signal
    complete: Signal
    last: Signal

    def __init__(
        self,
        events: Sequence[AddressEvent | SynapseEvent | KernelEvent | PooledEvent],
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
        receptors: Sequence[int] = (),
        depth: int | None = None,
    ):
        rows = check_int("Rows", rows, 1)
        folds = check_int("Folds", folds, 1)
        lanes = check_int("Lanes", lanes, 1)
        banks = check_int("Banks", banks, 1)
        interval = check_int("Interval", interval, 1)
        self.events = tuple(events)
        self.bases = tuple(bases)
        self.rows = rows
        self.depth = folds * rows if depth is None else check_int("Depth", depth, 1)
        self.folds = folds
        self.lanes = lanes
        self.banks = banks
        self.interval = interval
        self.overlap = overlap
        self.holds = holds
        self.shifts = tuple(shifts) or (0,) * len(events)
        self.receptors = tuple(receptors) or (0,) * len(events)
        self.value_shape = common_shape([
            event.value_shape for event in events if isinstance(event, AddressEvent | KernelEvent)
        ])
        direct = [event.weight_width for event in events if isinstance(event, SynapseEvent)]
        pooled = [
            event.width + shift
            for event, shift in zip(events, self.shifts, strict=True)
            if isinstance(event, PooledEvent)
        ]
        maxima = data.ArrayLayout(signed(max(pooled, default=1)), lanes)
        slot = {"present": 1, "row": range(self.depth), "value": self.value_shape}
        super().__init__({
            **{f"i{n}": In(stream.Signature(event)) for n, event in enumerate(events)},
            "free": In(1),
            "idle": Out(1),
            "event": Out(1),
            "slots": Out(data.ArrayLayout(data.StructLayout(slot), banks)),
            "shift": Out(range(max(self.shifts, default=0) + 1)),
            **({"receptor": Out(range(max(self.receptors) + 1))} if any(self.receptors) else {}),
            "fold": Out(range(folds)),
            "direct": Out(1),
            "lane": Out(range(lanes)),
            "weight": Out(signed(max(direct, default=1))),
            **({"maxima": Out(maxima)} if pooled else {}),
            "first": Out(1),
            "complete": Out(1),
            "last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        inputs = [getattr(self, f"i{n}") for n in range(len(self.events))]
        tokens = Cat(i.valid & i.p.end for i in inputs)
        requests = Cat(i.valid & ~i.p.end for i in inputs)
        grant = Signal(len(inputs))  # one-hot: the input whose event this cycle has
        previous = Signal(len(inputs))  # the grant of the cycle before
        pause = Signal(range(self.interval))  # cycles until the next step may end
        done = Signal()  # the event is taken: this is its last fold
        first = Signal(init=1)
        fold = Signal(range(self.folds))
        base = Signal(range(self.folds * self.rows))  # fold * rows, without a multiplier
        m.d.comb += [self.first.eq(first), self.idle.eq(pause == 0)]
        single = Cat(
            grant[n] for n, event in enumerate(self.events) if not isinstance(event, AddressEvent)
        )
        m.d.comb += done.eq(self.event & (single.any() | (fold == self.folds - 1)))

        # ``x & (~x + 1)`` keeps the lowest 1 alone, which is the request of the highest priority.
        # An event keeps its grant for all of its folds, even if an input of higher priority comes.
        m.d.comb += grant.eq(Mux(fold == 0, requests & (~requests + 1), previous))
        m.d.sync += previous.eq(grant)
        # The update of the neurons takes ``interval`` cycles, which the next step must not shorten.
        with m.If(pause > 0):
            m.d.sync += pause.eq(pause - 1)
        m.d.comb += self.event.eq(requests.any() & (self.idle | self.overlap))
        # With all tokens on offer there is no event, so the two never coincide.
        m.d.comb += self.complete.eq(tokens.all() & self.free & self.idle)
        # Tokens of delayed inputs never have ``last``; those of all others have it in the same
        # step.
        m.d.comb += self.last.eq(Cat(i.p.last for i in inputs).any())
        for n, (i, offset) in enumerate(zip(inputs, self.bases, strict=True)):
            m.d.comb += i.ready.eq(Mux(i.p.end, self.complete, done & grant[n]))
            # A single input needs no choice.
            with m.If(grant[n] if len(inputs) > 1 else C(1)):
                m.d.comb += self._forward(n, i, base + offset, fold)

        with m.If(self.complete):
            m.d.sync += pause.eq(self.interval - 1)
            # Sums that are kept stay in use, so their first event is that of the sample.
            m.d.sync += first.eq((first | self.last) if self.holds else 1)
        with m.Elif(done):
            m.d.sync += [fold.eq(0), base.eq(0), first.eq(0)]
        with m.Elif(self.event):
            m.d.sync += [fold.eq(fold + 1), base.eq(base + self.rows)]

        return m

    def _forward(self, n: int, i: stream.Interface, base, fold):
        """Return the assignments that forward the event of an input."""
        event = self.events[n]
        to = [self.receptor.eq(self.receptors[n])] if any(self.receptors) else []
        # A synapse event brings its weight and its place, and takes a single cycle.
        if isinstance(event, SynapseEvent):
            return [
                *to,
                self.direct.eq(1),
                self.fold.eq(i.p.fold),
                self.lane.eq(i.p.lane),
                self.weight.eq(i.p.weight),
                self.slots[0].value.eq(1),  # the value was multiplied in when it was looked up
            ]
        if isinstance(event, KernelEvent):
            slot = self.slots[0]
            return [
                *to,
                self.fold.eq(i.p.fold),
                self.shift.eq(self.shifts[n]),
                slot.present.eq(1),
                slot.row.eq(self.bases[n] + i.p.row),
                slot.value.eq(i.p.value if event.value_shape.width else 1),
            ]
        if isinstance(event, PooledEvent):
            return [
                *to,
                self.fold.eq(i.p.fold),
                self.slots[0].value.eq(1),  # values were multiplied in before the sums were pooled
                *(
                    self.maxima[lane].eq(i.p.maxima[lane] << self.shifts[n])
                    for lane in range(self.lanes)
                ),
            ]
        assignments = [*to, self.fold.eq(fold), self.shift.eq(self.shifts[n])]
        for bank, (present, row, value) in enumerate(slots(i.p)):
            slot = self.slots[bank]
            assignments += [slot.present.eq(present), slot.row.eq(base + row), slot.value.eq(value)]
        return assignments
