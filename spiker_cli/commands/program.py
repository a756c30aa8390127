"""`spiker program`: load a build into its board."""

from pathlib import Path
from typing import Annotated

import typer

from spiker_cli.support.process import begin_work
from spiker_cli.support.terminal import say, table

__all__ = ["program"]


def program(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory that spiker build wrote.")
    ],
    flash: Annotated[
        bool,
        typer.Option("--flash", help="Write the flash memory, so that the board starts with it."),
    ] = False,
) -> int:
    """Load a build into the board that is connected, with openFPGALoader.

    What the directory says is checked first; a bitstream that was altered is refused.

    For example:

        spiker program digits_icebreaker
    """
    from spiker_boards.builder.program import program_board

    begin_work()
    report, output = program_board(directory, flash=flash)
    if output.strip():
        say(output.rstrip())
    network = report["network"]
    table(
        str(directory),
        [
            ("board", report["board"]),
            ("bitstream", report["bitstream"]["file"]),
            ("network", f"{network['name']} (SHA-256 {network['sha256'][:16]})"),
            ("kept", "without power" if flash else "until the power goes"),
        ],
    )
    return 0
