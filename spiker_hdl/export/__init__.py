"""Export of the accelerator to Verilog and VHDL, and reading of emitted directories."""

from .export import PORTS, emit
from .languages import LANGUAGES
from .read.emission import Emission, read_emission

__all__ = ["LANGUAGES", "PORTS", "Emission", "emit", "read_emission"]
