"""What a network is and computes, in integers, with NumPy alone."""

from . import encoders, reference, timing
from .arithmetic import ARRAYS, INTEGERS, Arithmetic, Arrays, Decay
from .bounds import Bounds, bounds
from .core import Core
from .file import FileError, load, load_mapping, save
from .graph import READOUTS, Input, Population, Projection, Readout
from .mapping import Mapping, queue_minimum, store_bits
from .network import Network
from .neuron import Neuron, Parameter, State, parameter, signed_range, state
from .neurons import (
    NEURONS,
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    If,
    Integrator,
    Lif,
    SpikingNeuron,
)
from .ranges import Interval, Ranges
from .reports import Reports
from .result import Answer, Result
from .stimulus import Stimulus, check_record, stimulus
from .synapses import SYNAPSES, Dense, OneToOne, Sparse, Synapses

__all__ = [
    "ARRAYS",
    "INTEGERS",
    "NEURONS",
    "READOUTS",
    "SYNAPSES",
    "Accumulator",
    "AdaptiveLif",
    "Answer",
    "Arithmetic",
    "Arrays",
    "Bounds",
    "Core",
    "CurrentLif",
    "Decay",
    "Dense",
    "FileError",
    "If",
    "Input",
    "Integrator",
    "Interval",
    "Lif",
    "Mapping",
    "Network",
    "Neuron",
    "OneToOne",
    "Parameter",
    "Population",
    "Projection",
    "Ranges",
    "Readout",
    "Reports",
    "Result",
    "Sparse",
    "SpikingNeuron",
    "State",
    "Stimulus",
    "Synapses",
    "bounds",
    "check_record",
    "encoders",
    "load",
    "load_mapping",
    "parameter",
    "queue_minimum",
    "reference",
    "save",
    "signed_range",
    "state",
    "stimulus",
    "store_bits",
    "timing",
]
