"""Samples to run: of a data set, encoded as the network's notes say, or spikes from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spiker_hdl.base import FileError, reader
from spiker_hdl.base.files.arrays import read_npz
from spiker_hdl.model import Network, encoders, stimulus
from spiker_hdl.model.pruning.channels import channels
from spiker_train.data.images import datasets, load_dataset
from spiker_train.data.load import event_datasets

from .lines import line

__all__ = ["RANDOM", "Samples", "find_samples", "random_samples", "samples_or_random"]

RANDOM = "random"
"""What ``--data`` calls spikes that are drawn for any network."""
DRAWN = 10
RANDOM_STEPS = 8
DENSITY = 0.2
"""Share of the channels that spike in a step of a random sample."""


class MissingError(ValueError):
    """Missing samples: the network's notes do not name them, or they are not where these say."""


@dataclass(frozen=True)
class Samples:
    """Spikes with labels.

    Members
    -------
    data : str
        Name of the data set, or the file.
    spikes : array of int, shape (samples, steps, size), or such by the name of the input
    labels : array of int, shape (samples,), or None
    values : array of int, shape (samples, ...), or None
        Values that were encoded.
    """

    data: str
    spikes: Any
    labels: np.ndarray | None
    values: np.ndarray | None = None

    def __len__(self) -> int:
        by_input = isinstance(self.spikes, Mapping)
        return len(next(iter(self.spikes.values())) if by_input else self.spikes)

    def first(self, count: int | None, few: int | None = None) -> "Samples":
        """Return the first ``count`` samples; without a count, ``few`` at most, or all."""
        if count is None:
            if few is None:
                return self
            count = min(few, len(self))
        if not 1 <= count <= len(self):
            raise ValueError(f"Samples must be 1 to {len(self)} of {self.data}, not {count}")
        labels = None if self.labels is None else self.labels[:count]
        values = None if self.values is None else self.values[:count]
        if isinstance(self.spikes, Mapping):
            spikes: Any = {name: array[:count] for name, array in self.spikes.items()}
        else:
            spikes = self.spikes[:count]
        return Samples(self.data, spikes, labels, values)

    def accuracy(self, classes: np.ndarray) -> float | None:
        """Return the share of classes that are right, or None without labels."""
        return None if self.labels is None else float((classes == self.labels).mean())


def find_samples(
    network: Network,
    data: str | None,
    count: int | None,
    encoder: str | None = None,
    steps: int | None = None,
    few: int | None = None,
) -> Samples:
    """Find samples for a network: of a data set, the test samples.

    Parameters
    ----------
    network : Network
        Its notes stand in for arguments that are missing, and say which channels it takes where
        some were removed.
    data : str, optional
        The name of a data set; an ``.npz`` file of one, or one with ``spikes`` of the shape
        (samples, steps, size) and perhaps ``labels``; or ``"random"``.
    count : int, optional
        Number of samples, from the first on; all by default.
    encoder : str, optional
        One of :data:`~spiker_hdl.model.encoders.ENCODERS`.
    steps : int, optional
        Time steps of a sample.
    few : int, optional
        Most samples, where no count is given.

    Raises
    ------
    ValueError
        If the data are missing, or not what the network takes, or the network has no note where
        one is needed.
    """
    noted = data is None
    data = data or _note(network, "data", "--data", ", ".join(_names()))
    if data == RANDOM:
        _no_encoder(encoder, data)
        return random_samples(network, few or DRAWN if count is None else count, steps)
    if data in event_datasets:
        _no_encoder(encoder, data)
        return _recorded(network, data, (count, few), _steps(network, steps))
    if data.endswith(".npz"):
        samples = _read_spikes(Path(data), noted)
        if samples is not None:
            _no_encoder(encoder, data)
            if steps is not None:
                raise ValueError(f"--steps must be for values to encode, not for spikes in {data}")
            return _fit(network, samples, count, few)
    elif noted and data not in datasets:
        raise MissingError(
            f"--data must be given ({', '.join(_names())}), since the network's notes name "
            f"{data!r}, which is no data set of these"
        )
    return _encoded(network, data, (count, few), encoder, steps)


def _names() -> list[str]:
    return [*datasets, *event_datasets, RANDOM, "or an .npz file"]


def _no_encoder(encoder: str | None, data: str) -> None:
    if encoder is not None:
        raise ValueError(f"--encoder must be for values to encode, not for spikes in {data}")


def _recorded(
    network: Network, data: str, counts: tuple[int | None, int | None], steps: int
) -> Samples:
    """Return the first test recordings of a data set, binned as the network's notes say."""
    dataset = event_datasets[data]()
    try:
        dt = float(network.note.get("dt", dataset.dt))
    except ValueError:
        given = network.note["dt"]
        raise ValueError(f"Network's note of dt must be a number, not {given!r}") from None
    # Only those that are taken are binned.
    whole = Samples(data, np.arange(len(dataset.y_test)), dataset.y_test)
    part = whole.first(*counts)
    spikes = dataset.dense("test", part.spikes, steps=steps, dt=dt)
    return _fit(network, replace(part, spikes=spikes), None, None)


def random_samples(network: Network, count: int, steps: int | None = None) -> Samples:
    """Draw random samples that the network takes, the same ones each time.

    Parameters
    ----------
    network : Network
    count : int
    steps : int, optional
        Time steps of each; :data:`RANDOM_STEPS` by default.
    """
    if not 1 <= count <= 10_000:
        raise ValueError(f"Samples must be 1 to 10000 of {RANDOM}, not {count}")
    steps = min(RANDOM_STEPS, network.max_steps) if steps is None else _steps(network, steps)
    random = np.random.default_rng(0)
    spikes = {}
    for node in network.inputs:
        # A static input has the same values in all steps.
        drawn = 1 if node.static else steps
        values = random.integers(node.low, node.high + 1, (count, drawn, node.size))
        values *= random.random(values.shape) < DENSITY
        spikes[node.name] = np.repeat(values, steps // drawn, axis=1)
    return Samples(f"{RANDOM} spikes", spikes, None)


def samples_or_random(
    network: Network,
    data: str | None,
    count: int | None,
    encoder: str | None = None,
    steps: int | None = None,
    few: int = DRAWN,
) -> tuple[Samples, str]:
    """Find samples; or draw random ones, if none are asked for and the network's are missing.

    Returns
    -------
    samples : Samples
    reason : str
        Why the samples are random; empty where they are not.
    """
    try:
        return find_samples(network, data, count, encoder, steps, few), ""
    except (MissingError, OSError, ModuleNotFoundError) as error:
        if not (data is encoder is steps is None):
            raise
        drawn = random_samples(network, few if count is None else count)
        noted = "data" in network.note
        return drawn, line(error) if noted else "no note says what its data are"


def _steps(network: Network, steps: int | None) -> int:
    if steps is None:
        note = _note(network, "steps", "--steps", "time steps of a sample")
        if not note.isdecimal() or len(note) > 6:
            raise ValueError(f"Network's note of its steps must be a number, not {note!r}")
        steps = int(note)
    if not 1 <= steps <= network.max_steps:
        raise ValueError(f"Steps must be 1 to {network.max_steps}, not {steps}")
    return steps


def _fit(network: Network, samples: Samples, count: int | None, few: int | None) -> Samples:
    """Return the first samples, with the channels that the network takes."""
    samples = replace(samples, spikes=_select(network, samples.spikes))
    stimulus(network, samples.spikes)
    return samples.first(count, few)


def _encoded(
    network: Network,
    data: str,
    counts: tuple[int | None, int | None],
    encoder: str | None,
    steps: int | None,
) -> Samples:
    name = encoder or _note(network, "encoder", "--encoder", ", ".join(encoders.ENCODERS))
    if encoder is None and name not in encoders.ENCODERS:
        raise MissingError(
            f"--data must be an .npz file of spikes, or {RANDOM}, since the encoder of the "
            f"network's notes, {name!r}, takes signals, not {data}"
        )
    encode = encoders.encoder_of(name)
    steps = _steps(network, steps)
    dataset = load_dataset(data)
    selections = channels(network)
    # A network that lost channels is given all of them, and takes those that it kept.
    sizes = [
        selections[node.name].size if node.name in selections else node.size
        for node in network.inputs
    ]
    if sizes != [dataset.size]:
        raise ValueError(
            f"Data must have {' + '.join(map(str, sizes))} values a sample, which the network "
            f"takes, not {dataset.size} as {dataset.name} has"
        )
    whole = Samples(dataset.name, np.empty(len(dataset.x_test)), dataset.y_test, dataset.x_test)
    part = whole.first(*counts)
    assert part.values is not None
    spikes = encode(part.values, steps)
    for selection in selections.values():
        spikes = selection.select(spikes)
    return Samples(dataset.name, spikes, part.labels, part.values)


def _select(network: Network, spikes: np.ndarray) -> np.ndarray:
    """Return the channels that the network takes, of spikes of these alone or of all channels."""
    count = spikes.shape[2]
    for name, selection in channels(network).items():
        if len(network.inputs) == 1 and count == selection.size:
            return selection.select(spikes)
        if count != len(selection.kept):
            raise ValueError(
                f"Spikes must be of {len(selection.kept)} channels, which input {name!r} takes, or "
                f"of all {selection.size}, not of {count}"
            )
    return spikes


def _note(network: Network, name: str, option: str, choices: str) -> str:
    if name not in network.note:
        raise MissingError(
            f"{option} must be given ({choices}), since the network has no note of it"
        )
    return network.note[name]


def _read_spikes(path: Path, noted: bool) -> Samples | None:
    if not path.is_file():
        remedy = ": the network's notes name it, and --data says where it is" if noted else ""
        raise MissingError(f"Data must be a file that is there, not {path}{remedy}")
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
