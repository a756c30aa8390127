"""Pictures of runs, networks and devices, which need the extra ``plot``."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spiker_train.monte_carlo.result import draw_accuracy

    from .activity import draw_raster, draw_traces
    from .connectivity import draw_connectivity, draw_graph
    from .weight_history import WeightHistory
    from .weights import draw_weights

__all__ = [
    "WeightHistory",
    "draw_accuracy",
    "draw_connectivity",
    "draw_graph",
    "draw_raster",
    "draw_traces",
    "draw_weights",
]

_HOMES = {
    "WeightHistory": ".weight_history",
    "draw_accuracy": "spiker_train.monte_carlo.result",
    "draw_connectivity": ".connectivity",
    "draw_graph": ".connectivity",
    "draw_raster": ".activity",
    "draw_traces": ".activity",
    "draw_weights": ".weights",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
