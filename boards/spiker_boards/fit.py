"""Whether a network can fit on a board, estimated before anything is synthesised."""

from dataclasses import dataclass, replace
from typing import Any

from spiker_hdl.estimate.area import AreaEstimate, estimate_area
from spiker_hdl.model import Mapping, Network

from .target import Target

__all__ = [
    "Fit",
    "FitError",
    "advice",
    "check_fit",
    "estimate_board_area",
    "find_fit",
    "find_lanes",
]

SURE = 0.7
"""Share of the estimated look-up tables that every design takes: a lower bound."""

FULL = 0.85
"""Share of a device up to which place and route succeeds."""

USB = 2050
"""Look-up tables that a board's own USB takes beyond those of a UART."""


class FitError(ValueError):
    """A network that cannot fit on a board: what the board lacks, and what would fit."""


def estimate_board_area(
    target: Target, network: Network, mapping: Mapping, *, spare: int = 0
) -> AreaEstimate:
    """Estimate the area of a network on a board, its own USB included.

    See :func:`~spiker_hdl.estimate.area.estimate_area`.
    """
    area = estimate_area(network, mapping, target.family, spare=spare)
    return area if target.usb is None else replace(area, luts=area.luts + USB)


def _short(target: Target, network: Network, mapping: Mapping, spare: int = 0) -> list[str]:
    """Return what a board has too little of, in words."""
    area = estimate_board_area(target, network, mapping, spare=spare)
    capacity = target.capacity
    short = []
    if area.block_rams > capacity.block_rams:
        short.append(f"{area.block_rams} block RAMs of {capacity.block_rams}")
    if area.sprams > capacity.sprams:
        short.append(f"{area.sprams} blocks of SPRAM of {capacity.sprams}")
    if SURE * area.luts > capacity.luts:
        short.append(f"about {area.luts:,} look-up tables of {capacity.luts:,}")
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
    area, capacity = estimate_board_area(target, network, mapping), target.capacity
    # Where small memories may become block RAMs, more of them do than is estimated.
    share = FULL if target.kind.block_ram_cost else 1
    return (
        area.block_rams <= share * capacity.block_rams
        and area.sprams <= capacity.sprams
        and area.luts <= FULL * capacity.luts
    )


def find_lanes(target: Target, network: Network, mapping: Mapping | None = None) -> int | None:
    """Return the largest number of lanes, a power of two or all, that likely fits on a board.

    Parameters
    ----------
    target : Target
    network : Network
    mapping : Mapping, optional
        All settings but lanes and step units.

    Returns
    -------
    int or None
        At most the board's recommended number; None if no number fits.
    """
    mapping = Mapping.default(network) if mapping is None else mapping
    largest = min(max(population.size for population in network.populations), target.lanes)
    choices = {largest, *(2**n for n in range(largest.bit_length()))}
    for lanes in sorted(choices, reverse=True):
        if _likely(target, network, _folded(network, mapping, lanes)):
            return lanes
    return None


@dataclass(frozen=True)
class Fit:
    """A way in which a network likely fits on a board.

    Members
    -------
    lanes : int or str
        Largest number of lanes of a population, or the preset that sets them.
    uninitialized : tuple of str
        Populations whose weights are in large memories without contents, and must be loaded.
    """

    lanes: int | str
    uninitialized: tuple[str, ...] = ()

    def mapping(self, network: Network, **changes: Any) -> Mapping:
        """Return the mapping; ``changes`` are fields that differ from its own."""
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
    """Return how a network likely fits on a board: in block RAM, or else in memory to be loaded.

    Large memories without contents are considered only where block RAM is not enough, since a board
    with weights in them holds no network before one is loaded. Populations with the most bits of
    weights use them first, with the preset ``small``, whose rows are as wide as such memories.

    Parameters
    ----------
    target : Target
    network : Network
    mapping : Mapping, optional
        All settings but lanes, step units and these memories.

    Returns
    -------
    Fit or None
        None if nothing fits.
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
        writable = mapping.with_writable(network, (), uninitialized)
        if _likely(target, network, _shaped(writable, Mapping.small(network))):
            return Fit("small", uninitialized)
        lanes = find_lanes(target, network, writable)
        if lanes is not None:
            return Fit(lanes, uninitialized)
    return None


def advice(target: Target, network: Network, mapping: Mapping | None = None) -> str:
    """Return advice on what would fit instead."""
    cores = {} if mapping is None else mapping.cores
    chosen = [name for name, core in cores.items() if core.weights == "uninitialized"]
    if chosen and not target.capacity.sprams:
        return "give no --spram, since this board has none"
    fit = find_fit(target, network, mapping)
    if fit is not None:
        memories = "".join(
            f" --spram {name}" for name in dict.fromkeys([*chosen, *fit.uninitialized])
        )
        option = "--mapping" if isinstance(fit.lanes, str) else "--lanes"
        return f"{option} {fit.lanes}{memories} likely fits"
    mapping = Mapping.default(network) if mapping is None else mapping
    widest = max(projection.width for projection in network.projections)
    narrow = _folded(network, mapping, 1)
    for bits in range(widest - 1, 0, -1):
        if not _short(target, network, narrow, widest - bits):
            return f"weights of {bits} bits and --lanes 1 may fit"
    return "no width of weights does; `spiker boards NETWORK` lists the boards on which it fits"


def check_fit(target: Target, network: Network, mapping: Mapping) -> None:
    """Raise unless a network may fit on a board; only place and route can tell for sure.

    Raises
    ------
    FitError
        If it cannot: with what the board lacks, and which lanes or bits would fit.
    """
    short = _short(target, network, mapping)
    if short:
        raise FitError(
            f"Network must fit on {target.title}, and needs {' and '.join(short)}: "
            f"{advice(target, network, mapping)}"
        )
