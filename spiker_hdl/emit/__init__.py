"""Write the accelerator in other languages.

The package itself can be called, as ``spiker_hdl.emit(...)``: it does what :func:`emit` does.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from .emission import LANGUAGES, PORTS, emit
from .reading import Emission, read_emission
from .yosys import YosysError

__all__ = ["LANGUAGES", "PORTS", "Emission", "YosysError", "emit", "read_emission"]


class _Package(ModuleType):
    # Importing a package binds its name in the one around it, over a function of that name.
    def __call__(self, *args: Any, **options: Any) -> Path:
        return emit(*args, **options)


sys.modules[__name__].__class__ = _Package
