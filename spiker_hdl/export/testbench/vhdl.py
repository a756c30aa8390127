"""A self-checking test bench in VHDL."""

from collections.abc import Mapping
from string import Template

from spiker_hdl.export.samples.vectors import Vectors
from spiker_hdl.rtl import Accelerator

from .common import Check, checks_of, connections, feeds_of, substitutes

__all__ = ["vhdl_bench"]

_BENCH = Template("""\
-- Runs the samples in vectors/ through $top and compares every result.
--
-- Prints "PASS <n> samples", with the number of generated samples apart, and ends with status 0; or
-- prints "FAIL", the sample, the field, the expected and the actual value, and ends with another
-- status. From this directory:
--
--   ghdl -a --std=08 $top.vhd $bench.vhd
--   ghdl -e --std=08 $bench
--   ghdl -r --std=08 $bench
--
-- -gsamples=<n>         stop after n samples
-- -gstalls=<seed>       pause every stream at random (cycles are then not compared)
-- -gback_to_back=true   offer samples without waiting for results (cycles are then not compared);
--                       otherwise each sample is offered once the accelerator is idle
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
  constant user_samples : natural := $user_samples;  -- the samples after these are generated
  constant timed : natural := $timed;  -- number of samples whose cycles are known
  -- Cycles without a result after which something is wrong.
  constant timeout : natural := $timeout;

  signal clk : std_logic := '0';
  signal rst : std_logic := '1';
  signal running : boolean := true;
  signal started : natural := 0;  -- samples that may have begun
  signal done : natural := 0;  -- results so far
  -- Random number that decides which streams pause; 0 would stay 0 for ever.
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

  -- Reset lasts for the first cycles. Unless samples are offered back to back, one starts when the
  -- result of the one before has been taken and nothing of it is inside: so its cycles are those of
  -- a sample on its own. The random number is a xorshift generator's, the same in every simulator.
  process
    variable ticks : natural := 0;
    variable x : unsigned(31 downto 0);
  begin
    wait until rising_edge(clk);
    rst <= '1' when ticks < 3 else '0';
    ticks := minimum(ticks + 1, 3);
    if rst = '0' and (back_to_back or (idle = '1' and o_valid = '0' and started = done)) then
      started <= started + 1;
    end if;
    x := noise xor shift_left(noise, 13);
    x := x xor shift_right(x, 17);
    noise <= x xor shift_left(x, 5);
  end process;
$sources
  -- Results: each is compared in the cycle in which it is transferred.
  process
    file results : text open read_mode is "vectors/expected.hex";
    variable row : line;
    variable expected : std_logic_vector(o_payload'range);
    variable previous_payload : std_logic_vector(o_payload'range);
    variable stalled : boolean := false;  -- whether a result was offered and not taken
    variable quiet : natural := 0;  -- cycles since the last result

    procedure compare(what : string; low, width : natural; is_signed : boolean := false) is
      constant high : natural := low + width - 1;
      constant expected_value : std_logic_vector(width - 1 downto 0) := expected(high downto low);
      constant actual_value : std_logic_vector(width - 1 downto 0) := o_payload(high downto low);
    begin
      if actual_value /= expected_value then
        fail(" sample " & to_string(done) & ": " & what & ": expected "
          & decimal(expected_value, is_signed) & ", found " & decimal(actual_value, is_signed));
      end if;
    end procedure;
  begin
    wait until rising_edge(clk) and rst = '0';
    quiet := quiet + 1;
    -- Until a result is taken, valid and payload must stay as they are.
    if stalled and (o_valid /= '1' or o_payload /= previous_payload) then
      fail(" sample " & to_string(done) & ": result must stay until it is taken");
    end if;
    stalled := o_valid = '1' and o_ready = '0';
    previous_payload := o_payload;
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
      -- Behind the last result, a while without another one has passed.
      if total > user_samples and user_samples > 0 then
        write(output, "PASS " & to_string(user_samples) & " samples and "
          & to_string(total - user_samples) & " generated samples" & LF);
      elsif total > user_samples then
        write(output, "PASS " & to_string(total) & " samples, all generated" & LF);
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
  -- Input $label: a beat is offered, with valid and payload unchanged, until it is transferred.
  -- The source pauses between beats alone, and goes on to a sample once that may start.
  process
    file beats : text open read_mode is "vectors/$port.hex";
    variable row : line;
    variable beat : std_logic_vector($width downto 0);  -- the highest bit marks a sample's end
    variable sample : natural := 0;
  begin
    wait until rising_edge(clk) and rst = '0';
    if ${port}_valid = '0' or ${port}_ready = '1' then
      if ${port}_valid = '1' and beat(beat'left) = '1' then
        sample := sample + 1;
      end if;
      ${port}_valid <= '0';
      if sample < total and sample < started and (stalls = 0 or noise($bit) = '1') then
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
        The accelerator that is tested.
    vectors : Vectors
        Samples and expected results.
    top : str
        Name of its entity.
    ports : mapping of str to str
        Name of each port in VHDL, by its name in Amaranth.
    dut : str, optional
        Name of an adapter around it, which then has these ports.
    """
    feeds = [*feeds_of(accelerator, vectors)]
    ties = {"payload": "(others => '0')", "valid": "'0'", "ready": "open"}
    return _BENCH.substitute(
        substitutes(vectors, top, ports, dut),
        declarations="".join(_DECLARATIONS.substitute(feed.substitutes) for feed in feeds),
        connections=connections(accelerator, vectors, ports, "      {port} => {signal},\n", ties),
        sources="".join(_SOURCE.substitute(feed.substitutes) for feed in feeds),
        checks="".join(map(_check, checks_of(accelerator, vectors))),
    )


def _check(check: Check) -> str:
    field = check.field
    node = f" of {check.node}" if check.node else ""
    sign = ", is_signed => true" if field.signed else ""
    if field.count:
        return (
            f"      for n in 0 to {field.count - 1} loop\n"
            f'        compare("{check.what} " & to_string(n) & "{node}",\n'
            f"          {field.offset} + {field.width} * n, {field.width}{sign});\n"
            "      end loop;\n"
        )
    line = f'compare("{check.what}{node}", {field.offset}, {field.width}{sign});\n'
    if check.timed:
        return (
            "      if done < timed and stalls = 0 and not back_to_back then\n"
            f"        {line}      end if;\n"
        )
    return f"      {line}"
