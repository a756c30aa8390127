"""Encoders of values that do not change within a sample, such as pixels."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_choice, check_int, check_kind
from spiker_hdl.model.encoders import LFSR_TAPS, STEADY, Encoding

from .samples import Channel, RawSample

__all__ = ["ImageEncoder"]


class ImageEncoder(wiring.Component):
    """Encode a picture for several steps from values that are sent once.

    The first step is encoded while the values come, the others from a memory, one channel in each
    cycle and in order. A channel is valid in the cycle in which its value is offered. For a static
    input, each step but the first is one bare channel, and there is no memory. If the last value of
    a picture does not have ``last``, the sample goes on with another picture, which is encoded as
    the first was. After reset a sample begins; the memory need not be cleared.

    Parameters
    ----------
    size : int
        Number of values of a picture.
    encoding : Encoding
        Any encoding but ``"delta"``.
    static : bool
        Whether the input is static; for ``"graded"`` and ``"binary"`` only.

    Members
    -------
    i : In(stream.Signature(RawSample(bits)))
        Values; taken only during the first step of a picture.
    o : Out(stream.Signature(Channel(value)))
        Channels of each step.
    idle : Out(1)
        No picture has entered in part, and none is being encoded.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self, size: int, encoding: Encoding, *, static: bool = False):
        size = check_int("Values", size, 1)
        check_kind("Encoding", encoding, Encoding)
        if encoding.steps is None:
            raise ValueError("Encoding of a picture must have steps, not be 'delta'")
        if static:
            check_choice("Encoding of a static input", encoding.name, STEADY)
        self.size = size
        self.encoding = encoding
        self.static = static
        super().__init__({
            "i": In(stream.Signature(RawSample(encoding.bits))),
            "o": Out(stream.Signature(Channel(unsigned(encoding.greatest.bit_length())))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        bits, steps = self.encoding.bits, self.encoding.steps or 1
        address = Signal(range(self.size))
        step = Signal(range(steps))
        value = Signal(bits)
        # Before the first step a phase is one half, so that spikes are rounded and not cut off.
        phase = Signal(bits, init=2 ** (bits - 1))
        last = Signal()  # the sample ends with this picture, as its last value said
        first = Signal()  # the step in which the values come
        end = Signal()  # the step ends with the channel on offer
        advance = Signal()
        following = Signal.like(address)
        m.d.comb += [
            first.eq(step == 0),
            end.eq((address == self.size - 1) | (~first if self.static else 0)),
            following.eq(Mux(end, 0, address + 1)),
            self.o.valid.eq(~first | self.i.valid),
            self.i.ready.eq(first & self.o.ready),
            advance.eq(self.o.valid & self.o.ready),
            value.eq(self.i.p["value"]),
            self.o.p.bare.eq(~first if self.static else 0),
            self.o.p.last.eq((step == steps - 1) & Mux(first, self.i.p.last, last)),
            self.idle.eq(first & (address == 0)),
        ]
        event, after = self._encode(m, step, value, phase, advance, end & (step == steps - 1))
        m.d.comb += self.o.p["value"].eq(Mux(self.o.p.bare, 0, event))

        if steps > 1 and not self.static:
            read_address = Mux(advance, following, address)
            self._store(m, read_address, address, value, phase, after, advance, first)
        with m.If(advance):
            m.d.sync += address.eq(following)
            # Written with every value of the first step, so that the last one's flag remains.
            with m.If(first):
                m.d.sync += last.eq(self.i.p.last)
            with m.If(end):
                m.d.sync += step.eq(Mux(step == steps - 1, 0, step + 1))

        return m

    def _store(self, m, read_address, address, value, phase, after, advance, first) -> None:
        """Store the values of the first step, and take those of the other steps from the memory."""
        bits = self.encoding.bits
        phased = self.encoding.name == "rate"  # each value has a phase, which is stored beside it
        row = bits * (1 + phased)
        m.submodules.picture = picture = Memory(shape=row, depth=self.size, init=[])
        write = picture.write_port()
        # A picture of one value reads the row in the cycle in which it is written.
        read = picture.read_port(transparent_for=(write,) if self.size == 1 else ())
        m.d.comb += [
            # The row of the next cycle: the next channel's, or the same again until it is taken.
            read.addr.eq(read_address),
            write.addr.eq(address),
            write.data.eq(Cat(value, after) if phased else value),
            # Values are stored once, phases again after each step.
            write.en.eq(advance & (first | phased)),
        ]
        with m.If(~first):
            m.d.comb += value.eq(read.data[:bits])
            if phased:
                m.d.comb += phase.eq(read.data[bits:])

    def _encode(self, m, step, value, phase, advance, done):
        """Return the event of a value, and the phase after it."""
        bits, steps = self.encoding.bits, self.encoding.steps or 1
        kind = self.encoding.name
        if kind == "rate":
            # A spike is the carry of the phase accumulator.
            total = Signal(bits + 1)
            m.d.comb += total.eq(phase + value)
            return total[bits], total[:bits]
        if kind == "bernoulli":
            # The generator restarts with each picture, so that samples do not depend on each other.
            state = Signal(16, init=self.encoding.seed)
            draw = Signal(16)  # the next number of a linear feedback shift register
            m.d.comb += draw.eq((state >> 1) ^ Mux(state[0], LFSR_TAPS, 0))
            with m.If(advance):
                m.d.sync += state.eq(Mux(done, self.encoding.seed, draw))
            return value > draw[:bits], phase
        if kind == "first_spike":
            # Large values spike early: the step is the complement, scaled to the number of steps.
            # The product with that constant is made of shifts and additions, without a multiplier.
            complement = (2**bits - 1) - value
            product = sum(complement << n for n in range(steps.bit_length()) if steps >> n & 1)
            when = Signal(range(steps))
            m.d.comb += when.eq(product >> bits)
            return (when == step) & value.any(), phase
        # The other encodings keep the highest bits of a value: several as its value, or one as a
        # spike.
        high_bits = self.encoding.kept if kind == "graded" else 1
        return value[bits - high_bits :], phase
