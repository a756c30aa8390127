"""The values that enter an encoder, and the words of spikes that leave it."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int
from spiker_hdl.rtl.streams.events import SPIKE, Word

__all__ = ["Channel", "Packer", "RawSample"]


class RawSample(data.StructLayout):
    """A value of a pixel or a signal, from a sensor or a host.

    Parameters
    ----------
    bits : int
        Bits of the value.

    Members
    -------
    value : unsigned(bits)
        The value.
    last : unsigned(1)
        Whether the sample ends; sampled with a picture's last pixel, or the last signal of a step.
    """

    def __init__(self, bits: int):
        super().__init__({"value": bits, "last": 1})


class Channel(data.StructLayout):
    """A channel of a spike vector.

    Parameters
    ----------
    value : Shape
        Shape of the value.

    Members
    -------
    value : Shape
        Value of the channel's event; 0 without an event.
    bare : unsigned(1)
        Whether this stands for a whole step of a static input, which repeats the step before.
    last : unsigned(1)
        Whether the step is the last of its sample; sampled with the last channel of a step.
    """

    def __init__(self, value: Shape = SPIKE):
        super().__init__({"value": value, "bare": 1, "last": 1})


class Packer(wiring.Component):
    """Pack channels that come one by one, in order, into words.

    One channel passes in each cycle if words are taken at once. A word is valid in the cycle after
    its last channel was taken, and words leave in order. After reset a step begins.

    Parameters
    ----------
    size : int
        Number of channels of a step.
    width : int
        Number of channels in a word.
    value : Shape
        Shape of a channel.

    Members
    -------
    i : In(stream.Signature(Channel(value)))
        Channels in ascending order; ``ready`` unless a complete word waits.
    o : Out(stream.Signature(Word(width, value)))
        Complete words, from registers.
    idle : Out(1)
        No step has entered in part, and no word waits.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self, size: int, *, width: int, value: Shape = SPIKE):
        size = check_int("Packer size", size, 1)
        width = check_int("Packer width", width, 1, size)
        self.size = size
        self.width = width
        self.value = value
        super().__init__({
            "i": In(stream.Signature(Channel(value))),
            "o": Out(stream.Signature(Word(width, value))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        over = self.size % self.width  # channels in the final word of a step, or 0 if it is full
        words = -(-self.size // self.width)
        values = Signal(data.ArrayLayout(self.value, self.width))
        full = Signal()  # a complete word waits; the next three belong to it
        bare = Signal()  # it stands for a step that repeats the one before
        short = Signal()  # it is the final word of its step
        last = Signal()  # the sample ends with it
        place = Signal(range(self.width))  # of the next channel in its word
        index = Signal(range(words))  # of that word in its step
        final = Signal()  # the channel on offer belongs to the final word of its step
        done = Signal()  # the channel on offer completes its word
        m.d.comb += [
            final.eq(self.i.p.bare | (index == words - 1)),
            done.eq(self.i.p.bare | (place == Mux(final, over or self.width, self.width) - 1)),
            self.i.ready.eq(~full | self.o.ready),
            self.idle.eq(~full & (place == 0) & (index == 0)),
            self.o.valid.eq(full),
            self.o.p.last.eq(last),
        ]
        # Channels are shifted in from the top, so a word with fewer of them must be shifted down.
        lowered = Mux(short, values.as_value() >> (self.width - over) * self.value.width, values)
        m.d.comb += self.o.p["values"].eq(Mux(bare, 0, lowered if over else values))

        # A word and the first channel of the next one may pass in the same cycle, so the assignment
        # for the channel stands behind and has precedence.
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
