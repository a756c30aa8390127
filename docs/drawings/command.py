"""The help of the command and of its subcommands, as it is printed."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

__all__ = ["help_of", "subcommands"]


@cache
def help_of(*command: str) -> str:
    """Return what ``spiker COMMAND --help`` prints, without the spaces that end its lines."""
    program = Path(sys.executable).with_name("spiker")
    plain = {"COLUMNS": "92", "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(
        [program, *command, "--help"],
        env={**os.environ, **plain},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    lines = [line.rstrip() for line in run.stdout.strip("\n").splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def subcommands() -> list[str]:
    """Return the names of the subcommands, in the order of the help."""
    listed = help_of().partition("─ Commands ")[2]
    return re.findall(r"^│ (\w+) ", listed, re.MULTILINE)
