"""Reload of the parameters of another network into a running accelerator.

Where a mapping makes a population writable, its weights, thresholds and biases are in memories that
can be written with any values of as many bits: the hardware is sized for the worst case of these.
Everything else shapes the hardware, and must be the same: see :func:`structure`.

A memory is written word by word, each row from its least significant bits on. The accelerator is
sent a sequence of *beats*: the number of a memory, the first row to write, and the words.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from spiker_hdl.base.frozen import copy_with
from spiker_hdl.model.bounds import bounds
from spiker_hdl.model.canonical import arrays_of, describe, frozen_mapping
from spiker_hdl.model.dynamics.with_synapse import WithSynapse
from spiker_hdl.model.dynamics.with_synapses import WithSynapses
from spiker_hdl.model.graph import Projection
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.base import Neuron
from spiker_hdl.model.parameters import field_width, fields_of, parameter_rows
from spiker_hdl.model.synapses.convolution import Convolution

from .layout import (
    in_machine_order,
    kernel_rows,
    kernel_size,
    neuron_order,
    parameter_period,
    summed_apart,
)
from .mapping import Mapping

__all__ = [
    "ADDRESS",
    "DATA",
    "DIGEST",
    "DIGEST_BYTES",
    "LOAD_BITS",
    "MEMORY",
    "WORD",
    "Store",
    "beats",
    "beats_between",
    "check_structure",
    "in_memory",
    "stores",
    "structure",
    "weight_rows",
    "with_worst_case_bounds",
]

LAYOUT = 1
"""Version of the memories' contents, incremented when a value has another place or meaning."""

WORD = 32
"""Maximum number of bits of a word."""

DATA, MEMORY, ADDRESS = range(3)
"""Kinds of beats: the next word, the number of a memory, the row to continue from."""

LOAD_BITS = WORD + 2
"""Bits of a beat: a word and its kind."""

DIGEST, DIGEST_BYTES = 0, 32
"""Number, and bytes, of the memory that holds the digest of the loaded network."""


@dataclass(frozen=True)
class Store:
    """A memory that can be written.

    Members
    -------
    number : int
        Number of the memory, from 1 on.
    population : str
    part : {"weights", "parameters", "kernel"}
    bank : int
    width, depth : int
        Bits of a row, and number of rows.
    projection : str
        Name of the projection whose kernel it is, of a ``"kernel"``.
    """

    number: int
    population: str
    part: str
    bank: int
    width: int
    depth: int
    projection: str = ""

    @property
    def slices(self) -> int:
        """Words of a row."""
        return -(-self.width // WORD)

    @property
    def granule(self) -> int:
        """Bits of a word."""
        return -(-self.width // self.slices)


def weight_rows(
    projections: Sequence[Projection],
    lanes: int,
    banks: int = 1,
    bank: int = 0,
    kernels: Sequence[Projection] = (),
) -> list[int]:
    """Return the rows of a bank of weights, each with lane 0 in its least significant bits.

    Row ``fold * rows + base + source // banks`` has the weights of a fold's lanes, where the base
    is the number of rows of the projections before. Behind these are the rows of the kernels that
    are stored once.

    Parameters
    ----------
    projections : sequence of Projection
        Those that are stored in rows, between neurons as they are numbered in the machine.
    lanes, banks, bank : int
    kernels : sequence of Projection
        Those whose kernels are stored.
    """
    width = max(projection.width for projection in (*projections, *kernels))
    stored = [kernel_rows(projection.synapses, lanes) for projection in kernels]
    if projections:
        stored = [_folded_rows(projections, lanes, banks, bank), *stored]
    bits = np.concatenate(stored)[..., None]
    bits = (bits >> np.arange(width) & 1).astype(np.uint8)
    packed = np.packbits(bits.reshape(len(bits), -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _folded_rows(
    projections: Sequence[Projection], lanes: int, banks: int, bank: int
) -> np.ndarray:
    """Return the rows of all sources for every fold, an array of shape (rows, lanes)."""
    size = projections[0].synapses.target_size
    folds, parts = -(-size // lanes), []
    for projection in projections:
        matrix = projection.synapses.matrix()[:, bank::banks]
        missing = -(-projection.synapses.source_size // banks) - matrix.shape[1]
        parts.append(np.pad(matrix, ((0, 0), (0, missing))))
    rows = sum(part.shape[1] for part in parts)
    padded = np.zeros((folds * lanes, rows), dtype=np.int64)
    padded[:size] = np.concatenate(parts, axis=1)
    return padded.reshape(folds, lanes, rows).transpose(0, 2, 1).reshape(folds * rows, lanes)


def in_memory(
    network: Network, mapping: Mapping, name: str
) -> tuple[list[Projection], list[Projection]]:
    """Return the projections of a population that are stored in rows, and as kernels.

    Those in rows are between neurons as they are numbered in the machine. Kernels whose sums lie
    apart have a memory of their own.
    """
    into = [(projection, mapping.store(network, projection)) for projection in network.into(name)]
    return (
        [in_machine_order(network, mapping, projection) for projection, s in into if s == "rows"],
        [
            projection
            for projection, s in into
            if s == "kernel" and not summed_apart(network, mapping, projection)
        ],
    )


def stores(network: Network, mapping: Mapping) -> tuple[Store, ...]:
    """Return the memories that can be written, in the order of their numbers."""
    memories: list[Store] = []

    def add(name: str, part: str, bank: int, width: int, depth: int, link: str = "") -> None:
        memories.append(Store(len(memories) + 1, name, part, bank, width, depth, link))

    for population in network.populations:
        core, projections = mapping.cores[population.name], network.into(population.name)
        if not core.writable:
            continue
        rows, kernels = in_memory(network, mapping, population.name)
        if rows or kernels:
            width = core.lanes * max(projection.width for projection in (*rows, *kernels))
            depth = -(-population.size // core.lanes) * sum(
                -(-projection.synapses.source_size // core.banks) for projection in rows
            )
            depth += sum(kernel_size(projection.synapses, core.lanes) for projection in kernels)
            for bank in range(core.banks):
                add(population.name, "weights", bank, width, depth)
        for projection in projections:
            if summed_apart(network, mapping, projection):
                depth = kernel_size(projection.synapses, core.lanes)
                width = core.lanes * projection.width
                add(population.name, "kernel", 0, width, depth, projection.name)
        width = core.units * sum(
            field_width(*ends) for ends in fields_of(population, True).values()
        )
        if width:
            neurons = parameter_period(network, mapping, population.name) or population.size
            add(population.name, "parameters", 0, width, -(-neurons // core.units))
    return tuple(memories)


def beats(network: Network, mapping: Mapping) -> np.ndarray:
    """Return the beats that load a network into an accelerator of its :func:`structure`.

    The digest of the loaded network is cleared first and set last, so that an interrupted load
    leaves no valid digest.

    Returns
    -------
    array of uint64, shape (beats,)
        Each with its word in the 32 least significant bits, and its kind above.
    """
    parts = [_beats(DIGEST, bytes(DIGEST_BYTES), 1, 8)]
    for memory in stores(network, mapping):
        parts.append(
            _beats(memory.number, _rows(network, mapping, memory), memory.slices, memory.granule)
        )
    parts.append(_beats(DIGEST, bytes.fromhex(network.digest), 1, 8))
    return np.concatenate(parts)


def beats_between(built: Network, network: Network, mapping: Mapping) -> list[int]:
    """Return the beats that load a network into an accelerator that was built for another.

    Raises
    ------
    ValueError
        If the mapping makes nothing writable, or the networks are not of the same structure.
    """
    if not mapping.writable:
        raise ValueError("Mapping must have a writable population for a network to be loaded")
    check_structure(network, mapping, structure(built, mapping))
    return beats(network, mapping).tolist()


def _rows(network: Network, mapping: Mapping, store: Store) -> list[int]:
    core = mapping.cores[store.population]
    name = store.population
    if store.part == "parameters":
        order = neuron_order(network, mapping, name)
        return parameter_rows(network.population[name], core.units, True, order)[: store.depth]
    if store.part == "kernel":
        apart = [link for link in network.projections if link.name == store.projection]
        return weight_rows((), core.lanes, kernels=apart)
    rows, kernels = in_memory(network, mapping, name)
    return weight_rows(rows, core.lanes, core.banks, store.bank, kernels)


def _beats(number: int, rows: Sequence[int], slices: int, granule: int) -> np.ndarray:
    size = granule * slices
    text = b"".join(row.to_bytes(-(-size // 8), "little") for row in rows)
    bits = np.frombuffer(text, dtype=np.uint8).reshape(len(rows), -1)
    bits = np.unpackbits(bits, axis=1, bitorder="little")[:, :size].reshape(-1, granule)
    words = bits.astype(np.uint64) @ (np.uint64(1) << np.arange(granule, dtype=np.uint64))
    head = np.array([MEMORY << WORD | number, ADDRESS << WORD], dtype=np.uint64)
    return np.concatenate([head, words])


def with_worst_case_bounds(network: Network, writable: Collection[str]) -> Network:
    """Return the network with the bounds of all networks that can be loaded in its place.

    Parameters
    ----------
    network : Network
    writable : collection of str
        Populations whose weights, thresholds and biases can be replaced.

    Raises
    ------
    ValueError
        If a neuron cannot keep its states in range with every parameter.
    """
    if not writable:
        return network
    return copy_with(network, bounds=bounds(network, writable))


def _owner(neuron: Neuron, described: dict, name: str) -> tuple[dict, str]:
    """Return the part of a neuron's description that has a parameter, and the name it has there."""
    if isinstance(neuron, WithSynapses):
        if name in neuron.own_names:
            receptor, own = neuron.own_names[name]
            return described["synapses"][receptor], own
        neuron, described = neuron.neuron, described["neuron"]
    while isinstance(neuron, WithSynapse):
        if name in neuron.own_names:
            return described["synapse"], neuron.own_names[name][1]
        neuron, described = neuron.neuron, described["neuron"]
    return described, name


def structure(network: Network, mapping: Mapping) -> str:
    """Return the SHA-256 of everything that shapes the hardware, in hexadecimal.

    Networks with the same structure can be loaded in place of each other.
    """
    text = describe(network)
    for name in ("name", "notes"):
        text.pop(name, None)
    text |= {"mapping": frozen_mapping(mapping.to_json()), "layout": LAYOUT}
    for population, described in zip(network.populations, text["populations"], strict=True):
        if population.name in mapping.writable:
            for name in fields_of(population, True):
                owner, own = _owner(population.neuron, described["neuron"], name)
                value = owner.pop(own, None)
                if isinstance(value, dict):  # the bits of a decay shape the hardware
                    owner[own] = {"bits": value["bits"]}
            described["bias"] = fields_of(population, True).get("bias")
            described["fields"] = fields_of(population, True)
            # Parameters of channels are stored once, and those of neurons have no room there.
            period = parameter_period(network, mapping, population.name)
            if period is not None:
                described["period"] = period
    total = hashlib.sha256()
    for projection, described in zip(network.projections, text["projections"], strict=True):
        if projection.target in mapping.writable:
            described |= {"bits": projection.width, "kind": "rows"}
            if isinstance(projection.synapses, Convolution):
                # Kernels of two sizes may have equal positions, but not equal rows and bounds.
                described["kernel"] = list(projection.synapses.kernel.shape)
            continue
        for name, array in arrays_of(projection.synapses).items():
            total.update(f"{projection.name}:{name}:{array.dtype.str}:{array.shape}:".encode())
            total.update(array.tobytes())
    total.update(json.dumps(text, sort_keys=True).encode())
    return total.hexdigest()


def check_structure(network: Network, mapping: Mapping, built: str) -> None:
    """Raise :exc:`ValueError` unless a network can be loaded into the hardware.

    Parameters
    ----------
    network : Network
    mapping : Mapping
        Mapping of the hardware.
    built : str
        The :func:`structure` of the network that the hardware was built for.
    """
    if structure(network, mapping) != built:
        raise ValueError(
            f"Network {network.name!r} must differ from that for which the hardware was built in "
            f"weights, thresholds and biases of {sorted(mapping.writable)} alone, and have weights "
            f"and biases of as many bits; and the hardware be of a library that loads as this one, "
            f"by layout {LAYOUT}"
        )
