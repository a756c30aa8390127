"""A directory with all that a board needs to run a network, which appears whole or not at all."""

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiker_boards.fit import FitError, advice, check_fit, find_lanes
from spiker_boards.gateware.pll import find_dividers
from spiker_boards.gateware.top import BoardTop
from spiker_boards.target import Target
from spiker_hdl.base import FileError, read_bytes, reader, reading, shown, strict_json
from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.base.files.atomic_directory import Listing, digests, replacing, write_files
from spiker_hdl.base.version import LIBRARY_VERSION
from spiker_hdl.link.bridge import Link
from spiker_hdl.model import Mapping as Placement
from spiker_hdl.model import Network
from spiker_hdl.model.canonical import thawed_mapping
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.tools.families import FAMILIES
from spiker_hdl.tools.programs import Tool, ToolError, find_tools

from .bitstream import Outcome, make_bitstream, make_plan
from .vivado_ip import write_ip

__all__ = [
    "BUILD",
    "EARLIER",
    "NETWORK",
    "TimingError",
    "build_board",
    "read_build",
    "read_whole_build",
]

BUILD, NETWORK = "build.json", "network.spiker"
EARLIER = Listing(BUILD, "build")
"""Files by which the directory of an earlier build, which may be replaced, is recognised."""

FORMAT = 1
"""Version of the format of ``build.json``."""

MOST_REPORT, MOST_BITSTREAM = 2**24, 2**28
BITSTREAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\.(?:bin|bit|fs)")
"""Name of a bitstream's file."""

KEPT = {".rpt": "synthesis.log", ".tim": "place_and_route.log"}
"""Logs that a build keeps, by the suffix that Amaranth gives them."""

CELLS = {
    cell: {"luts": "look-up tables", "block_rams": "block RAMs"}[kind]
    for family in FAMILIES.values()
    for kind, cell in family.placed_cells.items()
    if kind in {"luts", "block_rams"}
}
"""Cells that place and route counts, in the words of the tables."""


class TimingError(ValueError):
    """A design that is too slow for its clock."""


def build_board(
    network: Network,
    target: Target,
    directory: str | Path,
    *,
    mapping: Placement,
    encoding: Encoding | None = None,
    frequency: int | None = None,
    seed: int = 1,
    progress: Callable[[str], None] = lambda step: None,
    extra: Callable[[], Mapping[str, Any]] = dict,
) -> dict[str, Any]:
    """Build a network for a board.

    Parameters
    ----------
    network : Network
    target : Target
    directory : str or Path
        New, empty, or with an earlier build, which is replaced.
    mapping : Mapping
    encoding : Encoding, optional
        Encoding of an encoder before the accelerator, which then takes values.
    frequency : int, optional
        Clock frequency of the accelerator in Hz; by default, the board's.
    seed : int
        Seed of the placement.
    progress : callable
        Called with the name of each step before it begins.
    extra : callable
        Returns further entries of the report.

    Returns
    -------
    dict
        The report, as ``build.json`` has it.

    Raises
    ------
    FitError
        If the network does not fit on the board.
    TimingError
        If the design is too slow for its clock.
    ToolError
        If a tool is missing, or fails.
    """
    check_kind("Network", network, Network)
    check_kind("Target", target, Target)
    seed = check_int("Seed", seed, 0, 2**31 - 1)
    directory = Path(directory)
    EARLIER.check(directory)
    mapping.check(network)
    frequency = _checked_frequency(target, frequency)
    check_fit(target, network, mapping)
    tools = find_tools(target.kind.tools)
    design = _Design(network, target, mapping, encoding, frequency)
    began = time.monotonic()
    with (
        replacing(directory, EARLIER) as stage,
        tempfile.TemporaryDirectory(dir=stage.parent) as name,
    ):
        report = design.report(seed, tools)
        network.save(stage / NETWORK)
        if target.built:
            report |= _bitstream(design, tools, Path(name), stage, seed, progress)
        else:
            report |= _project(design, stage, progress)
        report["seconds"] = round(time.monotonic() - began, 1)
        report |= extra()
        report["files"] = digests(stage)
        write_files(stage, {BUILD: json.dumps(report, indent=2) + "\n"})
    return report


def _checked_frequency(target: Target, frequency: int | None) -> int:
    """Return the clock frequency in Hz, once link and PLL are known to have it."""
    frequency = target.frequency if frequency is None else frequency
    frequency = check_int("Frequency", frequency, 1)
    target.check_clock(frequency)
    if frequency != target.oscillator:
        find_dividers(target.family, target.oscillator, frequency)
    return frequency


@dataclass(frozen=True)
class _Design:
    """A network with all that determines its design on a board."""

    network: Network
    target: Target
    mapping: Placement
    encoding: Encoding | None
    frequency: int

    def link(self) -> Link:
        """Return a link with the accelerator, not elaborated before."""
        return Link.of(self.network, self.mapping, self.encoding, version=LIBRARY_VERSION)

    def top(self) -> BoardTop:
        return BoardTop(self.target, self.link(), frequency=self.frequency)

    def report(self, seed: int, tools: Mapping[str, Tool]) -> dict[str, Any]:
        """Return the entries of the report that are known before anything is built."""
        return {
            "format": FORMAT,
            "board": self.target.name,
            "device": self.target.device,
            "network": {"name": self.network.name, "sha256": self.network.digest},
            "library": LIBRARY_VERSION,
            "mapping": self.mapping.to_json(),
            **({} if self.encoding is None else {"encoding": asdict(self.encoding)}),
            "clock_hz": self.frequency,
            "baud": self.target.baud if self.target.usb is None else None,
            "seed": seed,
            "tools": {name: tool.version for name, tool in tools.items()},
        }


def _bitstream(
    design: _Design,
    tools: dict[str, Tool],
    work: Path,
    stage: Path,
    seed: int,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Make a bitstream, and keep it and the logs; return what the report gains."""
    top = design.top()
    try:
        outcome = make_bitstream(top, tools, work, seed=seed, progress=progress)
    except ToolError as error:
        _explain(error, work, design.target, design.network, design.mapping)
        raise
    _check_timing(outcome, top)
    _keep(work, stage, outcome)
    return _results(outcome, stage)


def _project(design: _Design, stage: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Write a project for the vendor's tool; return what the report gains."""
    progress("project")
    make_plan(design.top(), stage / "project", {})
    if design.target.zynq:
        progress("IPs for the ARM")
        write_ip(design.link(), design.target, stage / "ip", frequency=design.frequency)
    return {"bitstream": None, "fmax_hz": None, "utilization": None}


def _explain(
    error: ToolError, work: Path, target: Target, network: Network, mapping: Placement
) -> None:
    """Raise :exc:`FitError` where place and route failed because the device is too small."""
    log = work / "top.tim"
    if not log.is_file():
        return
    short = []
    for line in read_bytes(log).decode(errors="replace").splitlines():
        # Such as "Info:   ICESTORM_LC:  5612/  5280   106%".
        cell, _, numbers = line.removeprefix("Info:").strip().partition(":")
        used, slash, rest = numbers.partition("/")
        if slash and used.strip().isdecimal() and rest.split()[0].isdecimal():
            available = int(rest.split()[0])
            if int(used) > available:
                short.append(f"{int(used):,} {CELLS.get(cell, cell)} of {available:,}")
    full = "no BELs remaining" in str(error) or "nable to find" in str(error)
    if short or full:
        what = " and ".join(dict.fromkeys(short)) or "more cells than there are"
        fewer = max(core.lanes for core in mapping.cores.values()) // 2
        likely = find_lanes(target, network, mapping)
        if fewer and (likely is None or likely > fewer):
            remedy = f"try --lanes {fewer}"
        else:
            remedy = advice(target, network, mapping)
        raise FitError(f"Network must fit on {target.title}, and needs {what}: {remedy}") from None


def _check_timing(outcome: Outcome, top: BoardTop) -> None:
    if outcome.fmax < top.frequency:
        slower = int(0.95 * outcome.fmax / 1e6)
        raise TimingError(
            f"Design must run at {top.frequency / 1e6:g} MHz, and {top.target.title} reaches "
            f"{outcome.fmax / 1e6:.1f} MHz: another --seed, fewer lanes, or --clock {slower}"
        )


def _keep(work: Path, stage: Path, outcome: Outcome) -> None:
    shutil.copyfile(work / outcome.bitstream, stage / outcome.bitstream)
    for path in sorted(work.iterdir()):
        if path.suffix in KEPT:
            shutil.copyfile(path, stage / KEPT[path.suffix])


def _results(outcome: Outcome, stage: Path) -> dict[str, Any]:
    data = read_bytes(stage / outcome.bitstream)
    return {
        "bitstream": {"file": outcome.bitstream, "sha256": hashlib.sha256(data).hexdigest()},
        "fmax_hz": round(outcome.fmax),
        "utilization": {
            kind: {"used": used, "available": outcome.available[kind]}
            for kind, used in outcome.used.items()
        },
    }


def read_build(directory: str | Path) -> dict[str, Any]:
    """Return the report of a build, once its bitstream, if it has one, is found to be unaltered.

    Raises
    ------
    ValueError
        If the directory is no build, or its bitstream is missing or another.
    """
    return read_whole_build(directory)[0]


@reader("a directory that `spiker build` made", "")
def read_whole_build(directory: str | Path) -> tuple[dict[str, Any], bytes]:
    """Return the report of a build, and its unaltered bitstream; empty if there is none.

    Each is read once, so that nobody can exchange it later. Raises as :func:`read_build`.
    """
    directory = Path(directory)
    path = directory / BUILD
    if not path.is_file():
        raise FileError("must be a directory that `spiker build` made, not another", directory)
    with reading(path, "what `spiker build` wrote", "json"):
        report = strict_json.parse_object(read_bytes(path, MOST_REPORT))
        bitstream = _checked(report)["bitstream"]
    if bitstream is None:
        return report, b""
    name = bitstream["file"]
    if not isinstance(name, str) or not BITSTREAM.fullmatch(name):
        raise FileError(
            f"must name a bitstream beside it, such as top.bit, not {shown(name)}", path
        )
    if not (directory / name).is_file():
        raise FileError("must be the bitstream that was built, not missing", directory / name)
    data = read_bytes(directory / name, MOST_BITSTREAM)
    if hashlib.sha256(data).hexdigest() != bitstream["sha256"]:
        raise FileError("must be the bitstream that was built, not another", directory / name)
    return report, data


def _checked(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report, once every entry that is read anywhere is as it must be."""
    if report["format"] != FORMAT:
        raise FileError(f"must be of format {FORMAT}, not {shown(report['format'])}")
    network = report["network"]
    for value in (report["board"], network["name"], network["sha256"]):
        if not isinstance(value, str):
            raise FileError(f"must name its board and network, not {shown(value)}")
    report["mapping"] = thawed_mapping(report["mapping"])  # older builds have its older spelling
    Placement.from_json(report["mapping"])
    if report["baud"] is not None:
        check_int("Baud", report["baud"], 1, 2**31 - 1)
    return report
