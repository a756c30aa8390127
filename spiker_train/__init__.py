"""Train spiking networks with PyTorch, in real numbers or in exactly the hardware's integers."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conversion.compare import Comparison, compare
    from .conversion.convert import Report, quantize, quantize_with_report
    from .data.images import Dataset, datasets, load_dataset
    from .files import load_real, save_real
    from .formats.checkpoints import load_state
    from .formats.nir.read import NirReport, from_nir, from_nir_with_report
    from .formats.nir.write import to_nir
    from .formats.snntorch.read import ImportReport, from_snntorch, from_snntorch_with_report
    from .formats.spikerplus.differences import SpikerReport
    from .formats.spikerplus.read import from_spiker, from_spiker_with_report
    from .formats.spikerplus.widths import spiker_quantizations
    from .network.arithmetic import Reals, Tensors
    from .network.cell import Cell, IntegerCell
    from .network.layers import Connection, Layer
    from .network.network import SpikingNetwork
    from .network.plausibility import ImplausibleWarning
    from .network.quantization import Quantization
    from .network.run import Outcome
    from .network.surrogate import FastSigmoid
    from .recipes import train_network
    from .training.trainer import accuracy, train

_HOMES = {
    "Cell": ".network.cell",
    "Comparison": ".conversion.compare",
    "Connection": ".network.layers",
    "Dataset": ".data.images",
    "FastSigmoid": ".network.surrogate",
    "IntegerCell": ".network.cell",
    "Layer": ".network.layers",
    "NirReport": ".formats.nir.read",
    "Outcome": ".network.run",
    "Quantization": ".network.quantization",
    "Reals": ".network.arithmetic",
    "Report": ".conversion.convert",
    "SpikerReport": ".formats.spikerplus.differences",
    "SpikingNetwork": ".network.network",
    "Tensors": ".network.arithmetic",
    "accuracy": ".training.trainer",
    "compare": ".conversion.compare",
    "datasets": ".data.images",
    "from_nir": ".formats.nir.read",
    "from_nir_with_report": ".formats.nir.read",
    "ImplausibleWarning": ".network.plausibility",
    "ImportReport": ".formats.snntorch.read",
    "from_snntorch": ".formats.snntorch.read",
    "from_snntorch_with_report": ".formats.snntorch.read",
    "from_spiker": ".formats.spikerplus.read",
    "from_spiker_with_report": ".formats.spikerplus.read",
    "load_dataset": ".data.images",
    "load_real": ".files",
    "load_state": ".formats.checkpoints",
    "quantize": ".conversion.convert",
    "spiker_quantizations": ".formats.spikerplus.widths",
    "quantize_with_report": ".conversion.convert",
    "save_real": ".files",
    "to_nir": ".formats.nir.write",
    "train": ".training.trainer",
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
