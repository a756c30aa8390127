"""Designs in GHDL against the same designs in Amaranth's simulator, cycle by cycle."""

import random
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.sim import Simulator

from spiker_hdl.hdl.vhdl.convert import convert_vhdl

__all__ = ["Design", "cosimulate", "ghdl", "needs_ghdl", "record", "synthesise"]

needs_ghdl = pytest.mark.skipif(shutil.which("ghdl") is None, reason="ghdl is not installed")

_BENCH = """{libraries}library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use std.textio.all;

entity bench is end entity;

architecture rtl of bench is
begin
{blocks}
end architecture;
"""

_BLOCK = """  b{index} : block is
    signal clk, rst : std_logic := '0';
    signal i : std_logic_vector({inputs} downto 0) := (others => '0');
    signal o : std_logic_vector({outputs} downto 0);
  begin
    dut : entity {library}.{entity} port map ({maps});
    process
      file vectors : text open read_mode is "{vectors}";
      variable l : line;
      variable stimuli : std_logic_vector({inputs} downto 0);
      variable expected : std_logic_vector({outputs} downto 0);
      variable reset : std_logic;
      variable cycle : natural := 0;
    begin
      while not endfile(vectors) loop
        readline(vectors, l);
        read(l, reset);
        read(l, stimuli);
        read(l, expected);
        rst <= reset;
        i <= stimuli;
        wait for 4 ns;
        assert o = expected or cycle < {first}
          report "{entity} differs in cycle " & integer'image(cycle) & ": " & to_string(o)
            & " instead of " & to_string(expected) & " for " & to_string(i) severity failure;
        clk <= '1';
        wait for 5 ns;
        clk <= '0';
        wait for 1 ns;
        cycle := cycle + 1;
      end loop;
      report "PASS {entity}";
      wait;
    end process;
  end block;
"""


@dataclass
class Design:
    """A design with its ports.

    Members
    -------
    name : str
        Name of its entity.
    dut : Elaboratable
        The design.
    ports : list of Signal or None
        Its ports, the inputs first; None for a component, which has its own.
    inputs : int
        How many of ``ports`` are inputs.
    resets : float
        Share of cycles with a reset. None for memories: what a read port gives after one is zero
        in Amaranth's simulator, and what it gave before in Amaranth's RTLIL.
    """

    name: str
    dut: Elaboratable
    ports: list | None = None
    inputs: int = 0
    resets: float = 0.02

    def signals(self):
        """Give the inputs and the outputs, by their names in RTLIL."""
        if self.ports is not None:
            named = {Value.cast(port).name: Value.cast(port) for port in self.ports}
            names = list(named)
            return {name: named[name] for name in names[: self.inputs]}, {
                name: named[name] for name in names[self.inputs :]
            }
        inputs, outputs = {}, {}
        for path, member, value in self.dut.signature.flatten(self.dut):
            side = inputs if member.flow == wiring.In else outputs
            side["__".join(map(str, path))] = Value.cast(value)
        return inputs, outputs


def ghdl(*arguments, cwd, check=True, notes=True):
    """Run GHDL; return its output, with its notes unless ``notes`` is false."""
    done = subprocess.run(
        ["ghdl", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if notes else subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    if check:
        assert done.returncode == 0, (done.stdout + (done.stderr or ""))[-3000:]
    return done.stdout


def synthesise(directory, name, file):
    """Synthesise an entity in GHDL; give VHDL and Verilog of its gates."""
    vhdl, verilog = (
        ghdl("--synth", "--std=08", f"--out={out}", file, "-e", name, cwd=directory, notes=False)
        for out in ("vhdl", "verilog")
    )
    # GHDL 2.0 leaves out of Verilog what a choice gives where no case fits.
    others = dict(re.findall(r"select (\w+) <=[^;]*?(\S+) when others;", vhdl))

    def complete(match):
        value = others[match[1]].removeprefix("wrap_")
        if value[0] in "\"'":
            bits = value.strip("\"'")
            value = f"{len(bits)}'b{bits}"
        return f"{match[0]}  default: {match[1]} <= {value};\n    "

    cases = re.compile(r"case \(\w+\)(?:\s+\d+'b[01]+: (\w+) <= \S+;)+\s+(?=endcase)")
    return vhdl, cases.sub(complete, verilog)


def record(design, cycles, seed):
    """Simulate with random inputs; give reset, inputs and outputs of each cycle."""
    rng = random.Random(f"{design.name} {seed}")
    inputs, outputs = design.signals()
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.dut = design.dut
    # Keeps the domain there even if the design has no registers.
    ticks = Signal()
    m.d.sync += ticks.eq(~ticks)
    rows = []

    async def bench(ctx):
        for _ in range(cycles):
            row = [int(rng.random() < design.resets), {}, {}]
            ctx.set(domain.rst, row[0])
            for name, signal in inputs.items():
                row[1][name] = drawn(rng, len(signal))
                ctx.set(signal, row[1][name])
            await ctx.delay(1e-9)
            for name, signal in outputs.items():
                row[2][name] = ctx.get(signal) & ((1 << len(signal)) - 1)
            rows.append(row)
            await ctx.tick()
            # Past the falling edge, too.
            await ctx.delay(0.6e-6)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return rows


def drawn(rng, width):
    """Draw bits, with many zeros, ones and small numbers."""
    choice = rng.random()
    if choice < 0.15:
        return 0
    if choice < 0.3:
        return (1 << width) - 1
    if choice < 0.45:
        return min(rng.randrange(4), (1 << width) - 1)
    return rng.getrandbits(width) if width else 0


def cosimulate(directory, designs, cycles=100, seed=1, apart=True, gates=False):
    """Compare all outputs of all designs in all cycles.

    Parameters
    ----------
    directory : Path
        Where all files go.
    designs : iterable of Design
        What is compared.
    cycles, seed : int
        How long, and from which random numbers.
    apart : bool
        Whether each has a library of its own.
    gates : bool
        Whether what is compared is what GHDL synthesises, and not before the first clock edge.

    Returns
    -------
    dict of str to str
        The VHDL of each design.
    """
    directory = Path(directory)
    designs = list(designs)
    blocks, texts, together = [], {}, []
    for index, design in enumerate(designs):
        rows = record(design, cycles, seed)
        ports = None if design.ports is None else [Value.cast(port) for port in design.ports]
        vhdl = convert_vhdl(design.dut, name=design.name, ports=ports)
        texts[design.name] = vhdl.text()
        assert vhdl.top == design.name
        file = directory / f"{design.name}.vhd"
        file.write_text(vhdl.text())
        together.append(file.name)
        if gates:
            netlist, _ = synthesise(directory, design.name, file.name)
            file.write_text(netlist)
        library = f"lib{index}" if apart else "work"
        if apart:
            ghdl("-a", "--std=08", f"--work={library}", file.name, cwd=directory)
        blocks.append(_block(directory, index, library, vhdl, rows, int(gates)))
    bench = directory / "bench.vhd"
    libraries = "".join(f"library lib{index};\n" for index in range(len(blocks) if apart else 0))
    bench.write_text(_BENCH.format(libraries=libraries, blocks="\n".join(blocks)))
    if not apart:
        ghdl("-a", "--std=08", *together, cwd=directory)
    ghdl("-a", "--std=08", bench.name, cwd=directory)
    # Block RAM starts undefined in hardware, which the first read ends.
    options = ["--ieee-asserts=disable-at-0"] if gates else []
    output = ghdl("-r", "--std=08", "bench", *options, cwd=directory, check=False)
    other = [line for line in output.splitlines() if "PASS" not in line]
    assert not other, "\n".join(other[:20])
    assert output.count("PASS") == len(designs)
    return texts


def _block(directory, index, library, vhdl, rows, first):
    """Write one design's part of the bench, which compares from cycle ``first`` on."""
    maps, low = [], {"in": 0, "out": 0}
    columns = {"in": [], "out": []}
    for port in vhdl.ports:
        if port.source in {"clk", "rst"} and port.source not in rows[0][1]:
            maps.append(f"{port.name} => {port.source}")
            continue
        start = low[port.direction]
        low[port.direction] += port.width
        bus = "i" if port.direction == "in" else "o"
        part = f"({start})" if port.width == 1 else f"({start + port.width - 1} downto {start})"
        maps.append(f"{port.name} => {bus}{part}")
        columns[port.direction].append(port)
    lines = []
    for reset, inputs, outputs in rows:
        line = [str(reset)]
        for direction, values in (("in", inputs), ("out", outputs)):
            bits = "".join(
                f"{values[port.source]:0{port.width}b}" for port in reversed(columns[direction])
            )
            line.append(bits or "0")
        lines.append(" ".join(line))
    if not low["out"]:
        raise ValueError(f"{vhdl.top} must have an output")
    vectors = directory / f"{vhdl.top}.txt"
    vectors.write_text("\n".join(lines) + "\n")
    return _BLOCK.format(
        first=first,
        index=index,
        inputs=max(low["in"], 1) - 1,
        outputs=low["out"] - 1,
        library=library,
        entity=vhdl.top,
        maps=", ".join(maps),
        vectors=vectors.name,
    )
