"""All boards, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from spiker_hdl.base.checks import check_choice

from . import (
    arty_a7_35,
    arty_z7_20,
    colorlight_i5,
    de10_nano,
    icebreaker,
    orangecrab,
    pynq_z2,
    tang_nano_9k,
    tang_nano_20k,
    ulx3s,
)
from .target import Target

__all__ = ["BOARDS", "find_board"]

_FILES = (
    icebreaker,
    ulx3s,
    orangecrab,
    colorlight_i5,
    tang_nano_9k,
    tang_nano_20k,
    arty_a7_35,
    arty_z7_20,
    pynq_z2,
    de10_nano,
)

BOARDS: Mapping[str, Target] = MappingProxyType({
    target.name: target for file in _FILES for target in file.TARGETS
})
"""Boards, by name."""


def find_board(name: str) -> Target:
    """Return the board of a name.

    Raises
    ------
    ValueError
        If there is none.
    """
    check_choice("Board", name, list(BOARDS))
    return BOARDS[name]
