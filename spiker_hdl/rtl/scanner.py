"""Words of spike vectors into address events."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..model.check import check_int
from .events import NO_VALUE, AddressEvent

__all__ = ["Scanner", "ScannerWord"]


class ScannerWord(data.StructLayout):
    """A word of a spike vector, with its place.

    Parameters
    ----------
    width : int
        Number of channels.
    words : int
        Number of words in the vector.
    value : Shape
        Shape of a channel's value, of no width for spikes.

    Members
    -------
    flags : unsigned(width)
        Which channels have an event.
    values : ArrayLayout(value, width)
        Their values.
    index : unsigned
        Which word of the vector this is.
    end : unsigned(1)
        Whether the step ends with this word.
    last : unsigned(1)
        Whether the sample ends with this word.
    """

    def __init__(self, width: int, words: int, value: Shape = NO_VALUE):
        super().__init__({
            "flags": width,
            "values": data.ArrayLayout(value, width),
            "index": range(words),
            "end": 1,
            "last": 1,
        })


class Scanner(wiring.Component):
    """Find the events of a word, the lowest first, and end each step with its token.

    A word takes a cycle for each of its events, and one for the token if it ends the step, but at
    least one. The first event of a word comes the cycle after the word was taken. Words without
    events may be left out, save the one that ends the step.

    Parameters
    ----------
    size : int
        Number of addresses.
    width : int
        Channels in a word.
    value : Shape
        Shape of an event's value, of no width for spikes.

    Members
    -------
    i : In(stream.Signature(ScannerWord(width, ceil(size / width), value)))
    o : Out(stream.Signature(AddressEvent(size, value)))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, size: int, *, width: int, value: Shape = NO_VALUE):
        check_int("Scanner size", size, 1)
        check_int("Scanner width", width, 1)
        self.size = size
        self.width = width
        self.value = value
        self.words = -(-size // width)
        super().__init__({
            "i": In(stream.Signature(ScannerWord(width, self.words, value))),
            "o": Out(stream.Signature(AddressEvent(size, value))),
        })

    def elaborate(self, platform):
        m = Module()

        word = Signal.like(self.i.p)
        full = Signal()
        place = Signal(range(self.width))
        for n in reversed(range(self.width)):
            with m.If(word.flags[n]):
                m.d.comb += place.eq(n)
        some = word.flags.any()
        rest = Signal(self.width)
        m.d.comb += rest.eq(word.flags & (word.flags - 1)[: self.width])

        m.d.comb += [
            self.o.valid.eq(full & (some | word.end)),
            self.o.p.end.eq(~some),
            self.o.p.last.eq(~some & word.last),
        ]
        with m.If(some):
            m.d.comb += self.o.p.address.eq(word.index * self.width + place)
            if self.value.width:
                m.d.comb += self.o.p.value.eq(word.values[place])

        # A word is done with its token, or with its last event where it ends no step.
        advance = self.o.ready & self.o.valid
        done = Signal()
        m.d.comb += done.eq(Mux(word.end, advance & ~some, (advance | ~some) & ~rest.any()))
        m.d.comb += self.i.ready.eq(~full | done)
        with m.If(advance):
            m.d.sync += word.flags.eq(rest)
        with m.If(self.i.ready):
            m.d.sync += [word.eq(self.i.p), full.eq(self.i.valid)]

        return m
