"""How instances of frozen dataclasses are made: the only places that write into them."""

from copy import copy
from typing import Any, TypeVar

__all__ = ["copy_with", "make_unchecked", "set_fields"]

T = TypeVar("T")


def set_fields(instance: Any, **values: Any) -> None:
    """Set fields of an instance in its ``__post_init__``, to their checked and plain form."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def copy_with(instance: T, **cached: Any) -> T:
    """Return a shallow copy of an instance whose cached properties have other values."""
    duplicate = copy(instance)
    vars(duplicate).update(cached)
    return duplicate


def make_unchecked(kind: type[T], **values: Any) -> T:
    """Return an instance with fields that its ``__post_init__`` would refuse, such as tensors."""
    instance = object.__new__(kind)
    set_fields(instance, **values)
    return instance
