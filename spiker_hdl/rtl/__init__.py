"""Amaranth components of an accelerator, bottom to top."""

from .accelerator import Accelerator
from .encoded_accelerator import EncodedAccelerator
from .encoders.delta_encoder import DeltaEncoder
from .encoders.encoder import Encoder
from .encoders.image_encoder import ImageEncoder
from .encoders.samples import RawSample
from .input_port import InputPort
from .neurons.combinational import CombinationalArithmetic
from .population.accumulators import FoldedLanes, RingLanes
from .population.core import PopulationCore
from .population.event_merger import EventMerger
from .population.neuron_update import NeuronUpdate, Outcome
from .population.update_sequencer import UpdateSequencer
from .readout import ReadoutCore, ReadoutResult
from .sample_control import SampleControl, SpikeCounter
from .sample_result import SampleResult
from .streams.broadcast import Broadcast
from .streams.delay import Delay, Ticks
from .streams.events import AddressEvent, Word
from .streams.queue import Queue
from .streams.scanner import Scanner, ScannerWord
from .streams.serializer import Serializer
from .streams.spike_output import SpikeOutput
from .synapses.weight_memory import WeightMemory

__all__ = [
    "Accelerator",
    "AddressEvent",
    "Broadcast",
    "CombinationalArithmetic",
    "Delay",
    "DeltaEncoder",
    "EncodedAccelerator",
    "Encoder",
    "EventMerger",
    "FoldedLanes",
    "ImageEncoder",
    "InputPort",
    "NeuronUpdate",
    "Outcome",
    "PopulationCore",
    "Queue",
    "RawSample",
    "ReadoutCore",
    "ReadoutResult",
    "RingLanes",
    "SampleControl",
    "SampleResult",
    "Scanner",
    "ScannerWord",
    "Serializer",
    "SpikeCounter",
    "SpikeOutput",
    "Ticks",
    "UpdateSequencer",
    "WeightMemory",
    "Word",
]
