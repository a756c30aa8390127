"""Block RAMs bit by bit, written after what vendors document, and benches that drive the models."""

import subprocess
from dataclasses import dataclass, field
from importlib.resources import files

CELLS = files("spiker_hdl.export.netlist") / "cells"

UNKNOWN = "x"


@dataclass
class Port:
    """A port of a memory: widths, its mode (``"old"``, ``"new"`` or ``"hold"``), its output."""

    read: int
    write: int
    mode: str
    initial: int = 0
    reset: int = 0
    registered: bool = False
    latch: list = field(default_factory=list)
    register: list = field(default_factory=list)

    def __post_init__(self):
        self.latch = bits(self.initial, self.read)
        self.register = list(self.latch)


@dataclass
class Access:
    """What a port is asked for at a clock edge."""

    enable: int = 0
    address: int = 0
    bytes: int = 0
    data: int = 0
    reset: int = 0
    load: int = 0
    clear: int = 0


def bits(value, width):
    """Return the bits of a number, the lowest first."""
    return [value >> n & 1 for n in range(width)]


class Memory:
    """A block of single bits with two ports.

    Parameters
    ----------
    size : int
        Bits, without parity.
    partial : bool
        Whether a port that puts out what it writes shows the bytes that it does not write.
    shared : bool
        Whether a port may read what the other overwrites, if that puts out what was there.
    """

    def __init__(self, size, ports, *, partial, shared):
        self.data = [0] * size
        self.parity = [0] * (size // 8)
        self.ports = ports
        self.partial = partial
        self.shared = shared

    def places(self, address, width):
        """Return where the bits of a port are: in which list, and at what index."""
        if width in {0, 1, 2, 4}:
            start = address // width * width if width else 0
            return [(self.data, start + n) for n in range(width)]
        count = width // 9
        start = address // (8 * count) * count
        results = []
        for byte in range(start, start + count):
            results += [(self.data, 8 * byte + n) for n in range(8)] + [(self.parity, byte)]
        return results

    def writes(self, port, access):
        """Return the places that a port writes, with their bits."""
        results = {}
        for n, (where, index) in enumerate(self.places(access.address, port.write)):
            if access.enable and access.bytes >> n // 9 & 1:
                results[id(where), index] = where, access.data >> n & 1
        return results

    def clash(self, accesses):
        """Tell whether both ports write the same."""
        first, second = (self.writes(*both) for both in zip(self.ports, accesses, strict=True))
        return bool(first.keys() & second.keys())

    def clock(self, accesses):
        """Take a clock edge."""
        written = [self.writes(*both) for both in zip(self.ports, accesses, strict=True)]
        results = []
        for n, (port, access) in enumerate(zip(self.ports, accesses, strict=True)):
            mine, others, other = written[n], written[1 - n], self.ports[1 - n]
            out = []
            for where, index in self.places(access.address, port.read):
                place = id(where), index
                value = where[index]
                if mine and port.mode == "new":
                    if place in mine:
                        value = mine[place][1]
                    elif not self.partial:
                        value = UNKNOWN
                if place in others and not (self.shared and other.mode == "old"):
                    value = UNKNOWN
                out.append(value)
            results.append(out)
        for n, (port, access) in enumerate(zip(self.ports, accesses, strict=True)):
            if access.clear:
                port.register = bits(port.reset, port.read)
            elif access.load:
                port.register = list(port.latch)
            if access.reset:
                port.latch = bits(port.reset, port.read)
            elif access.enable and not (written[n] and port.mode == "hold"):
                port.latch = results[n]
        for entry in written:
            for (_, index), (where, value) in entry.items():
                where[index] = value

    def out(self, n):
        """Return what a port puts out, the highest bit first, as a simulator prints it."""
        port = self.ports[n]
        return "".join(map(str, reversed(port.register if port.registered else port.latch)))


def addresses(draw, size):
    """Draw an address, mostly of a few places so that accesses meet."""
    return draw.randrange(size) if draw.random() < 0.2 else draw.randrange(160) + size // 2


def accesses(draw, memory, size, *, resets=True, registers=False, writing_resets=True):
    """Draw what both ports do, such that they do not write the same place."""
    while True:
        results = []
        for port in memory.ports:
            access = Access(
                enable=int(draw.random() < 0.8),
                address=addresses(draw, size),
                bytes=draw.getrandbits(8) if draw.random() < 0.5 and port.write else 0,
                data=draw.getrandbits(port.write) if port.write else 0,
            )
            access.bytes &= (1 << max(1, port.write // 9)) - 1
            if resets and draw.random() < 0.1:
                access.reset = 1
                if not writing_resets:
                    access.bytes = 0
            if registers:
                access.load = draw.getrandbits(1)
                access.clear = int(draw.random() < 0.1)
            results.append(access)
        if not memory.clash(results):
            return results


def contents(draw, size):
    """Draw what is in a memory at the start: data, parity."""
    return [draw.getrandbits(1) for _ in range(size)], [
        draw.getrandbits(1) for _ in range(size // 8)
    ]


def number(values):
    """Return bits, the lowest first, as a number."""
    return sum(bit << n for n, bit in enumerate(values))


BENCH = """\
`timescale 1ns / 1ps
module bench;
  reg clk = 0;
{signals}
  reg [{high}:0] vectors[0:{last}];
  integer n;
{instance}
  initial begin
    $readmemh("vectors.hex", vectors);
    #1 $display("OUT {format}", {outputs});
    for (n = 0; n <= {last}; n = n + 1) begin
      {{{inputs}}} = vectors[n];
      #5 clk = 1;
      #4 $display("OUT {format}", {outputs});
      #1 clk = 0;
    end
    $finish(0);
  end
endmodule
"""


def simulate(directory, family, *, inputs, outputs, instance, vectors):
    """Drive a cell with vectors under Icarus Verilog.

    Parameters
    ----------
    inputs, outputs : dict of str to int
        Widths of signals.
    vectors : list of dict of str to int

    Returns
    -------
    list of list of str
        Outputs before the first clock edge and after each, in binary.
    """
    names = list(inputs)
    words = []
    for vector in vectors:
        word = 0
        for name in names:
            assert vector.get(name, 0) >> inputs[name] == 0
            word = word << inputs[name] | vector.get(name, 0)
        words.append(f"{word:x}")
    (directory / "vectors.hex").write_text("\n".join(words) + "\n")
    (directory / "bench.v").write_text(
        BENCH.format(
            signals="".join(f"  reg [{w - 1}:0] {n} = 0;\n" for n, w in inputs.items())
            + "".join(f"  wire [{w - 1}:0] {n};\n" for n, w in outputs.items()),
            high=sum(inputs.values()) - 1,
            last=len(vectors) - 1,
            instance=instance,
            format=" ".join("%b" for _ in outputs),
            outputs=", ".join(outputs),
            inputs=", ".join(names),
        )
    )
    for name in ("block_ram.v", f"{family}.v"):
        (directory / name).write_text((CELLS / name).read_text())
    subprocess.run(
        ["iverilog", "-g2005", "-o", "bench.vvp", "bench.v", "block_ram.v", f"{family}.v"],
        cwd=directory,
        check=True,
        timeout=100,
    )
    done = subprocess.run(
        ["vvp", "-n", "bench.vvp"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("OUT ")]
    if done.returncode or lines:
        raise RuntimeError(" ".join(lines))
    return [line.split()[1:] for line in done.stdout.splitlines()]
