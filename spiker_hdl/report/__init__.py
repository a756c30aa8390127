"""Reports of runs: pictures, operation counts and switching activity as proxies of energy, area."""

from typing import TYPE_CHECKING

from spiker_hdl.base.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, __all__, _HOMES)
