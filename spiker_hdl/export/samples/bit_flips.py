"""Single-bit faults in the numbers of a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_hdl.model import Network, Population
from spiker_hdl.model.graph import Projection
from spiker_hdl.model.parameters import field_width

__all__ = ["Flip", "draw_flips"]


@dataclass(frozen=True)
class Flip:
    """A flipped bit of a weight, a threshold or a bias.

    A weight of a convolution is one number for all positions, and is changed at all of them.

    Members
    -------
    population : str
        Population of the neuron whose number is changed.
    neuron : int
        That neuron; of a projection whose sums are pooled, the sum; 0 with an ``entry``.
    projection : Projection or None
        Projection of the weight, where the number is a weight.
    source : int
        Source neuron of that weight; 0 with an ``entry``.
    parameter : str
        Otherwise the number: ``bias``, or a parameter of the neuron model.
    change : int
        Value that the flip adds to the number.
    entry : tuple of int
        Index of the weight in the kernel of a convolution; empty for all other numbers.
    """

    population: str
    neuron: int
    projection: Projection | None
    source: int
    parameter: str
    change: int
    entry: tuple[int, ...] = ()


def draw_flips(network: Network, count: int, draw: np.random.Generator) -> list[Flip]:
    """Draw flips, with each bit of weights, thresholds and biases equally likely.

    Parameters
    ----------
    network : Network
    count : int
    draw : numpy.random.Generator
    """
    stores = list(_stores(network))
    bits = np.array([number * width for _, number, width in stores], dtype=float)
    flips = []
    for n in draw.choice(len(stores), count, p=bits / bits.sum()):
        (owner, name), number, width = stores[n]
        place, bit = int(draw.integers(number)), int(draw.integers(width))
        flips.append(
            _weight_flip(owner, place, bit, width)
            if isinstance(owner, Projection)
            else _parameter_flip(owner, name, place, bit, width)
        )
    return flips


def _stores(network: Network) -> Iterator[tuple[tuple[Any, str], int, int]]:
    """Give each owner of numbers with their name, how many they are, and the bits of each."""
    for projection in network.projections:
        yield (projection, ""), projection.synapses.values.size, projection.width
    for population in network.populations:
        for name, value in _numbers(population).items():
            values = value if isinstance(value, tuple) else (value,)
            width = field_width(min(values), max(values))
            if width:
                yield (population, name), population.size, width


def _numbers(population: Population) -> dict[str, Any]:
    """Return the parameters in the scale of the potential, and the bias, by name."""
    scaled = {
        name: parameter.value
        for name, parameter in population.neuron.parameters.items()
        if parameter.scales
    }
    return scaled | {"bias": population.bias}


def _change(value: int, bit: int, width: int, signed: bool) -> int:
    """Return what a flipped bit adds to a number."""
    weight = -(1 << bit) if signed and bit == width - 1 else 1 << bit
    return -weight if value >> bit & 1 else weight


def _weight_flip(projection: Projection, place: int, bit: int, width: int) -> Flip:
    synapses = projection.synapses
    values = synapses.values.flat
    neuron, source, entry = 0, 0, ()
    if synapses.kind == "convolution":
        entry = tuple(int(n) for n in np.unravel_index(place, synapses.values.shape))
    elif synapses.kind == "dense":
        neuron, source = divmod(place, synapses.source_size)
    elif synapses.kind == "one_to_one":
        neuron = source = place
    else:
        sources, targets, values = synapses.pairs()
        place %= len(targets)
        neuron, source = int(targets[place]), int(sources[place])
    value = int(values[place])
    change = _change(value, bit, width, True) << projection.shift
    return Flip(projection.target, neuron, projection, source, "", change, entry)


def _parameter_flip(population: Population, name: str, neuron: int, bit: int, width: int) -> Flip:
    number = _numbers(population)[name]
    values = number if isinstance(number, tuple) else (number,)
    own = int(number[neuron] if isinstance(number, tuple) else number)
    change = _change(own, bit, width, min(values) < 0)
    return Flip(population.name, neuron, None, 0, name, change)
