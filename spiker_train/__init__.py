"""Train spiking networks with PyTorch, in real numbers or in exactly the hardware's integers."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cell import Cell, IntegerCell
    from .checkpoints import load_state
    from .comparison import Comparison, compare
    from .conversion import Report, quantize, quantize_with_report
    from .data import Dataset, datasets, load_dataset
    from .file import load_real, save_real
    from .layers import Connection, Layer
    from .network import SpikingNetwork
    from .network_run import Outcome
    from .nir_export import to_nir
    from .nir_import import NirReport, from_nir, from_nir_with_report
    from .plausibility import ImplausibleWarning
    from .quantization import Quantization
    from .recipes import train_network
    from .snntorch_modules import ImportReport, from_snntorch, from_snntorch_with_report
    from .spiker_config import from_spiker, from_spiker_with_report
    from .spiker_differences import SpikerReport
    from .spiker_widths import spiker_quantizations
    from .surrogate import FastSigmoid
    from .tensors import Reals, Tensors
    from .training import accuracy, train

_HOMES = {
    "Cell": ".cell",
    "Comparison": ".comparison",
    "Connection": ".layers",
    "Dataset": ".data",
    "FastSigmoid": ".surrogate",
    "IntegerCell": ".cell",
    "Layer": ".layers",
    "NirReport": ".nir_import",
    "Outcome": ".network_run",
    "Quantization": ".quantization",
    "Reals": ".tensors",
    "Report": ".conversion",
    "SpikerReport": ".spiker_differences",
    "SpikingNetwork": ".network",
    "Tensors": ".tensors",
    "accuracy": ".training",
    "compare": ".comparison",
    "datasets": ".data",
    "from_nir": ".nir_import",
    "from_nir_with_report": ".nir_import",
    "ImplausibleWarning": ".plausibility",
    "ImportReport": ".snntorch_modules",
    "from_snntorch": ".snntorch_modules",
    "from_snntorch_with_report": ".snntorch_modules",
    "from_spiker": ".spiker_config",
    "from_spiker_with_report": ".spiker_config",
    "load_dataset": ".data",
    "load_real": ".file",
    "load_state": ".checkpoints",
    "quantize": ".conversion",
    "spiker_quantizations": ".spiker_widths",
    "quantize_with_report": ".conversion",
    "save_real": ".file",
    "to_nir": ".nir_export",
    "train": ".training",
    "train_network": ".recipes",
}

__all__ = [
    "Cell",
    "Comparison",
    "Connection",
    "Dataset",
    "FastSigmoid",
    "ImplausibleWarning",
    "ImportReport",
    "IntegerCell",
    "Layer",
    "NirReport",
    "Outcome",
    "Quantization",
    "Reals",
    "Report",
    "SpikerReport",
    "SpikingNetwork",
    "Tensors",
    "accuracy",
    "compare",
    "datasets",
    "from_nir",
    "from_nir_with_report",
    "from_snntorch",
    "from_snntorch_with_report",
    "from_spiker",
    "from_spiker_with_report",
    "load_dataset",
    "load_real",
    "load_state",
    "quantize",
    "quantize_with_report",
    "save_real",
    "spiker_quantizations",
    "to_nir",
    "train",
    "train_network",
]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
