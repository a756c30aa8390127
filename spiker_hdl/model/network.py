"""A network: a checked graph of inputs, populations and projections, and its readouts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int, check_kind, check_name, shown
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.base.frozen import set_fields

from . import archive, canonical
from .graph import Input, Population, Projection, Readout
from .rules.proof import RuleBounds, check_rule
from .rules.state import LearningState
from .scores import check_readout, check_scores
from .synapses.convolution import Convolution

__all__ = ["Network"]


def _notes(notes: Any) -> tuple[tuple[str, str], ...]:
    pairs = tuple(notes.items()) if isinstance(notes, Mapping) else notes
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        raise TypeError(f"Network notes must be a mapping of strings, not {shown(notes)}")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each note must be a name and a text, not {shown(pair)}")
        check_name("Name of a note", pair[0])
        if not isinstance(pair[1], str):
            raise TypeError(f"Note {pair[0]!r} must be a string, not {shown(pair[1])}")
        if len(pair[1]) > 2000 or not pair[1].isprintable():
            raise ValueError(
                f"Note {pair[0]!r} must be at most 2000 printable characters, not {shown(pair[1])}"
            )
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError(
            f"Names of notes must be distinct, not {shown([name for name, _ in pairs])}"
        )
    return tuple(sorted((str.__str__(name), str.__str__(text)) for name, text in pairs))


def _check_positions(
    what: str, projection: Projection, source: Input | Population, target: Population
) -> None:
    """Check that ends with an arrangement have that of a convolution or of pooled sums."""
    synapses, pooling = projection.synapses, projection.pooling
    ends = []
    if isinstance(synapses, Convolution):
        ends += [(source, synapses.shape), (target, synapses.target_shape)][: 2 - bool(pooling)]
        if pooling is not None and pooling.shape != synapses.target_shape:
            raise ValueError(
                f"{what}: sums of the shape {synapses.target_shape} must be pooled, not "
                f"{pooling.shape}"
            )
    if pooling is not None:
        ends.append((target, pooling.target_shape))
    for node, shape in ends:
        if isinstance(node.shape, tuple) and node.shape != shape:
            raise ValueError(
                f"{what}: the shape of {node.name!r} must be {shape}, or a size alone, not "
                f"{node.shape}"
            )


@dataclass(frozen=True)
class Network:
    """A spiking network of integers.

    Parameters
    ----------
    inputs, populations, projections, readouts : sequence
        Parts of the network, with distinct names. The first readout is the answer of the network
        where a single one is needed.
    max_steps : int
        Maximum number of time steps of a sample, or of a window of a continuous signal, 1 to 65535.
    name : str
        Name of the network.
    notes : mapping of str to str, or pairs of str
        Notes on its origin and on the encoding of its data, kept sorted. They do not change what
        the network computes: equal networks may differ in them.
    learning : LearningState, optional
        Where a network that learns stands; by default at its start. For a network without rules of
        learning, None.

    Raises
    ------
    TypeError
        If a part is of another type.
    ValueError
        If a name is taken twice or unknown, sizes do not meet, a projection starts at a population
        that emits no events, a readout asks what a population has not, a cycle has no delay, or a
        neuron's step may leave the declared range of a state.
    """

    inputs: tuple[Input, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    readouts: tuple[Readout, ...]
    max_steps: int = 256
    name: str = "network"
    notes: Mapping[str, str] | Sequence[tuple[str, str]] = field(default=(), compare=False)
    learning: LearningState | None = None
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
                raise TypeError(f"Network {what} must be a sequence, not {shown(parts)}")
            set_fields(self, **{what: tuple(parts)})
            for part in parts:
                check_kind(f"Each of the network's {what}", part, kind)
            if not parts and what != "projections":
                raise ValueError(f"Network must have {what}, not none")
        set_fields(
            self,
            max_steps=check_int("Max steps", self.max_steps, 1, 2**16 - 1),
            name=check_name("Network name", self.name),
            notes=_notes(self.notes),
        )
        self._check_names()
        for projection in self.projections:
            self._check_projection(projection)
        for population in self.populations:
            self._check_static(population.name)
        for readout in self.readouts:
            check_readout(self, readout)
        set_fields(self, order=self._sorted())
        _ = self.bounds  # proves the range of every state
        self._check_learning()
        for readout in self.readouts:
            check_scores(self, readout)

    def _check_learning(self) -> None:
        rules = [link for link in self.projections if link.rule is not None]
        rules += [population for population in self.populations if population.homeostasis]
        if self.learning is not None:
            check_kind("Network learning", self.learning, LearningState)
            if not rules:
                raise ValueError(
                    "Network learning must be None without a rule of learning, not "
                    f"{self.learning!r}"
                )
        elif rules:  # the start
            set_fields(self, learning=LearningState())
        _ = self.rule_bounds  # proves that rows which are not visited stay

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
        _check_positions(what, projection, source, target)
        expected = (target.size, source.size)
        actual = (projection.target_size, projection.synapses.source_size)
        if actual != expected:
            raise ValueError(f"{what}: weights must have the shape {expected}, not {actual}")
        receptors = target.neuron.receptors
        if projection.receptor >= receptors:
            raise ValueError(
                f"{what}: the receptor must be one of {receptors} of {projection.target!r}, "
                f"counted from 0, not {projection.receptor}"
            )
        if isinstance(source, Population) and not source.neuron.emits:
            raise ValueError(
                f"{what}: the source must fire or have a value as output, not be of type "
                f"{type(source.neuron).__name__}"
            )

    def _check_static(self, name: str) -> None:
        sources = [projection.source for projection in self.into(name)]
        static = [source for source in sources if getattr(self.nodes[source], "static", False)]
        if static and len(static) < len(sources):
            other = next(source for source in sources if source not in static)
            raise ValueError(
                f"Population {name!r} must take static inputs alone, not {other!r} beside "
                f"{static[0]!r}: declare the input as not static"
            )

    def holds(self, name: str) -> bool:
        """Tell whether a population takes static inputs, and so reuses its sums in every step."""
        into = self.into(name)
        return bool(into) and getattr(self.nodes[into[0].source], "static", False)

    def _sorted(self) -> tuple[str, ...]:
        # Kahn's algorithm: ready populations are visited in the order in which they are given.
        waiting = {population.name: 0 for population in self.populations}
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
        return {population.name: population for population in self.populations}

    @cached_property
    def nodes(self) -> dict[str, Input | Population]:
        """Inputs and populations by name."""
        return {node.name: node for node in (*self.inputs, *self.populations)}

    @cached_property
    def bounds(self) -> dict[str, Any]:
        """Range of every sum and potential, by population: see :class:`~.bounds.Bounds`."""
        from .bounds import bounds

        return bounds(self)

    @cached_property
    def rule_bounds(self) -> dict[str, RuleBounds]:
        """Ranges of what rules of learning compute, by projection."""
        return {
            projection.name: check_rule(self, projection)
            for projection in self.projections
            if projection.rule is not None
        }

    def frozen(self) -> "Network":
        """Return the network with its present weights, which no longer change."""
        if self.learning is None:
            return self
        fixed = tuple(replace(projection, rule=None) for projection in self.projections)
        steady = tuple(replace(population, homeostasis=None) for population in self.populations)
        return replace(self, populations=steady, projections=fixed, learning=None)

    def with_weights(self, weights: Mapping[str, Any]) -> "Network":
        """Return the network with other weights of some projections.

        Parameters
        ----------
        weights : mapping of str to array of int
            By name of the projection, of the shape of its ``synapses.values``.

        Raises
        ------
        ValueError
            If there is no projection of a name, or the weights do not fit.
        """
        names = [projection.name for projection in self.projections]
        for name in weights:
            check_choice("Projection of other weights", name, names)
        links = tuple(
            replace(link, synapses=link.synapses.with_values(weights[link.name]))
            if link.name in weights
            else link
            for link in self.projections
        )
        return replace(self, projections=links)

    def with_rules(self, rules: Mapping[str, Any]) -> "Network":
        """Return the network with other rules of some projections, by name; None for no rule.

        Weights and the state of learning stay, so that learning goes on, for example at another
        rate.

        Raises
        ------
        ValueError
            If there is no projection of a name, or a rule does not fit.
        """
        names = [projection.name for projection in self.projections]
        for name in rules:
            check_choice("Projection of another rule", name, names)
        links = tuple(
            replace(link, rule=rules[link.name]) if link.name in rules else link
            for link in self.projections
        )
        learns = any(link.rule is not None for link in links)
        learns |= any(population.homeostasis is not None for population in self.populations)
        return replace(self, projections=links, learning=self.learning if learns else None)

    def into(self, name: str) -> tuple[Projection, ...]:
        """Return the projections whose target is ``name``."""
        return tuple(projection for projection in self.projections if projection.target == name)

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """Return the projections whose source is ``name``."""
        return tuple(projection for projection in self.projections if projection.source == name)

    @property
    def readout(self) -> Readout:
        """The first readout."""
        return self.readouts[0]

    @property
    def weight_bits(self) -> int:
        """Bits of all weights that are stored."""
        return sum(
            projection.synapses.values.size * projection.width for projection in self.projections
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the network without its notes, the same on every machine."""
        return canonical.digest(self)

    def save(self, path: str | Path) -> None:
        """Write the network to one file, whole or not at all: see :mod:`~.archive`.

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError, ValueError
            If a neuron of the user's own has a field that a file cannot hold, or a name of the
            library's, or a name is longer than a file can hold.
        """
        data = archive.pack(self)
        with write_whole(path) as file:
            file.write(data)

    def __hash__(self) -> int:
        return hash((self.name, self.max_steps, len(self.projections)))
