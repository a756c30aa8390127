"""Samples to run: from a data set, encoded as the network's notes say, or spikes from a file."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.arrays import read_npz
from spiker_hdl.model import Network, encoders, stimulus
from spiker_hdl.model.channels import channels
from spiker_train.data import datasets, load_dataset

__all__ = ["Samples", "find_samples"]


@dataclass(frozen=True)
class Samples:
    """Spikes with labels.

    Members
    -------
    data : str
        Where they are from.
    spikes : array of int, shape (samples, steps, size)
    labels : array of int, shape (samples,), or None
    values : array of int, shape (samples, ...), or None
        What was encoded.
    """

    data: str
    spikes: np.ndarray
    labels: np.ndarray | None
    values: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.spikes)

    def first(self, count: int | None) -> "Samples":
        """Return the first ``count`` of them, or all."""
        if count is None:
            return self
        if not 1 <= count <= len(self):
            raise ValueError(f"Samples must be 1 to {len(self)} of {self.data}, not {count}")
        labels = None if self.labels is None else self.labels[:count]
        values = None if self.values is None else self.values[:count]
        return Samples(self.data, self.spikes[:count], labels, values)

    def accuracy(self, classes: np.ndarray) -> float | None:
        """Return the share of classes that are right, or None without labels."""
        return None if self.labels is None else float((classes == self.labels).mean())


def find_samples(
    network: Network,
    data: str | None,
    count: int | None,
    encoder: str | None = None,
    steps: int | None = None,
) -> Samples:
    """Find samples for a network: of a data set, those for testing.

    Parameters
    ----------
    network : Network
        Its notes say what is not said here, and which channels it takes where some were dropped.
    data : str, optional
        ``"digits"``, ``"mnist"``, ``"fashion"``, an ``.npz`` file of a data set, or one with
        ``spikes`` of the shape (samples, steps, size) and, if there are any, ``labels``.
    count : int, optional
        How many, from the first on; all where none is given.
    encoder : str, optional
        One of :data:`~spiker_hdl.model.encoders.ENCODERS`.
    steps : int, optional
        Time steps of a sample.

    Raises
    ------
    ValueError
        If data are not there, or not what the network takes, or the network has no note where one
        is needed.
    """
    data = data or _note(network, "data", "--data", ", ".join([*datasets, "or an .npz file"]))
    spikes = _read_spikes(Path(data)) if data.endswith(".npz") else None
    if spikes is not None:
        for given, option in ((encoder, "--encoder"), (steps, "--steps")):
            if given is not None:
                raise ValueError(f"{option} must be for values to encode, not for spikes in {data}")
        spikes = replace(spikes, spikes=_taken(network, spikes.spikes))
        stimulus(network, spikes.spikes)
        return spikes.first(count)
    known = ", ".join(encoders.ENCODERS)
    encode = encoders.encoder_of(encoder or _note(network, "encoder", "--encoder", known))
    if steps is None:
        said = _note(network, "steps", "--steps", "time steps of a sample")
        if not said.isdecimal() or len(said) > 6:
            raise ValueError(f"Network's note of its steps must be a number, not {said!r}")
        steps = int(said)
    if not 1 <= steps <= network.longest:
        raise ValueError(f"Steps must be 1 to {network.longest}, not {steps}")
    found = load_dataset(data)
    taken = channels(network)
    wanted = [taken[one.name].size if one.name in taken else one.size for one in network.inputs]
    if wanted != [found.size]:
        raise ValueError(
            f"Data must have {' + '.join(map(str, wanted))} values a sample, which the network "
            f"takes, not {found.size} as {found.name} has"
        )
    whole = Samples(found.name, np.empty(len(found.x_test)), found.y_test, found.x_test)
    part = whole.first(count)
    assert part.values is not None
    spikes = encode(part.values, steps)
    for one in taken.values():
        spikes = one.select(spikes)
    return Samples(found.name, spikes, part.labels, part.values)


def _taken(network: Network, spikes: np.ndarray) -> np.ndarray:
    """Return of spikes of all channels those that the network takes, or these as they are."""
    for name, one in channels(network).items():
        given = spikes.shape[2]
        if len(network.inputs) == 1 and given == one.size:
            return one.select(spikes)
        if given != len(one.kept):
            raise ValueError(
                f"Spikes must be of {len(one.kept)} channels, which input {name!r} takes, or of "
                f"all {one.size}, not of {given}"
            )
    return spikes


def _note(network: Network, name: str, option: str, choices: str) -> str:
    if name not in network.note:
        raise ValueError(f"{option} must be given ({choices}), since the network has no note of it")
    return network.note[name]


def _read_spikes(path: Path) -> Samples | None:
    if not path.is_file():
        raise ValueError(f"Data must be a file that is there, not {path}")
    return _spikes(path)


@reader("an .npz file of spikes or of a data set", "npz")
def _spikes(path: Path) -> Samples | None:
    arrays = read_npz(path, ("spikes", "labels"))
    if "spikes" not in arrays:
        return None
    spikes, labels = arrays["spikes"], arrays.get("labels")
    if spikes.ndim != 3 or not spikes.size:
        raise FileError(f"must have spikes of the shape (samples, steps, size), not {spikes.shape}")
    if spikes.dtype.kind not in "biu":
        raise FileError(f"must have spikes that are integers, not {spikes.dtype}")
    if labels is not None and (labels.shape != (len(spikes),) or labels.dtype.kind not in "iu"):
        raise FileError(
            f"must have labels that are integers of the shape ({len(spikes)},), "
            f"not {labels.dtype} of {labels.shape}"
        )
    return Samples(str(path), spikes, labels)
