"""Conversion of events in many banks into events in fewer banks."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .events import AddressEvent, into_slots, slots

__all__ = ["Serializer"]


class Serializer(wiring.Component):
    """Pass the events of a payload in several turns, to a reader with fewer banks.

    A turn is as many neighbouring banks as the reader has; turns without an event are skipped. The
    first turn is valid in the cycle in which the payload is offered, and each takes one cycle; a
    token takes one cycle. Nothing is stored but which turns are done: the payload stays on offer
    until its last turn is taken. After reset the first payload is at its first turn.

    Parameters
    ----------
    event : AddressEvent
        Layout of the events at the input.
    banks : int
        Banks of the reader, fewer than those of ``event``.

    Members
    -------
    i : In(stream.Signature(event))
        Events and tokens; ``ready`` with the last turn of each payload.
    o : Out(stream.Signature(AddressEvent(size, value, banks)))
        Events in ascending order within a payload, and within each bank of ``event``; tokens.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, event: AddressEvent, *, banks: int):
        banks = check_int("Banks", banks, 1, event.banks // 2)
        self.event = event
        self.banks = banks
        self.turns = event.banks // banks
        output = AddressEvent(event.addresses, event.value_shape, banks)
        super().__init__({"i": In(stream.Signature(event)), "o": Out(stream.Signature(output))})

    def elaborate(self, platform):
        m = Module()

        done = Signal(self.turns)  # turns of this payload that were taken
        pending = Signal(self.turns)  # turns with events that were not
        present = Cat(there for there, _, _ in slots(self.i.p))
        turns = Cat(present.word_select(n, self.banks).any() for n in range(self.turns))
        m.d.comb += pending.eq(turns & ~done)
        # ``x & (x - 1)`` clears the lowest 1, which is the turn on offer.
        more = (pending & (pending - 1))[: self.turns].any()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.o.p.end.eq(self.i.p.end),
            self.o.p.last.eq(self.i.p.last),
            self.i.ready.eq(self.o.ready & ~more),
        ]
        # ``x & (~x + 1)`` keeps the lowest 1 alone: the turn that is taken now.
        with m.If(self.i.valid & self.o.ready):
            m.d.sync += done.eq(Mux(more, done | (pending & (~pending + 1)), 0))
        # The last assignment wins, so descending order selects the lowest pending turn. Without
        # one, the payload is a token, and all slots stay empty.
        for turn in reversed(range(self.turns)):
            with m.If(pending[turn]):
                for bank in range(self.banks):
                    there, row, value = slots(self.i.p)[turn * self.banks + bank]
                    m.d.comb += into_slots(self.o.p, bank, there, row * self.turns + turn, value)

        return m
