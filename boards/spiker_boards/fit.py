"""Whether a network can fit on a board, told before anything is synthesised."""

from collections.abc import Mapping as Table
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from amaranth import Shape

from spiker_hdl.model import Mapping, Network, store_bits
from spiker_hdl.model.bounds import bounds
from spiker_hdl.model.mapping.core import row_parts
from spiker_hdl.model.mapping.microarchitecture import emitter_depth
from spiker_hdl.rtl.population.neuron_update import state_layout
from spiker_hdl.tools.families import FAMILIES

from .target import Target

__all__ = [
    "Fit",
    "FitError",
    "Need",
    "advice",
    "board_need",
    "check_fit",
    "find_fit",
    "find_lanes",
    "need",
]

SHALLOW, SMALL = 64, 2048
"""Words, and bits, of a memory that may as well lie in look-up tables."""

LINK_MEMORIES = ((512, 8), (576, 8))
"""Frames that wait for the accelerator, and for the host: words and bits."""

EVENT = 2
"""Bits of an event beside its place."""

SPRAM = (16384, 16)
"""Words and bits of a large memory without contents."""

SURE = 0.7
"""Share of the estimated look-up tables that a design takes at the least."""

FULL = 0.85
"""Share of what a device has up to which place and route finds its way."""

# Look-up tables of link and control, and of a lane, a step unit more: fitted to what place and
# route made of the digits and of MNIST, which they tell within a quarter.
_FIXED: Table[str, int] = MappingProxyType({
    "ice40": 2900,
    "ecp5": 2300,
    "gowin": 2300,
    "xc7": 1400,
    "cyclonev": 1100,
})
_LANE: Table[str, int] = MappingProxyType({
    "ice40": 225,
    "ecp5": 110,
    "gowin": 110,
    "xc7": 60,
    "cyclonev": 50,
})


USB = 2050
"""Look-up tables of a board's own USB, more than those of a UART."""


class FitError(ValueError):
    """A network that cannot fit on a board: what is short, and what would fit."""


@dataclass(frozen=True)
class Need:
    """What a network takes on a device, estimated.

    Members
    -------
    luts : int
        Within a quarter or so.
    block_rams : int
        For weights, link, states and queues, at the least.
    sprams : int
        For weights that are loaded.
    """

    luts: int
    block_rams: int
    sprams: int = 0


def _in_blocks(family: str, words: int, bits: int, fixed: bool) -> bool:
    """Tell whether a memory, whose contents may be fixed, lies in block RAMs."""
    kind = FAMILIES[family]
    if kind.block_ram_cost:
        logic = words * bits / (2**kind.lut_inputs if fixed else 1)
        return kind.block_ram_cost * _blocks(family, words, bits) < logic
    return words > SHALLOW and words * bits > SMALL


def _blocks(family: str, words: int, bits: int) -> int:
    return min(
        -(-words // depth) * -(-bits // width) for depth, width in FAMILIES[family].block_ram_shapes
    )


def _memories(
    network: Network, mapping: Mapping, spare: int, uninitialized: bool = False
) -> list[tuple[int, int, bool]]:
    """Return words and bits of each memory of weights, and whether they are fixed.

    Each weight has so many bits less.
    """
    found = []
    for one in network.projections:
        core = mapping.cores[one.target]
        if (core.weights == "uninitialized") != uninitialized:
            continue
        fixed = not core.writable
        folds = -(-one.synapses.target_size // core.lanes)
        width = max(1, one.width - spare)
        if mapping.store(network, one) == "rows":
            # Each bank has the rows of its own sources.
            words = -(-one.synapses.source_size // core.banks) * folds
            parts = row_parts(words, 0 if core.writable else core.block)
            found += core.banks * [(part, core.lanes * width, fixed) for part, _ in parts]
        else:
            words = -(-store_bits(network, one, core)["synapses"] // width)
            found.append((words, width, fixed))
    return found


def _working(network: Network, mapping: Mapping) -> list[tuple[int, int]]:
    """Return words and bits of each memory of sums, states and events."""
    found = []
    reached = bounds(network, mapping.writable)
    for one in network.populations:
        core = mapping.cores[one.name]
        rows, words = (-(-one.size // each) for each in (core.lanes, core.units))
        if rows > 1 and core.states != "registers":
            states = Shape.cast(state_layout(one, reached[one.name])).width
            found.append((words, core.units * states))
            found += core.banks * [(rows, core.lanes * reached[one.name].sum_width)]
        # Queues hold an entry less in memory, and what belongs to an event in two bits more.
        number = (words - 1).bit_length()
        found.append((emitter_depth(words) - 1, core.units + number + EVENT))
        for into in network.into(one.name):
            number = (network.nodes[into.source].size - 1).bit_length()
            found.append((mapping.queues[into.name] - 1, number + EVENT))
    return found


def need(network: Network, mapping: Mapping, family: str, *, spare: int = 0) -> Need:
    """Return what a network takes on a family of devices.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    family : str
        One of :data:`~.target.FAMILIES`.
    spare : int
        Bits by which each weight is taken to be narrower.
    """
    weights = _memories(network, mapping, spare)
    others = [(*one, False) for one in (*LINK_MEMORIES, *_working(network, mapping))]
    # A lane adds for each bank.
    lanes = sum(core.lanes * core.banks for core in mapping.cores.values())
    units = sum(core.units for core in mapping.cores.values())
    kind, each = FAMILIES[family], _LANE[family]
    blocks = [one for one in (*weights, *others) if _in_blocks(family, *one)]
    bits = sum(one[0] * one[1] for one in weights if not _in_blocks(family, *one))
    # A lane that has no step unit of its own is its sum alone.
    lane = each * units + each * max(0, lanes - units) // 3
    return Need(
        _FIXED[family] + lane + (bits >> kind.lut_inputs),
        sum(_blocks(family, *one) for *one, _ in blocks),
        sum(
            -(-words // SPRAM[0]) * -(-bits // SPRAM[1])
            for words, bits, _ in _memories(network, mapping, spare, uninitialized=True)
        ),
    )


def board_need(target: Target, network: Network, mapping: Mapping, *, spare: int = 0) -> Need:
    """Return what a network takes on a board, its link included: see :func:`need`."""
    found = need(network, mapping, target.family, spare=spare)
    return found if target.usb is None else replace(found, luts=found.luts + USB)


def _short(target: Target, network: Network, mapping: Mapping, spare: int = 0) -> list[str]:
    """Return what is short on a board, in words."""
    found, capacity = board_need(target, network, mapping, spare=spare), target.capacity
    short = []
    if found.block_rams > capacity.block_rams:
        short.append(f"{found.block_rams} block RAMs of {capacity.block_rams}")
    if found.sprams > capacity.sprams:
        short.append(f"{found.sprams} memories without contents of {capacity.sprams}")
    if SURE * found.luts > capacity.luts:
        short.append(f"about {found.luts:,} look-up tables of {capacity.luts:,}")
    return short


def _shaped(mapping: Mapping, other: Mapping) -> Mapping:
    """Return a mapping with the lanes and step units of another."""
    cores = {
        name: replace(mapping.cores[name], lanes=core.lanes, units=core.units, banks=1)
        for name, core in other.cores.items()
    }
    return replace(mapping, cores=cores)


def _folded(network: Network, mapping: Mapping, lanes: int) -> Mapping:
    return _shaped(mapping, Mapping.folded(network, lanes))


def _likely(target: Target, network: Network, mapping: Mapping) -> bool:
    found, capacity = board_need(target, network, mapping), target.capacity
    # Where small memories may become block RAMs, some more do than are foreseen.
    share = FULL if target.kind.block_ram_cost else 1
    return (
        found.block_rams <= share * capacity.block_rams
        and found.sprams <= capacity.sprams
        and found.luts <= FULL * capacity.luts
    )


def find_lanes(target: Target, network: Network, mapping: Mapping | None = None) -> int | None:
    """Return the most lanes, a power of two or all, with which a network likely fits on a board.

    Parameters
    ----------
    target : Target
    network : Network
    mapping : Mapping, optional
        What else is to be as it is there.

    Returns
    -------
    int or None
        At most those that the board recommends; None where none will do.
    """
    mapping = Mapping.default(network) if mapping is None else mapping
    largest = min(max(one.size for one in network.populations), target.lanes)
    choices = {largest, *(2**n for n in range(largest.bit_length()))}
    for lanes in sorted(choices, reverse=True):
        if _likely(target, network, _folded(network, mapping, lanes)):
            return lanes
    return None


@dataclass(frozen=True)
class Fit:
    """How a network likely fits on a board.

    Members
    -------
    lanes : int or str
        Most accumulators side by side in a population, or the preset that sets them.
    uninitialized : tuple of str
        Populations whose weights lie in large memories without contents, and must be loaded.
    """

    lanes: int | str
    uninitialized: tuple[str, ...] = ()

    def mapping(self, network: Network, **changes: Any) -> Mapping:
        """Return the mapping that this is; ``changes`` are fields that are to be others."""
        if isinstance(self.lanes, str):
            mapping = Mapping.preset(self.lanes, network, **changes)
        else:
            mapping = Mapping.folded(network, self.lanes, **changes)
        return (
            mapping.with_writable(network, (), self.uninitialized)
            if self.uninitialized
            else mapping
        )


def find_fit(target: Target, network: Network, mapping: Mapping | None = None) -> Fit | None:
    """Return how a network likely fits on a board, in block RAM or else in memory to be loaded.

    Large memories without contents are considered only where block RAM does not do, since a board
    that has weights there holds no network before one is loaded: populations with the most bits
    of weights go there first, with the preset ``small``, whose rows are as wide as such memories.

    Parameters
    ----------
    target : Target
    network : Network
    mapping : Mapping, optional
        What else is to be as it is there.

    Returns
    -------
    Fit or None
        None where nothing will do.
    """
    lanes = find_lanes(target, network, mapping)
    if lanes is not None:
        return Fit(lanes)
    if not target.capacity.sprams:
        return None
    mapping = Mapping.default(network) if mapping is None else mapping
    bits = {
        population.name: sum(
            projection.synapses.values.size * projection.width
            for projection in network.into(population.name)
        )
        for population in network.populations
    }
    order = sorted((name for name in bits if bits[name]), key=lambda name: (-bits[name], name))
    for count in range(1, len(order) + 1):
        uninitialized = tuple(order[:count])
        opened = mapping.with_writable(network, (), uninitialized)
        if _likely(target, network, _shaped(opened, Mapping.small(network))):
            return Fit("small", uninitialized)
        lanes = find_lanes(target, network, opened)
        if lanes is not None:
            return Fit(lanes, uninitialized)
    return None


def advice(target: Target, network: Network, mapping: Mapping | None = None) -> str:
    """Return what would fit instead."""
    fit = find_fit(target, network, mapping)
    if fit is not None:
        given = (
            ()
            if mapping is None
            else (name for name, core in mapping.cores.items() if core.weights == "uninitialized")
        )
        memories = "".join(
            f" --spram {name}" for name in dict.fromkeys([*given, *fit.uninitialized])
        )
        return f"--lanes {fit.lanes}{memories} likely fits"
    mapping = Mapping.default(network) if mapping is None else mapping
    widest = max(one.width for one in network.projections)
    narrow = _folded(network, mapping, 1)
    for bits in range(widest - 1, 0, -1):
        if not _short(target, network, narrow, widest - bits):
            return f"weights of {bits} bits and --lanes 1 may fit"
    return "no width of weights does; `spiker boards NETWORK` lists the boards on which it fits"


def check_fit(target: Target, network: Network, mapping: Mapping) -> None:
    """Raise unless a network may fit on a board; what is left to say, place and route says.

    Raises
    ------
    FitError
        If it cannot: with what is short, and which lanes or bits would fit.
    """
    short = _short(target, network, mapping)
    if short:
        raise FitError(
            f"Network must fit on {target.title}, and needs {' and '.join(short)}: "
            f"{advice(target, network, mapping)}"
        )
