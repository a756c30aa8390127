# amaranth: UnusedElaboratable=no

"""Cells that a design takes, for each family of devices."""

import pytest
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spiker_hdl.report import area
from spiker_hdl.tools.synthesis import area_of_cells
from spiker_hdl.tools.yosys import YosysError


class Register(wiring.Component):
    """A register behind a table of four inputs, and maybe a memory of 4 kbit."""

    def __init__(self, rows: int = 0):
        self.rows = rows
        super().__init__({"a": In(4), "address": In(8), "o": Out(1), "row": Out(16)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.a.xor())
        if self.rows:
            init = [37 * n * n & 0xFFFF for n in range(self.rows)]
            m.submodules.memory = memory = Memory(shape=16, depth=self.rows, init=init)
            port = memory.read_port()
            m.d.comb += [port.addr.eq(self.address), self.row.eq(port.data)]
        return m


class Array(wiring.Component):
    """An array ``x`` behind carries, whose element 0 has the name of its bit 0."""

    def __init__(self):
        self.layout = data.ArrayLayout(signed(2), 8)
        super().__init__({"i": In(self.layout), "j": In(2), "o": Out(self.layout)})

    def elaborate(self, platform):
        m = Module()
        x = Signal(self.layout)
        for n in range(8):
            m.d.sync += x[n].eq(self.i[n] + self.j + n)
            m.d.comb += self.o[n].eq(Mux(x[n] > x[n - 1], x[n] ^ self.i[n], x[n] - 3))
        return m


@pytest.mark.slow
@pytest.mark.parametrize("family", ["xc7", "ecp5", "ice40"])
def test_look_up_table_and_register_are_counted(family):
    result = area(Register(), family)
    assert result.family == family
    assert (result.luts, result.flip_flops, result.block_rams, result.dsps) == (1, 1, 0, 0)


@pytest.mark.slow
def test_memory_is_counted_as_block_ram():
    result = area(Register(256), "ice40")
    assert (result.luts, result.flip_flops, result.block_rams) == (1, 1, 1)


@pytest.mark.slow
def test_elements_of_arrays_do_not_take_the_names_of_bits():
    assert area(Array(), "xc7").flip_flops == 16


def test_each_cell_counts_as_its_kind():
    cells = {"LUT6": 3, "LUT2": 2, "INV": 4, "FDRE": 5, "FDSE": 1, "CARRY4": 7, "MUXF7": 2}
    memories = {"RAMB36E1": 3, "RAMB18E1": 2, "RAM32M": 2, "RAM32X1D": 1, "$scopeinfo": 9}
    result = area_of_cells(cells | memories | {"DSP48E1": 1}, "xc7")
    assert (result.luts, result.inverters, result.flip_flops, result.carries) == (5, 4, 6, 7)
    assert (result.muxes, result.block_rams, result.memory_luts, result.dsps) == (2, 8, 10, 1)
    lattice = area_of_cells({"LUT4": 3, "SB_SPRAM256KA": 2, "SB_RAM40_4KNR": 1}, "ice40")
    assert (lattice.luts, lattice.sprams, lattice.block_rams) == (3, 2, 1)


def test_cells_of_no_device_are_refused():
    with pytest.raises(ValueError, match=r"must be those of xc7, not \$mul"):
        area_of_cells({"$mul": 1}, "xc7")


def test_unknown_family_is_refused():
    with pytest.raises(ValueError, match="Family"):
        area(Register(), "spartan")


def test_missing_yosys_is_refused_with_its_remedy(monkeypatch):
    monkeypatch.setattr("spiker_hdl.tools.programs.find_spec", lambda name: None)
    with pytest.raises(YosysError, match="pip install"):
        area(Register())
