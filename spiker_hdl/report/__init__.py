"""What a network does and takes: pictures and area."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .activity import draw_activity
    from .cells import Area, area
    from .cycles import draw_cycles

__all__ = ["Area", "area", "draw_activity", "draw_cycles"]

_HOMES = {
    "Area": ".cells",
    "area": ".cells",
    "draw_activity": ".activity",
    "draw_cycles": ".cycles",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
