"""The error of files, and how text that nobody vouches for is shown."""

import reprlib
from os import PathLike, fspath
from typing import Any

__all__ = ["FileError", "clipped", "reason", "shown", "visible"]

MOST_FOUND = 200
MOST_EXPECTED = 500
_SPACES = str.maketrans("\n\r\t", "   ")


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
        expected, separator, found = visible(problem).partition(", not ")
        self.problem = clipped(expected, MOST_EXPECTED) + separator + clipped(found, MOST_FOUND)
        self.path = None if path is None else fspath(path)
        where = "" if self.path is None else f"{visible(self.path)}: "
        super().__init__(where + self.problem)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem, self.path)


def visible(text: str) -> str:
    """Return a text in one line, with characters that control a terminal shown as escapes."""
    if text.isprintable():
        return text
    text = text.translate(_SPACES)
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def clipped(text: str, most: int) -> str:
    """Return a text, or both ends of a long one."""
    if len(text) <= most:
        return text
    tail = (most - 3) // 3
    return f"{text[: most - 3 - tail]}...{text[-tail:]}"


def shown(value: Any, most: int = 80) -> str:
    """Return a value as a message may show it, in a time that does not grow with its size."""
    form = reprlib.Repr()
    form.maxlevel, form.maxstring, form.maxother, form.maxlong = 4, most, most, most
    try:
        return clipped(visible(form.repr(value)), most)
    except (ValueError, RecursionError):  # an integer of more digits than Python prints
        return f"a long {type(value).__name__}"


def reason(error: Exception) -> str:
    """Return what another library's error says, or means where it says nothing."""
    if isinstance(error, RecursionError):
        return "values that are nested too deep"
    if isinstance(error, MemoryError):
        return "more than memory holds"
    if isinstance(error, KeyError):
        return f"no {error}"
    return str(error) or type(error).__name__
