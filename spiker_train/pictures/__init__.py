"""Pictures of runs, networks and devices, which need the extra ``plot``."""

from typing import TYPE_CHECKING

from spiker_hdl.base.lazy import lazy_names

if TYPE_CHECKING:
    from spiker_train.monte_carlo.result import draw_accuracy

    from .activity import draw_raster, draw_traces
    from .connectivity import draw_connectivity, draw_graph
    from .maps import draw_kernels, draw_maps
    from .weight_history import WeightHistory
    from .weights import draw_weights

__all__ = [
    "WeightHistory",
    "draw_accuracy",
    "draw_connectivity",
    "draw_graph",
    "draw_kernels",
    "draw_maps",
    "draw_raster",
    "draw_traces",
    "draw_weights",
]

_HOMES = {
    "WeightHistory": ".weight_history",
    "draw_accuracy": "spiker_train.monte_carlo.result",
    "draw_connectivity": ".connectivity",
    "draw_graph": ".connectivity",
    "draw_kernels": ".maps",
    "draw_maps": ".maps",
    "draw_raster": ".activity",
    "draw_traces": ".activity",
    "draw_weights": ".weights",
}

__getattr__, __dir__ = lazy_names(__name__, __all__, _HOMES)
