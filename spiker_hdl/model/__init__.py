"""What a network is and computes, in integers, with NumPy alone."""

from spiker_hdl.base import FileError
from spiker_hdl.model.files.load import load, load_mapping
from spiker_hdl.model.files.save import save

from . import encoders, reference, timing
from .answer_policy import AnswerPolicy
from .bounds import Bounds, bounds
from .dynamics.base import Dynamics
from .dynamics.coupling import WinnerTakeAll
from .dynamics.kinds import DYNAMICS, FirstOrder, SecondOrder
from .dynamics.models import MODELS
from .dynamics.with_synapse import WithSynapse
from .dynamics.with_synapses import WithSynapses
from .graph import READOUTS, Input, Population, Projection, Readout
from .learning import Learned, learn
from .mapping.core import Core
from .mapping.mapping import Mapping, queue_minimum, store_bits
from .network import Network
from .neurons.arithmetic import ARRAYS, INTEGERS, Arithmetic, Arrays, Decay
from .neurons.base import Component, Neuron, Parameter, State, parameter, signed_range, state
from .neurons.intervals import Interval, Ranges
from .neurons.library import (
    NEURONS,
    Accumulator,
    AdaptiveLif,
    CurrentLif,
    Dendrite,
    If,
    Integrator,
    Lif,
)
from .neurons.spiking import SpikingNeuron
from .result import Answer, Result
from .rules.base import Rule, Trace
from .rules.homeostasis import Homeostasis
from .rules.library import RULES
from .rules.state import LearningState
from .rules.stdp import PairStdp, PostStdp, TripletStdp
from .rules.third import THIRD_FACTORS, Feedback, OutputDelta, Reward, ThirdFactor
from .rules.three_factor import DeltaRule, EProp, RewardStdp
from .rules.voltage import Voltage
from .stimulus import Stimulus, check_record, stimulus
from .synapses.base import Synapses
from .synapses.convolution import Convolution
from .synapses.dense import Dense
from .synapses.kinds import SYNAPSES
from .synapses.one_to_one import OneToOne
from .synapses.pooling import MaxPooling
from .synapses.sparse import Sparse

__all__ = [
    "ARRAYS",
    "DYNAMICS",
    "INTEGERS",
    "MODELS",
    "NEURONS",
    "READOUTS",
    "RULES",
    "SYNAPSES",
    "THIRD_FACTORS",
    "Accumulator",
    "AdaptiveLif",
    "Answer",
    "AnswerPolicy",
    "Arithmetic",
    "Arrays",
    "Bounds",
    "Component",
    "Convolution",
    "Core",
    "CurrentLif",
    "Decay",
    "DeltaRule",
    "Dendrite",
    "Dense",
    "Dynamics",
    "EProp",
    "Feedback",
    "FileError",
    "FirstOrder",
    "Homeostasis",
    "If",
    "Input",
    "Integrator",
    "Interval",
    "Learned",
    "LearningState",
    "Lif",
    "Mapping",
    "MaxPooling",
    "Network",
    "Neuron",
    "OneToOne",
    "OutputDelta",
    "PairStdp",
    "Parameter",
    "Population",
    "PostStdp",
    "Projection",
    "Ranges",
    "Readout",
    "Result",
    "Reward",
    "RewardStdp",
    "Rule",
    "SecondOrder",
    "Sparse",
    "SpikingNeuron",
    "State",
    "Stimulus",
    "Synapses",
    "ThirdFactor",
    "Trace",
    "TripletStdp",
    "Voltage",
    "WinnerTakeAll",
    "WithSynapse",
    "WithSynapses",
    "bounds",
    "check_record",
    "encoders",
    "learn",
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
