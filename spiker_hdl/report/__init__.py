"""What a network does and takes: pictures, area, and what stands in for energy."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .activity import draw_activity
    from .cells import Area, area
    from .cycles import draw_cycles
    from .energy import Work, work
    from .saif import to_saif
    from .toggles import Activity, switching

__all__ = [
    "Activity",
    "Area",
    "Work",
    "area",
    "draw_activity",
    "draw_cycles",
    "switching",
    "to_saif",
    "work",
]

_HOMES = {
    "Activity": ".toggles",
    "Area": ".cells",
    "Work": ".energy",
    "area": ".cells",
    "draw_activity": ".activity",
    "draw_cycles": ".cycles",
    "switching": ".toggles",
    "to_saif": ".saif",
    "work": ".energy",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
