"""A progress bar, where rich is installed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(shown: bool, title: str, total: int) -> Iterator[Callable[[], Any]]:
    """Show a bar on standard error, and yield the function that advances it by one."""
    bar = _rich() if shown else None
    if bar is None:
        yield lambda: None
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
    return Progress(transient=True, console=Console(stderr=True))
