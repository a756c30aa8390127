"""A progress bar on a terminal, where rich is installed; else a line now and then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from spiker_hdl.base.progress_lines import ProgressLines

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(shown: bool, title: str, total: int) -> Iterator[Callable[[], Any]]:
    """Show progress on standard error, and yield the function that advances it by one."""
    if not shown:
        yield lambda: None
        return
    bar = _rich()
    if bar is None:
        yield ProgressLines(title, total).advance
        return
    with bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def _rich() -> Any:
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        return None
    console = Console(stderr=True)
    return Progress(transient=True, console=console) if console.is_terminal else None
