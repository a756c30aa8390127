"""Events side by side into fewer, or into one at a time."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .events import AddressEvent, into_slots, slots

__all__ = ["Serializer"]


class Serializer(wiring.Component):
    """Give the events of an item in turns, to a reader with fewer banks.

    An item takes a cycle for each turn that has an event; a token takes one. It holds nothing: the
    item stays where it is until its last turn is taken.

    Parameters
    ----------
    event : AddressEvent
        Layout of what comes.
    banks : int
        Banks of the reader, fewer than those of ``event``.

    Members
    -------
    i : In(stream.Signature(event))
    o : Out(stream.Signature(AddressEvent(size, value, banks)))
        In ascending order within an item, and within a bank of ``event``.
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

        given = Signal(self.turns)
        wanted = Signal(self.turns)
        present = Cat(there for there, _, _ in slots(self.i.p))
        turns = Cat(present.word_select(n, self.banks).any() for n in range(self.turns))
        m.d.comb += wanted.eq(turns & ~given)
        left = (wanted & (wanted - 1))[: self.turns].any()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.o.p.end.eq(self.i.p.end),
            self.o.p.last.eq(self.i.p.last),
            self.i.ready.eq(self.o.ready & ~left),
        ]
        with m.If(self.i.valid & self.o.ready):
            m.d.sync += given.eq(Mux(left, given | (wanted & (~wanted + 1)), 0))
        for turn in reversed(range(self.turns)):
            with m.If(wanted[turn]):
                for bank in range(self.banks):
                    there, row, value = slots(self.i.p)[turn * self.banks + bank]
                    m.d.comb += into_slots(self.o.p, bank, there, row * self.turns + turn, value)

        return m
