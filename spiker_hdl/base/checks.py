"""Checks of arguments: each returns the plain form, or says what must be and what was given."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .conversions import as_array, as_index, is_sequence, is_several
from .messages import shown, with_article

__all__ = [
    "check_choice",
    "check_int",
    "check_ints",
    "check_kind",
    "check_name",
    "check_shape",
    "shown",
]


def check_int(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Return ``value`` as a plain integer of ``least..most``.

    Raises
    ------
    TypeError
        If ``value`` is no integer; a :class:`bool` is none.
    ValueError
        If ``value`` is out of range.
    """
    number = as_index(value)
    if number is None:
        raise TypeError(f"{name} must be an int, not {shown(value)}")
    if least is not None and number < least:
        raise ValueError(f"{name} must be at least {least}, not {shown(number)}")
    if most is not None and number > most:
        raise ValueError(f"{name} must be at most {most}, not {shown(number)}")
    return number


def check_ints(
    name: str, value: Any, least: int | None = None, most: int | None = None
) -> int | tuple[int, ...]:
    """Return ``value`` as a plain integer of ``least..most``, or as a tuple of such.

    Parameters
    ----------
    name : str
    value : int, or sequence or array of int
    least, most : int, optional

    Raises
    ------
    TypeError
        If ``value`` is neither an integer nor several of them.
    ValueError
        If one is out of range, or there is none.
    """
    if not is_several(value):
        if as_index(value) is None:
            raise TypeError(f"{name} must be an int or a tuple of ints, not {shown(value)}")
        return check_int(name, value, least, most)
    values = _listed(name, value, "an int or a tuple of ints")
    if not values:
        raise ValueError(f"{name} must have a value for each neuron, not ()")
    if all(type(value) is int for value in values) and (
        (least is None or min(values) >= least) and (most is None or max(values) <= most)
    ):
        return tuple(values)
    return tuple(
        check_int(f"{name} of neuron {n}", value, least, most) for n, value in enumerate(values)
    )


def check_shape(name: str, value: Any, most: int) -> int | tuple[int, ...]:
    """Return ``value`` as a size, or as a tuple of the sizes of its axes.

    Parameters
    ----------
    name : str
    value : int, or sequence or array of int
    most : int
        Limit of the size, which is the product of the axes.

    Raises
    ------
    TypeError
        If ``value`` is neither an integer nor several of them.
    ValueError
        If it has no axis, or a size is not in ``1..most``.
    """
    if not is_several(value):
        return check_int(f"{name} size", value, 1, most)
    shape = tuple(
        check_int(f"{name} shape", axis, 1, most)
        for axis in _listed(f"{name} shape", value, "an int or a tuple of ints")
    )
    if not shape:
        raise ValueError(f"{name} shape must have at least one axis, not ()")
    check_int(f"{name} size", int(np.prod(shape, dtype=object)), 1, most)
    return shape


def _listed(name: str, value: Any, wanted: str) -> list[Any]:
    """List what a sequence or an array of one axis holds, integers of arrays as plain ones."""
    if is_sequence(value):
        return list(value)
    values = as_array(name, value)
    if values.ndim != 1 or values.dtype.kind not in "iuO":
        raise TypeError(f"{name} must be {wanted}, not {shown(value)}")
    return values.tolist()


def check_name(what: str, value: Any) -> str:
    """Return ``value`` as a plain string of printable characters that is not empty.

    Raises
    ------
    TypeError
        If ``value`` is no string.
    ValueError
        If it is empty, holds a dot or a character that does not print, or is over 200 long.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a string, not {shown(value)}")
    if not value or len(value) > 200 or not value.isprintable() or "." in value:
        raise ValueError(
            f"{what} must be 1 to 200 printable characters without a dot, not {shown(value)}"
        )
    return str.__str__(value)


def check_choice(what: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` as a plain string; raise :exc:`ValueError` unless it is of ``choices``."""
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{what} must be one of {listed}, not {shown(value)}")
    return str.__str__(value)


def check_kind(what: str, value: Any, kind: type) -> None:
    """Raise :exc:`TypeError` unless ``value`` is a ``kind``."""
    if not isinstance(value, kind):
        raise TypeError(f"{what} must be {with_article(kind.__name__)}, not {shown(value)}")
