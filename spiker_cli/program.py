"""`spiker program`: load a build into its board."""

from pathlib import Path

from spiker_boards.programming import program_board, read_bitstream

from .terminal import say, table

__all__ = ["program"]


def program(directory: Path, flash: bool) -> int:
    """Load, and return the exit code."""
    report = read_bitstream(directory)
    say(f"{directory / report['bitstream']['file']} into {report['board']}")
    said = program_board(directory, flash=flash)
    if said.strip():
        say(said.rstrip())
    table(
        str(directory),
        [
            ("board", report["board"]),
            (
                "network",
                f"{report['network']['name']} (SHA-256 {report['network']['sha256'][:16]})",
            ),
            ("kept", "without power" if flash else "until the power goes"),
        ],
    )
    return 0
