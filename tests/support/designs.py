# amaranth: UnusedElaboratable=no

"""Designs of all kinds, of which VHDL is made."""

import warnings

from amaranth import *
from amaranth.lib import crc, data, fifo, memory, wiring
from amaranth.lib import enum as amaranth_enum
from amaranth.lib.wiring import In, Out

from support.ghdl import Design

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    from amaranth.lib.coding import Decoder, Encoder, GrayDecoder, GrayEncoder, PriorityEncoder

__all__ = ["DESIGNS", "Machine", "Nest", "design_of"]


class Wide(wiring.Component):
    """Two writers, one by bytes, and readers of all kinds, of a memory with a gap at its end."""

    def __init__(self, depth, shape=16, *, transparent=True):
        self.depth = depth
        self.shape = shape
        self.transparent = transparent
        bits = range(depth)
        super().__init__({
            "where": In(bits),
            "other": In(bits),
            "what": In(shape),
            "en": In(2),
            "read": In(bits),
            "read_en": In(1),
            "sync": Out(shape),
            "held": Out(shape),
            "direct": Out(shape),
        })

    def elaborate(self, platform):
        m = Module()
        init = [3 * row % 29 for row in range(self.depth - 1)]
        m.submodules.storage = storage = memory.Memory(
            shape=self.shape, depth=self.depth, init=init
        )
        write = storage.write_port(granularity=Shape.cast(self.shape).width // 2)
        clear = storage.write_port()
        ports = [write, clear] if self.transparent else []
        sync = storage.read_port(transparent_for=ports)
        read_port = storage.read_port(transparent_for=ports[:1])
        direct = storage.read_port(domain="comb")
        # Never both in one row: what happens then is nowhere said.
        m.d.comb += [
            write.addr.eq(self.where),
            write.data.eq(self.what),
            write.en.eq(self.en),
            clear.addr.eq(self.other),
            clear.en.eq((self.other != self.where) & self.read_en),
            clear.data.eq(~self.what),
            sync.addr.eq(self.read),
            read_port.addr.eq(self.read),
            read_port.en.eq(self.read_en),
            direct.addr.eq(self.read),
            self.sync.eq(sync.data),
            self.held.eq(read_port.data),
            self.direct.eq(direct.data),
        ]
        return m


class Table(wiring.Component):
    """A memory that is only read."""

    address: In(6)
    en: In(1)
    sync: Out(signed(12))
    direct: Out(1)

    def elaborate(self, platform):
        m = Module()
        rows = [(row * row * 37) % 4096 - 2048 for row in range(50)]
        m.submodules.squares = squares = memory.Memory(shape=signed(12), depth=50, init=rows)
        m.submodules.odd = odd = memory.Memory(shape=1, depth=40, init=[0, 1, 1] * 12)
        port = squares.read_port()
        bit = odd.read_port(domain="comb")
        m.d.comb += [port.addr.eq(self.address), port.en.eq(self.en), self.sync.eq(port.data)]
        m.d.comb += [bit.addr.eq(self.address), self.direct.eq(bit.data)]
        return m


class Colour(amaranth_enum.Enum, shape=2):
    """Values of which one is missing."""

    RED = 0
    GREEN = 1
    BLUE = 3


class Pixel(data.Struct):
    """A structure with everything in it."""

    colour: Colour
    level: signed(5)
    flags: data.ArrayLayout(2, 3)


class Structured(wiring.Component):
    """Structures, enumerations, arrays, and a register without reset."""

    i: In(Pixel)
    n: In(2)
    o: Out(Pixel)
    level: Out(signed(7))
    chosen: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.level.eq(self.i.level >> 1)
        with m.Switch(self.i.colour):
            with m.Case(Colour.RED):
                m.d.sync += self.o.colour.eq(Colour.GREEN)
            with m.Case(Colour.GREEN, Colour.BLUE):
                m.d.sync += self.o.colour.eq(Colour.RED)
            with m.Default():
                m.d.sync += self.o.colour.eq(Colour.BLUE)
        m.d.comb += self.o.flags[1].eq(self.i.flags[self.n])
        kept = Signal(signed(7), reset_less=True, init=-3)
        with m.If(self.i.flags[0][0]):
            m.d.sync += kept.eq(kept + self.i.level)
        m.d.comb += self.level.eq(kept)
        table = Array([Signal(8, init=k, name=f"entry_{k}") for k in range(3)])
        m.d.sync += table[self.n].eq(table[self.n] + self.i.level)
        m.d.comb += self.chosen.eq(table[self.n ^ 1])
        return m


class Machine(wiring.Component):
    """States, don't-cares, partial assignments, and names that differ only by case."""

    i: In(4)
    n: In(3)
    signal: Out(4)
    Signal: Out(8)
    o__x: Out(1)

    def elaborate(self, platform):
        m = Module()
        count = Signal(4, init=9)
        with m.FSM():
            with m.State("Idle"):
                with m.If(self.i[0] & (self.n != 3)):
                    m.next = "Next-Step"
                m.d.sync += count.eq(count + 3)
            with m.State("Next-Step"):
                m.d.comb += self.o__x.eq(1)
                with m.If(self.i == 5):
                    m.next = "Idle"
                with m.Elif(self.n[1:] == 2):
                    m.next = "End"
                with m.Else():
                    m.d.sync += count[1:3].eq(self.n)
            with m.State("End"):
                m.next = "Idle"
        with m.Switch(self.i):
            with m.Case("1--0", "0-11"):
                m.d.comb += self.signal.eq(count)
            with m.Case("-1-1"):
                m.d.comb += self.signal.eq(~count)
            with m.Case(2):
                m.d.comb += self.signal[:2].eq(self.n)
            with m.Default():
                m.d.comb += self.signal.eq(1)
        wide = Signal(8, init=0xA5)
        m.d.sync += wide.word_select(self.n, 2).eq(self.i)
        m.d.sync += wide.bit_select(self.n[1:], 1).eq(self.n[0])
        m.d.comb += self.Signal.eq(wide.bit_select(self.n, 3) ^ wide.rotate_left(3))
        return m


class Counter(wiring.Component):
    """A counter of given width, to be used more than once."""

    def __init__(self, width):
        self.width = width
        super().__init__({"en": In(1), "count": Out(signed(width))})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.en):
            m.d.sync += self.count.eq(self.count - 3)
        return m


class Nest(wiring.Component):
    """Submodules that are alike, that share a name, and whose names differ only by case."""

    def __init__(self, depth=2):
        self.depth = depth
        super().__init__({"i": In(2), "o": Out(signed(9)), "p": Out(3), "q": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.counter = first = Counter(4)
        m.submodules.Counter = second = Counter(4)
        m.submodules.process = third = Counter(5)
        m.d.comb += [first.en.eq(self.i[0]), second.en.eq(self.i[1]), third.en.eq(self.i.all())]
        m.d.comb += self.p.eq(second.count[1:])
        m.d.comb += self.q.eq(Cat(third.count, first.count))
        total = first.count + second.count + third.count
        if self.depth:
            m.submodules.nest = inner = Nest(self.depth - 1)
            m.d.comb += inner.i.eq(self.i ^ first.count[:2])
            total = total + inner.o
        m.d.comb += self.o.eq(total)
        return m


class Empty(wiring.Component):
    """Signals without bits wherever there can be some."""

    i: In(0)
    s: In(unsigned(0))
    a: In(3)
    z: Out(0)
    o: Out(4)
    p: Out(3)
    t: Out(1)

    def elaborate(self, platform):
        m = Module()
        kept = Signal(0)
        m.d.sync += kept.eq(self.i)
        m.d.comb += self.z.eq(kept)
        m.d.comb += self.o.eq(self.i + self.a + (self.s - kept))
        m.d.comb += self.t.eq((self.i == self.s) & (self.a >= self.s) & ~kept.any() & self.s.all())
        with m.Switch(self.i):
            with m.Case(0):
                m.d.comb += self.p.eq(self.a << self.i)
            with m.Default():
                m.d.comb += self.p.eq(self.a * self.s)
        m.submodules.storage = storage = memory.Memory(shape=3, depth=1, init=[5])
        m.submodules.none = none = memory.Memory(shape=0, depth=4, init=[])
        m.d.comb += none.read_port().addr.eq(self.a)
        read = storage.read_port()
        with m.If(self.a[0]):
            m.d.comb += self.p.eq(read.data)
        return m


class Edges(wiring.Component):
    """Both edges of the clock, and an asynchronous reset."""

    i: In(4)
    o: Out(4)
    p: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.domains.rise = rise = ClockDomain(async_reset=True, local=True)
        m.domains.fall = fall = ClockDomain(clk_edge="neg", reset_less=True, local=True)
        m.d.comb += [rise.clk.eq(ClockSignal()), fall.clk.eq(ClockSignal())]
        m.d.comb += rise.rst.eq(self.i == 0)
        count = Signal(4, init=7)
        m.d.rise += count.eq(count + self.i)
        m.d.fall += self.p.eq(count ^ 5)
        m.d.comb += self.o.eq(count)
        return m


def lists(kind, size, inputs, outputs):
    """Make one of the components that have no signature."""

    def make():
        dut = kind(**size) if isinstance(size, dict) else kind(size)
        signals = [getattr(dut, name) for name in (*inputs, *outputs)]
        return dut, signals, len(inputs)

    return make


CRC = crc.Algorithm(
    crc_width=16,
    polynomial=0x1021,
    initial_crc=0xFFFF,
    reflect_input=True,
    reflect_output=False,
    xor_output=0x00FF,
)
QUEUE = (("w_data", "w_en", "r_en"), ("w_rdy", "r_data", "r_rdy", "level"))
DESIGNS = {
    "queue": lists(fifo.SyncFIFO, {"width": 8, "depth": 5}, *QUEUE),
    "buffered": lists(fifo.SyncFIFOBuffered, {"width": 7, "depth": 6}, *QUEUE),
    "shallow": lists(fifo.SyncFIFOBuffered, {"width": 1, "depth": 1}, *QUEUE),
    "first_set": lists(PriorityEncoder, 9, ("i",), ("o", "n")),
    "encoder": lists(Encoder, 6, ("i",), ("o", "n")),
    "decoder": lists(Decoder, 6, ("i", "n"), ("o",)),
    "gray": lists(GrayEncoder, 6, ("i",), ("o",)),
    "ungray": lists(GrayDecoder, 6, ("i",), ("o",)),
    "checksum": lists(
        lambda width: CRC(data_width=width).create(),
        8,
        ("start", "data", "valid"),
        ("crc", "match_detected"),
    ),
    "storage": lambda: (Wide(16),),
    "odd_storage": lambda: (Wide(11, 8),),
    "gapped_storage": lambda: (Wide(13),),
    "opaque_storage": lambda: (Wide(9, 40, transparent=False),),
    "rows": lambda: (Table(),),
    "structured": lambda: (Structured(),),
    "machine": lambda: (Machine(),),
    "nest": lambda: (Nest(),),
    "empty": lambda: (Empty(),),
    "edges": lambda: (Edges(),),
}


def design_of(name):
    """Make the design of that name."""
    design = Design(name, *DESIGNS[name]())
    if name in {"buffered", "rows", "shallow"} or "storage" in name:
        design.resets = 0
    return design
