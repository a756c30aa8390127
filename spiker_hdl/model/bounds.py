"""Bounds of sums and states over all spike patterns, from the weights of a network."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from spiker_hdl.model.neurons.base import Neuron, signed_width
from spiker_hdl.model.neurons.intervals import Interval, Ranges, Test

from .parameters import fields_of, values_of
from .synapses.convolution import Convolution

if TYPE_CHECKING:
    from .graph import Population, Projection
    from .network import Network

__all__ = [
    "FLOAT32_EXACT",
    "FLOAT64_EXACT",
    "Bounds",
    "Sums",
    "bounds",
    "firing",
    "float_format",
    "reach",
    "signed_width",
]

FLOAT32_EXACT = 2**24
FLOAT64_EXACT = 2**53
_LARGEST = 2**62
"""Limit of all intermediate results: the reference computes in 64 bits, and must not overflow."""
_ROUNDS = 512
"""Maximum number of iterations in which the reachable states are searched."""


@dataclass(frozen=True)
class Sums:
    """Ranges of the sums of weighted events that reach a receptor.

    Members
    -------
    sum_low, sum_high, current_low, current_high, sum_shift : int
        As for :class:`Bounds`.
    """

    sum_low: int
    sum_high: int
    current_low: int
    current_high: int
    sum_shift: int = 0

    @property
    def sum_width(self) -> int:
        """Bits of an accumulator."""
        return signed_width(self.sum_low >> self.sum_shift, self.sum_high >> self.sum_shift)


@dataclass(frozen=True)
class Bounds:
    """Ranges of all numbers that a population computes.

    Members
    -------
    sum_low, sum_high : int
        Range of the sum of the weighted events in a step, and of all partial sums, in any order of
        the events.
    current_low, current_high : int
        Range of the input current, which is this sum plus the bias.
    states : mapping of str to (int, int)
        Range that each state can reach from rest, over any number of steps.
    largest : int
        Maximum magnitude of all intermediate results of a step.
    sum_shift : int
        Number of least significant bits that are zero in every weighted event, which accumulators
        omit.
    further : tuple of Sums
        Where neurons have several receptors, the sums of all but the first; those above are of the
        first receptor.
    """

    sum_low: int
    sum_high: int
    current_low: int
    current_high: int
    states: Mapping[str, tuple[int, int]]
    largest: int
    sum_shift: int = 0
    further: tuple[Sums, ...] = ()

    @property
    def receptors(self) -> tuple[Sums, ...]:
        """Ranges of the sums of each receptor."""
        ends = self.sum_low, self.sum_high, self.current_low, self.current_high
        return Sums(*ends, self.sum_shift), *self.further

    @property
    def sum_width(self) -> int:
        """Bits of an accumulator, of the first receptor."""
        return self.receptors[0].sum_width

    @property
    def float_format(self) -> str | None:
        """Narrowest floating-point format that computes a step exactly, or None."""
        return float_format(self.largest)


def float_format(largest: int) -> str | None:
    """Return the narrowest floating-point format that is exact up to ``largest``, or None."""
    if largest < FLOAT32_EXACT:
        return "float32"
    return "float64" if largest < FLOAT64_EXACT else None


def bounds(network: "Network", writable: Collection[str] = ()) -> dict[str, Bounds]:
    """Derive the bounds of every population, and prove that no state leaves its declared range.

    Parameters
    ----------
    network : Network
    writable : collection of str
        Populations whose bounds must hold for all weights, thresholds and biases with the same
        numbers of bits.

    Returns
    -------
    dict of str to Bounds

    Raises
    ------
    TypeError
        If a neuron's step branches on an operand.
    ValueError
        If a step may leave the declared range of a state, returns other states than are declared,
        or computes in more than 63 bits.
    """
    return {
        population.name: _population_bounds(network, population, population.name in writable)
        for population in network.populations
    }


def firing(network: "Network") -> dict[str, tuple[bool, bool]]:
    """Find out which populations may fire, and which may be silent.

    Parameters
    ----------
    network : Network

    Returns
    -------
    dict of str to (bool, bool)
        For each spiking population, whether some neuron may fire in a step, and whether some neuron
        may be silent. False is proved. True need not be the case, since intervals overestimate.
    """
    outcomes = {}
    for population in network.populations:
        neuron, reached = population.neuron, network.bounds[population.name]
        if not neuron.spiking:
            continue
        ranges, values = Ranges(), values_of(population)
        parameters = {
            name: ranges.interval(int(np.min(values[name])), int(np.max(values[name])))
            for name in neuron.parameters
        }
        if population.homeostasis is not None:
            ends = population.homeostasis.low, population.homeostasis.high
            parameters["threshold"] = ranges.interval(*ends)
        states = {name: ranges.interval(*ends) for name, ends in reached.states.items()}
        currents = [ranges.interval(s.current_low, s.current_high) for s in reached.receptors]
        current = neuron.as_current(currents)
        fired, _ = neuron.step(neuron.bind(parameters), SimpleNamespace(**states), current, ranges)
        outcomes[population.name] = (
            bool(np.any(fired.can_be(True))),
            bool(np.any(fired.can_be(False))) or population.coupling is not None,
        )
    return outcomes


def reach(neuron: Neuron, low: int, high: int) -> int:
    """Return the maximum magnitude of all intermediate results of a step.

    Parameters
    ----------
    neuron : Neuron
    low, high : int
        Range of the input current, of each receptor: the sum of the weighted events plus the bias.
    """
    ranges = Ranges()
    parameters = {n: ranges.interval(*_ends(p.value)) for n, p in neuron.parameters.items()}
    declared = {name: (s.low, s.high) for name, s in neuron.states.items()}
    _advance(
        neuron,
        parameters,
        [(low, high)] * neuron.receptors,
        declared,
        ranges,
        f"The step of {type(neuron).__name__}",
    )
    return max(ranges.largest, -low, high)


def _sums(
    network: "Network", population: "Population", receptor: int, writable: bool
) -> tuple[Any, Any, int]:
    """Return the ends of the sums of a receptor, and how many of their lowest bits are zero."""
    low = np.zeros(population.size, dtype=object)
    high = np.zeros(population.size, dtype=object)
    into = [link for link in network.into(population.name) if link.receptor == receptor]
    for projection in into:
        source = network.nodes[projection.source]
        if writable:
            lows, highs = _furthest(projection.width, source)
            times = _synapses(projection) << projection.shift
            lows, highs = lows * times, highs * times
        else:
            lows, highs = projection.reach(source.low, source.high)
        low += lows
        high += highs
    return low, high, min((projection.shift for projection in into), default=0)


def _synapses(projection: "Projection") -> Any:
    """Return how many events each target receives at most: from all sources, or its windows."""
    synapses = projection.synapses
    if not isinstance(synapses, Convolution):
        return np.array(synapses.source_size, dtype=object)
    # A convolution is replaced by another of the same windows.
    ones = synapses.with_values(np.ones_like(synapses.kernel))
    return replace(projection, synapses=ones, shift=0, bits=None).reach(0, 1)[1].astype(object)


def position_sums(projection: "Projection", source: Any, writable: bool) -> tuple[int, int]:
    """Return the range of a convolution's sums before they are pooled and shifted.

    Parameters
    ----------
    projection : Projection
    source : Input or Population
        Its source.
    writable : bool
        Whether the kernel can be replaced by any of as many bits.
    """
    synapses = projection.synapses
    if writable:
        ones = synapses.with_values(np.ones_like(synapses.kernel))
        times = int(ones.reach(0, 1)[1].max())
        low, high = _furthest(projection.width, source)
        return low * times, high * times
    lows, highs = synapses.reach(source.low, source.high)
    return int(lows.min()), int(highs.max())


def _before_pooling(network: "Network", projection: "Projection", writable: bool) -> int:
    """Return the maximum magnitude of the sums that are pooled."""
    if projection.pooling is None:
        return 0
    low, high = position_sums(projection, network.nodes[projection.source], writable)
    return max(-low, high) << projection.shift


def _furthest(width: int, source: Any) -> tuple[int, int]:
    """Return the range of the product of a weight of a width and an event."""
    weights = -(2 ** (width - 1)), 2 ** (width - 1) - 1
    products = [weight * value for weight in weights for value in (source.low, source.high)]
    return min(products), max(products)


def _population_bounds(network: "Network", population: "Population", writable: bool) -> Bounds:
    neuron = population.neuron
    sums = [_sums(network, population, k, writable) for k in range(neuron.receptors)]
    arrays = {
        name: np.asarray(value, dtype=object) for name, value in values_of(population).items()
    }
    ends_of: dict[str, tuple[Any, Any]] = {name: (array, array) for name, array in arrays.items()}
    if population.homeostasis is not None:
        ends_of["threshold"] = population.homeostasis.low, population.homeostasis.high
    if writable:
        ends_of |= fields_of(population, True)
    bias = ends_of.pop("bias")
    currents = [
        (low + bias[0], high + bias[1]) if k == neuron.bias_receptor else (low, high)
        for k, (low, high, _) in enumerate(sums)
    ]
    if population.coupling is not None:  # the input of an inhibited neuron is 0
        currents = [(np.minimum(low, 0), np.maximum(high, 0)) for low, high in currents]
    ranges = Ranges()
    declared = {name: (s.low, s.high) for name, s in neuron.states.items()}
    loaded = fields_of(population, True) if writable else {}
    _prove(population, ends_of, currents, declared, ranges, loaded)
    ends = [(int(low.min()), int(high.max())) for low, high in currents]
    reached = _reached(neuron, ends_of, ends, declared)
    of_receptors = [
        Sums(int(low.min()), int(high.max()), *own, shift)
        for (low, high, shift), own in zip(sums, ends, strict=True)
    ]
    largest = max(
        ranges.largest,
        *(max(-own.sum_low, own.sum_high) for own in of_receptors),
        *(
            _before_pooling(network, projection, writable)
            for projection in network.into(population.name)
        ),
    )
    if largest >= _LARGEST:
        raise ValueError(
            f"Population {population.name!r}: the step of {type(neuron).__name__} must compute in "
            f"63 bits, not {largest.bit_length() + 1}"
        )
    first, *others = of_receptors
    own = first.sum_low, first.sum_high, *ends[0]
    return Bounds(*own, reached, largest, first.sum_shift, tuple(others))


def _prove(
    population: "Population",
    ends_of: Mapping[str, tuple[Any, Any]],
    currents: list[tuple[Any, Any]],
    declared: dict[str, tuple[int, int]],
    ranges: Ranges,
    loaded: Mapping[str, tuple[int, int]],
) -> None:
    neuron = population.neuron
    inner = getattr(neuron, "neuron", None)  # of one behind synapses
    kind = type(neuron).__name__ + (f" of {type(inner).__name__}" if inner is not None else "")
    what = f"Population {population.name!r}: the step of {kind}"
    parameters = {name: ranges.interval(*ends_of[name]) for name in neuron.parameters}
    values = [f"{name} in {low}..{high}" for name, (low, high) in loaded.items()]
    other = f", or let `replaceable` be less than {', '.join(values)}" if values else ""
    for name, (low, high) in _advance(neuron, parameters, currents, declared, ranges, what).items():
        if np.min(low) < declared[name][0] or np.max(high) > declared[name][1]:
            raise ValueError(
                f"{what} must keep {name!r} in {declared[name][0]}..{declared[name][1]}, "
                f"not {np.min(low)}..{np.max(high)}: use via.saturate{other}"
            )


def _advance(
    neuron: Neuron,
    parameters: dict[str, Interval],
    currents: list[tuple[Any, Any]],
    states: Mapping[str, tuple[Any, Any]],
    ranges: Ranges,
    what: str = "",
) -> dict[str, tuple[Any, Any]]:
    before = {name: ranges.interval(*ends) for name, ends in states.items()}
    intervals = [ranges.interval(*ends) for ends in currents]
    current = neuron.as_current(intervals)
    fired, after = neuron.step(neuron.bind(parameters), SimpleNamespace(**before), current, ranges)
    _check_output(neuron, fired, what)
    if set(after) != set(states):
        raise ValueError(f"{what} must return the states {sorted(states)}, not {sorted(after)}")
    ends = {}
    for name, value in after.items():
        interval = value if isinstance(value, Interval) else ranges.interval(value, value)
        ends[name] = interval.low, interval.high
    return ends


def _check_output(neuron: Neuron, output: Any, what: str) -> None:
    """Check what a step returns beside the states: a test, a value in its range, or None."""
    if (output is None) == neuron.emits or (isinstance(output, Test) and not neuron.spiking):
        expected = "whether it fires" if neuron.spiking else "its output" if neuron.emits else None
        raise ValueError(f"{what} must return {expected}, not {output!r}")
    if neuron.spiking or neuron.event_range is None:
        return
    low, high = neuron.event_range
    ends = output if isinstance(output, Interval) else Interval(output, output)
    if np.min(ends.low) < low or np.max(ends.high) > high:
        raise ValueError(
            f"{what} must keep its output in {low}..{high}, not "
            f"{np.min(ends.low)}..{np.max(ends.high)}: use via.clamp"
        )


def _ends(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (min(value), max(value)) if isinstance(value, tuple) else (value, value)


def _reached(
    neuron: Neuron,
    ends_of: Mapping[str, tuple[Any, Any]],
    currents: list[tuple[int, int]],
    declared: dict[str, tuple[int, int]],
) -> dict[str, tuple[int, int]]:
    # The fixed point that is reached from rest, for all neurons of the population together. If the
    # iteration does not converge soon, the declared ranges are returned, which are always valid.
    ranges = Ranges()
    parameters = {
        name: ranges.interval(int(np.min(ends_of[name][0])), int(np.max(ends_of[name][1])))
        for name in neuron.parameters
    }
    reached = {name: _ends(s.rest) for name, s in neuron.states.items()}
    for _ in range(_ROUNDS):
        after = _advance(neuron, parameters, currents, reached, ranges)
        joined = {
            name: (
                max(declared[name][0], min(reached[name][0], int(np.min(low)))),
                min(declared[name][1], max(reached[name][1], int(np.max(high)))),
            )
            for name, (low, high) in after.items()
        }
        if joined == reached:
            return reached
        reached = joined
    return dict(declared)
