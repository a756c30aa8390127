"""What a network says, written out in one way alone: for its file, and for its digest.

A neuron's field that is declared with ``metadata={"later": True}`` is left out where it has its
default, so that files and digests from before there was such a field stay what they are.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Protocol

import numpy as np

from spiker_hdl.base import shown

from .graph import Input, Population, Projection, Readout
from .neurons.arithmetic import Decay
from .neurons.library import NEURONS
from .synapses import Synapses

__all__ = [
    "FORMAT",
    "VERSION",
    "Described",
    "arrays",
    "arrays_of",
    "describe",
    "digest",
    "digest_of",
    "frozen_mapping",
    "thawed_mapping",
]

FORMAT = "spiker-network"
VERSION = 1


_MEMORIES = {"uninitialized": "huge"}
"""Kinds of memory whose names have changed since, as files of format 1 spell them."""


class Described(Protocol):
    """What a description is made of: a :class:`~.network.Network`."""

    @property
    def name(self) -> str: ...
    @property
    def max_steps(self) -> int: ...
    @property
    def inputs(self) -> tuple[Input, ...]: ...
    @property
    def populations(self) -> tuple[Population, ...]: ...
    @property
    def projections(self) -> tuple[Projection, ...]: ...
    @property
    def readouts(self) -> tuple[Readout, ...]: ...
    @property
    def notes(self) -> Any: ...


def _plain(value: Any, what: str) -> Any:
    if isinstance(value, Decay):
        return {"numerator": _plain(value.numerator, what), "bits": value.bits}
    if isinstance(value, tuple):
        return [_plain(one, what) for one in value]
    if value is not None and type(value) not in {bool, int, str}:
        raise TypeError(
            f"{what} must be an int, a bool, a string, None, a Decay or a tuple of such to be "
            f"saved, not {shown(value)}"
        )
    return value


def _neuron(population: Population) -> dict[str, Any]:
    neuron = population.neuron
    model = type(neuron).__name__
    if NEURONS.get(model, type(neuron)) is not type(neuron):
        raise ValueError(f"Neuron model must not be named as the library's own {model} to be saved")
    what = f"Population {population.name!r}: {model}"
    held = {f.name: getattr(neuron, f.name) for f in fields(neuron)}
    for f in fields(neuron):
        if f.metadata.get("later") and held[f.name] == f.default:
            del held[f.name]
    return {"model": model} | {name: _plain(v, f"{what} {name}") for name, v in held.items()}


def _axes(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def describe(network: Described, mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return all that a file says of a network but its arrays, as JSON can hold it.

    Parameters
    ----------
    network : Network
    mapping : dict of str to object, optional
        What a mapping's ``to_json`` made, kept beside the network.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "longest": network.max_steps,
        "inputs": [
            {"name": one.name, "shape": _axes(one.shape), "low": one.low, "high": one.high}
            | ({"held": True} if one.static else {})
            for one in network.inputs
        ],
        "populations": [
            {
                "name": one.name,
                "shape": _axes(one.shape),
                "bias": _axes(one.bias),
                "neuron": _neuron(one),
            }
            for one in network.populations
        ],
        "projections": [
            {
                "name": one.name,
                "source": one.source,
                "target": one.target,
                "delay": one.delay,
                "bits": one.bits,
                "kind": one.synapses.kind,
                "shape": [one.synapses.target_size, one.synapses.source_size],
            }
            | ({"shift": one.shift} if one.shift else {})
            for one in network.projections
        ],
        "readouts": [
            {"name": one.name, "population": one.population, "kind": one.kind}
            | ({} if one.groups is None else {"groups": one.groups})
            for one in network.readouts
        ],
        "mapping": frozen_mapping(mapping),
        **({"notes": dict(network.notes)} if network.notes else {}),
    }


def frozen_mapping(mapping: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a mapping as files of format 1 spell it."""
    return _respelled(mapping, _MEMORIES)


def thawed_mapping(mapping: Any) -> Any:
    """Return a mapping out of a file as ``Mapping.from_json`` takes it, whatever it is."""
    return _respelled(mapping, {old: new for new, old in _MEMORIES.items()})


def _respelled(mapping: Any, names: dict[str, str]) -> Any:
    if not isinstance(mapping, dict) or not isinstance(mapping.get("cores"), dict):
        return mapping
    cores = {
        name: core | {"weights": names.get(core["weights"], core["weights"])}
        if isinstance(core, dict) and isinstance(core.get("weights"), str)
        else core
        for name, core in mapping["cores"].items()
    }
    return mapping | {"cores": cores}


def arrays_of(synapses: Synapses) -> dict[str, np.ndarray]:
    """Return the arrays of synapses by name, as they are stored."""
    names = {"sparse": ("sources", "targets", "weights")}.get(synapses.kind, ("weights",))
    return {name: _narrow(getattr(synapses, name)) for name in names}


def _narrow(array: np.ndarray) -> np.ndarray:
    for kind in ("<i1", "<i2", "<i4"):
        ends = np.iinfo(kind)
        if not array.size or (array.min() >= ends.min and array.max() <= ends.max):
            return array.astype(kind, order="C")
    return array.astype("<i8", order="C")


def arrays(network: Described) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of all projections, by the names that they have in a file."""
    for n, one in enumerate(network.projections):
        for name, array in arrays_of(one.synapses).items():
            yield f"{name}/{n}.npy", array


def digest_of(text: dict[str, Any], network: Described) -> str:
    """Return the SHA-256 of what :func:`describe` gave, and of the arrays beside it."""
    # Of the arrays themselves, since NumPy may come to write their files otherwise.
    total = hashlib.sha256(json.dumps(text, sort_keys=True).encode())
    for name, array in arrays(network):
        total.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def digest(network: Described) -> str:
    """Return the SHA-256 of all that a network says, notes aside, in hexadecimal."""
    text = describe(network)
    text.pop("notes", None)
    return digest_of(text, network)
