"""Training of spiking networks in PyTorch, in floating point or in the hardware's integers."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conversion.compare import Comparison, compare
    from .conversion.convert import quantize
    from .conversion.report import QuantizationReport
    from .data.events import Events
    from .data.images import Dataset, datasets, load_dataset
    from .data.representations import (
        ConversionLoss,
        LossyConversionError,
        dense_to_events,
        dense_to_frames,
        events_to_dense,
        events_to_frames,
        frames_to_dense,
        frames_to_events,
    )
    from .devices.arrays import DifferentialPair, ReferenceColumn
    from .devices.checks import generator
    from .devices.device import Device
    from .devices.drift import Arrhenius, PowerLawDrift, TabulatedDrift
    from .devices.faults import Faults
    from .devices.fit import fit_device
    from .devices.levels import MeasuredLevels, UniformLevels
    from .devices.noise import FlickerNoise, GaussianNoise, Spread
    from .devices.presets import hfox_reram, pcm
    from .devices.pulses import PulseUpdate
    from .devices.wires import WireResistance
    from .files import load_floating_point, save_floating_point
    from .formats.checkpoints import load_state
    from .formats.nir.read import NirReport, from_nir
    from .formats.nir.write import to_nir
    from .formats.snntorch.read import SnntorchReport, from_snntorch
    from .formats.spikerplus.differences import SpikerReport
    from .formats.spikerplus.read import from_spiker
    from .formats.spikerplus.widths import spiker_quantizations
    from .monte_carlo.monte_carlo import MonteCarlo
    from .monte_carlo.neurons import NeuronSpread
    from .monte_carlo.result import Draws
    from .network.arithmetic import FloatingPoint, Tensors
    from .network.builder import NetworkBuilder
    from .network.cell import Cell, IntegerCell
    from .network.import_report import ImportReport
    from .network.layers import Connection, Layer
    from .network.network import SpikingNetwork
    from .network.plausibility import ImplausibleWarning
    from .network.quantization import Quantization
    from .network.run import Outcome
    from .network.state import NetworkState
    from .network.surrogate import FastSigmoid
    from .network.synapse_kinds import FirstOrder, SecondOrder, Summed, SynapseKind, Wire
    from .network.time import Duration, Tau
    from .recipes import train_network
    from .training.options import TrainingOptions
    from .training.trainer import accuracy, train

_HOMES = {
    "Draws": ".monte_carlo.result",
    "MonteCarlo": ".monte_carlo.monte_carlo",
    "NeuronSpread": ".monte_carlo.neurons",
    "Arrhenius": ".devices.drift",
    "Device": ".devices.device",
    "DifferentialPair": ".devices.arrays",
    "Faults": ".devices.faults",
    "FlickerNoise": ".devices.noise",
    "GaussianNoise": ".devices.noise",
    "MeasuredLevels": ".devices.levels",
    "PowerLawDrift": ".devices.drift",
    "PulseUpdate": ".devices.pulses",
    "ReferenceColumn": ".devices.arrays",
    "Spread": ".devices.noise",
    "TabulatedDrift": ".devices.drift",
    "UniformLevels": ".devices.levels",
    "WireResistance": ".devices.wires",
    "fit_device": ".devices.fit",
    "generator": ".devices.checks",
    "hfox_reram": ".devices.presets",
    "pcm": ".devices.presets",
    "Cell": ".network.cell",
    "Comparison": ".conversion.compare",
    "Connection": ".network.layers",
    "ConversionLoss": ".data.representations",
    "Dataset": ".data.images",
    "Events": ".data.events",
    "FastSigmoid": ".network.surrogate",
    "FloatingPoint": ".network.arithmetic",
    "ImplausibleWarning": ".network.plausibility",
    "ImportReport": ".network.import_report",
    "IntegerCell": ".network.cell",
    "Layer": ".network.layers",
    "LossyConversionError": ".data.representations",
    "NetworkBuilder": ".network.builder",
    "NirReport": ".formats.nir.read",
    "Outcome": ".network.run",
    "NetworkState": ".network.state",
    "FirstOrder": ".network.synapse_kinds",
    "SecondOrder": ".network.synapse_kinds",
    "Summed": ".network.synapse_kinds",
    "SynapseKind": ".network.synapse_kinds",
    "Wire": ".network.synapse_kinds",
    "Duration": ".network.time",
    "Tau": ".network.time",
    "Quantization": ".network.quantization",
    "QuantizationReport": ".conversion.report",
    "SnntorchReport": ".formats.snntorch.read",
    "SpikerReport": ".formats.spikerplus.differences",
    "SpikingNetwork": ".network.network",
    "Tensors": ".network.arithmetic",
    "TrainingOptions": ".training.options",
    "accuracy": ".training.trainer",
    "compare": ".conversion.compare",
    "datasets": ".data.images",
    "dense_to_events": ".data.representations",
    "dense_to_frames": ".data.representations",
    "events_to_dense": ".data.representations",
    "events_to_frames": ".data.representations",
    "frames_to_dense": ".data.representations",
    "frames_to_events": ".data.representations",
    "from_nir": ".formats.nir.read",
    "from_snntorch": ".formats.snntorch.read",
    "from_spiker": ".formats.spikerplus.read",
    "load_dataset": ".data.images",
    "load_floating_point": ".files",
    "load_state": ".formats.checkpoints",
    "quantize": ".conversion.convert",
    "save_floating_point": ".files",
    "spiker_quantizations": ".formats.spikerplus.widths",
    "to_nir": ".formats.nir.write",
    "train": ".training.trainer",
    "train_network": ".recipes",
}

__all__ = [
    "Arrhenius",
    "Cell",
    "Comparison",
    "Connection",
    "ConversionLoss",
    "Dataset",
    "Device",
    "DifferentialPair",
    "Draws",
    "Duration",
    "Events",
    "FastSigmoid",
    "Faults",
    "FirstOrder",
    "FlickerNoise",
    "FloatingPoint",
    "GaussianNoise",
    "ImplausibleWarning",
    "ImportReport",
    "IntegerCell",
    "Layer",
    "LossyConversionError",
    "MeasuredLevels",
    "MonteCarlo",
    "NetworkBuilder",
    "NetworkState",
    "NeuronSpread",
    "NirReport",
    "Outcome",
    "PowerLawDrift",
    "PulseUpdate",
    "Quantization",
    "QuantizationReport",
    "ReferenceColumn",
    "SecondOrder",
    "SnntorchReport",
    "SpikerReport",
    "SpikingNetwork",
    "Spread",
    "Summed",
    "SynapseKind",
    "TabulatedDrift",
    "Tau",
    "Tensors",
    "TrainingOptions",
    "UniformLevels",
    "Wire",
    "WireResistance",
    "accuracy",
    "compare",
    "datasets",
    "dense_to_events",
    "dense_to_frames",
    "events_to_dense",
    "events_to_frames",
    "fit_device",
    "frames_to_dense",
    "frames_to_events",
    "from_nir",
    "from_snntorch",
    "from_spiker",
    "generator",
    "hfox_reram",
    "load_dataset",
    "load_floating_point",
    "load_state",
    "pcm",
    "quantize",
    "save_floating_point",
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
