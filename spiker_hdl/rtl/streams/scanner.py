"""Words of spike vectors into address events."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .events import NO_VALUE, AddressEvent, into_slots

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
    """Find the events of a word, the lowest of each bank first, and end each step with its token.

    A word takes a cycle for each of its events, or of those of the bank that has the most, and one
    for the token if it ends the step, but at least one. The first events of a word come the cycle
    after the word was taken. Words without events may be left out, save the one that ends the step.

    Parameters
    ----------
    size : int
        Number of addresses.
    width : int
        Channels in a word; a multiple of ``banks`` if there are several words.
    value : Shape
        Shape of an event's value, of no width for spikes.
    banks : int
        Events that are found at once.

    Members
    -------
    i : In(stream.Signature(ScannerWord(width, ceil(size / width), value)))
    o : Out(stream.Signature(AddressEvent(size, value, banks)))
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, size: int, *, width: int, value: Shape = NO_VALUE, banks: int = 1):
        size = check_int("Scanner size", size, 1)
        width = check_int("Scanner width", width, 1)
        banks = check_int("Banks", banks, 1)
        if width < size and width % banks:
            raise ValueError(f"Scanner width must be a multiple of {banks} banks, not {width}")
        self.size = size
        self.width = width
        self.value = value
        self.banks = banks
        self.words = -(-size // width)
        super().__init__({
            "i": In(stream.Signature(ScannerWord(width, self.words, value))),
            "o": Out(stream.Signature(AddressEvent(size, value, banks))),
        })

    def elaborate(self, platform):
        m = Module()

        word = Signal.like(self.i.p)
        full = Signal()
        rest = Signal(self.width)
        for bank in range(self.banks):
            if bank < self.width:
                self._find(m, word, rest, bank)
            else:
                m.d.comb += into_slots(self.o.p, bank, 0, 0)
        some = word.flags.any()

        m.d.comb += [
            self.o.valid.eq(full & (some | word.end)),
            self.o.p.end.eq(~some),
            self.o.p.last.eq(~some & word.last),
        ]

        # A word is done with its token, or with its last event where it ends no step.
        advance = self.o.ready & self.o.valid
        done, more = Signal(), Signal()
        each = [several(word.flags[bank :: self.banks]) for bank in range(self.banks)]
        m.d.comb += more.eq(Cat(each).any())
        m.d.comb += done.eq(Mux(word.end, advance & ~some, (advance | ~some) & ~more))
        m.d.comb += self.i.ready.eq(~full | done)
        with m.If(advance):
            m.d.sync += word.flags.eq(rest)
        with m.If(self.i.ready):
            m.d.sync += [word.eq(self.i.p), full.eq(self.i.valid)]

        return m

    def _find(self, m, word, rest, bank: int) -> None:
        """Find the lowest event of a bank, and what is left of the bank without it."""
        channels = range(bank, self.width, self.banks)
        flags = Signal(len(channels), name=f"flags_{bank}")
        place = Signal(range(len(channels)), name=f"place_{bank}")
        m.d.comb += flags.eq(Cat(word.flags[n] for n in channels))
        for n in reversed(range(len(channels))):
            with m.If(flags[n]):
                m.d.comb += place.eq(n)
        left = (flags & (flags - 1))[: len(channels)]
        m.d.comb += [rest[n].eq(left[k]) for k, n in enumerate(channels)]
        some = flags.any()
        values = Array(word.values[n] for n in channels)
        value = values[place] if self.value.width else C(0, 0)
        with m.If(some):
            row = word.index * (self.width // self.banks) + place
            m.d.comb += into_slots(self.o.p, bank, 1, row, value)


def several(flags: Value) -> Value:
    """Tell whether more than one of the flags is set, sooner than what is left could tell."""
    found = [(flag, C(0, 1)) for flag in flags] or [(C(0, 1), C(0, 1))]
    while len(found) > 1:
        pairs = [*zip(found[::2], found[1::2], strict=False)]
        rest = found[len(pairs) * 2 :]
        found = [(a | b, more | most | (a & b)) for (a, more), (b, most) in pairs] + rest
    return found[0][1]
