"""From a board's top to its bitstream: synthesis, place and route, packing."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiker_boards.gateware.top import BoardTop
from spiker_boards.target import Target
from spiker_hdl.base import FileError, read_bytes, reader, shown, strict_json
from spiker_hdl.tools.place_and_route import open_report
from spiker_hdl.tools.programs import Tool, run_tool
from spiker_hdl.tools.yosys import CLEAR_UNINITIALIZED

__all__ = ["Outcome", "make_bitstream", "make_plan", "with_dfu_suffix"]

NAME = "top"
REPORT = "report.json"

STEPS = ("synthesis", "place and route", "packing")
"""What is told of progress."""


@dataclass(frozen=True)
class Outcome:
    """What place and route made.

    Members
    -------
    fmax : float
        Fastest clock of the accelerator, in Hz; less where one of USB is nearer to its limit.
    used, available : dict of str to int
        Cells by kind: ``luts``, ``flip_flops``, ``block_rams``, ``sprams``.
    bitstream : str
        Name of the file.
    """

    fmax: float
    used: dict[str, int]
    available: dict[str, int]
    bitstream: str


def make_plan(top: BoardTop, directory: Path, options: dict[str, str]) -> list[list[str]]:
    """Write the files of a build, and return its commands."""
    board = top.target.platform()
    given = {"script_after_read": CLEAR_UNINITIALIZED, **top.target.options, **options}
    plan = board.build(top, name=NAME, do_build=False, debug_verilog=False, **given)
    plan.extract(str(directory))
    script = directory / f"build_{NAME}.json"
    if script.is_file():
        return commands_of(script)
    return []


@reader("a plan that Amaranth wrote", "json")
def commands_of(script: Path) -> list[list[str]]:
    """Return the commands of a plan."""
    commands = strict_json.parse_object(read_bytes(script), ours=True)["commands"]
    if not all(isinstance(one, str) for command in commands for one in command):
        raise FileError(f"must have commands of strings, not {shown(commands)}")
    return commands


def _himbaechel(arguments: list[str], device: str) -> list[str]:
    """Return what nextpnr-himbaechel wants, of what Amaranth says to its predecessor."""
    found, rest = [], iter(arguments)
    for one in rest:
        if one == "--cst":
            found += ["--vopt", f"cst={next(rest)}"]
        elif one == "--family":
            next(rest)
            found += ["--vopt", f"family={device}"]
        else:
            found.append(one)
    return found


def make_bitstream(
    top: BoardTop,
    tools: dict[str, Tool],
    directory: Path,
    *,
    seed: int,
    progress: Callable[[str], None],
) -> Outcome:
    """Make a bitstream in a directory.

    Parameters
    ----------
    top : BoardTop
    tools : dict of str to Tool
        Those of the board's family.
    directory : Path
        Where files and logs go.
    seed : int
        Of placement.
    progress : callable
        Called with the name of each step before it begins.

    Raises
    ------
    ToolError
        If a tool fails.
    """
    target = top.target
    frequency = top.frequency / 1e6
    options = {
        "nextpnr_opts": f"--seed {seed} --freq {frequency:g} --timing-allow-fail --report {REPORT}"
    }
    commands = make_plan(top, directory, options)
    for name, step, command in zip(target.kind.tools, STEPS, commands, strict=False):
        progress(step)
        arguments = [one for one in command[1:] if one]
        if name == "nextpnr-himbaechel-gowin":
            arguments = _himbaechel(arguments, target.device)
        elif name == "gowin_pack":
            arguments[arguments.index("-d") + 1] = target.device
        run_tool(tools[name], arguments, directory)
    path = directory / f"{NAME}.{target.kind.bitstream}"
    if target.dfu is not None:
        path.write_bytes(with_dfu_suffix(read_bytes(path), *target.dfu))
    report = open_report(directory / REPORT)
    return read_report(report, target, path.name, top.frequency)


def read_report(report: Any, target: Target, bitstream: str, frequency: int) -> Outcome:
    """Return what the report of nextpnr says of an accelerator at a frequency in Hz."""
    cells = target.kind.placed_cells
    found = report["utilization"]
    clocks = report["fmax"].values()
    if target.usb is None:
        # There is one clock; where the oscillator's pin is told apart, nothing runs with that.
        fmax = min(one["achieved"] for one in clocks) * 1e6
    else:
        # Each has a constraint of its own: what counts is the one that is met the least.
        fmax = min(one["achieved"] / one["constraint"] for one in clocks) * frequency
    return Outcome(
        fmax,
        {kind: found[cell]["used"] for kind, cell in cells.items() if cell in found},
        {kind: found[cell]["available"] for kind, cell in cells.items() if cell in found},
        bitstream,
    )


def with_dfu_suffix(data: bytes, vendor: int, product: int) -> bytes:
    """Return a file with the suffix of USB's Device Firmware Upgrade 1.1, appendix B."""
    suffix = b"".join((
        b"\xff\xff",  # any version of the device
        product.to_bytes(2, "little"),
        vendor.to_bytes(2, "little"),
        (0x0100).to_bytes(2, "little"),
        b"UFD",
        bytes([16]),
    ))
    whole = data + suffix
    return whole + (zlib.crc32(whole) ^ 0xFFFFFFFF).to_bytes(4, "little")
