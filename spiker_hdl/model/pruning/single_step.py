"""Networks for samples of a single step, whose neurons need no state."""

from dataclasses import replace

import numpy as np

from spiker_hdl.model.graph import Population, Readout
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.base import signed_range
from spiker_hdl.model.neurons.library import If, Lif

__all__ = ["for_single_steps"]

POTENTIALS = {"last", "largest", "sum"}
"""Kinds of readouts that compare potentials."""


def for_single_steps(network: Network) -> Network:
    """Return the network for samples of a single step, whose neurons keep no state.

    In its only step a neuron starts at rest, and what is left of its potential is never read. So a
    LIF or integrate-and-fire neuron fires where the input current exceeds a constant, which becomes
    part of the bias: its potential is bounded to 0 and 1, and reset by each spike. Its states then
    need no bit of memory, and its update is a comparison. Inputs are not static, since there is no
    second step in which their sums would be reused.

    Populations stay as they are whose potentials a readout compares, and those with another neuron
    model, a refractory state or a reset at the start, coupling, or a threshold that every potential
    exceeds.

    Parameters
    ----------
    network : Network
        Without delays: what is delayed arrives in no step.

    Raises
    ------
    ValueError
        If a projection has a delay.
    """
    for projection in network.projections:
        if projection.delay:
            raise ValueError(
                f"Projection {projection.name!r} must have no delay in a network for single "
                f"steps, not one of {projection.delay}: prune it first"
            )
    return replace(
        network,
        inputs=[replace(node, static=False) for node in network.inputs],
        populations=[
            _without_state(population) if _compares(population, network.readouts) else population
            for population in network.populations
        ],
        max_steps=1,
    )


def _compares(population: Population, readouts: tuple[Readout, ...]) -> bool:
    """Return whether spikes of the first step, and these alone, are all that is read."""
    neuron = population.neuron
    if not isinstance(neuron, If | Lif) or population.coupling is not None:
        return False
    read = any(
        readout.population == population.name and readout.kind in POTENTIALS for readout in readouts
    )
    starts = np.any(neuron.countdown) or np.any(neuron.pending)
    # A neuron whose potential is always above its threshold fires whatever its input is.
    low = signed_range(neuron.width)[0] if neuron.floor is None else neuron.floor
    bounded = np.min(neuron.threshold) + (neuron.fire == ">") > low
    return bounded and not read and not starts and neuron.reset_timing != "snntorch_immediate"


def _without_state(population: Population) -> Population:
    """Return a population whose neurons fire where the current exceeds what fires them at rest."""
    neuron = population.neuron
    assert isinstance(neuron, If | Lif)
    start = np.asarray(neuron.v)
    if isinstance(neuron, Lif):
        rest = np.asarray(neuron.rest)
        numerator = np.asarray(neuron.decay.numerator)
        start = start - ((start - rest) * numerator >> neuron.decay.bits)
    needed = np.asarray(neuron.threshold) + (neuron.fire == ">") - start
    bias = np.asarray(population.bias) - needed + 1
    values = np.broadcast_to(bias, population.size).tolist()
    return replace(
        population,
        neuron=If(threshold=1, width=2, fire=">=", reset="zero", floor=0),
        bias=tuple(values) if bias.ndim else int(bias),
    )
