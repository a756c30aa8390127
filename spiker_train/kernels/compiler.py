"""Kernels compiled by a C compiler, in the cache of compiled libraries."""

import ctypes
import hashlib
import json
import os
import platform
import shlex
import sys
from functools import cache
from pathlib import Path
from shutil import which

from spiker_hdl.base import read_bytes
from spiker_hdl.base.compile_cache import (
    BuildError,
    keep,
    load_once,
    lone,
    open_cache,
    read,
    workplace,
)
from spiker_hdl.tools.programs import Tool, run_tool, system_remedy

__all__ = ["compile_kernel"]

# Neither contracted products nor reordered sums: each result has the bits that PyTorch computes.
# Exceptions of floating point are not looked at, so that both sides of a choice may be computed.
_FLAGS = (
    "-std=gnu11",
    "-O3",
    "-ffp-contract=off",
    "-fno-trapping-math",
    "-fno-math-errno",
    "-fPIC",
    "-shared",
    "-w",
)


@cache
def _compiler(choice: str | None) -> tuple[str, ...]:
    """Return the command of a C compiler: the user's choice, or the first that is installed."""
    for candidate in [choice] if choice else ["gcc", "clang", "cc"]:
        command = shlex.split(candidate)
        if command and which(command[0]):
            return tuple(command)
    name = repr(choice) if choice else "none"
    raise BuildError(f"Kernels must have a C compiler, not {name}; {system_remedy('gcc')}")


@cache
def _target(compiler: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return the flags for this processor, and a digest of compiler, processor and flags."""
    for flags in (("-march=native",), ("-mcpu=native",), ()):
        try:
            macros = _call([*compiler, *flags, "-dM", "-E", "-x", "c", os.devnull], Path.cwd())
        except BuildError:
            continue
        described = [macros, platform.machine(), sys.platform, *compiler, *_FLAGS, *flags]
        return flags, hashlib.sha256(json.dumps(described).encode()).hexdigest()
    raise BuildError(f"Kernels must have a C compiler, not {compiler[0]!r}, which does not run")


def _call(command: list[str], directory: Path) -> str:
    return run_tool(
        Tool(command[0], (command[0],)),
        command[1:],
        directory,
        apart=True,
        task=f"{command[0]} must compile kernels",
        error=BuildError,
    )


@cache
def compile_kernel(text: str) -> ctypes.CDLL:
    """Return the library of a C source, compiled unless it is in the cache.

    Raises
    ------
    BuildError
        If there is no compiler, it fails, or the cache cannot be used.
    """
    compiler = _compiler(os.environ.get("CC"))
    flags, machine = _target(compiler)
    directory = open_cache()
    key = hashlib.sha256(f"{machine}\n{text}".encode()).hexdigest()[:32]
    library = directory / f"{key}.so"
    data = read(library)
    if data is None:
        with lone(directory / f"{key}.lock"):
            data = read(library)
            if data is None:
                with workplace(directory) as stage:
                    (stage / "kernel.c").write_text(text)
                    arguments = [*_FLAGS, *flags, "-o", "kernel.so", "kernel.c", "-lm"]
                    _call([*compiler, *arguments], stage)
                    data = read_bytes(stage / "kernel.so")
                keep(library, data)
    return load_once(data, directory)
