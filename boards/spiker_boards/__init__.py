"""Boards, the top that they share, and the host that drives them.

The host loads NumPy and pyserial alone; what simulates a board is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host.board import Board, BoardError

__all__ = ["Board", "BoardError"]

_HOMES = {"Board": ".host.board", "BoardError": ".host.board"}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
