"""VHDL of components against Amaranth's simulator."""

# amaranth: UnusedElaboratable=no

import re
import warnings

import pytest
from amaranth import *
from amaranth import hdl
from amaranth.asserts import AnyConst, AnySeq, Initial
from amaranth.lib import crc, data, fifo, memory, wiring
from amaranth.lib import enum as amaranth_enum
from amaranth.lib.wiring import In, Out
from ghdl import Design, cosimulate, ghdl, needs_ghdl

from spiker_hdl.emit.rtlil import parse
from spiker_hdl.emit.vhdl import UnsupportedConstructError, convert_vhdl, to_vhdl

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    from amaranth.lib.coding import Decoder, Encoder, GrayDecoder, GrayEncoder, PriorityEncoder


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
        held = storage.read_port(transparent_for=ports[:1])
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
            held.addr.eq(self.read),
            held.en.eq(self.read_en),
            direct.addr.eq(self.read),
            self.sync.eq(sync.data),
            self.held.eq(held.data),
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


def made(name):
    design = Design(name, *DESIGNS[name]())
    if name in {"buffered", "rows", "shallow"} or "storage" in name:
        design.resets = 0
    return design


@needs_ghdl
@pytest.mark.parametrize("name", DESIGNS)
def test_behaves_as_simulated(name, tmp_path):
    cosimulate(tmp_path, [made(name)], cycles=400)


@needs_ghdl
def test_files_can_be_analysed_in_order(tmp_path):
    files = to_vhdl(Nest(), name="nest", split=True)
    assert "\n".join(files.values()) == to_vhdl(Nest(), name="nest")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        ghdl("-a", "--std=08", name, cwd=tmp_path)
    ghdl("-e", "--std=08", "nest", cwd=tmp_path)


@pytest.mark.parametrize("name", DESIGNS)
def test_text_is_the_same_and_names_no_directory(name):
    first, second = converted(name), converted(name)
    assert first == second
    notes = re.findall(r"--.*", first)
    assert notes
    assert not [note for note in notes if "/" in note]
    assert max(map(len, first.splitlines())) <= 100


def converted(name):
    design = made(name)
    return convert_vhdl(design.dut, name=name, ports=design.ports).text()


def test_alike_components_share_an_entity():
    design = convert_vhdl(Nest(), name="top")
    # Counters of two widths, and three depths of nests, of which the outermost is the top.
    assert len(design.entities) == 5
    assert len({entity.lower() for entity in design.entities}) == 5
    assert list(design.entities)[-1] == design.top == "top"
    assert design.text().count("entity work.counter") == 6


def test_ports_are_told():
    ports = convert_vhdl(Machine(), name="machine").ports
    assert [(port.name, port.source, port.direction, port.type) for port in ports] == [
        ("i", "i", "in", "std_logic_vector(3 downto 0)"),
        ("n", "n", "in", "std_logic_vector(2 downto 0)"),
        ("clk", "clk", "in", "std_logic"),
        ("rst", "rst", "in", "std_logic"),
        ("signal_n", "signal", "out", "std_logic_vector(3 downto 0)"),
        ("Signal_n_2", "Signal", "out", "std_logic_vector(7 downto 0)"),
        ("o_x", "o__x", "out", "std_logic"),
    ]


class Blinker(wiring.Component):
    """What a reader sees."""

    go: In(1)
    i: In(signed(6))
    o: Out(signed(8))
    busy: Out(1)

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(10))
        total = Signal(signed(8), init=-1)
        m.d.comb += self.busy.eq((count != 0) & self.go)
        m.d.comb += self.o.eq(Mux(total < -100, 0, total))
        with m.FSM():
            with m.State("Wait"):
                with m.If(self.go):
                    m.d.sync += count.eq(9)
                    m.next = "Run"
            with m.State("Run"):
                m.d.sync += count.eq(count - 1)
                m.d.sync += total.eq(total - (self.i >> 2))
                with m.If(count == 1):
                    m.next = "Wait"
        return m


BLINKER = """library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity blinker is
  port (
    go : in std_logic;
    i : in std_logic_vector(5 downto 0);
    clk : in std_logic;
    rst : in std_logic;
    o : out std_logic_vector(7 downto 0) := (others => '0');
    busy : out std_logic := '0'
  );
end entity;

architecture rtl of blinker is
  signal count : unsigned(3 downto 0) := (others => '0');
  signal total : signed(7 downto 0) := (others => '1');
  signal fsm_state : std_logic := '0';
begin
  busy <= '1' when count /= 0 and go = '1' else '0';
  o <= (others => '0') when total < -100 else std_logic_vector(total);

  process (clk)
  begin
    if rising_edge(clk) then
      if fsm_state = '0' then  -- Wait
        if go = '1' then
          count <= to_unsigned(9, 4);
          fsm_state <= '1';  -- Run
        end if;
      else  -- Run
        count <= count - 1;
        total <= total - shift_right(signed(i), 2);
        if count = 1 then
          fsm_state <= '0';  -- Wait
        end if;
      end if;
      if rst = '1' then
        count <= (others => '0');
        fsm_state <= '0';  -- Wait
        total <= (others => '1');
      end if;
    end if;
  end process;
end architecture;
"""


def test_reads_as_written_by_hand():
    text = to_vhdl(Blinker(), name="blinker")
    assert re.sub(r"  -- \w+\.py:\d+$", "", text, flags=re.M) == BLINKER


class Checked(Elaboratable):
    """A counter that says how far it is, and must not go beyond a limit."""

    def __init__(self, limit):
        self.limit = limit
        self.o = Signal(4)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.o + 1)
        with m.If(self.o[0]):
            text = hdl.Format('count {:d} is "{:04b}" {{{:x}}}', self.o, self.o, self.o)
            m.d.sync += hdl.Print(text)
        m.d.comb += hdl.Assert(self.o != self.limit, hdl.Format("limit {}", self.o - 20))
        m.d.sync += hdl.Assume(self.o <= self.limit)
        return m


CLOCK = """
entity bench is end entity;
library ieee;
use ieee.std_logic_1164.all;
architecture rtl of bench is
  signal clk : std_logic := '0';
  signal o : std_logic_vector(3 downto 0);
begin
  dut : entity work.checked port map (clk => clk, rst => '0', o => o);
  process begin
    for k in 1 to 12 loop
      wait for 5 ns;
      clk <= not clk;
    end loop;
    wait;
  end process;
end architecture;
"""


@needs_ghdl
@pytest.mark.parametrize("limit, fails", [(9, False), (4, True)])
def test_assertions_and_messages(limit, fails, tmp_path):
    dut = Checked(limit)
    (tmp_path / "checked.vhd").write_text(to_vhdl(dut, name="checked", ports=[dut.o]) + CLOCK)
    ghdl("-a", "--std=08", "checked.vhd", cwd=tmp_path)
    said = ghdl("-r", "--std=08", "bench", cwd=tmp_path, check=fails is False)
    assert ("(assertion failure): limit -16" in said) is fails
    for count in (1, 3) if fails else (1, 3, 5):
        assert f'count {count} is "{count:04b}" {{{count}}}' in said


class Boxed(Elaboratable):
    """An instance of something that is written elsewhere."""

    def __init__(self):
        self.a = Signal(4)
        self.y = Signal(signed(4))
        self.z = Signal()

    def elaborate(self, platform):
        m = Module()
        m.submodules.box = Instance(
            "box",
            p_depth=3,
            p_kind='a"b',
            p_mask=Const(5, 40),
            i_a=self.a + 1,
            i_clk=ClockSignal(),
            o_y=self.y,
            o_z__out=self.z,
        )
        return m


BOX = r"""
library ieee;
use ieee.std_logic_1164.all;
entity box is
  generic (depth : integer; kind : string; mask : std_logic_vector(39 downto 0));
  port (a : in std_logic_vector(4 downto 0); clk : in std_logic;
        y : out std_logic_vector(3 downto 0); \z__out\ : out std_logic);
end entity;
architecture rtl of box is
begin
  y <= a(3 downto 0);
  \z__out\ <= '1' when depth = 3 and kind = "a""b" and mask = x"0000000005" else '0';
end architecture;
""".replace("\\\\", "\\")


@needs_ghdl
def test_instances_of_what_is_written_elsewhere(tmp_path):
    dut = Boxed()
    text = to_vhdl(dut, name="boxed", ports=[dut.a, dut.y, dut.z])
    (tmp_path / "boxed.vhd").write_text(BOX + text)
    ghdl("-a", "--std=08", "boxed.vhd", cwd=tmp_path)
    ghdl("-e", "--std=08", "boxed", cwd=tmp_path)
    assert "box_2 : box" in text


class Refused(Elaboratable):
    """Something that cannot be said."""

    def __init__(self, build):
        self.build = build
        self.o = Signal(4)

    def elaborate(self, platform):
        m = Module()
        self.build(m, self.o)
        return m


def two_clocks(m, o):
    m.domains.other = ClockDomain()
    m.submodules.storage = storage = memory.Memory(shape=4, depth=4, init=[])
    for domain in ("sync", "other"):
        m.d.comb += storage.write_port(domain=domain).en.eq(1)
    m.d.comb += o.eq(storage.read_port(domain="comb").data)


def three_states(m, o):
    m.submodules += hdl.IOBufferInstance(hdl.IOPort(1, name="pin"), o=o[0], oe=o[1])


def both_ways(m, o):
    m.submodules += Instance("pad", io_pin=hdl.IOPort(1, name="pin"), o_o=o)


def drive(value):
    def build(m, o):
        m.d.comb += o.eq(value())

    return build


REFUSED = {
    "a $anyconst cell": drive(lambda: AnyConst(4)),
    "a $anyseq cell": drive(lambda: AnySeq(4)),
    "a $initstate cell": drive(Initial),
    "a $check cell of flavour cover": lambda m, o: m.d.comb.__iadd__(hdl.Cover(o == 3)),
    "memory storage, which is written in several clock domains": two_clocks,
    "a $tribuf cell": three_states,
    "port pin, which is inout": both_ways,
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses_by_name(what):
    dut = Refused(REFUSED[what])
    message = (
        rf"^Module top must be synchronous logic that VHDL can say, not {re.escape(what)}( \(|$)"
    )
    with pytest.raises(UnsupportedConstructError, match=message):
        to_vhdl(dut, name="refused", ports=[dut.o])


BAD = {
    "modul \\top\n": "RTLIL must be as Amaranth writes it, not modul '\\\\top'",
    "module \\top\n": "Module top must have an end",
    "module \\top\n  wire 3 \\a\nend\n": "RTLIL must be as Amaranth writes it, not wire '3 \\\\a'",
    "module \\top\n  cell $not $1\n": "Cell $1 must have an end",
    "module \\top\n  process $1\n": "Process must have an end",
    "module \\top\n  attribute \\init 3'01\nend\n": "Constant must have 3 bits, not '01'",
}


@pytest.mark.parametrize("text, message", BAD.items())
def test_text_that_is_no_rtlil(text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse(text)
