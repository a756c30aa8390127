"""A self-checking test bench in VHDL."""

from collections.abc import Mapping
from string import Template

from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.rtl import Accelerator

from .common import Check, bench_name, checks_of, feeds_of

__all__ = ["vhdl_bench"]

_BENCH = Template("""\
-- Runs the samples in vectors/ through $top and compares every result.
--
-- Prints "PASS <n> samples", and how many were made up beside these, and ends with status 0; or
-- prints "FAIL", the sample, the field, what was expected and what was found, and ends with
-- another. From this directory:
--
--   ghdl -a --std=08 $top.vhd $bench.vhd
--   ghdl -e --std=08 $bench
--   ghdl -r --std=08 $bench
--
-- -gsamples=<n>         stop after n samples
-- -gstalls=<seed>       pause at random on every stream (cycles are then not compared)
-- -gback_to_back=true   offer samples without waiting for results (cycles are then not compared);
--                       otherwise each is offered once all has come to rest
-- --wave=<file>.ghw     write the waveforms of all signals

library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use std.env.finish;
use std.textio.all;

entity $bench is
  generic (
    samples : natural := $samples;
    stalls : natural := 0;
    back_to_back : boolean := false
  );
end entity;

architecture test of $bench is
  constant total : natural := minimum(samples, $samples);
  constant given : natural := $given;  -- the samples behind these are made up
  constant timed : natural := $timed;  -- of how many samples the cycles are known
  -- Cycles without a result after which something is wrong.
  constant timeout : natural := $timeout;

  signal clk : std_logic := '0';
  signal rst : std_logic := '1';
  signal running : boolean := true;
  signal begun : natural := 0;  -- samples that may have begun
  signal done : natural := 0;  -- results so far
  -- Decides who pauses.
  signal noise : unsigned(31 downto 0) := to_unsigned(maximum(stalls, 1), 32);

  signal o_payload : std_logic_vector($high downto 0);
  signal o_valid : std_logic;
  signal o_ready : std_logic;
  signal idle : std_logic;
$declarations
  -- A number of any width, in decimal digits.
  function decimal(value : unsigned) return string is
  begin
    if is_x(value) then
      return to_string(value);
    elsif value < 10 then
      return to_string(to_integer(value));
    end if;
    return decimal(value / 10) & to_string(to_integer(value mod 10));
  end function;

  function decimal(bits : std_logic_vector; is_signed : boolean) return string is
  begin
    if is_signed and bits(bits'left) = '1' then
      return "-" & decimal(unsigned(-resize(signed(bits), bits'length + 1)));
    end if;
    return decimal(unsigned(bits));
  end function;

  procedure fail(what : string) is
  begin
    write(output, "FAIL" & what & LF);
    finish(1);
  end procedure;
begin
  dut : entity work.$dut
    port map (
      clk => clk,
      rst => rst,
$connections      o_payload => o_payload,
      o_valid => o_valid,
      o_ready => o_ready,
      $idle => idle
    );

  clk <= not clk after 5 ns when running;
  o_ready <= '1' when rst = '0' and (stalls = 0 or noise(31) = '1') else '0';

  -- Resets, lets samples begin, and makes noise.
  process
    variable ticks : natural := 0;
    variable x : unsigned(31 downto 0);
  begin
    wait until rising_edge(clk);
    rst <= '1' when ticks < 3 else '0';
    ticks := minimum(ticks + 1, 3);
    if rst = '0' and (back_to_back or (idle = '1' and o_valid = '0' and begun = done)) then
      begun <= begun + 1;
    end if;
    x := noise xor shift_left(noise, 13);
    x := x xor shift_right(x, 17);
    noise <= x xor shift_left(x, 5);
  end process;
$sources
  -- Compares the results.
  process
    file results : text open read_mode is "vectors/expected.hex";
    variable row : line;
    variable expected : std_logic_vector(o_payload'range);
    variable before : std_logic_vector(o_payload'range);
    variable held : boolean := false;  -- whether a result was offered and not taken
    variable quiet : natural := 0;  -- cycles since something happened

    procedure compare(what : string; low, width : natural; is_signed : boolean := false) is
      constant high : natural := low + width - 1;
      constant wanted : std_logic_vector(width - 1 downto 0) := expected(high downto low);
      constant found : std_logic_vector(width - 1 downto 0) := o_payload(high downto low);
    begin
      if found /= wanted then
        fail(" sample " & to_string(done) & ": " & what & ": expected "
          & decimal(wanted, is_signed) & ", found " & decimal(found, is_signed));
      end if;
    end procedure;
  begin
    wait until rising_edge(clk) and rst = '0';
    quiet := quiet + 1;
    if held and (o_valid /= '1' or o_payload /= before) then
      fail(" sample " & to_string(done) & ": result must stay until it is taken");
    end if;
    held := o_valid = '1' and o_ready = '0';
    before := o_payload;
    if o_valid = '1' and o_ready = '1' then
      if done = total then
        fail(": more than " & to_string(total) & " results");
      end if;
      quiet := 0;
      readline(results, row);
      hread(row, expected);
$checks      done <= done + 1;
    elsif done < total and quiet > timeout then
      fail(" sample " & to_string(done) & ": no result in " & to_string(quiet) & " cycles");
    elsif done = total and quiet > 99 then
      if total > given and given > 0 then
        write(output, "PASS " & to_string(given) & " samples and " & to_string(total - given)
          & " that are made up" & LF);
      elsif total > given then
        write(output, "PASS " & to_string(total) & " samples that are made up" & LF);
      else
        write(output, "PASS " & to_string(total) & " samples" & LF);
      end if;
      running <= false;
      wait;
    end if;
  end process;
end architecture;
""")

_DECLARATIONS = Template("""\

  -- Input $label.
  signal ${port}_payload : std_logic_vector($high downto 0) := (others => '0');
  signal ${port}_valid : std_logic := '0';
  signal ${port}_ready : std_logic;
""")

_SOURCE = Template("""
  -- Input $label: a beat is offered until it is taken.
  process
    file beats : text open read_mode is "vectors/$port.hex";
    variable row : line;
    variable beat : std_logic_vector($width downto 0);  -- with a mark of the sample's end on top
    variable sample : natural := 0;
  begin
    wait until rising_edge(clk) and rst = '0';
    if ${port}_valid = '0' or ${port}_ready = '1' then
      if ${port}_valid = '1' and beat(beat'left) = '1' then
        sample := sample + 1;
      end if;
      ${port}_valid <= '0';
      if sample < total and sample < begun and (stalls = 0 or noise($bit) = '1') then
        readline(beats, row);
        hread(row, beat);
        ${port}_payload <= beat(${port}_payload'range);
        ${port}_valid <= '1';
      end if;
    end if;
  end process;
""")


def vhdl_bench(
    accelerator: Accelerator, vectors: Vectors, *, top: str, ports: Mapping[str, str], dut: str = ""
) -> str:
    """Return a test bench in VHDL-2008.

    Parameters
    ----------
    accelerator : Accelerator
        What is tested.
    vectors : Vectors
        With what.
    top : str
        Name of its entity.
    ports : mapping of str to str
        Name of each port in VHDL, by its name in Amaranth.
    dut : str, optional
        Module around it with these ports, where it has others.
    """
    declarations, connections, sources = "", "", ""
    for feed in feeds_of(accelerator, vectors):
        at = {
            "port": feed.port,
            "label": feed.label,
            "width": feed.width,
            "high": feed.width - 1,
            "bit": feed.noise,
        }
        declarations += _DECLARATIONS.substitute(at)
        sources += _SOURCE.substitute(at)
        for one in ("payload", "valid", "ready"):
            connections += f"      {ports[f'{feed.port}__{one}']} => {feed.port}_{one},\n"
    if accelerator.mapping.writable:
        ties = {"payload": "(others => '0')", "valid": "'0'", "ready": "open"}
        for one, level in ties.items():
            connections += f"      {ports[f'load__{one}']} => {level},\n"
    return _BENCH.substitute(
        top=top,
        dut=dut or top,
        bench=bench_name(top),
        idle=ports["idle"],
        samples=vectors.samples,
        given=vectors.given,
        timed=vectors.timed,
        timeout=vectors.timeout,
        high=vectors.width - 1,
        declarations=declarations,
        connections=connections,
        sources=sources,
        checks="".join(map(_check, checks_of(accelerator, vectors))),
    )


def _check(check: Check) -> str:
    field = check.field
    of = f" of {check.of}" if check.of else ""
    sign = ", is_signed => true" if field.signed else ""
    if field.count:
        return (
            f"      for n in 0 to {field.count - 1} loop\n"
            f'        compare("{check.what} " & to_string(n) & "{of}",\n'
            f"          {field.offset} + {field.width} * n, {field.width}{sign});\n"
            "      end loop;\n"
        )
    line = f'compare("{check.what}{of}", {field.offset}, {field.width}{sign});\n'
    if check.timed:
        return (
            "      if done < timed and stalls = 0 and not back_to_back then\n"
            f"        {line}      end if;\n"
        )
    return f"      {line}"
