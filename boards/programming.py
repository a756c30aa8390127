"""What loads a build into its board."""

from pathlib import Path

from .building import read_build
from .catalog import find_board
from .tools import find_tools, run_tool

__all__ = ["program_board"]

LOADER = "openFPGALoader"


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
    return run_tool(tool, [*options, report["bitstream"]["file"]], directory)
