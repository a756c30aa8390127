"""Bits of potentials: as many as bounds prove to suffice, or as calibration samples need."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from spiker_hdl.model import Network, reference
from spiker_hdl.model.bounds import signed_width
from spiker_train.network.integers.quantization import Quantization
from spiker_train.network.network import SpikingNetwork

__all__ = ["SIZES", "WIDE", "end_shares", "size_potentials", "states_of"]

SIZES = ("bounds", "calibration")
"""Ways to find the bits of potentials."""

WIDE = 32
"""Bits of potentials that are still to be sized."""


def states_of(network: Network) -> dict[str, list[str]]:
    """Return the names of the states that scale with the potential, by population."""
    return {
        population.name: [name for name, state in population.neuron.states.items() if state.scales]
        for population in network.populations
    }


def end_shares(network: Network, spikes: Any) -> dict[str, float]:
    """Return the share of neurons and steps in which a state is at an end of its range.

    For spiking neurons only the upper end counts: at the lower bound of its potential a neuron is
    silent, as it would be without the bound.
    """
    record = [f"{name}.{state}" for name, states in states_of(network).items() for state in states]
    result = reference.run(network, spikes, record=record)
    shares: dict[str, float] = {}
    for recorded in record:
        name, _, state = recorded.partition(".")
        neuron = network.population[name].neuron
        declared, values = neuron.states[state], _whole(result.spikes[recorded])
        full = values == declared.high
        if not neuron.spiking:
            full |= values == declared.low
        shares[name] = max(shares.get(name, 0.0), float(np.mean(full)))
    return shares


def size_potentials(
    net: SpikingNetwork,
    settings: Quantization,
    how: str,
    make: Any,
    calibration: Any = None,
    saturation: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Quantization:
    """Return settings with bits of potentials for every layer, at the scales that weights choose.

    Parameters
    ----------
    net : SpikingNetwork
    settings : Quantization
    how : {"bounds", "calibration"}
        Whether the bits suffice for all currents that the weights can make, or for the
        calibration samples.
    make : callable
        Makes the integer network of a fitted quantization.
    calibration : array of int or mapping, optional
        Spikes of samples; needed with ``"calibration"``.
    saturation : float
        Greatest share of neurons and steps of the calibration samples that may be out of range.
    progress : callable, optional
        As for :meth:`~.quantization.Quantization.fit`.

    Raises
    ------
    ValueError
        If potentials have no bound, or there are no samples to calibrate with.
    """
    if how == "calibration" and calibration is None:
        raise ValueError("Calibration samples must be given to size potentials by them")
    wide = replace(settings, potentials=WIDE).fit(net, progress)
    network = make(wide)
    ends = _bounded(network) if how == "bounds" else _seen(network, calibration, saturation)
    bits = {
        name: max([2, *(signed_width(*interval) for interval in two)]) for name, two in ends.items()
    }
    # A threshold needs its bits even where no potential reaches it.
    for layer in net.layers:
        while bits[layer.name] < WIDE:
            try:
                replace(wide, potentials=bits).neuron(layer)
            except ValueError:
                bits[layer.name] += 1
            else:
                break
    return replace(wide, potentials=bits)


def _bounded(network: Network) -> dict[str, list[tuple[int, int]]]:
    reached_by_population = {}
    for name, states in states_of(network).items():
        neuron, reached = network.population[name].neuron, network.bounds[name].states
        for state in states:
            declared = neuron.states[state]
            if reached[state][1] >= declared.high or reached[state][0] <= declared.low:
                raise ValueError(
                    f"Potentials of {name!r} must have bits of their own, since nothing bounds "
                    f"{state!r}: give them, or size them by calibration"
                )
        reached_by_population[name] = [reached[state] for state in states]
    return reached_by_population


def _seen(network: Network, spikes: Any, saturation: float) -> dict[str, list[tuple[int, int]]]:
    states = states_of(network)
    record = [
        f"{name}.{state}"
        for name, states_of_population in states.items()
        for state in states_of_population
    ]
    result = reference.run(network, spikes, record=record)
    ends: dict[str, list[tuple[int, int]]] = {}
    for name, states_of_population in states.items():
        ends[name] = []
        for state in states_of_population:
            # All but the allowed share of the values stay within this magnitude.
            size = np.sort(np.abs(_whole(result.spikes[f"{name}.{state}"])).ravel())
            magnitude = int(size[len(size) - 1 - int(saturation * len(size))])
            ends[name].append((-magnitude, magnitude))
    return ends


def _whole(recorded: Any) -> np.ndarray:
    if isinstance(recorded, np.ndarray):
        return recorded.reshape(-1, recorded.shape[-1])
    return np.concatenate(recorded)
