"""Training of spiking networks in PyTorch, in floating point or in the hardware's integers."""

from typing import TYPE_CHECKING

from spiker_hdl.base.lazy import lazy_names

if TYPE_CHECKING:
    from .conversion.compare import Comparison, compare
    from .conversion.convert import quantize
    from .conversion.report import QuantizationReport
    from .data.events import Events
    from .data.images import Dataset, datasets, load_dataset
    from .data.load import event_datasets, load_data
    from .data.recordings import EventDataset
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
    from .data.torch_datasets import convert_torch
    from .devices.arrays import DifferentialPair, ReferenceColumn
    from .devices.checks import generator
    from .devices.device import Device
    from .devices.drift import Arrhenius, PowerLawDrift, TabulatedDrift
    from .devices.faults import Faults
    from .devices.files import load_devices, save_devices
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
    from .monte_carlo.bit_faults import BitFaults
    from .monte_carlo.monte_carlo import MonteCarlo
    from .monte_carlo.neurons import NeuronSpread
    from .monte_carlo.result import Draws
    from .monte_carlo.twin import Chip, Twin
    from .network.arithmetic import FloatingPoint, Tensors
    from .network.builder import NetworkBuilder
    from .network.cell import Cell, IntegerCell
    from .network.convolution import MaxPool, Window
    from .network.coupling import WinnerTakeAll
    from .network.import_report import ImportReport
    from .network.integers.channel_scales import equalize_channels
    from .network.integers.quantization import Quantization
    from .network.layers import Connection, Layer
    from .network.network import SpikingNetwork
    from .network.plausibility import ImplausibleWarning
    from .network.reservoir import freeze, reservoir_weights, spectral_radius
    from .network.runs.run import Outcome
    from .network.runs.state import NetworkState
    from .network.surrogate import FastSigmoid
    from .network.synapse_kinds import FirstOrder, SecondOrder, Summed, SynapseKind, Wire
    from .network.time import Duration, Tau
    from .recipes import Recipe, train_network
    from .state_files import load_network_state, save_network_state
    from .training.options import TrainingOptions
    from .training.ridge import fit_readout
    from .training.trainer import accuracy, train

_HOMES = {
    "Arrhenius": ".devices.drift",
    "BitFaults": ".monte_carlo.bit_faults",
    "Cell": ".network.cell",
    "Chip": ".monte_carlo.twin",
    "Comparison": ".conversion.compare",
    "Connection": ".network.layers",
    "ConversionLoss": ".data.representations",
    "Dataset": ".data.images",
    "Device": ".devices.device",
    "DifferentialPair": ".devices.arrays",
    "Draws": ".monte_carlo.result",
    "Duration": ".network.time",
    "EventDataset": ".data.recordings",
    "Events": ".data.events",
    "FastSigmoid": ".network.surrogate",
    "Faults": ".devices.faults",
    "FirstOrder": ".network.synapse_kinds",
    "FlickerNoise": ".devices.noise",
    "FloatingPoint": ".network.arithmetic",
    "GaussianNoise": ".devices.noise",
    "ImplausibleWarning": ".network.plausibility",
    "ImportReport": ".network.import_report",
    "IntegerCell": ".network.cell",
    "Layer": ".network.layers",
    "LossyConversionError": ".data.representations",
    "MaxPool": ".network.convolution",
    "MeasuredLevels": ".devices.levels",
    "MonteCarlo": ".monte_carlo.monte_carlo",
    "NetworkBuilder": ".network.builder",
    "NetworkState": ".network.runs.state",
    "NeuronSpread": ".monte_carlo.neurons",
    "NirReport": ".formats.nir.read",
    "Outcome": ".network.runs.run",
    "PowerLawDrift": ".devices.drift",
    "PulseUpdate": ".devices.pulses",
    "Quantization": ".network.integers.quantization",
    "QuantizationReport": ".conversion.report",
    "ReferenceColumn": ".devices.arrays",
    "SecondOrder": ".network.synapse_kinds",
    "SnntorchReport": ".formats.snntorch.read",
    "SpikerReport": ".formats.spikerplus.differences",
    "SpikingNetwork": ".network.network",
    "Spread": ".devices.noise",
    "Summed": ".network.synapse_kinds",
    "SynapseKind": ".network.synapse_kinds",
    "TabulatedDrift": ".devices.drift",
    "Tau": ".network.time",
    "Tensors": ".network.arithmetic",
    "TrainingOptions": ".training.options",
    "Twin": ".monte_carlo.twin",
    "UniformLevels": ".devices.levels",
    "Window": ".network.convolution",
    "WinnerTakeAll": ".network.coupling",
    "Wire": ".network.synapse_kinds",
    "WireResistance": ".devices.wires",
    "accuracy": ".training.trainer",
    "compare": ".conversion.compare",
    "datasets": ".data.images",
    "dense_to_events": ".data.representations",
    "dense_to_frames": ".data.representations",
    "equalize_channels": ".network.integers.channel_scales",
    "event_datasets": ".data.load",
    "events_to_dense": ".data.representations",
    "events_to_frames": ".data.representations",
    "fit_device": ".devices.fit",
    "fit_readout": ".training.ridge",
    "frames_to_dense": ".data.representations",
    "frames_to_events": ".data.representations",
    "freeze": ".network.reservoir",
    "from_nir": ".formats.nir.read",
    "from_snntorch": ".formats.snntorch.read",
    "from_spiker": ".formats.spikerplus.read",
    "convert_torch": ".data.torch_datasets",
    "generator": ".devices.checks",
    "hfox_reram": ".devices.presets",
    "load_data": ".data.load",
    "load_dataset": ".data.images",
    "load_devices": ".devices.files",
    "load_floating_point": ".files",
    "load_network_state": ".state_files",
    "load_state": ".formats.checkpoints",
    "pcm": ".devices.presets",
    "quantize": ".conversion.convert",
    "reservoir_weights": ".network.reservoir",
    "save_devices": ".devices.files",
    "save_floating_point": ".files",
    "save_network_state": ".state_files",
    "spectral_radius": ".network.reservoir",
    "spiker_quantizations": ".formats.spikerplus.widths",
    "to_nir": ".formats.nir.write",
    "train": ".training.trainer",
    "Recipe": ".recipes",
    "train_network": ".recipes",
}

__all__ = [
    "Arrhenius",
    "BitFaults",
    "Cell",
    "Chip",
    "Comparison",
    "Connection",
    "ConversionLoss",
    "Dataset",
    "Device",
    "DifferentialPair",
    "Draws",
    "Duration",
    "EventDataset",
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
    "MaxPool",
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
    "Recipe",
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
    "Twin",
    "UniformLevels",
    "Window",
    "WinnerTakeAll",
    "Wire",
    "WireResistance",
    "accuracy",
    "compare",
    "convert_torch",
    "datasets",
    "dense_to_events",
    "dense_to_frames",
    "equalize_channels",
    "event_datasets",
    "events_to_dense",
    "events_to_frames",
    "fit_device",
    "fit_readout",
    "frames_to_dense",
    "frames_to_events",
    "freeze",
    "from_nir",
    "from_snntorch",
    "from_spiker",
    "generator",
    "hfox_reram",
    "load_data",
    "load_dataset",
    "load_devices",
    "load_floating_point",
    "load_network_state",
    "load_state",
    "pcm",
    "quantize",
    "reservoir_weights",
    "save_devices",
    "save_floating_point",
    "save_network_state",
    "spectral_radius",
    "spiker_quantizations",
    "to_nir",
    "train",
    "train_network",
]

__getattr__, __dir__ = lazy_names(__name__, __all__, _HOMES)
