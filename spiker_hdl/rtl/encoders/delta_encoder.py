"""Changes of signals into spikes."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model.encoders import Encoding

from .samples import Channel, RawSample

__all__ = ["DeltaEncoder"]


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
        signals = check_int("Signals", signals, 1)
        check_kind("Encoding", encoding, Encoding, "an")
        if encoding.name != "delta":
            raise ValueError(f"Encoding of signals must be 'delta', not {encoding.name!r}")
        self.signals = signals
        self.encoding = encoding
        super().__init__({
            "i": In(stream.Signature(RawSample(encoding.bits))),
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
