"""Write the accelerator in other languages, and read back what was written."""

from .export import LANGUAGES, PORTS, emit
from .read import Emission, read_emission

__all__ = ["LANGUAGES", "PORTS", "Emission", "emit", "read_emission"]
