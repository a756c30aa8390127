"""Checks of what users give, each with a message that says what must be and what was given."""

from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["check_choice", "check_int", "check_ints", "check_kind", "check_name", "frozen_integers"]


def check_int(name: str, value: Any, least: int | None = None, most: int | None = None) -> None:
    """Raise unless ``value`` is a plain integer in ``least..most``.

    Raises
    ------
    TypeError
        If ``value`` is anything but an :class:`int`, a :class:`bool` or a NumPy integer included.
    ValueError
        If ``value`` is out of range.
    """
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    if most is not None and value > most:
        raise ValueError(f"{name} must be at most {most}, not {value}")


def check_ints(name: str, value: Any, least: int | None = None, most: int | None = None) -> None:
    """Raise unless ``value`` is a plain integer in ``least..most``, or a tuple of such.

    Raises
    ------
    TypeError
        If ``value`` is neither an :class:`int` nor a tuple of them.
    ValueError
        If one is out of range, or the tuple is empty.
    """
    if not isinstance(value, tuple):
        if type(value) is not int:
            raise TypeError(f"{name} must be an int or a tuple of ints, not {value!r}")
        check_int(name, value, least, most)
        return
    if not value:
        raise ValueError(f"{name} must have a value for each neuron, not ()")
    for n, one in enumerate(value):
        check_int(f"{name} of neuron {n}", one, least, most)


def check_name(what: str, value: Any) -> None:
    """Raise unless ``value`` is a non-empty string of printable characters.

    Raises
    ------
    TypeError
        If ``value`` is no string.
    ValueError
        If it is empty, holds a dot or a character that does not print, or is over 200 long.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {value!r}")
    if not value or len(value) > 200 or not value.isprintable() or "." in value:
        raise ValueError(
            f"{what} must be 1 to 200 printable characters without a dot, not {value!r}"
        )


def check_choice(what: str, value: Any, choices: Iterable[str]) -> None:
    """Raise :exc:`ValueError` unless ``value`` is one of ``choices``."""
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{what} must be one of {listed}, not {value!r}")


def check_kind(what: str, value: Any, kind: type, article: str = "a") -> None:
    """Raise :exc:`TypeError` unless ``value`` is a ``kind``."""
    if not isinstance(value, kind):
        raise TypeError(f"{what} must be {article} {kind.__name__}, not {value!r}")


def frozen_integers(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``value`` as a read-only int64 array of ``shape``.

    Raises
    ------
    TypeError
        If ``value`` is no NumPy array of integers.
    ValueError
        If its shape is another.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        kind = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
        raise TypeError(f"{name} must be a NumPy array of integers, not {kind}")
    if value.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, not {value.shape}")
    if value.dtype == np.uint64 and value.size and int(value.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{name} must fit in 64 bits with sign, not {int(value.max())}")
    frozen = np.array(value, dtype=np.int64, order="C")
    frozen.flags.writeable = False
    return frozen
