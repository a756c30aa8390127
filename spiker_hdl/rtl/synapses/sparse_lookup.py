"""Synapses that are stored one by one: look-up of the targets and weights of an event."""

from typing import Any

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.model import OneToOne, Projection
from spiker_hdl.model.bounds import signed_width
from spiker_hdl.rtl.common.adders import product
from spiker_hdl.rtl.streams.events import AddressEvent

__all__ = ["SparseLookup", "SynapseEvent"]


class SynapseEvent(data.StructLayout):
    """The contribution of a single synapse to its target neuron, or the token that ends a step.

    Parameters
    ----------
    size, lanes : int
        Number of target neurons, and of parallel accumulators.
    width : int
        Bits of the contribution.

    Members
    -------
    fold, lane : unsigned
        The target is neuron ``fold * lanes + lane``.
    weight : signed(width)
        What is added to the target's sum.
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

    An event takes two cycles more than it has synapses, and its first synapse is valid two cycles
    after the event is offered. In a one-to-one projection an event takes two cycles, and its
    synapse is valid after one. A token passes in the cycle in which it is offered. Events keep
    their order. After reset no event is being looked up.

    Parameters
    ----------
    projection : Projection
        Projection whose synapses are stored; weights of zero are left out.
    event : AddressEvent
        Layout of the source's events.
    lanes : int
        Number of parallel accumulators.
    shift : int
        Bits by which the weights are shifted.

    Members
    -------
    i : In(stream.Signature(event))
        Events, each taken with the last of its synapses, and tokens.
    o : Out(stream.Signature(SynapseEvent))
        Synapses of each event in ascending order of their targets; tokens.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, projection: Projection, event: AddressEvent, *, lanes: int, shift: int = 0):
        lanes, shift = check_int("Lanes", lanes, 1), check_int("Shift", shift, 0)
        self.projection = projection
        self.event = event
        self.lanes = lanes
        self.shift = shift
        self.one_to_one = isinstance(projection.synapses, OneToOne)
        size = projection.synapses.target_size
        self.folds = -(-size // lanes)
        self.output = SynapseEvent(size, lanes, added_width(projection, event) + shift)
        super().__init__({
            "i": In(stream.Signature(event)),
            "o": Out(stream.Signature(self.output)),
        })

    def tables(self) -> tuple[list[Any], list[Any]]:
        """Return the stored synapses, and for each source the place of its first one."""
        synapses = self.projection.synapses
        if self.one_to_one:
            weights = [*enumerate(synapses.values.tolist())]
            return [self._entry(n, weight, True) for n, weight in weights], []
        sources, targets, stored = synapses.pairs()
        pairs = [*zip(sources.tolist(), targets.tolist(), strict=True)]
        # A synapse is final if the next one belongs to another source, or there is none.
        following = [*(source for source, _ in pairs), -1][1:]
        entries = [
            self._entry(target, weight, source != next_source)
            for (source, target), weight, next_source in zip(
                pairs, stored.tolist(), following, strict=True
            )
        ]
        starts = [{"start": 0, "some": 0} for _ in range(synapses.source_size)]
        # Backwards, so that the first synapse of each source is what remains.
        for n, (source, _) in reversed([*enumerate(pairs)]):
            starts[source] = {"start": n, "some": 1}
        return entries or [self._entry(0, 0, True)], starts

    def _entry(self, target: int, weight: int, final: bool) -> dict:
        fold, lane = divmod(target, self.lanes)
        return {"fold": fold, "lane": lane, "weight": weight, "final": int(final)}

    def _memories(self, m) -> tuple[Any, Any]:
        """Add the memories; return the ports of the synapses and of each source's first one."""
        entries, starts = self.tables()
        layout = data.StructLayout({
            "fold": range(self.folds),
            "lane": range(self.lanes),
            "weight": signed(self.projection.width),
            "final": 1,
        })
        m.submodules.synapses = synapses = Memory(shape=layout, depth=len(entries), init=entries)
        entry = synapses.read_port()
        start: Any = None
        if not self.one_to_one:
            place = data.StructLayout({"start": range(len(entries)), "some": 1})
            m.submodules.starts = memory = Memory(shape=place, depth=len(starts), init=starts)
            start = memory.read_port()
        return entry, start

    def elaborate(self, platform):
        m = Module()

        entry, start = self._memories(m)
        address = Signal.like(entry.addr, name="address")  # of the entry that is read in this cycle
        m.d.sync += address.eq(entry.addr)
        m.d.comb += self.o.p.last.eq(self.i.p.last)
        # Requested in every cycle, so that it is there one cycle after an event was offered.
        if not self.one_to_one:
            m.d.comb += start.addr.eq(self.i.p.address)

        with m.FSM():
            # Wait for an event, whose address goes to the memory at once; let tokens pass.
            with m.State("Event"):
                m.d.comb += self.o.p.end.eq(1)
                m.d.comb += self.o.valid.eq(self.i.valid & self.i.p.end)
                m.d.comb += self.i.ready.eq(self.o.ready & self.i.p.end)
                m.d.comb += entry.addr.eq(self.i.p.address if self.one_to_one else 0)
                with m.If(self.i.valid & ~self.i.p.end):
                    m.next = "Read" if self.one_to_one else "Look-Up"
            if not self.one_to_one:
                # The place of the source's first synapse has been read: request that synapse. A
                # source without synapses is finished.
                with m.State("Look-Up"):
                    m.d.comb += entry.addr.eq(start.data.start)
                    m.d.comb += self.i.ready.eq(~start.data.some)
                    m.next = "Read"
                    with m.If(~start.data.some):
                        m.next = "Event"
            # One synapse a cycle. The next one is requested as the current one is taken, so the
            # address moves on only with ``ready``.
            with m.State("Read"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.fold.eq(entry.data.fold),
                    self.o.p.lane.eq(entry.data.lane),
                    self.o.p.weight.eq(product(entry.data.weight, self.i.p.value) << self.shift),
                    entry.addr.eq(address + self.o.ready),
                ]
                m.d.comb += self.i.ready.eq(self.o.ready & entry.data.final)
                with m.If(self.i.ready):
                    m.next = "Event"

        return m


def added_width(projection: Projection, event: AddressEvent) -> int:
    """Return the bits of the product of a weight and the value of an event."""
    value = event.value_shape
    if not value.width:
        return projection.width
    # The extremes of a product are among the products of the extremes.
    weights = -(2 ** (projection.width - 1)), 2 ** (projection.width - 1) - 1
    values = -(2 ** (value.width - 1)), 2 ** (value.width - 1) - 1
    if not value.signed:
        values = 0, 2**value.width - 1
    products = [weight * extreme for weight in weights for extreme in values]
    return signed_width(min(products), max(products))
