"""Parts of a file that nobody vouches for: each is checked before it is used."""

import re
from typing import Any

from . import FileError, shown
from .identifiers import KEYWORDS

__all__ = ["NAME", "identifier", "member", "number"]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,199}")
"""What a name in a design looks like."""


def member(held: Any, where: str, key: str, kind: type) -> Any:
    """Return a member of an object, of the kind that it must be.

    Parameters
    ----------
    held : object
    where : str
        What it is, for the message.
    key : str
    kind : type

    Raises
    ------
    FileError
        If it is no object, has no such member, or one of another kind.
    """
    name = f"{where} {key}".strip()
    if not isinstance(held, dict):
        raise FileError(f"{where} must be an object, not {shown(held)}")
    if key not in held:
        raise FileError(f"{name} must be there, not missing")
    value = held[key]
    if type(value) is not kind:
        words = {dict: "an object", list: "a list", str: "a string", int: "an int", bool: "a bool"}
        raise FileError(f"{name} must be {words[kind]}, not {shown(value)}")
    return value


def number(held: Any, where: str, key: str, most: int) -> int:
    """Return a member of an object that is a number from 0 to ``most``."""
    value = member(held, where, key, int)
    if not 0 <= value <= most:
        raise FileError(f"{where} {key} must be 0 to {most}, not {shown(value)}")
    return value


def identifier(held: Any, where: str, key: str) -> str:
    """Return a member of an object that may stand as a name in a design."""
    value = member(held, where, key, str)
    if not NAME.fullmatch(value) or value.lower() in KEYWORDS:
        raise FileError(f"{where} {key} must be a name in the design, not {shown(value)}")
    return value
