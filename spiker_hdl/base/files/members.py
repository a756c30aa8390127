"""Members of the objects in untrusted files, each checked before it is used."""

import re
from typing import Any

from spiker_hdl.base import FileError, shown
from spiker_hdl.base.identifiers import KEYWORDS

__all__ = ["NAME", "identifier", "member", "number"]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,199}")
"""Form of a name in a design."""


def member(container: Any, where: str, key: str, kind: type) -> Any:
    """Return a member of an object, checked for its type.

    Parameters
    ----------
    container : object
    where : str
        Name of the object in messages.
    key : str
    kind : type

    Raises
    ------
    FileError
        If it is no object, has no such member, or one of another kind.
    """
    name = f"{where} {key}".strip()
    if not isinstance(container, dict):
        raise FileError(f"{where} must be an object, not {shown(container)}")
    if key not in container:
        raise FileError(f"{name} must be there, not missing")
    value = container[key]
    if type(value) is not kind:
        words = {dict: "an object", list: "a list", str: "a string", int: "an int", bool: "a bool"}
        raise FileError(f"{name} must be {words[kind]}, not {shown(value)}")
    return value


def number(container: Any, where: str, key: str, most: int) -> int:
    """Return a member of an object that is a number from 0 to ``most``."""
    value = member(container, where, key, int)
    if not 0 <= value <= most:
        raise FileError(f"{where} {key} must be 0 to {most}, not {shown(value)}")
    return value


def identifier(container: Any, where: str, key: str) -> str:
    """Return a member of an object that is a valid name in a design."""
    value = member(container, where, key, str)
    if not NAME.fullmatch(value) or value.lower() in KEYWORDS:
        raise FileError(f"{where} {key} must be a name in the design, not {shown(value)}")
    return value
