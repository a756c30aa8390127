"""Turn a spiking neural network of integers into hardware, and prove that it is the same network.

Importing this package loads NumPy alone: what needs Amaranth is loaded when it is first used, and
nothing here needs PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .base import version

if TYPE_CHECKING:
    from .engines import ENGINES, run
    from .export import emit
    from .model import Mapping, Network, Result, load

__all__ = ["ENGINES", "Mapping", "Network", "Result", "__version__", "emit", "load", "run"]


__version__ = version.LIBRARY_VERSION

_HOMES = {
    "ENGINES": ".engines",
    "Mapping": ".model",
    "Network": ".model",
    "Result": ".model",
    "emit": ".export",
    "load": ".model",
    "run": ".engines",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
