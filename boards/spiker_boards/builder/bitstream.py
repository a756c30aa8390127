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
from spiker_hdl.tools.yosys import AFTER_READ

__all__ = ["Outcome", "make_bitstream", "make_plan", "with_dfu_suffix"]

NAME = "top"
REPORT = "report.json"

STEPS = ("synthesis", "place and route", "packing")
"""Names of the steps, for progress."""


@dataclass(frozen=True)
class Outcome:
    """The result of place and route.

    Members
    -------
    fmax : float
        Fastest clock of the accelerator, in Hz; less where a clock of USB is nearer to its limit.
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
    overrides = {"script_after_read": "\n".join(AFTER_READ), **top.target.options, **options}
    plan = board.build(top, name=NAME, do_build=False, debug_verilog=False, **overrides)
    plan.extract(str(directory))
    script = directory / f"build_{NAME}.json"
    if script.is_file():
        return commands_of(script)
    return []


@reader("a plan that Amaranth wrote", "json")
def commands_of(script: Path) -> list[list[str]]:
    """Return the commands of a plan."""
    commands = strict_json.parse_object(read_bytes(script), ours=True)["commands"]
    if not all(isinstance(word, str) for command in commands for word in command):
        raise FileError(f"must have commands of strings, not {shown(commands)}")
    return commands


def _himbaechel(arguments: list[str], device: str) -> list[str]:
    """Return arguments for nextpnr-himbaechel, from Amaranth's for its predecessor."""
    translated, rest = [], iter(arguments)
    for argument in rest:
        if argument == "--cst":
            translated += ["--vopt", f"cst={next(rest)}"]
        elif argument == "--family":
            next(rest)
            translated += ["--vopt", f"family={device}"]
        else:
            translated.append(argument)
    return translated


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
        Seed of the placement.
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
        arguments = [argument for argument in command[1:] if argument]
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
    """Return the result in nextpnr's report of an accelerator at a frequency in Hz."""
    utilization = report["utilization"]
    clocks = report["fmax"].values()
    if target.usb is None:
        # There is one clock. Where the oscillator's pin is listed apart, nothing runs with that.
        fmax = min(clock["achieved"] for clock in clocks) * 1e6
    else:
        # Each clock has a constraint of its own: the one with the least slack counts.
        fmax = min(clock["achieved"] / clock["constraint"] for clock in clocks) * frequency
    cells = {
        kind: utilization[cell]
        for kind, cell in target.kind.placed_cells.items()
        if cell in utilization
    }
    return Outcome(
        fmax,
        {kind: cell["used"] for kind, cell in cells.items()},
        {kind: cell["available"] for kind, cell in cells.items()},
        bitstream,
    )


def with_dfu_suffix(data: bytes, vendor: int, product: int) -> bytes:
    """Return a file with the suffix of USB Device Firmware Upgrade 1.1, appendix B."""
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
