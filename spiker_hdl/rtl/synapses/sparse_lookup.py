"""Synapses stored one by one: an event into what it adds to each of its targets."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import OneToOne, Projection, Sparse
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.rtl.population.accumulators import product
from spiker_hdl.rtl.streams.events import AddressEvent

__all__ = ["SparseLookup", "SynapseEvent"]


class SynapseEvent(data.StructLayout):
    """What a single synapse adds to its target.

    Parameters
    ----------
    size, lanes : int
        Number of targets, and how many of them lie side by side.
    width : int
        Bits of what is added.

    Members
    -------
    fold, lane : unsigned
        The target is ``fold * lanes + lane``.
    weight : signed(width)
        What is added.
    end : unsigned(1)
        Whether this is the token that ends a step.
    last : unsigned(1)
        With ``end``: whether the step is the last of its sample.
    """

    def __init__(self, size: int, lanes: int, width: int):
        self.weight_width = width
        super().__init__({
            "fold": range(-(-size // lanes)),
            "lane": range(lanes),
            "weight": signed(width),
            "end": 1,
            "last": 1,
        })


class SparseLookup(wiring.Component):
    """Look up the synapses of each event, one after the other.

    An event takes two cycles more than it has synapses; of a one-to-one projection, two cycles.

    Parameters
    ----------
    projection : Projection
        Whose synapses are stored, zeros left out.
    event : AddressEvent
        Layout of the source's events.
    lanes : int
        Targets that lie side by side.
    shift : int
        Bits by which a weight is shifted in what is added.

    Members
    -------
    i : In(stream.Signature(event))
    o : Out(stream.Signature(SynapseEvent))
        The targets of an event in ascending order; tokens pass.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, projection: Projection, event: AddressEvent, *, lanes: int, shift: int = 0):
        lanes, shift = check_int("Lanes", lanes, 1), check_int("Shift", shift, 0)
        self.projection = projection
        self.event = event
        self.lanes = lanes
        self.shift = shift
        self.straight = isinstance(projection.synapses, OneToOne)
        size = projection.synapses.target_size
        self.folds = -(-size // lanes)
        self.output = SynapseEvent(size, lanes, added_width(projection, event) + shift)
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(self.output)),
        })

    def tables(self) -> tuple[list[Any], list[Any]]:
        """Return the stored synapses, and for each source where its own begin."""
        synapses = self.projection.synapses
        if self.straight:
            weights = [*enumerate(synapses.values.tolist())]
            return [self._entry(n, weight, True) for n, weight in weights], []
        if not isinstance(synapses, Sparse):
            synapses = Sparse.from_matrix(synapses.matrix())
        ends = [*zip(synapses.sources.tolist(), synapses.targets.tolist(), strict=True)]
        following = [*(source for source, _ in ends), -1][1:]
        entries = [
            self._entry(target, weight, source != after)
            for (source, target), weight, after in zip(
                ends, synapses.weights.tolist(), following, strict=True
            )
        ]
        starts = [{"start": 0, "some": 0} for _ in range(synapses.source_size)]
        for n, (source, _) in reversed([*enumerate(ends)]):
            starts[source] = {"start": n, "some": 1}
        return entries or [self._entry(0, 0, True)], starts

    def _entry(self, target: int, weight: int, final: bool) -> dict:
        fold, lane = divmod(target, self.lanes)
        return {"fold": fold, "lane": lane, "weight": weight, "final": int(final)}

    def elaborate(self, platform):
        m = Module()

        held, starts = self.tables()
        layout = data.StructLayout({
            "fold": range(self.folds),
            "lane": range(self.lanes),
            "weight": signed(self.projection.width),
            "final": 1,
        })
        m.submodules.synapses = synapses = Memory(shape=layout, depth=len(held), init=held)
        entry = synapses.read_port()
        at = Signal(range(len(held)))
        m.d.sync += at.eq(entry.addr)
        m.d.comb += self.o.p.last.eq(self.i.p.last)
        start: Any = None
        if not self.straight:
            place = data.StructLayout({"start": range(len(held)), "some": 1})
            m.submodules.starts = memory = Memory(shape=place, depth=len(starts), init=starts)
            start = memory.read_port()
            m.d.comb += start.addr.eq(self.i.p.address)

        with m.FSM():
            with m.State("Event"):
                m.d.comb += self.o.p.end.eq(1)
                m.d.comb += self.o.valid.eq(self.i.valid & self.i.p.end)
                m.d.comb += self.i.ready.eq(self.o.ready & self.i.p.end)
                m.d.comb += entry.addr.eq(self.i.p.address if self.straight else 0)
                with m.If(self.i.valid & ~self.i.p.end):
                    m.next = "Read" if self.straight else "Look-Up"
            if not self.straight:
                with m.State("Look-Up"):
                    m.d.comb += entry.addr.eq(start.data.start)
                    m.d.comb += self.i.ready.eq(~start.data.some)
                    m.next = "Read"
                    with m.If(~start.data.some):
                        m.next = "Event"
            with m.State("Read"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.fold.eq(entry.data.fold),
                    self.o.p.lane.eq(entry.data.lane),
                    self.o.p.weight.eq(product(entry.data.weight, self.i.p.value) << self.shift),
                    entry.addr.eq(at + self.o.ready),
                ]
                m.d.comb += self.i.ready.eq(self.o.ready & entry.data.final)
                with m.If(self.i.ready):
                    m.next = "Event"

        return m


def added_width(projection: Projection, event: AddressEvent) -> int:
    """Return the bits of a weight times the value of an event."""
    value = event.value_shape
    if not value.width:
        return projection.width
    low, high = -(2 ** (projection.width - 1)), 2 ** (projection.width - 1) - 1
    ends = (-(2 ** (value.width - 1)), 2 ** (value.width - 1) - 1)
    if not value.signed:
        ends = 0, 2**value.width - 1
    products = [weight * end for weight in (low, high) for end in ends]
    return signed_width(min(products), max(products))
