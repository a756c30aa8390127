"""Turn a spiking neural network of integers into hardware, and prove that it is the same network.

Importing this package loads NumPy alone: what needs Amaranth is loaded when it is first used, and
nothing here needs PyTorch.
"""

from typing import TYPE_CHECKING

from .base import version
from .base.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, __all__, _HOMES)
