"""Conversion of words of spike vectors into address events."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int

from .events import NO_VALUE, AddressEvent, into_slots

__all__ = ["Scanner", "ScannerWord"]


class ScannerWord(data.StructLayout):
    """A word of a spike vector, with its position in the vector.

    Parameters
    ----------
    width : int
        Number of channels.
    words : int
        Number of words in the vector.
    value : Shape
        Shape of a channel's value, without width for spikes.

    Members
    -------
    flags : unsigned(width)
        Which channels have an event.
    values : ArrayLayout(value, width)
        Values of the channels, used where the flag is set.
    index : unsigned
        Number of this word in the vector.
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
    """Emit the events of each word in ascending order, and a token at the end of each step.

    Each cycle emits the lowest remaining event of every bank. So a word takes as many cycles as the
    bank with the most events has, one more for the token if it ends the step, and at least one.
    The first events of a word are valid in the cycle after the word was accepted. Words without
    events may be left out, except the one that ends the step. After reset no word is stored.

    Parameters
    ----------
    size : int
        Number of addresses.
    width : int
        Channels in a word; a multiple of ``banks`` if there are several words.
    value : Shape
        Shape of an event's value, without width for spikes.
    banks : int
        Number of events that are found in one cycle.

    Members
    -------
    i : In(stream.Signature(ScannerWord(width, ceil(size / width), value)))
        Words of a step in ascending order; ``ready`` when the word before is finished.
    o : Out(stream.Signature(AddressEvent(size, value, banks)))
        Events and tokens, from the stored word.
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
        remaining = Signal(self.width)  # flags without the events that are on offer
        for bank in range(self.banks):
            if bank < self.width:
                self._find_lowest(m, word, remaining, bank)
            else:
                m.d.comb += into_slots(self.o.p, bank, 0, 0)
        some = word.flags.any()

        m.d.comb += [
            self.o.valid.eq(full & (some | word.end)),
            self.o.p.end.eq(~some),
            self.o.p.last.eq(~some & word.last),
        ]

        # A word is finished with its token, or with its last event where it ends no step. Whether
        # that is the last event is computed beside the search, not from its result: that path would
        # be the longest.
        advance = self.o.ready & self.o.valid
        done, more = Signal(), Signal()
        several = [at_least_two(word.flags[bank :: self.banks]) for bank in range(self.banks)]
        m.d.comb += more.eq(Cat(several).any())
        m.d.comb += done.eq(Mux(word.end, advance & ~some, (advance | ~some) & ~more))
        m.d.comb += self.i.ready.eq(~full | done)
        # Taken events are cleared; a new word, which is assigned below, replaces them all.
        with m.If(advance):
            m.d.sync += word.flags.eq(remaining)
        with m.If(self.i.ready):
            m.d.sync += [word.eq(self.i.p), full.eq(self.i.valid)]

        return m

    def _find_lowest(self, m, word, remaining, bank: int) -> None:
        """Put the lowest event of a bank on offer, and clear it in the remaining flags."""
        channels = range(bank, self.width, self.banks)
        flags = Signal(len(channels), name=f"flags_{bank}")
        place = Signal(range(len(channels)), name=f"place_{bank}")
        m.d.comb += flags.eq(Cat(word.flags[n] for n in channels))
        # The last assignment wins, so descending order makes a priority encoder.
        for n in reversed(range(len(channels))):
            with m.If(flags[n]):
                m.d.comb += place.eq(n)
        # ``x & (x - 1)`` clears the lowest 1, without the result of the priority encoder.
        others = (flags & (flags - 1))[: len(channels)]
        m.d.comb += [remaining[n].eq(others[k]) for k, n in enumerate(channels)]
        some = flags.any()
        values = Array(word.values[n] for n in channels)
        value = values[place] if self.value.width else C(0, 0)
        with m.If(some):
            # The product is with a constant; it is a shift where words have a power of two of rows.
            row = word.index * (self.width // self.banks) + place
            m.d.comb += into_slots(self.o.p, bank, 1, row, value)


def at_least_two(flags: Value) -> Value:
    """Return whether two or more flags are set, as a tree whose depth is logarithmic."""
    # Each node: whether any flag below it is set, and whether two or more are.
    nodes = [(flag, C(0, 1)) for flag in flags] or [(C(0, 1), C(0, 1))]
    while len(nodes) > 1:
        pairs = [*zip(nodes[::2], nodes[1::2], strict=False)]
        unpaired = nodes[len(pairs) * 2 :]
        nodes = [(a | b, two | two_too | (a & b)) for (a, two), (b, two_too) in pairs] + unpaired
    return nodes[0][1]
