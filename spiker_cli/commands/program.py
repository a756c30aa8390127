"""`spiker program`: load a build into its board."""

from pathlib import Path

from spiker_boards.builder.program import program_board
from spiker_cli.support.terminal import say, table

__all__ = ["program"]


def program(directory: Path, flash: bool) -> int:
    """Load, and return the exit code."""
    report, said = program_board(directory, flash=flash)
    if said.strip():
        say(said.rstrip())
    table(
        str(directory),
        [
            ("board", report["board"]),
            ("bitstream", report["bitstream"]["file"]),
            (
                "network",
                f"{report['network']['name']} (SHA-256 {report['network']['sha256'][:16]})",
            ),
            ("kept", "without power" if flash else "until the power goes"),
        ],
    )
    return 0
