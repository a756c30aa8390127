"""JSON of files that nobody vouches for."""

import json
from math import isfinite
from typing import Any

from spiker_hdl.base.errors import FileError
from spiker_hdl.base.messages import shown

__all__ = ["parse", "parse_object"]

MOST_BYTES = 2**24
MOST_NESTED = 2**20  # objects and lists
MOST_STRINGS = 2**21
MOST_STRING = 2**16


def parse(data: bytes | str, most: int = MOST_BYTES, *, ours: bool = False) -> Any:
    """Return what is all of a JSON file.

    Time and memory are linear in its size, and bounded before anything is made.

    Parameters
    ----------
    data : bytes or str
    most : int
        Bytes that it may have.
    ours : bool
        Whether a tool of ours has just written it: then its size is not bounded, its form is.

    Raises
    ------
    FileError
        If it is no JSON, has a key of an object twice, a number that is none or a text that is
        none, or is too large or too deep.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    nested, quotes = data.count(b"{") + data.count(b"["), data.count(b'"')
    for what, number, limit in (
        ("bytes", len(data), most),
        ("objects and lists", nested, MOST_NESTED),
        ("strings", quotes // 2, MOST_STRINGS),
    ):
        if number > limit and not ours:
            raise FileError(f"must be JSON of at most {limit} {what}, not {number}")
    hooks = {
        "object_pairs_hook": _distinct,
        "parse_constant": _constant,
        "parse_float": _float,
    }
    try:
        value = json.loads(data.decode("utf-8"), **hooks)
    except FileError:
        raise
    except RecursionError:
        raise FileError("must be JSON, not with values that are nested too deep") from None
    except ValueError as error:
        raise FileError(f"must be JSON, not with: {error}") from None
    if not ours:
        _check_strings(value)
    return value


def parse_object(
    data: bytes | str, most: int = MOST_BYTES, *, ours: bool = False
) -> dict[str, Any]:
    """Return the object that is all of a JSON file; raises as :func:`parse` does."""
    value = parse(data, most, ours=ours)
    if not isinstance(value, dict):
        raise FileError(f"must be an object, not {shown(value)}")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise FileError(f"must have each key once, not {shown(key)} twice")
            seen.add(key)
    return value


def _constant(text: str) -> None:
    raise FileError(f"must have plain numbers, not {text}")


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise FileError(f"must have plain numbers, not {shown(text)}")
    return value


def _check_strings(value: Any) -> None:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += (item for item in part if isinstance(item, str | list | dict))
        elif isinstance(part, str):
            if len(part) > MOST_STRING:
                raise FileError(
                    f"must have strings of at most {MOST_STRING} characters, not {len(part)}"
                )
            if not part.isascii() and any("\ud800" <= mark <= "\udfff" for mark in part):
                raise FileError(f"must have strings of characters, not half of one: {shown(part)}")
