"""Where samples enter: words of spike vectors or address events, counted in as samples."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from spiker_hdl.model import Input, Mapping
from spiker_hdl.rtl.streams.events import AddressEvent, Word, into_slots, slots, value_shape
from spiker_hdl.rtl.streams.scanner import Scanner

__all__ = ["InputPort", "beat_of"]


def beat_of(node: Input, mapping: Mapping) -> AddressEvent | Word:
    """Return the shape of a beat with which samples enter."""
    if mapping.form == "events":
        return AddressEvent(node.size, value_shape(node))
    return Word(min(mapping.word, node.size), value_shape(node) if node.graded else unsigned(1))


class InputPort(wiring.Component):
    """Let the beats of a sample in once the sample is admitted, and make events of them.

    Events pass one by one. Words are scanned: a step's words come in ascending order, all of them,
    and each takes a cycle for each of its events, or of those of the bank that has the most, but at
    least one.

    Parameters
    ----------
    node : Input
        What enters.
    mapping : Mapping
        In which form.
    banks : int
        Events that leave side by side.

    Members
    -------
    i : In(stream.Signature(AddressEvent or Word))
    admit : In(1)
        A new sample may begin.
    begin : Out(1)
        A new sample begins in this cycle.
    rest : Out(1)
        No sample is half in, nor scanned.
    mute : In(1)
        Let only the tokens of the sample pass that is entering, from its next beat on.
    o : Out(stream.Signature(AddressEvent(banks=banks)))
    """

    i: stream.Interface
    admit: Signal
    begin: Signal
    rest: Signal
    mute: Signal
    o: stream.Interface

    def __init__(self, node: Input, mapping: Mapping, *, banks: int = 1):
        self.node = node
        self.mapping = mapping
        self.banks = banks
        self.event = AddressEvent(node.size, value_shape(node), banks)
        self.width = min(mapping.word, node.size)
        self.words = -(-node.size // self.width)
        super().__init__({
            "i": In(stream.Signature(beat_of(node, mapping))),
            "admit": In(1),
            "begin": Out(1),
            "rest": Out(1),
            "mute": In(1),
            "o": Out(stream.Signature(self.event)),
        })

    def elaborate(self, platform):
        m = Module()

        inside = Signal()
        through = Signal()
        ready = Signal()
        end = Signal()
        muted = Signal()
        m.d.comb += [
            through.eq(self.i.valid & (inside | self.admit)),
            self.i.ready.eq(ready & (inside | self.admit)),
            self.begin.eq(through & ready & ~inside),
            self.rest.eq(~inside),
        ]
        with m.If(through & ready):
            m.d.sync += inside.eq(~(end & self.i.p.last))
        # A beat that is offered stays as it is; and the next sample is not the muted one.
        with m.If(~through | ready):
            m.d.sync += muted.eq(self.mute & inside & ~(through & end & self.i.p.last))

        if self.mapping.form == "events":
            self._pass(m, through, ready, end, muted)
        else:
            self._scan(m, through, ready, end, muted, inside)

        return m

    def _pass(self, m, through, ready, end, muted) -> None:
        """Let events through as they come."""
        ((_, address, value),) = slots(self.i.p)
        m.d.comb += [
            self.o.p.end.eq(end),
            self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(through & (end | ~muted)),
            ready.eq(self.o.ready | (muted & ~end)),
            end.eq(self.i.p.end),
        ]
        bits = exact_log2(self.banks)
        for bank in range(self.banks):
            present = ~end & (address[:bits] == bank)
            m.d.comb += into_slots(self.o.p, bank, present, address[bits:], value)

    def _scan(self, m, through, ready, end, muted, inside) -> None:
        """Make events of words."""
        later = Signal()  # of a static input, whether this is not the sample's first step
        if self.node.static:
            with m.If(through & ready & end):
                m.d.sync += later.eq(~self.i.p.last)
        index = Signal(range(self.words))
        value = self.event.value_shape
        m.submodules.scanner = scanner = Scanner(
            self.node.size, width=self.width, value=value, banks=self.banks
        )
        m.d.comb += [
            end.eq(later | (index == self.words - 1)),
            self.rest.eq(~inside & ~scanner.o.valid),
            scanner.i.valid.eq(through),
            ready.eq(scanner.i.ready),
            scanner.i.p.index.eq(index),
            scanner.i.p.end.eq(end),
            scanner.i.p.last.eq(end & self.i.p.last),
        ]
        read = ~muted & ~later
        for n in range(self.width):
            present = index * self.width + n < self.node.size
            m.d.comb += scanner.i.p.flags[n].eq(self.i.p["values"][n].any() & present & read)
            if value.width:
                m.d.comb += scanner.i.p["values"][n].eq(self.i.p["values"][n])
        with m.If(through & ready):
            m.d.sync += index.eq(Mux(end, 0, index + 1))
        wiring.connect(m, scanner.o, wiring.flipped(self.o))
