# amaranth: UnusedElaboratable=no

"""What VHDL says, and what it does not."""

import re

import pytest
from amaranth import *
from amaranth import hdl
from amaranth.asserts import AnyConst, AnySeq, Initial
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.hdl.rtlil.parser import parse
from spiker_hdl.hdl.rtlil.statements import split
from spiker_hdl.hdl.vhdl.convert import UnsupportedConstructError, convert_vhdl, to_vhdl

from support.designs import DESIGNS, Machine, Nest, design_of
from support.ghdl import Design, cosimulate, ghdl, needs_ghdl


@pytest.mark.parametrize("name", DESIGNS)
def test_text_is_the_same_and_names_no_directory(name):
    first, second = converted(name), converted(name)
    assert first == second
    notes = re.findall(r"--.*", first)
    assert notes
    assert not [note for note in notes if "/" in note]
    assert max(map(len, first.splitlines())) <= 100


def converted(name):
    design = design_of(name)
    return convert_vhdl(design.dut, name=name, ports=design.ports).text()


class Division(wiring.Component):
    """A division and what remains of it."""

    a: In(8)
    b: In(4)
    quotient: Out(8)
    remainder: Out(4)

    def elaborate(self, _):
        m = Module()
        m.d.comb += [self.quotient.eq(self.a // self.b), self.remainder.eq(self.a % self.b)]
        return m


def test_a_division_and_its_remainder_are_operators():
    text = to_vhdl(Division(), name="division")
    # Amaranth defines a division by zero, which VHDL does not.
    defined = r"resize\(unsigned\(a\) {} unsigned\(b\), 8\)\)? when unsigned\(b\) /= 0"
    assert re.search("quotient <= .*" + defined.format("/"), text)
    assert re.search("remainder <= .*" + defined.format("mod"), text)


def test_alike_components_share_an_entity():
    design = convert_vhdl(Nest(), name="top")
    # Counters of two widths, and three depths of nests, of which the outermost is the top.
    assert len(design.entities) == 5
    assert len({entity.lower() for entity in design.entities}) == 5
    assert list(design.entities)[-1] == design.top == "top"
    assert design.text().count("entity work.top_counter") == 6


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
    output = ghdl("-r", "--std=08", "bench", cwd=tmp_path, check=fails is False)
    assert ("(assertion failure): limit -16" in output) is fails
    for count in (1, 3) if fails else (1, 3, 5):
        assert f'count {count} is "{count:04b}" {{{count}}}' in output


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
    "module \\top\n attribute \\init 3'01\n wire \\a\nend\n": "Constant must have 3 bits, not '01'",
    "module \\top\n  attribute \\init 2'01\nend\n": (
        'Attribute must stand before a statement, not alone: "\\\\init 2\'01"'
    ),
    "attribute \\top 1\n": "Attribute must stand before a statement, not alone: '\\\\top 1'",
}


@pytest.mark.parametrize("text, message", BAD.items())
def test_text_that_is_no_rtlil(text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse(split(text))


class Half(wiring.Component):
    """A register, for :class:`Tidy`."""

    i: In(4)
    o: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.i + 1)
        return m


class Tidy(wiring.Component):
    """What nobody would write by hand."""

    i: In(4)
    bit: In(1)
    o: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Half()
        m.submodules.second = second = Half()
        unread = Signal(4)
        lowest = Signal(8)
        kept = Signal(4, init=9)
        m.d.sync += unread.eq(first.o ^ kept)
        with m.If(self.i * 8 + 7 < 128):
            m.d.comb += lowest.eq(self.i * 8)
        m.d.comb += first.i.eq(self.i & 0xF)
        m.d.comb += second.i.eq(first.o | 0)
        with m.If(self.bit == 0):
            m.d.sync += kept.eq(kept)
        with m.Else():
            m.d.sync += kept.eq(second.o)
        m.d.comb += self.o.eq(lowest + kept)
        return m


def test_nothing_is_written_that_does_nothing():
    text = to_vhdl(Tidy(), name="tidy")
    body = re.sub(r"  -- \w+\.py:\d+$", "", text, flags=re.M).partition("entity tidy is")[2]
    assert "unread" not in body
    assert "<" not in body.replace("<=", "")
    for line in (
        "first : entity work.tidy_first",
        "second : entity work.tidy_first",
        "i => first_i,",
        "o => first_o",
        "i => first_o,",
        "o => second_o",
        "shift_left(resize(unsigned(i), 8), 3)",
        "if bit_n = '1' then",
        "kept <= second_o;",
    ):
        assert line in body, line
    assert "kept <= kept" not in body


@needs_ghdl
def test_what_is_left_out_changes_nothing(tmp_path):
    cosimulate(tmp_path, [Design("tidy", Tidy())], cycles=200)


class Limits(Elaboratable):
    """Comparisons on both sides of what their operands can reach."""

    def __init__(self):
        self.a = Signal(3)
        self.s = Signal(signed(1))
        self.o = Signal(40)

    def elaborate(self, platform):
        m = Module()
        results = []
        for value, maximum in ((self.a + self.a, 14), (self.a * 5, 35), (self.a & 3, 3)):
            for limit in (maximum - 1, maximum, maximum + 1):
                results += [value < limit, value <= limit, value > limit, value >= limit]
        unit = Const(1, signed(2))
        results += [self.s == unit, self.s != unit, self.s == 0, self.s == -1]
        m.d.comb += self.o.eq(Cat(results))
        return m


@needs_ghdl
def test_comparisons_that_are_always_so_are_so(tmp_path):
    dut = Limits()
    text = cosimulate(tmp_path, [Design("limits", dut, [dut.a, dut.s, dut.o], 2)])["limits"]
    # Of 12 on each, the three above the limit and the two at it are decided.
    assert len(re.findall(r" (?:<|>|>=|<=|=|/=) \d", text)) <= 3 * 7 + 4
