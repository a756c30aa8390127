"""Reports of runs: pictures, operation counts and switching activity as proxies of energy, area."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiker_hdl.tools.synthesis import Area, area

    from .operation_counts import Work, work
    from .pictures import draw_activity, draw_cycles
    from .saif import to_saif
    from .switching_activity import Activity, switching

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
    "Activity": ".switching_activity",
    "Area": "spiker_hdl.tools.synthesis",
    "Work": ".operation_counts",
    "area": "spiker_hdl.tools.synthesis",
    "draw_activity": ".pictures",
    "draw_cycles": ".pictures",
    "switching": ".switching_activity",
    "to_saif": ".saif",
    "work": ".operation_counts",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
