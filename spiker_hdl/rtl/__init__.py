"""Amaranth components of an accelerator, bottom to top."""

from .accelerator import Accelerator, SampleResult
from .broadcast import Broadcast
from .control import Control, SpikeCounter
from .delay import Delay, Ticks
from .delta_encoder import DeltaEncoder
from .emitter import Emitter
from .encoded import EncodedAccelerator
from .encoders import Encoder
from .entry import Entry
from .events import AddressEvent, Word
from .gates import Gates
from .intake import Intake
from .lanes import FoldedLanes, RingLanes
from .population import PopulationCore
from .queue import Queue
from .readings import Reading
from .readout import ReadoutCore, ReadoutResult
from .scanner import Scanner, ScannerWord
from .sequencer import Sequencer
from .serializer import Serializer
from .stepper import Outcome, Stepper
from .still_encoder import StillEncoder
from .synapses import Synapses

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
