"""Delta modulation: an encoder of the changes of signals."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model.encoders import Encoding

from .samples import Channel, RawSample

__all__ = ["DeltaEncoder"]


class DeltaEncoder(wiring.Component):
    """Delta modulation of signals, with an ON and an OFF channel for each threshold.

    The values of a step come in order, one for each signal. Each takes one cycle for each of its
    channels, which leave in order, valid in the cycle in which they are computed. A memory stores
    the value of the signal at the last event of each pair of channels. The first step of a sample
    has no event. After reset a sample begins; the memory need not be cleared.

    Parameters
    ----------
    signals : int
        Number of signals.
    encoding : Encoding
        An encoding of the kind ``"delta"``.

    Members
    -------
    i : In(stream.Signature(RawSample(bits)))
        Values; each is taken with the last of its channels.
    o : Out(stream.Signature(Channel))
        ON, then OFF, for each threshold of each signal.
    idle : Out(1)
        No sample has entered in part.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self, signals: int, encoding: Encoding):
        signals = check_int("Signals", signals, 1)
        check_kind("Encoding", encoding, Encoding)
        if encoding.name != "delta":
            raise ValueError(f"Encoding of signals must be 'delta', not {encoding.name!r}")
        self.signals = signals
        self.encoding = encoding
        super().__init__({
            "i": In(stream.Signature(RawSample(encoding.bits))),
            "o": Out(stream.Signature(Channel())),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        bits, thresholds = self.encoding.bits, self.encoding.thresholds
        pairs = self.signals * len(thresholds)
        m.submodules.references = references = Memory(shape=bits, depth=pairs, init=[])
        write = references.write_port()
        # With a single pair, the row is read in the cycle in which it is written.
        read = references.read_port(transparent_for=(write,) if pairs == 1 else ())

        address = Signal(range(pairs))  # of the pair of channels
        which = Signal(range(len(thresholds)))  # its threshold
        off = Signal()  # its OFF channel, behind the ON channel
        first = Signal(init=1)  # the sample's first step, which only stores references
        following = Signal.like(address)
        threshold = self._threshold(m, which)
        value = self.i.p["value"]
        moved = Signal(signed(bits + 1))  # change since the last event of this pair
        rises = Signal()
        falls = Signal()
        advance = Signal()
        done = Signal()  # with the channel on offer, all channels of the value are made
        end = Signal()  # and all channels of the step
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
            # Asked one cycle ahead: the reference of the pair that is next, or of this one again.
            read.addr.eq(Mux(advance, following, address)),
            write.addr.eq(address),
            write.data.eq(value),
            # With the OFF channel, since both channels are compared with the old reference.
            write.en.eq(advance & off & (first | rises | falls)),
            self.idle.eq(first & (address == 0) & ~off),
        ]
        with m.If(advance):
            m.d.sync += [off.eq(~off), address.eq(following)]
            with m.If(off):
                m.d.sync += which.eq(Mux(done, 0, which + 1))
            with m.If(end):
                m.d.sync += first.eq(self.i.p.last)

        return m

    def _threshold(self, m, which):
        """Return the threshold with a number: the thresholds are constants, so this is a table."""
        threshold = Signal(range(max(self.encoding.thresholds) + 1))
        with m.Switch(which):
            for n, level in enumerate(self.encoding.thresholds):
                with m.Case(n):
                    m.d.comb += threshold.eq(level)
        return threshold
