"""The canonical description of a network, for its file and its digest.

The names are those of format 1 and do not change. A network that format 1 cannot express is
described in format 2, 3 or 4, which have more; all others stay in format 1. Names that the library
has changed since then are translated when a file is written or read, by the tables of this module.

A neuron's field that is declared with ``metadata={"later": True}`` is omitted where it has its
default, so that files and digests that are older than the field stay the same. With a number in
place of True, it is in files from this version of the format on.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Protocol

import numpy as np

from spiker_hdl.base import FileError, shown
from spiker_hdl.base.checks import check_choice
from spiker_hdl.base.messages import with_article

from .dynamics.kinds import DYNAMICS
from .dynamics.models import MODELS
from .dynamics.with_synapse import WithSynapse
from .graph import Input, Population, Projection, Readout
from .neurons.arithmetic import Decay
from .neurons.base import Component, Neuron
from .neurons.spiking import SpikingNeuron
from .rules.base import Rule
from .rules.homeostasis import Homeostasis
from .rules.library import RULES
from .rules.state import LearningState
from .rules.third import THIRD_FACTORS, ThirdFactor
from .synapses.base import Synapses
from .synapses.convolution import Convolution
from .synapses.pooling import MaxPooling

__all__ = [
    "COMPONENTS",
    "FORMAT",
    "VERSIONS",
    "Described",
    "arrays",
    "arrays_of",
    "describe",
    "digest",
    "digest_of",
    "fields_in_file",
    "frozen_fields",
    "frozen_mapping",
    "positions",
    "thawed_fields",
    "thawed_mapping",
    "version",
]

FORMAT = "spiker-network"
VERSIONS = (1, 2, 3, 4)
"""Versions of the format: each has what those before it cannot express."""

COMPONENTS: dict[str, type[Component]] = {**MODELS, **DYNAMICS, **RULES, **THIRD_FACTORS}
COMPONENTS["Homeostasis"] = Homeostasis
"""Neurons, synaptic dynamics, rules and third factors that come with the library, by name."""

_MEMORIES = {"uninitialized": "huge"}
"""Kinds of memory whose names have changed since, as files of format 1 spell them."""

_RESET_TIMINGS = {
    "immediate": {"late": False, "late_input": "lost", "owing": False},
    "next_step": {"late": True, "late_input": "lost", "owing": False},
    "next_step_keep_input": {"late": True, "late_input": "kept", "owing": False},
    "snntorch_immediate": {"late": False, "late_input": "lost", "owing": True},
}
"""Values of ``SpikingNeuron.reset_timing``, as the three fields that format 1 has in its place."""

_LATER = {"late_input": "lost", "owing": False}
"""Those of the three that are omitted from network files where they have these values."""


class Described(Protocol):
    """The attributes of a :class:`~.network.Network` that are described."""

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
    @property
    def learning(self) -> LearningState | None: ...


def _plain(value: Any, what: str) -> Any:
    if isinstance(value, Component):
        return _component(value, what)
    if isinstance(value, Decay):
        return {"numerator": _plain(value.numerator, what), "bits": value.bits}
    if isinstance(value, tuple):
        return [_plain(item, what) for item in value]
    if value is not None and type(value) not in {bool, int, str}:
        raise TypeError(
            f"{what} must be an int, a bool, a string, None, a Decay or a tuple of such to be "
            f"saved, not {shown(value)}"
        )
    return value


def _coupling(population: Population) -> dict[str, Any]:
    coupling = population.coupling
    if coupling is None:
        return {}
    return {"coupling": {"model": type(coupling).__name__, "steps": coupling.steps}}


def _homeostasis(population: Population) -> dict[str, Any]:
    own = population.homeostasis
    if own is None:
        return {}
    return {"homeostasis": _component(own, f"Population {population.name!r}")}


def _component(component: Component, what: str) -> dict[str, Any]:
    """Return the description of a neuron or of synaptic dynamics."""
    kind = type(component)
    model = kind.__name__
    if COMPONENTS.get(model, kind) is not kind:
        nouns = {Neuron: "Neuron model", Rule: "Rule of learning", ThirdFactor: "Third factor"}
        bases = [base for base in nouns if isinstance(component, base)]
        noun = nouns[bases[0]] if bases else "Synaptic dynamics"
        raise ValueError(f"{noun} must not be named as the library's own {model} to be saved")
    what = f"{what}: {model}"
    values = {f.name: getattr(component, f.name) for f in fields(component)}
    for f in fields(component):
        if f.metadata.get("later") and values[f.name] == f.default:
            del values[f.name]
    values = frozen_fields(kind, values)
    if issubclass(kind, SpikingNeuron):
        for name, default in _LATER.items():
            if values[name] == default:
                del values[name]
    return {"model": model} | {
        name: _plain(value, f"{what} {name}") for name, value in values.items()
    }


def frozen_fields(model: type[Component], values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a neuron as files of format 1 spell them.

    Raises
    ------
    ValueError
        If the model has a field of its own by a name that format 1 uses for another.
    """
    if not issubclass(model, SpikingNeuron):
        return values
    for name in _RESET_TIMINGS["immediate"]:
        if name in values:
            raise ValueError(
                f"Fields of {model.__name__} must not be named {name!r} to be saved: files have "
                "reset_timing by that name"
            )
    spelled: dict[str, Any] = {}
    for name, value in values.items():
        if name == "reset_timing":
            spelled |= _RESET_TIMINGS[check_choice("Reset timing", value, _RESET_TIMINGS)]
        else:
            spelled[name] = value
    return spelled


def fields_in_file(model: type[Component]) -> tuple[set[str], set[str]]:
    """Return the names of a model's fields as files of format 1 spell them.

    Returns
    -------
    required, optional : set of str
        Those that a network file must have, and those that it omits at their defaults.
    """
    names = {f.name for f in fields(model)}
    optional = {f.name for f in fields(model) if f.metadata.get("later")}
    if issubclass(model, SpikingNeuron):
        names = names - {"reset_timing"} | set(_RESET_TIMINGS["immediate"])
        optional = optional - {"reset_timing"} | set(_LATER)
    return names - optional, optional


def thawed_fields(model: type[Component], values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a neuron out of a file as the model takes them.

    Raises
    ------
    FileError
        If the three fields that stand for ``reset_timing`` contradict each other.
    """
    if not issubclass(model, SpikingNeuron) or "late" not in values:
        return values
    spelled = _RESET_TIMINGS["immediate"] | values
    stated = {name: spelled.pop(name) for name in _RESET_TIMINGS["immediate"]}
    for reset_timing, flags in _RESET_TIMINGS.items():
        # By type as well, since 1 equals True.
        if all(type(stated[name]) is type(flags[name]) for name in flags) and stated == flags:
            return spelled | {"reset_timing": reset_timing}
    raise FileError(
        f"late, late_input and owing of {with_article(model.__name__)} must be one of "
        f"{[(*flags.values(),) for flags in _RESET_TIMINGS.values()]}, "
        f"not {shown((*stated.values(),))}"
    )


def version(network: Described) -> int:
    """Return the lowest version of the format that can express a network.

    In version 1, all neurons of a population have one number of refractory steps, their rest
    potential is 0, integrators have no floor, synapses have no dynamics, neurons have one receptor,
    there is no coupling, and no neuron has a value as output. In version 2, there is neither
    convolution nor pooling. In version 3, there are no rules of learning.
    """
    if network.learning is not None:
        return 4
    if any(
        isinstance(projection.synapses, Convolution) or projection.pooling is not None
        for projection in network.projections
    ):
        return 3
    coupled = any(population.coupling is not None for population in network.populations)
    return max(1 + coupled, *(_version(population.neuron) for population in network.populations))


def _version(neuron: Neuron) -> int:
    """Return the lowest version of the format that can express a neuron."""
    graded = neuron.emits and not neuron.spiking
    versions = [2 if isinstance(neuron, WithSynapse) or graded else 1]
    for f in fields(neuron):
        if getattr(neuron, f.name) != f.default:
            versions.append(int(f.metadata.get("later", 1)))
    if neuron.receptors > 1:
        versions.append(2)
    if isinstance(neuron, SpikingNeuron) and isinstance(neuron.refractory, tuple):
        versions.append(2)
    return max(versions)


def positions(projection: Projection) -> dict[str, Any]:
    """Return the geometry of a convolution and of pooled sums."""
    synapses, pooling = projection.synapses, projection.pooling
    text: dict[str, Any] = {}
    if isinstance(synapses, Convolution):
        text["convolution"] = _windows(synapses) | {"groups": synapses.groups}
    if pooling is not None:
        text["pooling"] = {"model": type(pooling).__name__, "size": list(pooling.size)}
        text["pooling"] |= _windows(pooling)
    return text


def _windows(part: Convolution | MaxPooling) -> dict[str, Any]:
    return {
        "shape": list(part.shape),
        "stride": list(part.stride),
        "padding": [list(pair) for pair in part.padding],
        "dilation": list(part.dilation),
    }


def _axes(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def describe(network: Described, mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the description of a network without its arrays, in a form that JSON can hold.

    Parameters
    ----------
    network : Network
    mapping : dict of str to object, optional
        Result of ``to_json`` of a mapping, which is stored with the network.
    """
    return {
        "format": FORMAT,
        "version": version(network),
        "name": network.name,
        "longest": network.max_steps,
        "inputs": [
            {"name": node.name, "shape": _axes(node.shape), "low": node.low, "high": node.high}
            | ({"held": True} if node.static else {})
            for node in network.inputs
        ],
        "populations": [
            {
                "name": population.name,
                "shape": _axes(population.shape),
                "bias": _axes(population.bias),
                "neuron": _component(population.neuron, f"Population {population.name!r}"),
            }
            | _coupling(population)
            | _homeostasis(population)
            for population in network.populations
        ],
        "projections": [
            {
                "name": projection.name,
                "source": projection.source,
                "target": projection.target,
                "delay": projection.delay,
                "bits": projection.bits,
                "kind": projection.synapses.kind,
                "shape": [projection.synapses.target_size, projection.synapses.source_size],
            }
            | ({"shift": projection.shift} if projection.shift else {})
            | ({"receptor": projection.receptor} if projection.receptor else {})
            | positions(projection)
            | _rule(projection)
            for projection in network.projections
        ],
        "readouts": [
            {"name": readout.name, "population": readout.population, "kind": readout.kind}
            | ({} if readout.groups is None else {"groups": readout.groups})
            for readout in network.readouts
        ],
        "mapping": frozen_mapping(mapping),
        **_learning(network.learning),
        **({"notes": dict(network.notes)} if network.notes else {}),
    }


def _rule(projection: Projection) -> dict[str, Any]:
    if projection.rule is None:
        return {}
    return {"rule": _component(projection.rule, f"Projection {projection.name!r}")}


def _learning(state: LearningState | None) -> dict[str, Any]:
    return {} if state is None else {"learning": {"seed": state.seed, "samples": state.samples}}


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
    names = {"sparse": ("sources", "targets", "weights"), "convolution": ("kernel",)}.get(
        synapses.kind, ("weights",)
    )
    return {name: _narrow(getattr(synapses, name)) for name in names}


def _narrow(array: np.ndarray) -> np.ndarray:
    for kind in ("<i1", "<i2", "<i4"):
        ends = np.iinfo(kind)
        if not array.size or (array.min() >= ends.min and array.max() <= ends.max):
            return array.astype(kind, order="C")
    return array.astype("<i8", order="C")


def arrays(network: Described) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of all projections, by the names that they have in a file."""
    for n, projection in enumerate(network.projections):
        for name, array in arrays_of(projection.synapses).items():
            yield f"{name}/{n}.npy", array


def digest_of(text: dict[str, Any], network: Described) -> str:
    """Return the SHA-256 of a result of :func:`describe` and of the network's arrays."""
    # Of the arrays, not of their files, whose bytes could change with the version of NumPy.
    total = hashlib.sha256(json.dumps(text, sort_keys=True).encode())
    for name, array in arrays(network):
        total.update(f"{name}:{array.dtype.str}:{array.shape}:".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def digest(network: Described) -> str:
    """Return the SHA-256 of a network without its notes, in hexadecimal."""
    text = describe(network)
    text.pop("notes", None)
    return digest_of(text, network)
