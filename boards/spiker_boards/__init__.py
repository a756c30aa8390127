"""Boards, the top that they share, and the host that drives them.

The host loads NumPy and pyserial alone; what simulates a board is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from spiker_hdl.base.lazy import lazy_names

if TYPE_CHECKING:
    from .host.board import Board, BoardError

__all__ = ["Board", "BoardError"]

_HOMES = {"Board": ".host.board", "BoardError": ".host.board"}

__getattr__, __dir__ = lazy_names(__name__, __all__, _HOMES)
