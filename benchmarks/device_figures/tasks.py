"""The data sets of the studies, each with a small network, its training and its test samples."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spiker_hdl.model import Decay, Input, Integrator, Lif, Readout
from spiker_hdl.model.encoders import delta, rate
from spiker_train import Cell, Connection, FastSigmoid, Layer, SpikingNetwork
from spiker_train.data.heart_beats import heart_beats
from spiker_train.data.images import load_dataset
from spiker_train.data.spoken_digits import spoken_digits

__all__ = ["TASKS", "Stratum", "Task"]

DIGITS = tuple(str(digit) for digit in range(10))


@dataclass
class Stratum:
    """Test samples that stand for a number of samples each.

    Members
    -------
    spikes : array of uint8, shape (samples, steps, channels)
    labels : array of int64, shape (samples,)
    weight : float
        Number of samples of the whole test part for which a sample stands.
    """

    spikes: np.ndarray
    labels: np.ndarray
    weight: float = 1.0


@dataclass
class Task:
    """A network with training, validation and test samples.

    Members
    -------
    net : SpikingNetwork
    spikes, labels : array
        To train with.
    validation : (spikes, labels)
        Choose the best epoch of a training, and nothing else.
    test : list of Stratum
        For the curves.
    whole : list of Stratum
        For the recall of each class, with a few kinds of devices.
    epochs, retraining : int
        Epochs of a training, and of training a chip again.
    rate : float
        Learning rate.
    classes : tuple of str
    balanced : bool
        Whether the score of the curves is the mean of the classes' recall, not the accuracy.
    split : str
        Which samples are in which part.
    """

    net: SpikingNetwork
    spikes: np.ndarray
    labels: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    test: list[Stratum]
    whole: list[Stratum]
    epochs: int
    retraining: int
    rate: float
    classes: tuple[str, ...]
    balanced: bool
    split: str
    settings: dict[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[str, list[int]]:
        """Return the number of samples of each class in each part."""
        parts = {
            "training": [self.labels],
            "validation": [self.validation[1]],
            "test": [stratum.labels for stratum in self.test],
            "whole test": [stratum.labels for stratum in self.whole],
        }
        return {
            name: np.bincount(np.concatenate(labels), minlength=len(self.classes)).tolist()
            for name, labels in parts.items()
        }


def mnist(seed: int, scale: float) -> Task:
    """Return pictures of 14 x 14 pixels in 4 steps."""
    data = load_dataset("mnist_14x14")
    draws = np.random.default_rng(seed)
    order = draws.permutation(len(data.y_train))
    aside, kept = order[: int(2000 * scale)], order[2000 : 2000 + int(20000 * scale)]
    tested = draws.permutation(len(data.y_test))
    part = tested[: int(1000 * scale)]
    whole = tested if scale >= 1 else part
    return Task(
        SpikingNetwork.chain("196-64-10", seed=seed),
        rate(data.x_train[kept], 4),
        data.y_train[kept],
        (rate(data.x_train[aside], 4), data.y_train[aside]),
        [Stratum(rate(data.x_test[part], 4), data.y_test[part])],
        [Stratum(rate(data.x_test[whole], 4), data.y_test[whole])],
        6,
        2,
        4e-3,
        DIGITS,
        False,
        "training and validation from the 60,000 training pictures, curves on pictures drawn from "
        "the 10,000 test pictures, recall of each class on all of them",
    )


def fsdd(seed: int, scale: float) -> Task:
    """Return spoken digits in 32 steps of 20 ms, for a network with synapses of four delays."""
    data = spoken_digits(steps=32, width=20)
    draws = np.random.default_rng(seed)
    training, test = (draws.permutation(part)[: int(len(part) * scale)] for part in data.official)
    late = data.takes[training] >= 45
    kept, aside = training[~late], training[late]
    cell = Cell(Lif, threshold=1.0, decay=Decay.shift(3), surrogate=FastSigmoid(0.1))
    net = SpikingNetwork(
        [Input("cochlea", 128)],
        [
            Layer("hidden", 64, cell),
            Layer("output", 10, Cell(Integrator, decay=Decay.shift(5))),
        ],
        [
            *(Connection("cochlea", "hidden", delay=tap) for tap in (0, 2, 4, 6)),
            Connection("hidden", "output"),
        ],
        [Readout("output", "last")],
        seed=seed,
    )
    tested = [Stratum(data.spikes[test], data.labels[test])]
    return Task(
        net,
        data.spikes[kept],
        data.labels[kept],
        (data.spikes[aside], data.labels[aside]),
        tested,
        tested,
        8,
        4,
        3e-3,
        DIGITS,
        False,
        "the official one: takes 0 to 4 of each speaker and digit test, takes 45 to 49 choose the "
        "epoch, the others train; all six speakers are in all parts",
    )


HELD_BACK = (109, 124, 201, 205, 223)
"""Records of DS1 that choose the epoch."""

TRAINED = (300, 400, 400, 400)
"""Beats of each class to take from each record at most: some have thousands that are alike."""

TESTED = (400, 200, 200, 200)
"""Beats of each class to test curves with at most."""

START, STEPS, SHIFT = 14, 88, 3
"""First value of a beat, values of it, and by how many training beats are cut elsewhere at most."""

THRESHOLDS = (2, 5, 12, 30)
"""Changes in 0.02 mV that are events."""


def ecg(seed: int, scale: float) -> Task:
    """Return heart beats of other patients than those of the training, as changes of the signal."""
    data, draws = heart_beats(download=False), np.random.default_rng(seed)
    training, test = data.inter_patient

    def some(indices: np.ndarray, most: tuple[int, ...], each: np.ndarray) -> np.ndarray:
        """Choose beats, of each group and class as many as allowed."""
        return np.concatenate([
            draws.permutation(indices[(each == group) & (data.labels[indices] == label)])[
                : int(count * scale)
            ]
            for group in np.unique(each)
            for label, count in enumerate(most)
        ])

    def cut(indices: np.ndarray, vary: bool = False) -> np.ndarray:
        """Encode beats; those to train with are cut a little elsewhere, and of other heights."""
        shift = draws.integers(-SHIFT, SHIFT + 1, len(indices)) if vary else 0 * indices
        columns = START + shift[:, None] + np.arange(STEPS)
        values = np.take_along_axis(data.values[indices].astype(float), columns, 1) / 4
        if vary:
            values *= draws.uniform(0.7, 1.4, (len(indices), 1))
        return delta(np.clip(np.rint(values) + 128, 0, 255).astype(np.int64), THRESHOLDS)

    records = data.records[training]
    aside = np.isin(records, HELD_BACK)
    kept = some(training[~aside], TRAINED, records[~aside])
    chosen = some(training[aside], TRAINED, records[aside])
    tested = some(test, TESTED, np.zeros(len(test)))
    strata = []
    for label in range(4):
        own = tested[data.labels[tested] == label]
        weight = float((data.labels[test] == label).sum() / len(own))
        strata.append(Stratum(cut(own), data.labels[own], weight))
    whole = [Stratum(cut(test), data.labels[test])] if scale >= 1 else strata
    spikes = cut(kept, vary=True)
    return Task(
        recurrent(spikes.shape[2], 48, seed),
        spikes,
        data.labels[kept],
        (cut(chosen), data.labels[chosen]),
        strata,
        whole,
        10,
        2,
        4e-3,
        ("N", "S", "V", "F"),
        True,
        "inter-patient: records of DS1 train, but for 109, 124, 201, 205 and 223, which choose the "
        "epoch; records of DS2 test. Curves are on beats drawn from DS2 by class, each of which "
        "stands for all of its class in F1; recall and F1 of each class are on all of DS2. Beats "
        "that train are cut a little elsewhere and of other heights",
        {"temperature": 2.0, "max_grad_norm": 0.5},
    )


def recurrent(channels: int, hidden: int, seed: int) -> SpikingNetwork:
    """Make recurrent LIF neurons of several decays, with an integrator for each class of beats."""
    decay = Decay(tuple(2 ** (6 - int(shift)) for shift in np.resize(np.arange(1, 7), hidden)), 6)
    weak = np.random.default_rng([seed, 1]).uniform(-0.02, 0.02, (hidden, hidden))
    cell = Cell(Lif, threshold=1.0, decay=decay, surrogate=FastSigmoid(0.1))
    return SpikingNetwork(
        [Input("ecg", channels)],
        [Layer("hidden", hidden, cell), Layer("output", 4, Cell(Integrator, decay=Decay.shift(6)))],
        [
            Connection("ecg", "hidden"),
            Connection("hidden", "hidden", weak, delay=1),
            Connection("hidden", "output"),
        ],
        [Readout("output", "last")],
        seed=seed,
    )


TASKS: dict[str, Callable[[int, float], Task]] = {"mnist": mnist, "fsdd": fsdd, "ecg": ecg}
