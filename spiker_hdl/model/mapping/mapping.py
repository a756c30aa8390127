"""How a network is mapped to hardware, which changes cycles and area, but never results."""

from collections.abc import Collection
from collections.abc import Mapping as Table
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from math import gcd
from types import MappingProxyType
from typing import Any

from spiker_hdl.base.checks import check_choice, check_int, check_kind, check_name, shown
from spiker_hdl.base.frozen import set_fields
from spiker_hdl.model.graph import Input, Population, Projection
from spiker_hdl.model.network import Network
from spiker_hdl.model.rules.refusal import refuse_rules
from spiker_hdl.model.synapses.convolution import Convolution

from .core import Core
from .interleave import bank_count
from .layout import alternates, common_channels, kernel_refusal, kernel_size

__all__ = ["PRESETS", "STORES", "Mapping", "queue_minimum", "store_bits"]

FORMS = ("words", "events")
STORES = ("rows", "synapses", "kernel")
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
        ``"kernel"``, if the projection can be stored so: the weights of a convolution, once in
        each bank of its sums. No other store is possible where sums are pooled.
    """
    synapses = projection.synapses
    folds = -(-synapses.target_size // core.lanes)
    rows = synapses.source_size * folds * core.lanes * projection.width
    kept = max(1, int(synapses.fan_out().sum()))
    entry = (folds - 1).bit_length() + (core.lanes - 1).bit_length() + projection.width + 1
    if synapses.kind == "one_to_one":
        return {"rows": rows, "synapses": synapses.source_size * entry}
    starts = synapses.source_size * ((kept - 1).bit_length() + 1)
    bits = {"rows": rows, "synapses": kept * entry + starts}
    if kernel_refusal(network, projection, core) is None:
        copies = bank_count(synapses, core.positions)
        bits["kernel"] = copies * kernel_size(synapses, core.lanes) * core.lanes * projection.width
    if projection.pooling is not None:  # what cannot be unrolled
        bits = {store: size for store, size in bits.items() if store == "kernel"}
    return bits


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
    stores : mapping of str to {"rows", "synapses", "kernel"}
        How each projection's weights are stored, by its name: see :func:`store_bits`. For those not
        named: rows if dense, the kernel of a convolution where that is possible, else what takes
        fewer bits. The neurons of a map that a stored kernel reaches are numbered ``y, x, channel``
        in the machine: see :mod:`~.layout`.
    in_flight : int, optional
        Number of samples that may be inside at once, 1 to 256. Without it, two more than there are
        populations, with which all populations are busy. Each takes registers for its latency and
        its counts of spikes.
    """

    cores: Table[str, Core]
    queues: Table[str, int] = field(default_factory=dict)
    form: str = "words"
    word: int = 32
    stores: Table[str, str] = field(default_factory=dict)
    in_flight: int | None = None

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
        if self.in_flight is not None:
            set_fields(self, in_flight=check_int("Samples in flight", self.in_flight, 1, 256))

    def __hash__(self) -> int:
        parts = (self.cores, self.queues, self.stores)
        rest = self.form, self.word, self.in_flight
        return hash((*(frozenset(part.items()) for part in parts), *rest))

    @classmethod
    def default(cls, network: Network, **changes: Any) -> "Mapping":
        """Return the default mapping: a lane for each neuron, and for each channel of a map.

        A map is here, and in the other presets, what a convolution reaches that can store its
        kernel once: see :attr:`stores`.

        Parameters
        ----------
        network : Network
        **changes
            Fields of the mapping that differ.
        """
        refuse_rules(network, "Mapping")
        mapping = cls(
            {
                population.name: _map_core(network, population.name, population.size, 8)
                or Core(population.size, _units(population))
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
            population.name: _map_core(network, population.name, lanes, lanes)
            or Core(
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
        A map has a lane for each channel, and accepts one event after the other, which it adds to
        all positions at once.
        """
        stores = changes.get("stores", {})
        maps = {
            population.name: _map_core(
                network,
                population.name,
                population.size,
                16,
                overlap=True,
                positions=_positions(network, population.name, stores, "window"),
            )
            for population in network.populations
        }
        cores = {
            population.name: maps[population.name]
            or Core(
                population.size,
                min(16, population.size),
                gcd(
                    2 if population.size > FEW else 4,
                    *(core.units for core in _sources(network, population.name, maps)),
                ),
                overlap=True,
            )
            for population in network.populations
        }
        return cls.default(network, cores=cores, **changes)

    @classmethod
    def balanced(cls, network: Network, **changes: Any) -> "Mapping":
        """Return a mapping of few cycles for its area: a lane for two neurons of what is large.

        Their sums are in small memories. At most eight neurons are updated in parallel, in two
        pipeline stages. A map has a lane for each channel, and an event is added to the positions
        of a line of its windows at once.
        """
        stores = changes.get("stores", {})
        cores = {
            population.name: _map_core(
                network,
                population.name,
                population.size,
                8,
                stages=2,
                positions=_positions(network, population.name, stores, "line"),
            )
            or (
                Core(-(-population.size // 16) * 8, 8, stages=2)
                if population.size > FEW
                else Core(population.size, min(2, population.size), stages=2)
            )
            for population in network.populations
        }
        return cls.default(network, cores=cores, **changes)

    @classmethod
    def small(cls, network: Network, **changes: Any) -> "Mapping":
        """Return a mapping of little area: four lanes or two, one step unit, and narrow words."""
        cores = {
            population.name: _map_core(network, population.name, 4, 1)
            or Core(min(4 if population.size > FEW else 2, population.size), 1)
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
        """Return the mapping with writable populations, whose weights are all in rows or kernels.

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
            stores |= {
                projection.name: "kernel"
                if kernel_refusal(network, projection, cores[name]) is None
                else "rows"
                for projection in network.into(name)
            }
        mapping = replace(self, cores=cores, stores=stores)
        mapping.check(network)
        return mapping

    def check(self, network: Network) -> None:
        """Raise :exc:`ValueError` unless the mapping fits ``network``."""
        refuse_rules(network, "Mapping")
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
            store = self.store(network, projection)
            reason = kernel_refusal(network, projection, self.cores[projection.target])
            if projection.pooling is not None and (store != "kernel" or reason is not None):
                reason = reason or f"have the store 'kernel', not {store!r}"
                raise ValueError(
                    f"Projection {projection.name!r} must {reason}, for hardware that pools its "
                    "sums; the engine 'reference' pools them of any network"
                )
            if store == "kernel" and reason is not None:
                raise ValueError(
                    f"Projection {projection.name!r} must {reason}, to store its kernel once"
                )
            if network.holds(projection.target) and store == "synapses":
                raise ValueError(
                    f"Store of {projection.name!r} must be 'rows', not 'synapses', for a static "
                    "source"
                )
            if self.cores[projection.target].writable and store == "synapses":
                raise ValueError(
                    f"Store of {projection.name!r} must be 'rows', not 'synapses', where "
                    f"{projection.target!r} is writable"
                )
        for name, core in self.cores.items():
            into = network.into(name)
            if core.positions != "one" and not any(
                self.store(network, projection) == "kernel" for projection in into
            ):
                raise ValueError(
                    f"Positions of {name!r} must be 'one', not {core.positions!r}, where no "
                    "convolution stores its kernel once"
                )
            if core.sums == "uninitialized" and not alternates(network, self, name):
                raise ValueError(
                    f"Memory of sums of {name!r} must be 'auto', not 'uninitialized', unless a "
                    "single projection adds to an even number of rows for each event, without "
                    "overlap: halve the lanes, or use sums='auto'"
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
            core = self.cores[node.name]
            return min(core.units * core.gather, node.size)
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
        """Return how a projection's weights are stored: see :attr:`stores`."""
        if projection.name in self.stores:
            return self.stores[projection.name]
        core = self.cores[projection.target]
        if projection.pooling is not None or kernel_refusal(network, projection, core) is None:
            return "kernel"  # pooled sums need it, and the check says why it may be refused
        if network.holds(projection.target) or core.writable:
            return "rows"
        if projection.synapses.kind == "dense":
            return "rows"
        bits = store_bits(network, projection, core)
        return "rows" if bits["rows"] <= bits["synapses"] else "synapses"

    def to_json(self) -> dict[str, Any]:
        """Return the mapping in what JSON can hold."""
        return {
            "cores": {name: _core_to_json(core) for name, core in self.cores.items()},
            "queues": dict(self.queues),
            "form": self.form,
            "word": self.word,
            "stores": dict(self.stores),
            # A field that is newer than files without it.
            **({} if self.in_flight is None else {"in_flight": self.in_flight}),
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
        if set(text) - {"in_flight"} != expected:
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
        in_flight = text.get("in_flight")
        return cls(cores, text["queues"], text["form"], text["word"], text["stores"], in_flight)


def _core_to_json(core: Core) -> dict[str, Any]:
    text = asdict(core)
    # Fields that are newer than files without them.
    for name, default in (("positions", "one"), ("gather", 1), ("sums", "auto")):
        if text[name] == default:
            del text[name]
    return text


def _map_core(network: Network, name: str, lanes: int, units: int, **changes: Any) -> Core | None:
    """Return the core of a map with at most so many lanes and step units; None if it is no map."""
    channels = common_channels(network, name)
    if not channels:
        return None
    lanes = _divisor(channels, lanes)
    return Core(lanes, _divisor(lanes, units), **changes)


def _positions(network: Network, name: str, stores: Table[str, str], positions: str) -> str:
    """Return the positions at once for a map, unless an event reaches a single one anyway.

    ``stores`` has how the weights of some projections are stored, whatever is possible.
    """
    for projection in network.into(name):
        synapses = projection.synapses
        stored = stores.get(projection.name, "kernel") == "kernel"
        if stored and isinstance(synapses, Convolution) and bank_count(synapses, positions) > 1:
            return positions
    return "one"


def _divisor(number: int, limit: int) -> int:
    """Return the largest divisor of a number up to a limit."""
    return next(n for n in range(min(number, limit), 0, -1) if number % n == 0)


def _sources(network: Network, name: str, cores: Table[str, Core | None]) -> list[Core]:
    """Return the cores, of some that may be None, that a population reads."""
    read = [cores.get(projection.source) for projection in network.into(name)]
    return [core for core in read if core is not None]


def _units(population: Population) -> int:
    # Eight at a time cost a tenth of a step unit in every lane and, as the lanes rotate through
    # them, few cycles a step.
    return min(8, population.size)
