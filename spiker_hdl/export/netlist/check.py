"""Netlists of emitted accelerators, with models of their cells, for the emitted test bench.

From a shell, for a directory that was emitted in Verilog with samples::

    python -m spiker_hdl.export.netlist.check out --family ice40 --route --check
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Mapping as Table
from dataclasses import dataclass
from pathlib import Path

from spiker_hdl.base import read_bytes, read_text
from spiker_hdl.base.checks import check_choice, check_kind
from spiker_hdl.base.files.atomic_directory import digests, replacing, write_files
from spiker_hdl.export.read.files import MANIFEST, read_files
from spiker_hdl.export.testbench.common import bench_name
from spiker_hdl.hdl.rtlil.memory_init import loads
from spiker_hdl.tools.families import FAMILIES, MODELLED, Models
from spiker_hdl.tools.place_and_route import run_nextpnr
from spiker_hdl.tools.programs import ToolError, call_tool, find_tools
from spiker_hdl.tools.yosys import run_yowasp

from .cell_models import PURPOSE, NetlistError, cell_models, count_cells
from .makefile import NETLIST, SIMULATORS, makefile

__all__ = ["MODELLED", "SIMULATORS", "Netlist", "NetlistError", "check", "netlist", "route"]

ROUTED_DEVICE = "hx8k"
"""Device for which :func:`route` places and routes netlists."""

WRITE = ("write_json netlist.json", "write_verilog -noattr -noexpr netlist.v")
"""Last steps of Yosys."""


@dataclass(frozen=True)
class Netlist:
    """A netlist in a directory of its own, with models and a makefile.

    Members
    -------
    directory : Path
        Within the emitted directory.
    top : str
        Its topmost module.
    family : str
        One of :data:`MODELLED`.
    cells : mapping of str to int
        How many there are of each kind.
    tools : tuple of str
        Those of :data:`SIMULATORS` that take it, the preferred one first.
    frequency : float, optional
        Megahertz that place and route report.
    """

    directory: Path
    top: str
    family: str
    cells: dict[str, int]
    tools: tuple[str, ...]
    frequency: float | None = None


def netlist(directory: str | Path, family: str, *, block_ram: bool = False) -> Netlist:
    """Synthesise an emitted accelerator, so that the emitted test bench runs on its netlist.

    A directory within, named after the family, gets the netlist, as Verilog with the topmost module
    and ports that were emitted and as JSON for place and route, models of its cells, and a makefile
    whose ``sim`` runs the emitted test bench, unchanged.

    Parameters
    ----------
    directory : str or Path
        Where :func:`spiker_hdl.emit` wrote Verilog, with samples.
    family : str
        One of :data:`MODELLED`.
    block_ram : bool
        Whether each memory becomes block RAM; else Yosys decides.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as it must be.
    YosysError
        If Yosys with its models is not installed, or refuses the design.
    NetlistError
        If a cell has no model.
    OSError
        If a file cannot be read or written.
    """
    check_choice("Family", family, MODELLED)
    check_kind("Block RAM", block_ram, bool)
    directory = Path(directory)
    top, files = _read(directory)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        design = files[f"{top}.v"]
        (work / "design.v").write_bytes(design)
        for memory in loads(design.decode("ascii", "replace")):
            if memory not in files:
                raise ValueError(f"Manifest must name {memory!r}, which the design reads")
            (work / memory).write_bytes(files[memory])
        steps = ["read_verilog design.v"]
        if block_ram:
            steps.append('setattr -set ram_style "block" m:*')
        steps.append(f"{FAMILIES[family].synthesis} -top {top}")
        texts = _write(steps, work)
    return _publish(directory / family, family, top, texts, _models(family).simulators)


def route(made: Netlist) -> Netlist:
    """Place and route a netlist for an iCE40 HX8K, and put that beside it, ready to be checked.

    Parameters
    ----------
    made : Netlist
        Of the family ``"ice40"``.

    Raises
    ------
    TypeError, ValueError
        If the argument is no netlist, or of another family.
    NetlistError
        If nextpnr is not installed or fails.
    YosysError
        If Yosys is not installed or fails.
    OSError
        If a file cannot be read or written.
    """
    check_kind("Netlist", made, Netlist)
    if made.family != "ice40":
        raise ValueError(f"Family must be 'ice40' to be placed and routed, not {made.family!r}")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "netlist.json").write_bytes(read_bytes(made.directory / f"{made.top}.json"))
        options = ["--seed", "1", "--quiet", "--log", "route.log"]
        options += ["--json", "netlist.json", "--write", "routed.json"]
        run_nextpnr(ROUTED_DEVICE, options, work, "routed.json", error=NetlistError)
        # Nextpnr calls each design this.
        rename = [] if made.top == "top" else [f"rename top {made.top}"]
        texts = _write(["read_json routed.json", *rename], work)
        log = read_text(work / "route.log")
    frequencies = re.findall(r"Max frequency for clock\s+\S+: ([\d.]+) MHz", log)
    return _publish(
        made.directory.with_name(f"{made.directory.name}_routed"),
        made.family,
        made.top,
        texts,
        # Models of placed cells pull unconnected pins up, which takes four values.
        ("icarus",),
        float(frequencies[-1]) if frequencies else None,
    )


def check(made: Netlist, *, tool: str | None = None, arguments: tuple[str, ...] = ()) -> int:
    """Run the emitted test bench on a netlist; return how many samples passed.

    Parameters
    ----------
    made : Netlist
    tool : str, optional
        One of its simulators.
    arguments : tuple of str
        For the test bench, such as ``"+samples=20"``.

    Raises
    ------
    NetlistError
        If a sample differs, which the message names, or a simulator is missing or fails.
    """
    check_kind("Netlist", made, Netlist)
    tool = made.tools[0] if tool is None else tool
    check_choice("Tool", tool, made.tools)
    try:
        (make,) = find_tools(["make"]).values()
    except ToolError as error:
        raise NetlistError(str(error)) from None
    command = ["-s", "sim", f"TOOL={tool}", f"ARGS={' '.join(arguments)}"]
    output = call_tool(make, command, made.directory, apart=True, error=NetlistError)
    passed = re.search(r"^PASS (\d+) samples(?: and (\d+))?", output.text, re.MULTILINE)
    if output.status == 0 and passed:
        return int(passed[1]) + int(passed[2] or 0)
    lines = (output.text + output.errors).splitlines() or ["no output"]
    reasons = [line for line in lines if line.startswith("FAIL")] or [
        line for line in lines if "rror" in line or "must" in line
    ]
    raise NetlistError(f"Netlist must do what was emitted, not: {(reasons or lines)[0]}")


# -- steps ---------------------------------------------------------------------------------------


def _models(family: str) -> Models:
    models = FAMILIES[family].models
    assert models is not None  # as of those that are modelled
    return models


def _read(directory: Path) -> tuple[str, Table[str, bytes]]:
    """Return the topmost module of an emitted directory, and the files there."""
    if not (directory / MANIFEST).is_file():
        raise ValueError(f"Directory must be one that was emitted, not {str(directory)!r}")
    manifest, files = read_files(directory)
    top = manifest.get("top")
    if manifest.get("language") != "verilog":
        raise ValueError(f"Language must be 'verilog', not {manifest.get('language')!r}")
    if not isinstance(top, str) or f"{top}.v" not in files:
        raise ValueError(f"Manifest must be one of an emission, not {str(directory / MANIFEST)!r}")
    if not manifest.get("samples"):
        raise ValueError("Directory must have been emitted with samples, not without")
    return top, files


def _write(steps: list[str], work: Path) -> tuple[str, str]:
    """Run steps of Yosys, and return the netlist after them as Verilog and as JSON."""
    verilog = run_yowasp([*steps, *WRITE], work, "netlist.v", PURPOSE)
    return read_text(verilog, 2**34), read_text(work / "netlist.json", 2**34)


def _publish(
    directory: Path,
    family: str,
    top: str,
    texts: tuple[str, str],
    tools: tuple[str, ...],
    frequency: float | None = None,
) -> Netlist:
    """Write a netlist, given as Verilog and as JSON, with models and a makefile."""
    verilog, as_json = texts
    cells = count_cells(as_json, top)
    files, compiled = cell_models(family, cells)
    make = makefile(top, bench_name(top), directory.name, compiled, _models(family).defines, tools)
    with replacing(directory, NETLIST) as stage:
        files = {**files, f"{top}.json": as_json, f"{top}.v": verilog, "Makefile": make}
        write_files(stage, files)
        report = {
            "family": family,
            "cells": cells,
            "frequency": frequency,
            "files": digests(stage),
        }
        write_files(stage, {NETLIST.file: json.dumps(report, indent=2) + "\n"})
    return Netlist(directory, top, family, cells, tools, frequency)


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m spiker_hdl.export.netlist.check",
        description="Make a netlist of an emitted accelerator, with models of its cells.",
    )
    parser.add_argument("directory", type=Path, help="emitted in Verilog, with samples")
    parser.add_argument("--family", choices=MODELLED, required=True)
    parser.add_argument("--block-ram", action="store_true", help="put each memory in block RAM")
    parser.add_argument("--route", action="store_true", help="place and route (only iCE40)")
    parser.add_argument("--check", action="store_true", help="run the test bench on the netlist")
    arguments = parser.parse_args()
    try:
        made = netlist(arguments.directory, arguments.family, block_ram=arguments.block_ram)
        made = route(made) if arguments.route else made
        cells = ", ".join(f"{count} {kind}" for kind, count in made.cells.items())
        print(f"{made.directory}: {cells}")
        if made.frequency:
            print(f"{made.frequency:g} MHz")
        if arguments.check:
            print(f"PASS {check(made)} samples")
    except (NetlistError, ToolError, OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
