"""An input of the accelerator, which takes samples as words of spike vectors or as events."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from spiker_hdl.model import Input, Mapping
from spiker_hdl.rtl.streams.events import AddressEvent, Word, into_slots, slots, value_shape
from spiker_hdl.rtl.streams.scanner import Scanner

__all__ = ["InputPort", "beat_of"]


def beat_of(node: Input, mapping: Mapping) -> AddressEvent | Word:
    """Return the shape of the beats of a sample."""
    if mapping.form == "events":
        return AddressEvent(node.size, value_shape(node))
    return Word(min(mapping.word, node.size), value_shape(node) if node.graded else unsigned(1))


class InputPort(wiring.Component):
    """Take the beats of a sample once the sample is admitted, and convert them into events.

    Events pass one by one, in the cycle in which they are offered. Words are scanned: all words of
    a step come in ascending order, and each takes as many cycles as the bank with the most events
    has, but at least one; its first events are valid one cycle after it was taken. After reset the
    first beat begins a sample.

    Parameters
    ----------
    node : Input
        The input of the network.
    mapping : Mapping
        Form of the beats, and number of channels in a word.
    banks : int
        Number of events in one payload.

    Members
    -------
    i : In(stream.Signature(AddressEvent or Word))
        Beats of the samples. The first beat of a sample waits for ``admit``.
    admit : In(1)
        A further sample may begin in this cycle.
    begin : Out(1)
        1 in the cycle in which the first beat of a sample is taken.
    idle : Out(1)
        No sample has entered in part, and no word is being scanned.
    mute : In(1)
        Pass only the tokens of the sample that is entering, from its next beat on.
    o : Out(stream.Signature(AddressEvent(banks=banks)))
        Events of each step, then its token.
    """

    i: stream.Interface
    admit: Signal
    begin: Signal
    idle: Signal
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
            "idle": Out(1),
            "mute": In(1),
            "o": Out(stream.Signature(self.event)),
        })

    def elaborate(self, platform):
        m = Module()

        inside = Signal()  # a sample has entered in part
        through = Signal()  # a beat is offered to what follows
        ready = Signal()  # what follows takes it
        end = Signal()  # the beat ends its step
        muted = Signal()
        m.d.comb += [
            through.eq(self.i.valid & (inside | self.admit)),
            # Only the first beat of a sample waits to be admitted: the room for its result was
            # found.
            self.i.ready.eq(ready & (inside | self.admit)),
            self.begin.eq(through & ready & ~inside),
            self.idle.eq(~inside),
        ]
        with m.If(through & ready):
            m.d.sync += inside.eq(~(end & self.i.p.last))
        # A beat on offer must not change, so ``mute`` takes effect between beats; and it ends with
        # the sample.
        with m.If(~through | ready):
            m.d.sync += muted.eq(self.mute & inside & ~(through & end & self.i.p.last))

        if self.mapping.form == "events":
            self._pass(m, through, ready, end, muted)
        else:
            self._scan(m, through, ready, end, muted, inside)

        return m

    def _pass(self, m, through, ready, end, muted) -> None:
        """Pass events as they come, each in the slot of its bank."""
        ((_, address, value),) = slots(self.i.p)
        m.d.comb += [
            self.o.p.end.eq(end),
            self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(through & (end | ~muted)),
            ready.eq(self.o.ready | (muted & ~end)),
            end.eq(self.i.p.end),
        ]
        # Events that are muted are taken and dropped; tokens keep the steps in order.
        # ``banks`` is a power of two: the low bits of an address are its bank, the others its row.
        bits = exact_log2(self.banks)
        for bank in range(self.banks):
            present = ~end & (address[:bits] == bank)
            m.d.comb += into_slots(self.o.p, bank, present, address[bits:], value)

    def _scan(self, m, through, ready, end, muted, inside) -> None:
        """Convert words into events."""
        # A step of a static input behind the first is one word, whose values do not count.
        later = Signal()
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
            self.idle.eq(~inside & ~scanner.o.valid),
            scanner.i.valid.eq(through),
            ready.eq(scanner.i.ready),
            scanner.i.p.index.eq(index),
            scanner.i.p.end.eq(end),
            scanner.i.p.last.eq(end & self.i.p.last),
        ]
        counts = ~muted & ~later
        for n in range(self.width):
            # The final word of a step may have channels beyond the input's size.
            present = index * self.width + n < self.node.size
            m.d.comb += scanner.i.p.flags[n].eq(self.i.p["values"][n].any() & present & counts)
            if value.width:
                m.d.comb += scanner.i.p["values"][n].eq(self.i.p["values"][n])
        with m.If(through & ready):
            m.d.sync += index.eq(Mux(end, 0, index + 1))
        wiring.connect(m, scanner.o, wiring.flipped(self.o))
