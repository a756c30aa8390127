"""Values on their way to an encoder, and spikes on their way from it."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.rtl.streams.events import SPIKE, Word

__all__ = ["Channel", "Packer", "RawSample"]


class RawSample(data.StructLayout):
    """What a sensor or host says of a pixel or a signal.

    Parameters
    ----------
    bits : int
        Bits of the value.

    Members
    -------
    value : unsigned(bits)
    last : unsigned(1)
        Whether the sample has no further values; counts with a picture's last pixel, or the last
        signal of a step.
    """

    def __init__(self, bits: int):
        super().__init__({"value": bits, "last": 1})


class Channel(data.StructLayout):
    """A channel of a step.

    Parameters
    ----------
    value : Shape

    Members
    -------
    value : Shape
        Its event, or 0.
    bare : unsigned(1)
        Whether this is a whole step that repeats the one before, as a static input has them.
    last : unsigned(1)
        Whether the step is the last of its sample; counts in a step's last channel.
    """

    def __init__(self, value: Shape = SPIKE):
        super().__init__({"value": value, "bare": 1, "last": 1})


class Packer(wiring.Component):
    """Make words of channels that come one by one, in order.

    A channel a cycle goes through where words are taken at once. A word can be taken the cycle
    after its last channel was.

    Parameters
    ----------
    size : int
        Channels of a step.
    width : int
        Channels of a word.
    value : Shape

    Members
    -------
    i : In(stream.Signature(Channel(value)))
    o : Out(stream.Signature(Word(width, value)))
    rest : Out(1)
        No word is begun, nor waits.
    """

    i: stream.Interface
    o: stream.Interface
    rest: Signal

    def __init__(self, size: int, *, width: int, value: Shape = SPIKE):
        size = check_int("Packer size", size, 1)
        width = check_int("Packer width", width, 1, size)
        self.size = size
        self.width = width
        self.value = value
        super().__init__({
            "i": In(stream.Signature(Channel(value))),
            "o": Out(stream.Signature(Word(width, value))),
            "rest": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        over = self.size % self.width  # channels of a step's final word, if it is not full
        words = -(-self.size // self.width)
        values = Signal(data.ArrayLayout(self.value, self.width))
        full = Signal()
        bare = Signal()
        short = Signal()
        last = Signal()
        place = Signal(range(self.width))
        index = Signal(range(words))
        final = Signal()
        done = Signal()
        m.d.comb += [
            final.eq(self.i.p.bare | (index == words - 1)),
            done.eq(self.i.p.bare | (place == Mux(final, over or self.width, self.width) - 1)),
            self.i.ready.eq(~full | self.o.ready),
            self.rest.eq(~full & (place == 0) & (index == 0)),
            self.o.valid.eq(full),
            self.o.p.last.eq(last),
        ]
        # The latest channel is on top: a short word hangs there.
        lowered = Mux(short, values.as_value() >> (self.width - over) * self.value.width, values)
        m.d.comb += self.o.p["values"].eq(Mux(bare, 0, lowered if over else values))

        with m.If(self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                values.eq(Cat(values.as_value()[self.value.width :], self.i.p["value"])),
                full.eq(done),
                bare.eq(self.i.p.bare),
                short.eq(final),
                place.eq(Mux(done, 0, place + 1)),
                last.eq(done & final & self.i.p.last),
            ]
            with m.If(done):
                m.d.sync += index.eq(Mux(final, 0, index + 1))

        return m
