"""Amaranth components of an accelerator, bottom to top."""

from .accelerator import Accelerator, SampleResult
from .encoded_accelerator import EncodedAccelerator
from .encoders.delta_encoder import DeltaEncoder
from .encoders.encoder import Encoder
from .encoders.image_encoder import StillEncoder
from .encoders.samples import Reading
from .input_port import Entry
from .neurons.combinational import Gates
from .population.accumulators import FoldedLanes, RingLanes
from .population.core import PopulationCore
from .population.event_merger import Intake
from .population.neuron_update import Outcome, Stepper
from .population.update_sequencer import Sequencer
from .readout import ReadoutCore, ReadoutResult
from .sample_control import Control, SpikeCounter
from .streams.broadcast import Broadcast
from .streams.delay import Delay, Ticks
from .streams.events import AddressEvent, Word
from .streams.queue import Queue
from .streams.scanner import Scanner, ScannerWord
from .streams.serializer import Serializer
from .streams.spike_output import Emitter
from .synapses.weight_memory import Synapses

__all__ = [
    "Accelerator",
    "AddressEvent",
    "Broadcast",
    "Control",
    "Delay",
    "DeltaEncoder",
    "Emitter",
    "EncodedAccelerator",
    "Encoder",
    "Entry",
    "FoldedLanes",
    "Gates",
    "Intake",
    "Outcome",
    "PopulationCore",
    "Queue",
    "Reading",
    "ReadoutCore",
    "ReadoutResult",
    "RingLanes",
    "SampleResult",
    "Scanner",
    "ScannerWord",
    "Sequencer",
    "Serializer",
    "SpikeCounter",
    "Stepper",
    "StillEncoder",
    "Synapses",
    "Ticks",
    "Word",
]
