"""Values into spikes: the encoders of :mod:`spiker_hdl.model.encoders` as hardware."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..model import Input
from ..model.check import check_int, check_kind
from ..model.encoders import LFSR_TAPS, Encoding
from .events import SPIKE, Word, value_shape

__all__ = ["Channel", "DeltaEncoder", "Encoder", "Packer", "Reading", "StillEncoder"]


class Reading(data.StructLayout):
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
        Whether this is a whole step that repeats the one before, as a held input has them.
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
        check_int("Packer size", size, 1)
        check_int("Packer width", width, 1, size)
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


class StillEncoder(wiring.Component):
    """Show a picture for some steps: its values come once, and each step is encoded from them.

    The first step is encoded while the values come, the others from a memory that keeps them: a
    channel a cycle. Of a held input, the other steps are one bare channel each, and there is no
    memory. Where a picture's last value is not marked ``last``, the sample goes on with another
    picture, which is encoded as the first was.

    Parameters
    ----------
    size : int
        Values of a picture.
    encoding : Encoding
        Any but ``"delta"``.
    held : bool
        Whether steps but the first are bare; for ``"graded"`` and ``"binary"``.

    Members
    -------
    i : In(stream.Signature(Reading(bits)))
    o : Out(stream.Signature(Channel(value)))
    rest : Out(1)
        No picture is half in, nor shown.
    """

    i: stream.Interface
    o: stream.Interface
    rest: Signal

    def __init__(self, size: int, encoding: Encoding, *, held: bool = False):
        check_int("Values", size, 1)
        check_kind("Encoding", encoding, Encoding, "an")
        if encoding.steps is None:
            raise ValueError("Encoding of a picture must have steps, not be 'delta'")
        if held and encoding.name not in {"graded", "binary"}:
            raise ValueError(
                f"Encoding of a held input must be 'graded' or 'binary', not {encoding.name!r}"
            )
        self.size = size
        self.encoding = encoding
        self.held = held
        super().__init__({
            "i": In(stream.Signature(Reading(encoding.bits))),
            "o": Out(stream.Signature(Channel(unsigned(encoding.greatest.bit_length())))),
            "rest": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        bits, steps = self.encoding.bits, self.encoding.steps or 1
        keeps = steps > 1 and not self.held
        phased = self.encoding.name == "rate"
        address = Signal(range(self.size))
        step = Signal(range(steps))
        value = Signal(bits)
        phase = Signal(bits, init=2 ** (bits - 1))
        last = Signal()
        first = Signal()
        end = Signal()
        advance = Signal()
        following = Signal.like(address)
        m.d.comb += [
            first.eq(step == 0),
            end.eq((address == self.size - 1) | (~first if self.held else 0)),
            following.eq(Mux(end, 0, address + 1)),
            self.o.valid.eq(~first | self.i.valid),
            self.i.ready.eq(first & self.o.ready),
            advance.eq(self.o.valid & self.o.ready),
            value.eq(self.i.p["value"]),
            self.o.p.bare.eq(~first if self.held else 0),
            self.o.p.last.eq((step == steps - 1) & Mux(first, self.i.p.last, last)),
            self.rest.eq(first & (address == 0)),
        ]
        event, after = self._encode(m, step, value, phase, advance, end & (step == steps - 1))
        m.d.comb += self.o.p["value"].eq(Mux(self.o.p.bare, 0, event))

        if keeps:
            row = bits * (1 + phased)
            m.submodules.kept = kept = Memory(shape=row, depth=self.size, init=[])
            write = kept.write_port()
            # Of a single value, the row that is written is the one that is asked for.
            read = kept.read_port(transparent_for=(write,) if self.size == 1 else ())
            m.d.comb += [
                read.addr.eq(Mux(advance, following, address)),
                write.addr.eq(address),
                write.data.eq(Cat(value, after) if phased else value),
                write.en.eq(advance & (first | phased)),
            ]
            with m.If(~first):
                m.d.comb += value.eq(read.data[:bits])
                if phased:
                    m.d.comb += phase.eq(read.data[bits:])
        with m.If(advance):
            m.d.sync += address.eq(following)
            with m.If(first):
                m.d.sync += last.eq(self.i.p.last)
            with m.If(end):
                m.d.sync += step.eq(Mux(step == steps - 1, 0, step + 1))

        return m

    def _encode(self, m, step, value, phase, advance, done):
        """Return the event of a value, and the phase behind it."""
        bits, steps = self.encoding.bits, self.encoding.steps or 1
        kind = self.encoding.name
        if kind == "rate":
            total = Signal(bits + 1)
            m.d.comb += total.eq(phase + value)
            return total[bits], total[:bits]
        if kind == "bernoulli":
            state = Signal(16, init=self.encoding.seed)
            draw = Signal(16)
            m.d.comb += draw.eq((state >> 1) ^ Mux(state[0], LFSR_TAPS, 0))
            with m.If(advance):
                m.d.sync += state.eq(Mux(done, self.encoding.seed, draw))
            return value > draw[:bits], phase
        if kind == "first_spike":
            # Shifts and additions, so that no multiplier is taken.
            short = (2**bits - 1) - value
            product = sum(short << n for n in range(steps.bit_length()) if steps >> n & 1)
            when = Signal(range(steps))
            m.d.comb += when.eq(product >> bits)
            return (when == step) & value.any(), phase
        kept = self.encoding.kept if kind == "graded" else 1
        return value[bits - kept :], phase


class DeltaEncoder(wiring.Component):
    """Tell where signals have moved, in two channels for each threshold, ON and OFF.

    The values of a step come in order, one for each signal, and each takes a cycle for each of its
    channels. There is no event in the first step of a sample. A memory keeps what the signal was at
    each pair's last event.

    Parameters
    ----------
    signals : int
    encoding : Encoding
        That is ``"delta"``.

    Members
    -------
    i : In(stream.Signature(Reading(bits)))
    o : Out(stream.Signature(Channel))
    rest : Out(1)
        No sample is half in.
    """

    i: stream.Interface
    o: stream.Interface
    rest: Signal

    def __init__(self, signals: int, encoding: Encoding):
        check_int("Signals", signals, 1)
        check_kind("Encoding", encoding, Encoding, "an")
        if encoding.name != "delta":
            raise ValueError(f"Encoding of signals must be 'delta', not {encoding.name!r}")
        self.signals = signals
        self.encoding = encoding
        super().__init__({
            "i": In(stream.Signature(Reading(encoding.bits))),
            "o": Out(stream.Signature(Channel())),
            "rest": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        bits, thresholds = self.encoding.bits, self.encoding.thresholds
        pairs = self.signals * len(thresholds)
        m.submodules.kept = kept = Memory(shape=bits, depth=pairs, init=[])
        write = kept.write_port()
        read = kept.read_port(transparent_for=(write,) if pairs == 1 else ())

        address = Signal(range(pairs))
        which = Signal(range(len(thresholds)))
        off = Signal()
        first = Signal(init=1)
        following = Signal.like(address)
        threshold = Signal(range(max(thresholds) + 1))
        value = self.i.p["value"]
        moved = Signal(signed(bits + 1))
        rises = Signal()
        falls = Signal()
        advance = Signal()
        done = Signal()
        end = Signal()
        with m.Switch(which):
            for n, one in enumerate(thresholds):
                with m.Case(n):
                    m.d.comb += threshold.eq(one)
        m.d.comb += [
            moved.eq(value - Mux(first, value, read.data)),
            rises.eq(moved >= threshold),
            falls.eq(-moved >= threshold),
            self.o.valid.eq(self.i.valid),
            self.o.p["value"].eq(Mux(off, falls, rises)),
            self.o.p.last.eq(self.i.p.last),
            advance.eq(self.o.valid & self.o.ready),
            done.eq(off & (which == len(thresholds) - 1)),
            self.i.ready.eq(self.o.ready & done),
            end.eq(off & (address == pairs - 1)),
            following.eq(Mux(end, 0, address + off)),
            read.addr.eq(Mux(advance, following, address)),
            write.addr.eq(address),
            write.data.eq(value),
            write.en.eq(advance & off & (first | rises | falls)),
            self.rest.eq(first & (address == 0) & ~off),
        ]
        with m.If(advance):
            m.d.sync += [off.eq(~off), address.eq(following)]
            with m.If(off):
                m.d.sync += which.eq(Mux(done, 0, which + 1))
            with m.If(end):
                m.d.sync += first.eq(self.i.p.last)

        return m


class Encoder(wiring.Component):
    """Make the words of spikes with which samples enter an accelerator from pixels or signals.

    Its output does not depend on when values are offered and words taken. After reset, and after
    each sample, it is as new.

    Parameters
    ----------
    node : Input
        Where the samples enter.
    encoding : Encoding
    word : int
        Channels of a word, as in the :class:`~spiker_hdl.model.Mapping`.

    Members
    -------
    i : In(stream.Signature(Reading(bits)))
    o : Out(stream.Signature(Word))
    rest : Out(1)
        No sample is half in, and nothing waits.

    Raises
    ------
    TypeError, ValueError
        If the encoding is not for such an input.
    """

    i: stream.Interface
    o: stream.Interface
    rest: Signal

    def __init__(self, node: Input, encoding: Encoding, *, word: int = 32):
        check_kind("Input", node, Input, "an")
        check_kind("Encoding", encoding, Encoding, "an")
        check_int("Word", word, 1, 256)
        if (node.low, node.high) != (0, encoding.greatest):
            raise ValueError(
                f"Values of {node.name!r} must be those that {encoding.name!r} makes, "
                f"0..{encoding.greatest}, not {node.low}..{node.high}"
            )
        if node.size % encoding.fan:
            raise ValueError(
                f"Size of {node.name!r} must be a multiple of the {encoding.fan} channels of a "
                f"signal, not {node.size}"
            )
        if node.held and encoding.name == "delta":
            raise ValueError(f"Input {node.name!r} must not be held where signals enter")
        self.node = node
        self.encoding = encoding
        self.word = word
        if encoding.name == "delta":
            self.coder = DeltaEncoder(node.size // encoding.fan, encoding)
        else:
            self.coder = StillEncoder(node.size, encoding, held=node.held)
        shape = value_shape(node) if node.graded else SPIKE
        self.packer = Packer(node.size, width=min(word, node.size), value=shape)
        super().__init__({
            "i": In(stream.Signature(Reading(encoding.bits))),
            "o": Out(stream.Signature(self.packer.o.p.shape())),
            "rest": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.coder = self.coder
        m.submodules.packer = self.packer
        wiring.connect(m, wiring.flipped(self.i), self.coder.i)
        wiring.connect(m, self.coder.o, self.packer.i)
        wiring.connect(m, self.packer.o, wiring.flipped(self.o))
        m.d.comb += self.rest.eq(self.coder.rest & self.packer.rest)

        return m
