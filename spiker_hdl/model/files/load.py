"""Read network files. A file never causes an import: the user's neuron classes are handed over."""

from collections.abc import Iterable
from pathlib import Path

from spiker_hdl.base import FileError, read_bytes, reader, reading, shown
from spiker_hdl.model.canonical import COMPONENTS, describe, digest_of
from spiker_hdl.model.dynamics.base import Dynamics
from spiker_hdl.model.mapping.mapping import Mapping
from spiker_hdl.model.network import Network
from spiker_hdl.model.neurons.base import Component, Neuron
from spiker_hdl.model.rules.base import Rule
from spiker_hdl.model.rules.homeostasis import Homeostasis
from spiker_hdl.model.rules.third import ThirdFactor

from .parse import parse_network

__all__ = ["load", "load_mapping", "load_whole", "models_of", "unpack"]


KINDS = (Neuron, Dynamics, Rule, ThirdFactor, Homeostasis)
"""Base classes of what a file may name."""


def load(path: str | Path, *, neurons: Iterable[type[Component]] = ()) -> Network:
    """Read a network file.

    Parameters
    ----------
    path : str or Path
    neurons : iterable of type
        Classes of neurons, synaptic dynamics, rules of learning and third factors of the user's own
        that the file may name.

    Raises
    ------
    FileError
        If the file is no network file, is cut short or altered, or describes no valid network.
    OSError
        If it cannot be read.
    TypeError, ValueError
        If one of ``neurons`` is no class of neurons, or has the name of another.
    """
    return load_whole(path, neurons=neurons)[0]


def load_mapping(path: str | Path, *, neurons: Iterable[type[Component]] = ()) -> Mapping | None:
    """Read the mapping that was saved beside a network, or None; raises as :func:`load`."""
    return load_whole(path, neurons=neurons)[1]


def load_whole(
    path: str | Path, *, neurons: Iterable[type[Component]] = ()
) -> tuple[Network, Mapping | None]:
    """Read a network file once, for its network and its mapping; raises as :func:`load`."""
    return _read(path, models_of(neurons))


def unpack(
    data: bytes, path: str | Path, *, neurons: Iterable[type[Component]] = ()
) -> tuple[Network, Mapping | None]:
    """Return the network in what :func:`~.save.pack` gave, and its mapping; raises as :func:`load`.

    Parameters
    ----------
    data : bytes
    path : str or Path
        Where they were read, for messages.
    neurons : iterable of type
    """
    models = models_of(neurons)
    with reading(path, "a network file", "network"):
        return _unpacked(data, models)


def models_of(neurons: Iterable[type[Component]]) -> dict[str, type[Component]]:
    """Return the classes that a file may name, by name; raises as :func:`load`."""
    models: dict[str, type[Component]] = dict(COMPONENTS)
    for model in neurons:
        if not (isinstance(model, type) and issubclass(model, KINDS)):
            raise TypeError(f"Neurons must be classes of neurons, not {model!r}")
        if models.setdefault(model.__name__, model) is not model:
            raise ValueError(f"Neurons must have distinct names, not {model.__name__!r} twice")
    return models


@reader("a network file", "network")
def _read(path: str | Path, models: dict[str, type[Component]]) -> tuple[Network, Mapping | None]:
    return _unpacked(read_bytes(path), models)


def _unpacked(data: bytes, models: dict[str, type[Component]]) -> tuple[Network, Mapping | None]:
    network, mapping, stated = parse_network(data, models)
    expected = digest_of(describe(network, None if mapping is None else mapping.to_json()), network)
    if stated != expected:
        raise FileError(f"must have the digest {expected}, not {shown(stated)}: it was altered")
    return network, mapping
