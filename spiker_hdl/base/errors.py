"""The error of files, and what the errors of other libraries mean."""

from os import PathLike, fspath
from typing import Any

from .messages import shortened, visible

__all__ = ["FileError", "reason"]

MOST_FOUND = 200
MOST_EXPECTED = 500


class FileError(ValueError):
    """A file that cannot be loaded: which, what was expected, and what was found.

    What was expected stands before the first ``", not "`` of a message and what was found behind
    it. Either is shortened where it is long, and characters that control a terminal are shown as
    escapes: much of a message comes out of the file.

    Parameters
    ----------
    problem : str
    path : str or path, optional
    """

    def __init__(self, problem: str, path: str | PathLike[str] | None = None):
        expected, separator, actual = visible(problem).partition(", not ")
        self.problem = (
            shortened(expected, MOST_EXPECTED) + separator + shortened(actual, MOST_FOUND)
        )
        self.path = None if path is None else fspath(path)
        where = "" if self.path is None else f"{visible(self.path)}: "
        super().__init__(where + self.problem)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem, self.path)


def reason(error: Exception) -> str:
    """Return what another library's error says, or means where it says nothing."""
    if isinstance(error, RecursionError):
        return "values that are nested too deep"
    if isinstance(error, MemoryError):
        return "more than memory holds"
    if isinstance(error, KeyError):
        return f"no {error}"
    return str(error) or type(error).__name__
