"""Reservoirs of the benchmark, and the choice of their settings on speakers that are left out."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from spiker_hdl.model import Decay, Input, Integrator, Lif, Readout
from spiker_train import (
    Cell,
    Connection,
    Layer,
    SpikingNetwork,
    freeze,
    reservoir_weights,
)
from spiker_train.data.spoken_digits import Spoken
from spiker_train.training.progress import progress_bar

KEPT = Path(__file__).parents[1] / "build" / "reservoir"
CHANNELS = 128


@dataclass(frozen=True)
class Settings:
    """The settings of a reservoir.

    Members
    -------
    side : int
        Neurons on each side of the grid.
    radius : float
        Spectral radius.
    gain : float
        Magnitude of the weights of the input.
    fan_in : int
        Mean number of channels that reach a neuron.
    density, distance : float
        Of the rule that draws the recurrence.
    slowest : int
        Neurons leak by a half to a share of two to the power of minus this in each step.
    """

    side: int
    radius: float
    gain: float
    fan_in: int
    density: float
    distance: float
    slowest: int


CHOICES: dict[str, tuple] = {
    "side": (12, 16, 20),
    "radius": (0.2, 0.5, 0.8, 1.1),
    "gain": (0.15, 0.25, 0.4),
    "fan_in": (6, 12, 24),
    "density": (0.03, 0.05, 0.1),
    "distance": (2.5, 4.0, 8.0),
    "slowest": (3, 4, 5, 6),
}
READOUTS = (5, 6, 7)
"""The readout leaks by a share of two to the power of minus this in each step."""
PENALTIES = (3e-4, 1e-3, 1e-2)


def candidates(count: int, seed: int) -> list[Settings]:
    """Draw different settings, each value from its choices."""
    random = np.random.default_rng([seed, 2])
    result: dict[Settings, None] = {}
    while len(result) < count:
        result[Settings(**{name: random.choice(CHOICES[name]).item() for name in CHOICES})] = None
    return list(result)


def network(settings: Settings, readout: int, seed: int) -> SpikingNetwork:
    """Make a reservoir on a grid, which each input channel reaches at a few places."""
    size, count = (settings.side, settings.side), settings.side**2
    random = np.random.default_rng([seed, 1])
    reached = random.random((count, CHANNELS)) < settings.fan_in / CHANNELS
    inputs = np.where(reached, random.choice([-1.0, 1.0], reached.shape, p=[0.2, 0.8]), 0.0)
    recurrent = reservoir_weights(
        size,
        seed=seed,
        density=settings.density,
        radius=settings.radius,
        distance=settings.distance,
    )
    slow = np.resize(np.arange(1, settings.slowest + 1), count)
    decay = Decay(tuple(2 ** (6 - int(k)) for k in np.sort(slow)), 6)
    net = SpikingNetwork(
        [Input("cochlea", CHANNELS)],
        [
            Layer("reservoir", size, Cell(Lif, threshold=1.0, decay=decay)),
            Layer("output", 10, Cell(Integrator, decay=Decay.shift(readout))),
        ],
        [
            Connection("cochlea", "reservoir", settings.gain * inputs, kind="sparse"),
            Connection("reservoir", "reservoir", recurrent, kind="sparse", delay=1),
            Connection("reservoir", "output"),
        ],
        [Readout("output", "last")],
        seed=seed,
        name="reservoir",
    )
    freeze(*net.connections[:2])
    return net


def features(settings: Settings, data: Spoken, seed: int) -> np.ndarray:
    """Return the filtered spikes of all recordings, shape (readouts, recordings, neurons)."""
    net = network(settings, READOUTS[0], seed)
    steps = data.spikes.shape[1]
    factors = np.array([(1 - 2.0**-k) ** np.arange(steps)[::-1] for k in READOUTS])
    parts = []
    with torch.no_grad():
        for start in range(0, len(data.spikes), 250):
            train = net({"cochlea": data.spikes[start : start + 250]}).spikes["reservoir"]
            parts.append(torch.einsum("nts,kt->kns", train.double(), torch.from_numpy(factors)))
    return torch.cat(parts, dim=1).numpy()


def kept_features(settings: Settings, data: Spoken, seed: int) -> np.ndarray:
    """Return the features of a reservoir from their file, or make both."""
    name = "-".join(f"{value:g}" for value in asdict(settings).values())
    file = KEPT / f"{len(data.labels)}-seed{seed}" / f"{name}.npy"
    if file.is_file():
        return np.load(file, allow_pickle=False)
    values = features(settings, data, seed).astype(np.float32)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part.npy")
    np.save(partial, values)
    partial.rename(file)
    return values


class Folds:
    """Products of the features of one reservoir, from which readouts of any parts are fitted.

    Parameters
    ----------
    values : array of float, shape (readouts, recordings, neurons)
    data : Spoken
    """

    def __init__(self, values: np.ndarray, data: Spoken):
        self.values, self.data = values.astype(float), data
        self.targets = np.where(data.labels[:, None] == np.arange(10), 1.0, -1.0)
        # A part of a split is all or none of a speaker's recordings on each side of take 5.
        self.groups = 2 * data.speakers + (data.takes >= 5)
        own = [np.flatnonzero(self.groups == group) for group in range(self.groups.max() + 1)]
        self.grams = [[x[rows].T @ x[rows] for rows in own] for x in self.values]
        self.products = [[x[rows].T @ self.targets[rows] for rows in own] for x in self.values]

    def accuracy(self, part: np.ndarray) -> np.ndarray:
        """Return the mean accuracy on each speaker of a part, whom the others' readout answers.

        Returns
        -------
        array of float, shape (readouts, penalties)
        """
        right = np.zeros((len(READOUTS), len(PENALTIES)))
        speakers = np.unique(self.data.speakers[part])
        for speaker in speakers:
            aside = self.data.speakers[part] == speaker
            kept = np.unique(self.groups[part[~aside]])
            test = part[aside]
            for k, x in enumerate(self.values):
                gram = sum(self.grams[k][group] for group in kept)
                product = sum(self.products[k][group] for group in kept)
                eye = gram.trace() / len(gram) * np.eye(len(gram))
                for n, penalty in enumerate(PENALTIES):
                    answers = (x[test] @ np.linalg.solve(gram + penalty * eye, product)).argmax(1)
                    right[k, n] += (answers == self.data.labels[test]).mean() / len(speakers)
        return right


@dataclass(frozen=True)
class Choice:
    """Settings, readout and penalty that were chosen for a split, and their validation accuracy."""

    settings: Settings
    readout: int
    penalty: float
    accuracy: float


def choose(
    data: Spoken, parts: dict[str, np.ndarray], count: int, seed: int, progress: bool
) -> dict[str, Choice]:
    """Choose settings for the training part of each split, without its test part.

    Parameters
    ----------
    data : Spoken
    parts : dict of str to array
        Indices of the training part of each split.
    count : int
        Settings to choose from.
    seed : int
    progress : bool
    """
    best: dict[str, Choice] = {}
    drawn = candidates(count, seed)
    with progress_bar(progress, "settings", len(drawn)) as advance:
        for settings in drawn:
            folds = Folds(kept_features(settings, data, seed), data)
            for name, part in parts.items():
                accuracy = folds.accuracy(part)
                k, n = np.unravel_index(accuracy.argmax(), accuracy.shape)
                choice = Choice(settings, READOUTS[k], PENALTIES[n], float(accuracy[k, n]))
                if name not in best or choice.accuracy > best[name].accuracy:
                    best[name] = choice
            advance()
    return best
