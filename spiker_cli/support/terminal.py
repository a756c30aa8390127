"""What is printed: results on standard output, progress on standard error.

Names and messages come from files and from other people's programs: nothing in them controls the
terminal, or is markup for Rich.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.base.messages import visible
from spiker_hdl.base.progress_lines import ProgressLines

__all__ = [
    "columns",
    "printable",
    "progress",
    "say",
    "table",
    "text",
    "write",
    "write_json",
    "write_text",
]


def printable(text: str) -> str:
    """Return a text of several lines in which nothing controls the terminal."""
    return visible(text, kept="\n\t")


def say(line: str) -> None:
    """Print a line about the progress."""
    print(printable(line), file=sys.stderr)


def write(line: str) -> None:
    """Print lines of a result, without delay."""
    print(printable(line), flush=True)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show progress; gives a function to call with the number of items done since.

    It is a bar on a terminal, and elsewhere a line now and then.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        say(f"{title}: {total}")
        yield ProgressLines(printable(title), total).advance
        return
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(printable(title), total=total)
        yield lambda done: bar.advance(task, done)


def table(title: str, rows: Iterable[tuple[str, Any]]) -> None:
    """Print names and values under a title."""
    grid = Table(
        title=printable(title), show_header=False, title_justify="left", title_style="bold"
    )
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(printable(name), printable(str(value)))
    _print(grid)


def columns(title: str, names: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows under a title and the names of their columns."""
    heads = [printable(name) for name in names]
    grid = Table(*heads, title=printable(title), title_justify="left", title_style="bold")
    for row in rows:
        grid.add_row(*(printable(str(value)) for value in row))
    _print(grid)


def _print(grid: Table) -> None:
    # A table that goes to a file should not be folded as for a narrow screen.
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False, markup=False, emoji=False).print(grid)


def text(report: dict[str, Any]) -> str:
    """Return a report as JSON."""
    # The one control character that JSON does not escape by itself.
    return json.dumps(report, indent=2).replace("\x7f", "\\u007f") + "\n"


def write_text(path: Path, content: str) -> None:
    """Write a text file, whole or not at all."""
    with write_whole(path) as file:
        file.write(content.encode())


def write_json(path: Path | None, report: dict[str, Any]) -> bool:
    """Write a report where ``--json`` says, ``-`` being standard output.

    Returns
    -------
    bool
        Whether standard output has been used.
    """
    if path is None:
        return False
    if str(path) == "-":
        sys.stdout.write(text(report))
        return True
    write_text(path, text(report))
    return False
