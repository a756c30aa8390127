"""How a network is mapped to hardware, which changes cycles and area, but never results."""

from collections.abc import Collection
from collections.abc import Mapping as Table
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int, check_kind, check_name, shown
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model.graph import Input, Population, Projection
from spiker_hdl.model.network import Network

from .core import Core

__all__ = ["PRESETS", "STORES", "Mapping", "queue_minimum", "store_bits"]

FORMS = ("words", "events")
STORES = ("rows", "synapses")
PRESETS = ("default", "fast", "balanced", "small")
FEW = 32  # neurons up to which presets take a population as small


def queue_minimum(network: Network, projection: Projection) -> int:
    """Return the minimum entries of a projection's queue: all events of the steps of its delay."""
    source = network.nodes[projection.source]
    return max(1, projection.delay * (source.size + 1))


def store_bits(network: Network, projection: Projection, core: "Core") -> dict[str, int]:
    """Return the bits of memory that a projection's weights take, by how they are stored.

    Parameters
    ----------
    network : Network
    projection : Projection
    core : Core
        How the target is mapped to hardware.

    Returns
    -------
    dict of str to int
        ``"rows"``: a row of weights for each source and fold of the lanes, zeros included.
        ``"synapses"``: each weight that is not zero with its target, and for each source the place
        of its first (which a one-to-one projection does without).
    """
    synapses = projection.synapses
    folds = -(-synapses.target_size // core.lanes)
    rows = synapses.source_size * folds * core.lanes * projection.width
    kept = max(1, int(synapses.fan_out().sum()))
    entry = (folds - 1).bit_length() + (core.lanes - 1).bit_length() + projection.width + 1
    if synapses.kind == "one_to_one":
        return {"rows": rows, "synapses": synapses.source_size * entry}
    starts = synapses.source_size * ((kept - 1).bit_length() + 1)
    return {"rows": rows, "synapses": kept * entry + starts}


@dataclass(frozen=True)
class Mapping:
    """How a network is mapped to hardware.

    Parameters
    ----------
    cores : mapping of str to Core
        One for each population.
    queues : mapping of str to int
        Entries of each projection's queue of events, by the projection's name.
    form : {"words", "events"}
        Form of samples at the inputs: spike vectors, with a word in each beat, or address events.
    word : int
        Channels in a word of a spike vector, 1 to 256.
    stores : mapping of str to {"rows", "synapses"}
        How each projection's weights are stored, by its name: see :func:`store_bits`. For those not
        named: rows if dense, else what takes fewer bits.
    """

    cores: Table[str, Core]
    queues: Table[str, int] = field(default_factory=dict)
    form: str = "words"
    word: int = 32
    stores: Table[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what in ("cores", "queues", "stores"):
            if not isinstance(getattr(self, what), Table):
                raise TypeError(
                    f"Mapping {what} must be a mapping, not {shown(getattr(self, what))}"
                )
        for name, core in self.cores.items():
            check_kind(f"Core of {shown(name)}", core, Core)
        cores = {check_name("Name of a core", name): core for name, core in self.cores.items()}
        queues = {
            check_name("Name of a queue", name): check_int(
                f"Queue depth of {shown(name)}", depth, 1, 2**24
            )
            for name, depth in self.queues.items()
        }
        stores = {
            check_name("Name of a store", name): check_choice(
                f"Store of {shown(name)}", store, STORES
            )
            for name, store in self.stores.items()
        }
        set_fields(
            self,
            cores=MappingProxyType(cores),
            queues=MappingProxyType(queues),
            stores=MappingProxyType(stores),
            form=check_choice("Input form", self.form, FORMS),
            word=check_int("Word", self.word, 1, 256),
        )

    def __hash__(self) -> int:
        parts = (self.cores, self.queues, self.stores)
        return hash((*(frozenset(part.items()) for part in parts), self.form, self.word))

    @classmethod
    def default(cls, network: Network, **changes: Any) -> "Mapping":
        """Return the default mapping: a lane for each neuron.

        Parameters
        ----------
        network : Network
        **changes
            Fields of the mapping that differ.
        """
        mapping = cls(
            {
                population.name: Core(population.size, _units(population))
                for population in network.populations
            },
            {
                projection.name: queue_minimum(network, projection) + 15
                for projection in network.projections
            },
        )
        mapping = replace(mapping, **changes)
        mapping.check(network)
        return mapping

    @classmethod
    def folded(cls, network: Network, lanes: int, **changes: Any) -> "Mapping":
        """Return the default mapping with at most ``lanes`` lanes in each population."""
        lanes = check_int("Lanes", lanes, 1, 2**20)
        cores = {
            population.name: Core(
                min(lanes, population.size),
                min(lanes, population.size) if lanes < population.size else _units(population),
            )
            for population in network.populations
        }
        return cls.default(network, cores=cores, **changes)

    @classmethod
    def fast(cls, network: Network, **changes: Any) -> "Mapping":
        """Return a mapping of few cycles: a lane for each neuron, several events and units at once.

        Large populations accept two events in a cycle, for which block RAMs of full width supply
        the rows, and small ones four. All of them accept events while their neurons are updated.
        """
        cores = {
            population.name: Core(
                population.size,
                min(16, population.size),
                2 if population.size > FEW else 4,
                overlap=True,
            )
            for population in network.populations
        }
        return cls.default(network, cores=cores, **changes)

    @classmethod
    def balanced(cls, network: Network, **changes: Any) -> "Mapping":
        """Return a mapping of few cycles for its area: a lane for two neurons of what is large.

        Their sums are in small memories. At most eight neurons are updated in parallel, in two
        pipeline stages.
        """
        cores = {
            population.name: Core(-(-population.size // 16) * 8, 8, stages=2)
            if population.size > FEW
            else Core(population.size, min(2, population.size), stages=2)
            for population in network.populations
        }
        return cls.default(network, cores=cores, **changes)

    @classmethod
    def small(cls, network: Network, **changes: Any) -> "Mapping":
        """Return a mapping of little area: four lanes or two, one step unit, and narrow words."""
        cores = {
            population.name: Core(min(4 if population.size > FEW else 2, population.size), 1)
            for population in network.populations
        }
        return cls.default(network, cores=cores, **{"word": 16} | changes)

    @classmethod
    def preset(cls, name: str, network: Network, **changes: Any) -> "Mapping":
        """Return the mapping of a name: ``default``, ``fast``, ``balanced`` or ``small``."""
        check_choice("Preset", name, PRESETS)
        return getattr(cls, name)(network, **changes)

    def with_writable(
        self, network: Network, writable: Collection[str], uninitialized: Collection[str] = ()
    ) -> "Mapping":
        """Return the mapping with writable populations, whose weights are all stored in rows.

        Parameters
        ----------
        network : Network
        writable : collection of str
            Names of populations.
        uninitialized : collection of str
            Names of those whose weights are in memory that a bitstream cannot initialise; these
            are writable, too.

        Raises
        ------
        ValueError
            If there is no such population.
        """
        cores, stores = dict(self.cores), dict(self.stores)
        for name in (*writable, *uninitialized):
            check_choice("Writable population", name, list(cores))
            weights = "uninitialized" if name in uninitialized else cores[name].weights
            cores[name] = replace(cores[name], writable=True, weights=weights)
            stores |= {projection.name: "rows" for projection in network.into(name)}
        mapping = replace(self, cores=cores, stores=stores)
        mapping.check(network)
        return mapping

    def check(self, network: Network) -> None:
        """Raise :exc:`ValueError` unless the mapping fits ``network``."""
        for what, names, expected in (
            ("cores", set(self.cores), set(network.population)),
            ("queues", set(self.queues), {projection.name for projection in network.projections}),
        ):
            if names != expected:
                raise ValueError(
                    f"Mapping {what} must be for {sorted(expected)}, not {sorted(names)}"
                )
        for name, core in self.cores.items():
            size = network.population[name].size
            if core.lanes > size:
                raise ValueError(f"Lanes of {name!r} must be at most {size}, not {core.lanes}")
            if core.lanes < size and core.lanes % core.units:
                raise ValueError(
                    f"Step units of {name!r} must divide its {core.lanes} lanes, which are fewer "
                    f"than its {size} neurons, not be {core.units}"
                )
        for projection in network.projections:
            minimum = queue_minimum(network, projection)
            if self.queues[projection.name] < minimum:
                raise ValueError(
                    f"Queue of {projection.name!r} must have at least {minimum} entries, which its "
                    f"delay of {projection.delay} steps needs, not {self.queues[projection.name]}"
                )
        unknown = set(self.stores) - set(self.queues)
        if unknown:
            raise ValueError(f"Mapping stores must be for projections, not {sorted(unknown)}")
        for projection in network.projections:
            if projection.pooling is not None:
                raise ValueError(
                    f"Projection {projection.name!r}: sums must reach their target as they are, "
                    "not as maxima of windows, which have no hardware yet: use the engine "
                    "'reference'"
                )
            if network.holds(projection.target) and self.store(network, projection) != "rows":
                raise ValueError(
                    f"Store of {projection.name!r} must be 'rows', not 'synapses', for a static "
                    "source"
                )
            if self.cores[projection.target].writable and self.store(network, projection) != "rows":
                raise ValueError(
                    f"Store of {projection.name!r} must be 'rows', not 'synapses', where "
                    f"{projection.target!r} is writable"
                )
        for name, node in network.nodes.items():
            scanned, banks = self.scanned(node), self.banks(network, name)
            if scanned < node.size and scanned % banks and not self._passes(node):
                what = "Word" if isinstance(node, Input) else f"Step units of {name!r}"
                raise ValueError(
                    f"{what} must be a multiple of the {banks} banks that read {name!r}, not "
                    f"{scanned}"
                )

    def scanned(self, node: Input | Population) -> int:
        """Return the number of neighbouring addresses that a scanner reads in one word."""
        if isinstance(node, Population):
            return self.cores[node.name].units
        return 1 if self._passes(node) else min(self.word, node.size)

    def _passes(self, node: Input | Population) -> bool:
        return self.form == "events" and isinstance(node, Input)

    def banks(self, network: Network, name: str) -> int:
        """Return how many events of a node are passed in parallel: one from each bank."""
        readers = [
            projection
            for projection in network.out_of(name)
            if self.store(network, projection) == "rows"
        ]
        return max((self.cores[projection.target].banks for projection in readers), default=1)

    @property
    def filled(self) -> "Mapping":
        """The mapping with initialised memories in place of ``"uninitialized"`` ones."""
        cores = {
            name: replace(core, weights="auto") if core.weights == "uninitialized" else core
            for name, core in self.cores.items()
        }
        return replace(self, cores=cores)

    @property
    def writable(self) -> frozenset[str]:
        """Populations whose weights, thresholds and biases can be replaced."""
        return frozenset(name for name, core in self.cores.items() if core.writable)

    def store(self, network: Network, projection: Projection) -> str:
        """Return how a projection's weights are stored: ``"rows"`` or ``"synapses"``."""
        if projection.name in self.stores:
            return self.stores[projection.name]
        if network.holds(projection.target) or self.cores[projection.target].writable:
            return "rows"
        if projection.synapses.kind == "dense":
            return "rows"
        bits = store_bits(network, projection, self.cores[projection.target])
        return "rows" if bits["rows"] <= bits["synapses"] else "synapses"

    def to_json(self) -> dict[str, Any]:
        """Return the mapping in what JSON can hold."""
        return {
            "cores": {name: asdict(core) for name, core in self.cores.items()},
            "queues": dict(self.queues),
            "form": self.form,
            "word": self.word,
            "stores": dict(self.stores),
        }

    @classmethod
    def from_json(cls, text: Any) -> "Mapping":
        """Read what :meth:`to_json` made.

        Raises
        ------
        TypeError, ValueError
            If a key is unknown or missing, or a value is not as it must be.
        """
        if not isinstance(text, dict):
            raise TypeError(f"Mapping must be an object, not {text!r}")
        expected = {"cores", "queues", "form", "word", "stores"}
        if set(text) != expected:
            raise ValueError(f"Mapping keys must be {sorted(expected)}, not {sorted(text)}")
        cores = {}
        for part in ("cores", "queues", "stores"):
            if not isinstance(text[part], dict):
                raise TypeError(f"Mapping {part} must be an object, not {text[part]!r}")
        for name, core in text["cores"].items():
            keys = [declared.name for declared in fields(Core)]
            needed = {declared.name for declared in fields(Core) if declared.default is MISSING}
            if not isinstance(core, dict) or not needed <= set(core) <= set(keys):
                raise ValueError(f"Core of {name!r} must have {', '.join(keys)}, not {core!r}")
            cores[name] = Core(**core)
        return cls(cores, text["queues"], text["form"], text["word"], text["stores"])


def _units(population: Population) -> int:
    # Eight at a time cost a tenth of a step unit in every lane and, as the lanes rotate through
    # them, few cycles a step.
    return min(8, population.size)
