"""Whether a network can fit on a board, told before anything is synthesised."""

from collections.abc import Mapping as Table
from dataclasses import dataclass, replace
from types import MappingProxyType

from spiker_hdl.model import Mapping, Network, store_bits
from spiker_hdl.model.bounds import bounds
from spiker_hdl.model.mapping import row_parts
from spiker_hdl.model.neuron import signed_width

from .target import FAMILIES, Target

__all__ = ["FitError", "Need", "advice", "check_fit", "find_lanes", "need"]

LINK_MEMORIES = ((512, 8), (576, 8))
"""Frames that wait for the accelerator, and for the host: words and bits."""

QUEUE, EMITTED = 15, 31
"""Events that wait before a population, and behind one."""

SPRAM = (16384, 16)
"""Words and bits of a large memory without contents."""

SURE = 0.7
"""Share of the estimated look-up tables that a design takes at the least."""

FULL = 0.85
"""Share of the look-up tables up to which place and route finds its way."""

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


def _blocks(family: str, words: int, bits: int) -> int:
    return min(-(-words // depth) * -(-bits // width) for depth, width in FAMILIES[family].shapes)


def _memories(
    network: Network, mapping: Mapping, spare: int, huge: bool = False
) -> list[tuple[int, int]]:
    """Return words and bits of each memory of weights, with so many bits a weight less."""
    found = []
    for one in network.projections:
        core = mapping.cores[one.target]
        if (core.weights == "huge") != huge:
            continue
        folds = -(-one.synapses.target_size // core.lanes)
        width = max(1, one.width - spare)
        if mapping.store(network, one) == "rows":
            # Each bank has the rows of its own sources.
            words = -(-one.synapses.source_size // core.banks) * folds
            parts = row_parts(words, 0 if core.writable else core.block)
            found += core.banks * [(part, core.lanes * width) for part, _ in parts]
        else:
            found.append((-(-store_bits(network, one, core)["synapses"] // width), width))
    return found


def _working(network: Network, mapping: Mapping) -> list[tuple[int, int]]:
    """Return words and bits of each memory of sums, states and events."""
    found = []
    reached = bounds(network, mapping.writable)
    for one in network.populations:
        core, rows = mapping.cores[one.name], -(-one.size // mapping.cores[one.name].lanes)
        if rows > 1 and core.states != "registers":
            states = sum(signed_width(each.low, each.high) for each in one.neuron.states.values())
            found.append((-(-one.size // core.units), core.units * states))
            found += core.banks * [(rows, core.lanes * reached[one.name].sum_width)]
        found.append((EMITTED, (one.size - 1).bit_length() + 2))
        found += [
            (QUEUE, network.nodes[into.source].size.bit_length()) for into in network.into(one.name)
        ]
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
    weights = [*_memories(network, mapping, spare), *LINK_MEMORIES]
    # A lane adds for each bank.
    lanes = sum(core.lanes * core.banks for core in mapping.cores.values())
    units = sum(core.units for core in mapping.cores.values())
    kind, each = FAMILIES[family], _LANE[family]
    deep = [
        (words, width)
        for words, width in [*weights, *_working(network, mapping)]
        if words > kind.shallow and words * width > kind.small
    ]
    bits = sum(words * width for words, width in weights if words <= kind.shallow)
    # A lane that has no step unit of its own is its sum alone.
    lane = each * units + each * max(0, lanes - units) // 3
    return Need(
        _FIXED[family] + lane + (bits >> kind.luts),
        sum(_blocks(family, *one) for one in deep),
        sum(
            -(-words // SPRAM[0]) * -(-bits // SPRAM[1])
            for words, bits in _memories(network, mapping, spare, huge=True)
        ),
    )


def _short(target: Target, network: Network, mapping: Mapping, spare: int = 0) -> list[str]:
    """Return what is short on a board, in words."""
    found, capacity = need(network, mapping, target.family, spare=spare), target.capacity
    short = []
    if found.block_rams > capacity.block_rams:
        short.append(f"{found.block_rams} block RAMs of {capacity.block_rams}")
    if found.sprams > capacity.sprams:
        short.append(f"{found.sprams} memories without contents of {capacity.sprams}")
    if SURE * found.luts > capacity.luts:
        short.append(f"about {found.luts:,} look-up tables of {capacity.luts:,}")
    return short


def _folded(network: Network, mapping: Mapping, lanes: int) -> Mapping:
    cores = {
        name: replace(mapping.cores[name], lanes=core.lanes, units=core.units, banks=1)
        for name, core in Mapping.folded(network, lanes).cores.items()
    }
    return replace(mapping, cores=cores)


def _likely(target: Target, network: Network, mapping: Mapping) -> bool:
    found, capacity = need(network, mapping, target.family), target.capacity
    return (
        found.block_rams <= capacity.block_rams
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


def advice(target: Target, network: Network, mapping: Mapping | None = None) -> str:
    """Return what would fit instead."""
    lanes = find_lanes(target, network, mapping)
    if lanes is not None:
        return f"--lanes {lanes} likely fits"
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
