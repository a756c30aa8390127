"""The parts of a network: inputs, populations, projections and readouts, each checked by itself."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from spiker_hdl.base.checks import (
    check_choice,
    check_int,
    check_ints,
    check_kind,
    check_name,
    check_shape,
    shown,
)
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model.dynamics.coupling import WinnerTakeAll
from spiker_hdl.model.neurons.base import MAX_RECEPTORS, Neuron, signed_range

from .rules.base import Rule
from .rules.homeostasis import Homeostasis, check_homeostasis
from .synapses.base import Synapses
from .synapses.dense import Dense
from .synapses.pooling import MaxPooling
from .synapses.sparse import Sparse

LEARNING_KINDS = ("dense", "sparse", "one_to_one")
"""Kinds of synapses that a rule can change."""

__all__ = [
    "GROUPED",
    "READOUTS",
    "SPIKE_READOUTS",
    "Input",
    "Population",
    "Projection",
    "Readout",
]


READOUTS = {
    "count": "spikes of each neuron",
    "last": "potential after the last step",
    "largest": "greatest potential after any step",
    "sum": "sum of the potentials after all steps",
    "first": "steps since the first spike, its own included; 0 without one",
}
SPIKE_READOUTS = ("count", "first")
"""Readouts of spikes; the others are of potentials."""
GROUPED = ("count", "last", "sum")
"""Readouts whose scores can be those of groups of neurons."""


_LARGEST = 2**20


def _size(shape: int | tuple[int, ...]) -> int:
    return prod(shape) if isinstance(shape, tuple) else shape


@dataclass(frozen=True)
class Input:
    """A source of events from outside the network.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        Number of channels, or their arrangement.
    low, high : int
        Range of the values, ``low <= 0 < high``. The value 0 is no event. With the range 0..1 the
        events are binary spikes; with another they are graded, and the value multiplies the weight.
    static : bool
        Whether each channel has the same value in all steps of a sample, such as a pixel that is a
        constant current. The weighted sum is computed once per sample and reused in every step. A
        static input may only project to populations all of whose inputs are static.
    """

    name: str
    shape: int | tuple[int, ...]
    low: int = 0
    high: int = 1
    static: bool = False

    def __post_init__(self) -> None:
        set_fields(self, name=check_name("Input name", self.name))
        what = f"Input {self.name!r}"
        set_fields(
            self,
            shape=check_shape(what, self.shape, _LARGEST),
            low=check_int(f"{what} low", self.low, -(2**15), 0),
            high=check_int(f"{what} high", self.high, 1, 2**16 - 1),
        )
        check_kind(f"{what} static", self.static, bool)

    @property
    def size(self) -> int:
        """Number of channels."""
        return _size(self.shape)

    @property
    def graded(self) -> bool:
        """Whether events carry a value."""
        return (self.low, self.high) != (0, 1)


@dataclass(frozen=True)
class Population:
    """A group of neurons of one model.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        Number of neurons, or their arrangement.
    neuron : Neuron
        Model of every neuron.
    bias : int or tuple of int
        Constant current that is added in every step, one or one per neuron.
    coupling : WinnerTakeAll, optional
        What the neurons do to each other; without it, nothing.
    homeostasis : Homeostasis, optional
        How thresholds follow the activity while the network learns; without it, they stay.
    """

    name: str
    shape: int | tuple[int, ...]
    neuron: Neuron
    bias: int | tuple[int, ...] = 0
    coupling: WinnerTakeAll | None = None
    homeostasis: Homeostasis | None = None

    def __post_init__(self) -> None:
        set_fields(self, name=check_name("Population name", self.name))
        what = f"population {self.name!r}"
        set_fields(self, shape=check_shape(f"Population {self.name!r}", self.shape, _LARGEST))
        check_kind(f"Neuron of {what}", self.neuron, Neuron)
        set_fields(self, bias=check_ints(f"Bias of {what}", self.bias, -(2**31), 2**31 - 1))
        counts = self.neuron.sizes
        if isinstance(self.bias, tuple):
            counts = counts | {len(self.bias)}
        for count in counts:
            if count != self.size:
                raise ValueError(
                    f"Parameters per neuron of {what} must be {self.size}, not {count}"
                )
        low, high = self.low, self.high
        check_int(f"Lowest output of {what}", low, -(2**15), 0)
        check_int(f"Highest output of {what}", high, 1, 2**16 - 1)
        if self.coupling is not None:
            check_kind(f"Coupling of {what}", self.coupling, WinnerTakeAll)
            if not self.neuron.spiking:
                raise ValueError(
                    f"Coupling of {what} must be of neurons that fire, not "
                    f"{type(self.neuron).__name__}"
                )
        if self.homeostasis is not None:
            check_kind(f"Homeostasis of {what}", self.homeostasis, Homeostasis)
            check_homeostasis(f"Population {self.name!r}", self.homeostasis, self.neuron)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return _size(self.shape)

    @property
    def low(self) -> int:
        """Minimum value of an event."""
        return (self.neuron.event_range or (0, 1))[0]

    @property
    def high(self) -> int:
        """Maximum value of an event."""
        return (self.neuron.event_range or (0, 1))[1]

    @property
    def graded(self) -> bool:
        """Whether events carry a value."""
        return (self.low, self.high) != (0, 1)


@dataclass(frozen=True)
class Projection:
    """Synapses from one node to a population.

    Parameters
    ----------
    source, target : str
        Names of an input or population, and of a population.
    synapses : Synapses or array of int, shape (target size, source size)
        Weights; an array is :class:`Dense`.
    delay : int
        Time steps by which events arrive later, 0 to 1023.
    bits : int, optional
        Declared bits of a weight, in two's complement, 2 to 32. Without it, the bits that the
        weights need.
    name : str
        Label, ``source->target`` where none is given.
    shift : int
        Left shift of the weights, 0 to 24: an event adds its weight times ``2**shift``. The target
        thus computes with a finer resolution than the weights, which need no more memory.
    receptor : int
        Receptor of the target's neurons that the events reach, where these have several.
    pooling : MaxPooling, optional
        Windows of the weighted sums whose maxima reach the target, in place of the sums. Other
        projections and the bias are added to the maximum.
    rule : Rule, optional
        Rule of learning that changes the weights, whose ``bits`` must then be declared. Without it,
        they do not change.
    """

    source: str
    target: str
    synapses: Any
    delay: int = 0
    bits: int | None = None
    name: str = ""
    shift: int = 0
    receptor: int = 0
    pooling: MaxPooling | None = None
    rule: Rule | None = None

    def __post_init__(self) -> None:
        set_fields(
            self,
            source=check_name("Projection source", self.source),
            target=check_name("Projection target", self.target),
        )
        label = self.name or f"{self.source}->{self.target}"
        delay = check_int(f"Projection {shown(label)} delay", self.delay, 0, 1023)
        if not self.name:
            label += f" late {delay}" if delay else ""
        set_fields(self, delay=delay, name=check_name("Projection name", label))
        what = f"Projection {self.name!r}"
        set_fields(self, shift=check_int(f"{what} shift", self.shift, 0, 24))
        receptor = check_int(f"{what} receptor", self.receptor, 0, MAX_RECEPTORS - 1)
        set_fields(self, receptor=receptor)
        if not isinstance(self.synapses, Synapses):
            try:
                set_fields(self, synapses=Dense(self.synapses))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{what}: {error}") from None
        if self.pooling is not None:
            check_kind(f"{what} pooling", self.pooling, MaxPooling)
            if self.pooling.source_size != self.synapses.target_size:
                raise ValueError(
                    f"{what}: {self.pooling.shape} sums must be pooled, which are "
                    f"{self.pooling.source_size}, not {self.synapses.target_size}"
                )
        if self.bits is not None:
            set_fields(self, bits=check_int(f"{what} bits", self.bits, 2, 32))
            values = self.synapses.values
            low, high = -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1
            beyond = (values < low) | (values > high)
            if beyond.any():
                raise ValueError(
                    f"{what}: a weight of {self.bits} bits must be in {low}..{high}, "
                    f"not {int(values[beyond][0])}"
                )
        if self.rule is not None:
            self._check_rule(self.rule, what)

    def _check_rule(self, rule: Rule, what: str) -> None:
        check_kind(f"{what} rule", rule, Rule)
        if self.synapses.kind not in LEARNING_KINDS or self.pooling is not None:
            kind = "pooled" if self.pooling is not None else self.synapses.kind
            raise ValueError(
                f"{what}: a rule must be of a projection that is one of "
                f"{', '.join(LEARNING_KINDS)}, not {kind}"
            )
        if self.bits is None:
            raise ValueError(f"{what}: bits of weights that a rule changes must be declared")
        (low, high), (least, most) = rule.weight_range(self.bits), signed_range(self.bits)
        if low < least or high > most or low >= high:
            raise ValueError(
                f"{what}: the range of a rule's weights must be within {least}..{most} of "
                f"{self.bits} bits, not {low}..{high}"
            )
        values = self.synapses.values
        beyond = (values < low) | (values > high)
        if beyond.any():
            raise ValueError(
                f"{what}: a weight must be in {low}..{high}, the range of its rule, not "
                f"{int(values[beyond][0])}"
            )

    @property
    def target_size(self) -> int:
        """Number of sums that reach the target."""
        return self.synapses.target_size if self.pooling is None else self.pooling.target_size

    @cached_property
    def width(self) -> int:
        """Bits of a weight, with sign: as declared, or as the weights need."""
        if self.bits is not None:
            return self.bits
        values = self.synapses.values
        if not values.size:
            return 2
        low, high = int(values.min()), int(values.max())
        return max(2, (~low if low < 0 else low).bit_length() + 1, high.bit_length() + 1)

    def reach(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the range of the sum that each target receives from events of ``low..high``.

        Where a rule changes the weights, it is that of all weights that it can reach.

        Returns
        -------
        lows, highs : array of int, shape (target size,)
        """
        if self.rule is None:
            lows, highs = self.synapses.reach(low, high)
        else:
            lows, highs = self._reach_of_all(self.rule, low, high)
        if self.pooling is not None:
            lows, highs = self.pooling.maxima(lows), self.pooling.maxima(highs)
        if not self.shift:
            return lows, highs
        return lows.astype(object) * 2**self.shift, highs.astype(object) * 2**self.shift

    def _reach_of_all(self, rule: Rule, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the range of the sums with all weights that the rule can reach."""
        assert self.bits is not None  # as checked
        products = [w * v for w in rule.weight_range(self.bits) for v in (low, high)]
        synapses = np.ones(self.target_size, dtype=np.int64)
        if isinstance(self.synapses, Sparse):
            synapses = np.bincount(self.synapses.targets, minlength=self.target_size)
        elif self.synapses.kind == "dense":
            synapses *= self.synapses.source_size
        return synapses * min(0, *products), synapses * max(0, *products)

    def __hash__(self) -> int:
        return hash((self.source, self.target, self.delay, self.name))


@dataclass(frozen=True)
class Readout:
    """A score for each class, from a population; the class with the greatest score wins.

    A class is a neuron, or a group of neurons. Ties go to the class of the lowest index.

    Parameters
    ----------
    population : str
        Name of the population whose neurons are the classes.
    kind : {"count", "last", "largest", "sum", "first"}
        The score: see :data:`READOUTS`.
    name : str
        Label; by default the name of the population.
    groups : int, optional
        Number of classes of a population code. Each class is a group of as many consecutive
        neurons, class 0 the first ones, and its score is the sum of theirs. Possible with the kinds
        in :data:`GROUPED`. Without it, every neuron is a class.
    """

    population: str
    kind: str = "count"
    name: str = ""
    groups: int | None = None

    def __post_init__(self) -> None:
        set_fields(
            self,
            population=check_name("Readout population", self.population),
            kind=check_choice("Readout kind", self.kind, READOUTS),
        )
        set_fields(self, name=check_name("Readout name", self.name or self.population))
        if self.groups is not None:
            what = f"Readout {self.name!r} groups"
            set_fields(self, groups=check_int(what, self.groups, 1, _LARGEST))
