"""The area of a network on a device, estimated from its mapping before anything is synthesised."""

from dataclasses import dataclass

from amaranth import Shape

from spiker_hdl.model import Core, Mapping, Network, store_bits
from spiker_hdl.model.bounds import bounds
from spiker_hdl.model.dynamics.wrapped import Wrapped
from spiker_hdl.model.mapping.core import row_parts
from spiker_hdl.model.mapping.interleave import bank_count, bank_rows, sums_clocked
from spiker_hdl.model.mapping.layout import (
    kernel_size,
    pooled_rows,
    pooled_width,
    summed_apart,
    updates_by_window,
)
from spiker_hdl.model.mapping.microarchitecture import spike_output_depth
from spiker_hdl.rtl.population.neuron_update import state_layout
from spiker_hdl.rtl.streams.events import value_shape
from spiker_hdl.tools.families import FAMILIES, Family

__all__ = ["AreaEstimate", "estimate_area"]

SHALLOW, SMALL = 64, 2048
"""Words, and bits, of a memory that look-up tables can hold as well as a block RAM."""

LINK_MEMORIES = ((512, 8, False), (576, 8, False), (192, 8, True))
"""Words and bits of the link's memories, and whether they are fixed.

Frames for the accelerator, frames for the host, and the board's identity.
"""

EVENT_FLAGS = 2
"""Bits of an event beside its address."""

WINDOW_FLAGS = 4
"""Bits of a row in a window of sums by position, beside its bank and number."""

SPRAM = (16384, 16)
"""Words and bits of a large memory without contents."""


@dataclass(frozen=True)
class AreaEstimate:
    """The area of a network on a device, estimated.

    Members
    -------
    luts : int
        Look-up tables, within a quarter or so.
    block_rams : int
        Block RAMs for weights, link, states and queues, at the least.
    sprams : int
        Large memories without contents, for weights that are loaded and for sums.
    """

    luts: int
    block_rams: int
    sprams: int = 0


@dataclass(frozen=True)
class _Memory:
    """A memory by its words and bits, and whether its contents are fixed."""

    words: int
    bits: int
    fixed: bool = False

    def block_rams(self, family: Family) -> int:
        """Return how many block RAMs it takes, in the best of their shapes."""
        return min(
            -(-self.words // depth) * -(-self.bits // width)
            for depth, width in family.block_ram_shapes
        )

    def in_block_ram(self, family: Family) -> bool:
        """Return whether synthesis puts it in block RAM, and not in look-up tables or registers."""
        if family.block_ram_cost:
            logic = self.words * self.bits / (2**family.lut_inputs if self.fixed else 1)
            return family.block_ram_cost * self.block_rams(family) < logic
        return self.words > SHALLOW and self.words * self.bits > SMALL


def _weight_memories(
    network: Network, mapping: Mapping, spare: int, *, uninitialized: bool = False
) -> list[_Memory]:
    """Return the memories of weights with contents, or those without; each weight is narrower."""
    memories = []
    for projection in network.projections:
        core = mapping.cores[projection.target]
        if (core.weights == "uninitialized") != uninitialized:
            continue
        fixed = not core.writable
        folds = -(-projection.synapses.target_size // core.lanes)
        width = max(1, projection.width - spare)
        store = mapping.store(network, projection)
        if store == "kernel":
            words = kernel_size(projection.synapses, core.lanes)
            parts = row_parts(words, 0 if core.writable else core.block)
            kernel = [_Memory(part, core.lanes * width, fixed) for part, _ in parts]
            # Each bank of sums by position has a copy.
            memories += bank_count(projection.synapses, core.positions) * kernel
        elif store == "rows":
            # Each bank has the rows of its own sources.
            words = -(-projection.synapses.source_size // core.banks) * folds
            parts = row_parts(words, 0 if core.writable else core.block)
            rows = [_Memory(part, core.lanes * width, fixed) for part, _ in parts]
            memories += core.banks * rows
        else:
            words = -(-store_bits(network, projection, core)["synapses"] // width)
            memories.append(_Memory(words, width, fixed))
    return memories


def _working_memories(network: Network, mapping: Mapping) -> list[_Memory]:
    """Return the memories of sums, states and events."""
    memories = []
    reached = bounds(network, mapping.writable)
    for population in network.populations:
        core, bound = mapping.cores[population.name], reached[population.name]
        rows = -(-population.size // core.lanes)
        words = -(-population.size // core.units)
        if rows > 1 and core.states != "registers":
            state_bits = Shape.cast(state_layout(population, bound)).width
            memories.append(_Memory(words, core.units * state_bits))
            by_window = updates_by_window(network, mapping, population.name)
            receptors = {link.receptor for link in network.into(population.name)}
            for receptor in () if by_window or core.sums != "auto" else receptors:
                width = bound.receptors[receptor].sum_width
                memories.append(_Memory(rows, core.lanes * width))
        for projection in network.into(population.name):
            if summed_apart(network, mapping, projection):
                width = pooled_width(network, mapping, projection)
                banks = bank_count(projection.synapses, core.positions)
                rows = bank_rows(projection.synapses, core.lanes, core.positions)
                if sums_clocked(projection.synapses, core.lanes, core.positions, core.states):
                    # Each has a further row that is always zero.
                    memories += banks * [_Memory(rows + 1, core.lanes * width)]
                windows = pooled_rows(projection, core.lanes)
                entry_bits = (rows - 1).bit_length() + (banks - 1).bit_length() + WINDOW_FLAGS
                memories.append(_Memory(sum(map(len, windows)), entry_bits, fixed=True))
        # A queue holds one entry outside its memory.
        words = -(-words // core.gather)
        address_bits = (words - 1).bit_length()
        channels = core.units * core.gather * (1 + value_shape(population).width)
        memories.append(
            _Memory(spike_output_depth(words) - 1, channels + address_bits + EVENT_FLAGS)
        )
        for projection in network.into(population.name):
            source = network.nodes[projection.source]
            event_bits = (source.size - 1).bit_length() + value_shape(source).width
            memories.append(_Memory(mapping.queues[projection.name] - 1, event_bits + EVENT_FLAGS))
    return memories


def _large_sums(network: Network, mapping: Mapping) -> list[_Memory]:
    """Return the large memories of sums: one of the even rows and one of the odd rows."""
    memories, reached = [], bounds(network, mapping.writable)
    for population in network.populations:
        core = mapping.cores[population.name]
        if core.sums == "uninitialized":
            rows = -(-population.size // core.lanes)
            width = core.lanes * reached[population.name].receptors[0].sum_width
            memories += 2 * [_Memory(-(-rows // 2), width)]
    return memories


def _memory_luts(rows: int, family: Family) -> float:
    """Return the look-up tables for a bit of a memory of so many rows with a single address."""
    if family.block_ram_cost:
        return rows
    # A look-up table of six inputs holds two bits of 32 rows.
    return -(-rows // 32) / 2 if family.lut_inputs == 6 else -(-rows // 2**family.lut_inputs)


def _apart_luts(network: Network, mapping: Mapping, family: Family) -> float:
    """Return the look-up tables of sums by position: their adders, memories and maxima."""
    luts = 0.0
    for projection in network.projections:
        if not summed_apart(network, mapping, projection):
            continue
        core = mapping.cores[projection.target]
        banks = bank_count(projection.synapses, core.positions)
        rows = bank_rows(projection.synapses, core.lanes, core.positions)
        value = value_shape(network.nodes[projection.source]).width
        bits = core.lanes * pooled_width(network, mapping, projection)
        products = family.product_luts * value * (projection.width + value)
        luts += banks * (bits + core.lanes * products)
        if not sums_clocked(projection.synapses, core.lanes, core.positions, core.states):
            luts += banks * bits * _memory_luts(rows + 1, family)
        # Banks are joined, and in pooled windows compared with the maximum so far.
        luts += bits * (banks // (family.lut_inputs - 1) + 2 * (projection.pooling is not None))
    return luts


def _lane_luts(network: Network, mapping: Mapping, family: Family) -> int:
    """Return the look-up tables of lanes and step units."""
    units = sum(core.units for core in mapping.cores.values())
    # Maxima of windows are added to nothing.
    lanes = sum(
        core.units if updates_by_window(network, mapping, name) else core.lanes
        for name, core in mapping.cores.items()
    )
    # A lane without a step unit of its own is an accumulator alone, of a third of the size.
    return family.lane_luts * units + family.lane_luts * max(0, lanes - units) // 3


def _product_luts(network: Network, mapping: Mapping, family: Family) -> float:
    """Return the look-up tables that add up banks, and multiply weights by values of events."""
    luts = 0.0
    for population in network.populations:
        core = mapping.cores[population.name]
        rows, widest = [(0, 0)], 0
        for projection in network.into(population.name):
            value = value_shape(network.nodes[projection.source]).width
            if summed_apart(network, mapping, projection):
                pass  # products are in front of the sums by position
            elif mapping.store(network, projection) != "synapses":
                rows.append((projection.width, value))
            else:  # a look-up of synapses has one product for all lanes
                luts += family.product_luts * value * (projection.width + value)
            widest = max(widest, value)
        width, value = (max(bits) for bits in zip(*rows, strict=True))
        # The weights of all banks are added in each lane: about two look-up tables for each bit.
        luts += core.lanes * (core.banks - 1) * 2 * width
        luts += core.lanes * core.banks * family.product_luts * value * (width + value)
        # The sums of products have as many bits more.
        luts += _sum_luts(core, population.size, widest, family)
    return luts


def _sum_luts(core: Core, size: int, width: int, family: Family) -> float:
    """Return the look-up tables of sums of a width, those of a small memory for them included."""
    rows, bits = -(-size // core.lanes), core.lanes * width
    in_logic = rows > 1 and not _Memory(rows, bits).in_block_ram(family)
    return bits * (family.accumulator_luts + (rows if in_logic else 0))


def _receptor_luts(network: Network, mapping: Mapping, family: Family) -> float:
    """Return the look-up tables of receptors beyond the first, and of the dynamics before neurons.

    All receptors share one row of weights, multiplied by the value of its event.
    """
    luts = 0.0
    reached = bounds(network, mapping.writable)
    for population in network.populations:
        core, bound = mapping.cores[population.name], reached[population.name]
        _, *further = sorted({link.receptor for link in network.into(population.name)}) or [0]
        for receptor in further:
            width = bound.receptors[receptor].sum_width
            luts += _sum_luts(core, population.size, width, family)
        layout = state_layout(population, bound)
        neuron = population.neuron
        while isinstance(neuron, Wrapped):
            own = [
                Shape.cast(layout.members[name])
                for name in neuron.own_names
                if name in layout.members
            ]
            luts += core.units * family.dynamics_luts * sum(shape.width for shape in own)
            neuron = neuron.neuron
    return luts


def _gate_luts(network: Network, mapping: Mapping) -> int:
    """Return the look-up tables of the gates that let the spike of a winner pass."""
    luts = 0
    for population in network.populations:
        if population.coupling is not None:
            units = mapping.cores[population.name].units
            groups = -(-population.size // units)
            steps = population.coupling.steps.bit_length()
            luts += (groups - 1).bit_length() + 6 * steps + 2 * units
    return luts


def estimate_area(
    network: Network, mapping: Mapping, family: str, *, spare: int = 0
) -> AreaEstimate:
    """Estimate the area of a network with a serial link on a family of devices.

    Parameters
    ----------
    network : Network
    mapping : Mapping
    family : str
        One of :data:`~spiker_hdl.tools.families.FAMILIES`.
    spare : int
        Bits by which each weight is taken to be narrower than it is.
    """
    kind = FAMILIES[family]
    weights = _weight_memories(network, mapping, spare)
    link = [_Memory(*memory) for memory in LINK_MEMORIES]
    memories = [*weights, *link, *_working_memories(network, mapping)]
    large = _weight_memories(network, mapping, spare, uninitialized=True)
    large += _large_sums(network, mapping)
    # Weights outside block RAM are constant tables; each look-up table holds some of their bits.
    bits = sum(memory.words * memory.bits for memory in weights if not memory.in_block_ram(kind))
    return AreaEstimate(
        kind.link_luts
        + _lane_luts(network, mapping, kind)
        + round(_product_luts(network, mapping, kind) + _receptor_luts(network, mapping, kind))
        + round(_apart_luts(network, mapping, kind))
        + _gate_luts(network, mapping)
        + (bits >> kind.lut_inputs),
        sum(memory.block_rams(kind) for memory in memories if memory.in_block_ram(kind)),
        sum(-(-memory.words // SPRAM[0]) * -(-memory.bits // SPRAM[1]) for memory in large),
    )
