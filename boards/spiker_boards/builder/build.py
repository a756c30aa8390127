"""A directory with all that a board needs to run a network, which appears whole or not at all."""

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spiker_boards.fit import FitError, advice, check_fit, find_lanes
from spiker_boards.gateware.pll import find_dividers
from spiker_boards.gateware.top import BoardTop
from spiker_boards.target import Target
from spiker_hdl.base import FileError, read_bytes, reader, reading, shown, strict_json
from spiker_hdl.base.atomic_directory import Listing, digests, replacing, write_files
from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.base.version import LIBRARY_VERSION
from spiker_hdl.link.bridge import Link
from spiker_hdl.model import Mapping as Placement
from spiker_hdl.model import Network
from spiker_hdl.model.encoders import Encoding
from spiker_hdl.tools.families import FAMILIES
from spiker_hdl.tools.programs import ToolError, find_tools

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
"""What a build may replace, by which its directory is known again."""

FORMAT = 1
"""Version of what ``build.json`` says."""

MOST_REPORT, MOST_BITSTREAM = 2**24, 2**28
BITSTREAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\.(?:bin|bit|fs)")
"""What the file of a bitstream is called."""

KEPT = {".rpt": "synthesis.log", ".tim": "place_and_route.log"}
"""Logs that are kept, by the ending that Amaranth gives them."""

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
        New, empty, or that of an earlier build, which is replaced.
    mapping : Mapping
    encoding : Encoding, optional
        That of an encoder before the accelerator, which then takes values.
    frequency : int, optional
        Of the accelerator in Hz; the board's where none is given.
    seed : int
        Of placement.
    progress : callable
        Called with the name of each step before it begins.
    extra : callable
        Gives what else the report is to say.

    Returns
    -------
    dict
        What ``build.json`` there says.

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
    frequency = target.frequency if frequency is None else frequency
    frequency = check_int("Frequency", frequency, 1)
    target.check_clock(frequency)
    if frequency != target.oscillator:
        find_dividers(target.family, target.oscillator, frequency)
    check_fit(target, network, mapping)
    tools = find_tools(target.kind.tools)
    began = time.monotonic()
    with (
        replacing(directory, EARLIER) as stage,
        tempfile.TemporaryDirectory(dir=stage.parent) as name,
    ):
        work = Path(name)
        report: dict[str, Any] = {
            "format": FORMAT,
            "board": target.name,
            "device": target.device,
            "network": {"name": network.name, "sha256": network.digest},
            "library": LIBRARY_VERSION,
            "mapping": mapping.to_json(),
            **({} if encoding is None else {"encoding": asdict(encoding)}),
            "clock_hz": frequency,
            "baud": target.baud if target.usb is None else None,
            "seed": seed,
            "tools": {name: tool.version for name, tool in tools.items()},
        }
        network.save(stage / NETWORK)
        link = Link.of(network, mapping, encoding, version=LIBRARY_VERSION)
        top = BoardTop(target, link, frequency=frequency)
        if target.built:
            try:
                outcome = make_bitstream(top, tools, work, seed=seed, progress=progress)
            except ToolError as error:
                _explain(error, work, target, network, mapping)
                raise
            _check_timing(outcome, top)
            _keep(work, stage, outcome)
            report |= _found(outcome, stage)
        else:
            progress("project")
            make_plan(top, stage / "project", {})
            if target.zynq:
                progress("IPs for the ARM")
                link = Link.of(network, mapping, encoding, version=LIBRARY_VERSION)
                write_ip(link, target, stage / "ip", frequency=frequency)
            report |= {"bitstream": None, "fmax_hz": None, "utilization": None}
        report["seconds"] = round(time.monotonic() - began, 1)
        report |= extra()
        report["files"] = digests(stage)
        write_files(stage, {BUILD: json.dumps(report, indent=2) + "\n"})
    return report


def _explain(
    error: ToolError, work: Path, target: Target, network: Network, mapping: Placement
) -> None:
    """Raise :exc:`FitError` where place and route says that there is not room enough."""
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
    packed = "no BELs remaining" in str(error) or "nable to find" in str(error)
    if short or packed:
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


def _found(outcome: Outcome, stage: Path) -> dict[str, Any]:
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
    """Return what a build says of itself, once its bitstream, if it has one, is found to be that.

    Raises
    ------
    ValueError
        If the directory is no build, or its bitstream is missing or another.
    """
    return read_whole_build(directory)[0]


@reader("a directory that `spiker build` made", "")
def read_whole_build(directory: str | Path) -> tuple[dict[str, Any], bytes]:
    """Return what a build says of itself, and its bitstream, which is that; empty if there is none.

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
    """Return a report, in which all that is read by anybody is as it must be."""
    if report["format"] != FORMAT:
        raise FileError(f"must be of format {FORMAT}, not {shown(report['format'])}")
    network = report["network"]
    for value in (report["board"], network["name"], network["sha256"]):
        if not isinstance(value, str):
            raise FileError(f"must name its board and network, not {shown(value)}")
    Placement.from_json(report["mapping"])
    if report["baud"] is not None:
        check_int("Baud", report["baud"], 1, 2**31 - 1)
    return report
