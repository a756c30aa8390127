"""What a network is: inputs, populations and projections as a checked graph, and its readouts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .check import check_choice, check_int, check_ints, check_kind, check_name
from .neuron import Neuron
from .synapses import Dense, Synapses

__all__ = ["READOUTS", "Input", "Network", "Population", "Projection", "Readout"]

READOUTS = {
    "count": "spikes of each neuron",
    "last": "potential after the last step",
    "largest": "greatest potential after any step",
    "sum": "sum of the potentials after all steps",
    "first": "steps since the first spike, its own included; 0 without one",
}


def _size(shape: Any, what: str) -> int:
    if not isinstance(shape, tuple):
        check_int(f"{what} size", shape, 1, 2**20)
        return shape
    if not shape:
        raise ValueError(f"{what} shape must have at least one axis, not ()")
    for axis in shape:
        check_int(f"{what} shape", axis, 1, 2**20)
    size = int(np.prod(shape, dtype=object))
    check_int(f"{what} size", size, 1, 2**20)
    return size


def _notes(given: Any) -> tuple[tuple[str, str], ...]:
    pairs = tuple(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        raise TypeError(f"Network notes must be a mapping of strings, not {given!r}")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each note must be a name and a text, not {pair!r}")
        check_name("Name of a note", pair[0])
        if not isinstance(pair[1], str):
            raise TypeError(f"Note {pair[0]!r} must be a string, not {pair[1]!r}")
        if len(pair[1]) > 2000 or not pair[1].isprintable():
            raise ValueError(
                f"Note {pair[0]!r} must be at most 2000 printable characters, not {pair[1][:40]!r}"
            )
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError(f"Names of notes must be distinct, not {[name for name, _ in pairs]}")
    return tuple(sorted(pairs))


@dataclass(frozen=True)
class Input:
    """Where events come in.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        Number of channels, or their arrangement.
    low, high : int
        Range of the values, ``low <= 0 < high``; 0 is no event. 0..1 are binary spikes, all else
        is graded: the value multiplies the weight.
    held : bool
        Whether a channel has one value for all steps of a sample, such as a pixel that flows as a
        current: hardware takes and adds it once. It may project to populations alone that take
        nothing but such inputs.
    """

    name: str
    shape: int | tuple[int, ...]
    low: int = 0
    high: int = 1
    held: bool = False

    def __post_init__(self) -> None:
        check_name("Input name", self.name)
        _size(self.shape, f"Input {self.name!r}")
        check_int(f"Input {self.name!r} low", self.low, -(2**15), 0)
        check_int(f"Input {self.name!r} high", self.high, 1, 2**16 - 1)
        check_kind(f"Input {self.name!r} held", self.held, bool)

    @property
    def size(self) -> int:
        """Number of channels."""
        return _size(self.shape, "Input")

    @property
    def graded(self) -> bool:
        """Whether events carry a value."""
        return (self.low, self.high) != (0, 1)


@dataclass(frozen=True)
class Population:
    """Neurons of one model.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        Number of neurons, or their arrangement.
    neuron : Neuron
        What every neuron computes.
    bias : int or tuple of int
        Current that flows in every step, one or one per neuron.
    """

    name: str
    shape: int | tuple[int, ...]
    neuron: Neuron
    bias: int | tuple[int, ...] = 0

    def __post_init__(self) -> None:
        check_name("Population name", self.name)
        size = _size(self.shape, f"Population {self.name!r}")
        check_kind(f"Neuron of population {self.name!r}", self.neuron, Neuron)
        check_ints(f"Bias of population {self.name!r}", self.bias, -(2**31), 2**31 - 1)
        given = self.neuron.sizes
        if isinstance(self.bias, tuple):
            given = given | {len(self.bias)}
        for count in given:
            if count != size:
                raise ValueError(
                    f"Parameters per neuron of population {self.name!r} must be {size}, not {count}"
                )

    @property
    def size(self) -> int:
        """Number of neurons."""
        return _size(self.shape, "Population")

    @property
    def low(self) -> int:
        """Least value of an event."""
        return 0

    @property
    def high(self) -> int:
        """Greatest value of an event."""
        return 1

    @property
    def graded(self) -> bool:
        """Whether events carry a value."""
        return False


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
        Declared bits of a weight, 1 (which is -1, 0 or 1 with a sign bit of its own: 2) to 32; as
        many as the weights need where none is given.
    name : str
        Label, ``source->target`` where none is given.
    """

    source: str
    target: str
    synapses: Any
    delay: int = 0
    bits: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        check_name("Projection source", self.source)
        check_name("Projection target", self.target)
        if not self.name:
            late = f" late {self.delay}" if self.delay else ""
            object.__setattr__(self, "name", f"{self.source}->{self.target}{late}")
        check_name("Projection name", self.name)
        what = f"Projection {self.name!r}"
        check_int(f"{what} delay", self.delay, 0, 1023)
        if not isinstance(self.synapses, Synapses):
            try:
                object.__setattr__(self, "synapses", Dense(self.synapses))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{what}: {error}") from None
        if self.bits is not None:
            check_int(f"{what} bits", self.bits, 2, 32)
            values = self.synapses.values
            low, high = -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1
            beyond = (values < low) | (values > high)
            if beyond.any():
                raise ValueError(
                    f"{what}: a weight of {self.bits} bits must be in {low}..{high}, "
                    f"not {int(values[beyond][0])}"
                )

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

    def __hash__(self) -> int:
        return hash((self.source, self.target, self.delay, self.name))


@dataclass(frozen=True)
class Readout:
    """How a population answers for the network: a score per neuron, the greatest of which wins.

    Ties go to the lowest class.

    Parameters
    ----------
    population : str
        Name of the population whose neurons are the classes.
    kind : {"count", "last", "largest", "sum", "first"}
        The score: see :data:`READOUTS`.
    name : str
        Label, that of the population where none is given.
    """

    population: str
    kind: str = "count"
    name: str = ""

    def __post_init__(self) -> None:
        check_name("Readout population", self.population)
        check_choice("Readout kind", self.kind, READOUTS)
        if not self.name:
            object.__setattr__(self, "name", self.population)
        check_name("Readout name", self.name)


@dataclass(frozen=True)
class Network:
    """A spiking network of integers.

    Parameters
    ----------
    inputs, populations, projections, readouts : sequence
        Its parts; names are distinct. The first readout answers where one answer is asked for.
    longest : int
        Most time steps of a sample (of a window, where samples go on), 1 to 65535.
    name : str
        What it is called.
    notes : mapping of str to str, or pairs of str
        Where it comes from and how its data are encoded, kept sorted. They are no part of what the
        network computes: equal networks may differ in them.

    Raises
    ------
    TypeError
        If a part is of another type.
    ValueError
        If a name is taken twice or unknown, sizes do not meet, a projection starts at a population
        that never fires, a readout asks what a population has not, a cycle has no delay, or a
        neuron's step may leave the declared range of a state.
    """

    inputs: tuple[Input, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    readouts: tuple[Readout, ...]
    longest: int = 256
    name: str = "network"
    notes: Mapping[str, str] | Sequence[tuple[str, str]] = field(default=(), compare=False)
    order: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for what, kind in (
            ("inputs", Input),
            ("populations", Population),
            ("projections", Projection),
            ("readouts", Readout),
        ):
            parts = getattr(self, what)
            if not isinstance(parts, Sequence):
                raise TypeError(f"Network {what} must be a sequence, not {parts!r}")
            object.__setattr__(self, what, tuple(parts))
            for part in parts:
                check_kind(
                    f"Each of the network's {what}", part, kind, "an" if kind is Input else "a"
                )
            if not parts and what != "projections":
                raise ValueError(f"Network must have {what}, not none")
        check_int("Longest sample", self.longest, 1, 2**16 - 1)
        check_name("Network name", self.name)
        object.__setattr__(self, "notes", _notes(self.notes))
        self._check_names()
        for projection in self.projections:
            self._check_projection(projection)
        for one in self.populations:
            self._check_held(one.name)
        for readout in self.readouts:
            self._check_readout(readout)
        object.__setattr__(self, "order", self._sorted())
        _ = self.bounds  # proves the range of every state

    def _check_names(self) -> None:
        for parts in ((*self.inputs, *self.populations), self.projections, self.readouts):
            taken = set()
            for part in parts:
                if part.name in taken:
                    raise ValueError(f"Names must be distinct, not {part.name!r} twice")
                taken.add(part.name)

    def _check_projection(self, projection: Projection) -> None:
        what = f"Projection {projection.name!r}"
        if projection.source not in self.nodes:
            raise ValueError(
                f"{what}: the source must be an input or population, not {projection.source!r}"
            )
        if projection.target not in self.population:
            raise ValueError(f"{what}: the target must be a population, not {projection.target!r}")
        source, target = self.nodes[projection.source], self.population[projection.target]
        wanted = (target.size, source.size)
        given = (projection.synapses.target_size, projection.synapses.source_size)
        if given != wanted:
            raise ValueError(f"{what}: weights must have the shape {wanted}, not {given}")
        if isinstance(source, Population) and not source.neuron.spiking:
            raise ValueError(
                f"{what}: the source must fire, not be of type {type(source.neuron).__name__}"
            )

    def _check_held(self, name: str) -> None:
        sources = [one.source for one in self.into(name)]
        held = [source for source in sources if getattr(self.nodes[source], "held", False)]
        if held and len(held) < len(sources):
            other = next(source for source in sources if source not in held)
            raise ValueError(
                f"Population {name!r} must take held inputs alone, not {other!r} beside "
                f"{held[0]!r}: declare the input as not held"
            )

    def holds(self, name: str) -> bool:
        """Tell whether a population takes held inputs, and so keeps its sums from step to step."""
        into = self.into(name)
        return bool(into) and getattr(self.nodes[into[0].source], "held", False)

    def _check_readout(self, readout: Readout) -> None:
        what = f"Readout {readout.name!r}"
        if readout.population not in self.population:
            raise ValueError(f"{what}: must read a population, not {readout.population!r}")
        neuron = self.population[readout.population].neuron
        kind = type(neuron).__name__
        if readout.kind in {"count", "first"} and not neuron.spiking:
            raise ValueError(f"{what}: {readout.kind!r} must read neurons that fire, not {kind}")
        if readout.kind in {"last", "largest", "sum"} and neuron.potential not in neuron.states:
            raise ValueError(
                f"{what}: {readout.kind!r} must read neurons with a state "
                f"{neuron.potential!r}, not {kind}"
            )

    def _sorted(self) -> tuple[str, ...]:
        # Kahn's algorithm: ready populations are visited in the order in which they are given.
        waiting = {one.name: 0 for one in self.populations}
        following: dict[str, list[str]] = {name: [] for name in waiting}
        for projection in self.projections:
            if projection.delay == 0 and projection.source in waiting:
                waiting[projection.target] += 1
                following[projection.source].append(projection.target)
        ready = [name for name, count in waiting.items() if not count]
        order = []
        for name in ready:
            order.append(name)
            for target in following[name]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        if len(order) < len(waiting):
            raise ValueError(
                "A cycle must have a delay of at least 1 somewhere, not "
                + " -> ".join(self._cycle({n for n in waiting if n not in set(order)}))
            )
        return tuple(order)

    def _cycle(self, among: set[str]) -> list[str]:
        before = {
            p.target: p.source
            for p in self.projections
            if p.delay == 0 and p.source in among and p.target in among
        }
        path = [min(among)]
        while path.count(path[-1]) < 2:
            path.append(before[path[-1]])
        return path[path.index(path[-1]) :][::-1]

    @cached_property
    def note(self) -> dict[str, str]:
        """Notes by name."""
        return dict(self.notes)

    @cached_property
    def population(self) -> dict[str, Population]:
        """Populations by name."""
        return {one.name: one for one in self.populations}

    @cached_property
    def nodes(self) -> dict[str, Input | Population]:
        """Inputs and populations by name."""
        return {one.name: one for one in (*self.inputs, *self.populations)}

    @cached_property
    def bounds(self) -> dict[str, Any]:
        """Range of every sum and potential, by population: see :class:`~.bounds.Bounds`."""
        from .bounds import bounds

        return bounds(self)

    def into(self, name: str) -> tuple[Projection, ...]:
        """Return the projections whose target is ``name``."""
        return tuple(one for one in self.projections if one.target == name)

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """Return the projections whose source is ``name``."""
        return tuple(one for one in self.projections if one.source == name)

    @property
    def readout(self) -> Readout:
        """The first readout."""
        return self.readouts[0]

    @property
    def weight_bits(self) -> int:
        """Bits of all weights that are stored."""
        return sum(one.synapses.values.size * one.width for one in self.projections)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the network says, notes aside, the same on every machine."""
        from .file import digest

        return digest(self)

    def save(self, path: str | Path) -> None:
        """Write the network to one file, whole or not at all: see :mod:`~.file`."""
        from .file import save

        save(self, path)

    def __hash__(self) -> int:
        return hash((self.name, self.longest, len(self.projections)))
