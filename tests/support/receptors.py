"""Neurons with several receptors, and small networks of them."""

import numpy as np

import spiker_hdl
from spiker_hdl.model import (
    Decay,
    FirstOrder,
    If,
    Input,
    Lif,
    Network,
    Population,
    Projection,
    Readout,
    SecondOrder,
    WithSynapses,
)

__all__ = ["FAST", "SLOW", "neuron", "potentials", "single", "small_network"]

FAST = FirstOrder(decay=Decay.shift(1), width=10)
SLOW = SecondOrder(decay=Decay.shift(3), rise=Decay.shift(1), width=10)


def neuron(*synapses, **options):
    """Return a neuron that adds up the currents of its receptors and does not fire soon."""
    return WithSynapses(neuron=If(width=12, threshold=2000, **options), synapses=synapses)


def single(neuron, projections, bias=0, coupling=None, size=1, **options):
    """Return a network of one population, whose inputs have one channel each."""
    names = [f"in{n}" for n in range(len(projections))]
    return Network(
        [Input(name, 1, **options) for name in names],
        [Population("own", size, neuron, bias, coupling)],
        [
            Projection(name, "own", [[weight]] * size, receptor=receptor)
            for name, (weight, receptor) in zip(names, projections, strict=True)
        ],
        [Readout("own")],
    )


def potentials(network, events, size=1):
    """Return the potential of the last neuron of ``own`` after each step of a sample."""
    values = {name: np.array(own).reshape(1, -1, 1) for name, own in events.items()}
    result = spiker_hdl.run(network, values, record=["own.v"])
    return result.spikes["own.v"][0, :, size - 1].tolist()


def small_network(static, **options):
    """Return a network of two neurons with a fast and a plain receptor, and a loop unless static.

    Other keywords are those of the input.
    """
    own = WithSynapses(
        neuron=Lif(width=10, threshold=9, decay=Decay.shift(2)), synapses=(FAST, None)
    )
    projections = [
        Projection("in", "own", [[6, 2], [5, -1]]),
        Projection("in", "own", [[-2, 3], [1, 2]], name="b", receptor=1, shift=1),
    ]
    if not static:
        projections.append(Projection("own", "own", [[1, -4], [3, -2]], 1, receptor=1))
    return Network(
        [Input("in", 2, static=static, **options)],
        [Population("own", 2, own, 1)],
        projections,
        [Readout("own")],
    )
