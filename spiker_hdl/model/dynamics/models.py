"""All models of neurons that come with the library."""

from spiker_hdl.model.neurons.base import Neuron
from spiker_hdl.model.neurons.library import NEURONS

from .with_synapse import WithSynapse
from .with_synapses import WithSynapses

__all__ = ["MODELS"]

MODELS: dict[str, type[Neuron]] = NEURONS | {
    model.__name__: model for model in (WithSynapse, WithSynapses)
}
"""All models of neurons that come with the library, by name."""
