"""Values as they are given: numbers of plain digits, finite; and texts that say something."""

import re
from collections.abc import Callable
from typing import Any

import typer

from spiker_hdl.base.messages import shortened

__all__ = ["number_of", "text_of"]

DIGITS = r"[+-]?[0-9]{1,20}"
REAL = r"[+-]?([0-9]{1,20}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?"


def number_of(kind: type, least: float | None, most: float | None) -> Callable[[Any], Any]:
    """Return what reads an ``int`` or a ``float`` of an option, within its limits.

    What Python takes beside digits (``1_000``, digits of other scripts, ``nan``) is more often a
    mistake than meant.
    """
    form, title = (DIGITS, "an integer") if kind is int else (REAL, "a finite number")

    def read(given: Any) -> Any:
        if not isinstance(given, str):
            return given  # a default
        value = kind(given) if re.fullmatch(form, given, re.ASCII) else None
        if value is None or value in {float("inf"), float("-inf")}:
            raise typer.BadParameter(f"it must be {title}, not {shortened(given, 40)!r}")
        if least is not None and value < least:
            raise typer.BadParameter(f"it must be at least {least}, not {given}")
        if most is not None and value > most:
            raise typer.BadParameter(f"it must be at most {most}, not {given}")
        return value

    read.__name__ = kind.__name__  # which help shows
    return read


def text_of(kind: type) -> Callable[[Any], Any]:
    """Return what reads a ``str`` or a ``Path``: none that is empty, as ``"$UNSET"`` is.

    A path that is empty would be the directory in which this runs.
    """

    def read(given: Any) -> Any:
        if given == "":
            raise typer.BadParameter("it must not be empty")
        return kind(given) if isinstance(given, str) else given

    read.__name__ = kind.__name__.lower()
    return read
