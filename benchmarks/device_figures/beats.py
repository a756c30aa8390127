"""Heart beats of other patients than those of the training, and the choice of their settings.

The settings are chosen on patients of DS1 alone, who are held out in turn: no beat of DS2 is read.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spiker_hdl.model import Decay, Input, Integrator, Lif, Readout
from spiker_hdl.model.encoders import delta
from spiker_train import (
    Cell,
    Connection,
    FastSigmoid,
    Layer,
    SpikingNetwork,
    TrainingOptions,
    train,
)
from spiker_train.data.heart_beats import HeartBeats, heart_beats, interval_ratios

from .task import Stratum, Task

__all__ = ["CANDIDATES", "CHOSEN", "BeatSettings", "choose", "ecg"]

CLASSES = ("N", "S", "V", "F")

HELD_OUT = (
    (109, 124, 201, 205, 223),
    (101, 106, 114, 118, 207, 230),
    (108, 112, 116, 209, 215),
    (115, 119, 122, 203, 208, 220),
)
"""Records of DS1 that are held out in turn for the choice of settings.

The first of them choose the epoch of the final training.
"""

MOST_TRAINED = (300, 400, 400, 400)
"""Beats of each class to train from each record at most: some have thousands that are alike."""

EQUAL = 2000
"""Beats of each class to train where their numbers are equal."""

VALIDATED, REPEATED = 300, 20
"""Beats of each class that choose the epoch, and how often one of them is used at most."""

TESTED = (400, 200, 200, 200)
"""Beats of each class to test curves with at most."""

START, STEPS, SHIFT = 14, 88, 3
"""First value of a beat, values of it, and by how many training beats are cut elsewhere at most."""

PEAK = 46 - START
"""Step of the annotated peak, from which on the interval before it is known."""

THRESHOLDS = (2, 5, 12, 30)
"""Changes in 0.02 mV that are events."""

EARLY, LATE = (0.6, 0.75, 0.85, 0.92), (1.08, 1.2, 1.5)
"""Ratios of intervals below and above which a channel fires."""

EVERY = 4
"""Steps from one event of such a channel to the next."""

WHOLE_RECORD = 10**6
"""Number of intervals that no record has."""


@dataclass(frozen=True)
class BeatSettings:
    """Settings of the network for heart beats and of its training.

    Members
    -------
    intervals : tuple of int
        For each number, channels tell the ratio of the interval before the beat to the mean of so
        many intervals before that one.
    equal : bool
        Whether beats of each class train in equal numbers, those of rare classes several times;
        otherwise nearly as they are, with a limit for each record.
    direct : bool
        Whether inputs reach the output neurons as well as the hidden ones.
    rate : float
        Learning rate.
    """

    intervals: tuple[int, ...]
    equal: bool
    direct: bool
    rate: float

    def __str__(self) -> str:
        means = " and ".join(
            "all of the record" if count == WHOLE_RECORD else f"the last {count}"
            for count in self.intervals
        )
        classes = "equal" if self.equal else "as they are"
        return f"{means or 'none'} | {classes} | {'yes' if self.direct else 'no'} | {self.rate:g}"


CANDIDATES = (
    BeatSettings((), False, False, 4e-3),
    BeatSettings((), True, False, 4e-3),
    BeatSettings((10,), False, False, 4e-3),
    BeatSettings((10,), True, False, 4e-3),
    BeatSettings((10, WHOLE_RECORD), True, False, 4e-3),
    BeatSettings((10, WHOLE_RECORD), True, True, 4e-3),
    BeatSettings((10, WHOLE_RECORD), True, True, 2e-3),
    BeatSettings((10, WHOLE_RECORD), True, True, 1e-3),
    BeatSettings((10, WHOLE_RECORD), False, True, 4e-3),
)

CHOSEN = CANDIDATES[5]
"""The settings with the best mean recall of the classes on patients of DS1 that are held out."""


class Beats:
    """Heart beats that become spikes and parts of the training.

    Parameters
    ----------
    data : HeartBeats
    settings : BeatSettings
    seed : int
    """

    def __init__(self, data: HeartBeats, settings: BeatSettings, seed: int):
        self.data, self.settings = data, settings
        self.labels = data.labels
        self.draws = np.random.default_rng(seed)
        self.ratios = [interval_ratios(data, count) for count in settings.intervals]

    def limited(self, indices: np.ndarray, limits: tuple[int, ...], groups: Any) -> np.ndarray:
        """Draw beats, from each group and class as many as there may be."""
        return np.concatenate([
            self.draws.permutation(indices[(groups == group) & (self.labels[indices] == label)])[
                :limit
            ]
            for group in np.unique(groups)
            for label, limit in enumerate(limits)
        ])

    def equalized(self, indices: np.ndarray, count: int, repeated: int) -> np.ndarray:
        """Draw as many beats of each class, some several times where there are fewer."""
        parts = []
        for label in range(len(CLASSES)):
            own = indices[self.labels[indices] == label]
            number = min(count, repeated * len(own))
            parts.append(self.draws.choice(own, number, replace=number > len(own)))
        return np.concatenate(parts)

    def training(self, indices: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Draw the beats to train with."""
        limits = tuple(int(limit * scale) for limit in MOST_TRAINED)
        drawn = self.limited(indices, limits, self.data.records[indices])
        if not self.settings.equal:
            return drawn
        return self.equalized(drawn, int(EQUAL * scale), EQUAL)

    def validation(self, indices: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Draw the beats that choose the epoch, of which all classes count alike."""
        return self.equalized(indices, int(VALIDATED * scale), REPEATED)

    def spikes(self, indices: np.ndarray, vary: bool = False) -> np.ndarray:
        """Encode beats; those to train with are cut a little elsewhere, and of other heights."""
        shift = self.draws.integers(-SHIFT, SHIFT + 1, len(indices)) if vary else 0 * indices
        columns = START + shift[:, None] + np.arange(STEPS)
        values = np.take_along_axis(self.data.values[indices].astype(float), columns, 1) / 4
        if vary:
            values *= self.draws.uniform(0.7, 1.4, (len(indices), 1))
        form = delta(np.clip(np.rint(values) + 128, 0, 255).astype(np.int64), THRESHOLDS)
        return np.concatenate([form, *self._rhythm(indices, vary)], axis=2)

    def _rhythm(self, indices: np.ndarray, vary: bool) -> Iterator[np.ndarray]:
        """Yield the spikes that tell how early or late beats are, from their peak on."""
        for ratios in self.ratios:
            own = ratios[indices]
            if vary:
                own = own * self.draws.normal(1, 0.02, len(own))
            passed = [own < bound for bound in EARLY] + [own > bound for bound in LATE]
            spikes = np.zeros((len(indices), STEPS, len(passed)), dtype=np.uint8)
            spikes[:, PEAK::EVERY] = np.stack(passed, axis=1)[:, None]
            yield spikes

    def network(self, seed: int, hidden: int = 48) -> SpikingNetwork:
        """Make recurrent LIF neurons of several decays, with an integrator for each class."""
        channels = 2 * len(THRESHOLDS) + len(self.ratios) * len(EARLY + LATE)
        shifts = np.resize(np.arange(1, 7), hidden)
        decay = Decay(tuple(2 ** (6 - int(shift)) for shift in shifts), 6)
        weak = np.random.default_rng([seed, 1]).uniform(-0.02, 0.02, (hidden, hidden))
        cell = Cell(Lif, threshold=1.0, decay=decay, surrogate=FastSigmoid(0.1))
        direct = [Connection("ecg", "output")] if self.settings.direct else []
        return SpikingNetwork(
            [Input("ecg", channels)],
            [
                Layer("hidden", hidden, cell),
                Layer("output", len(CLASSES), Cell(Integrator, decay=Decay.shift(6))),
            ],
            [
                Connection("ecg", "hidden"),
                Connection("hidden", "hidden", weak, delay=1),
                Connection("hidden", "output"),
                *direct,
            ],
            [Readout("output", "last")],
            seed=seed,
        )


EPOCHS = 10
OPTIONS = {"temperature": 2.0, "max_grad_norm": 0.5}


def ecg(seed: int, scale: float) -> Task:
    """Return heart beats of other patients, as changes of the signal and ratios of intervals."""
    data = heart_beats(download=False)
    beats = Beats(data, CHOSEN, seed)
    training, test = data.inter_patient
    aside = np.isin(data.records[training], HELD_OUT[0])
    kept = beats.training(training[~aside], scale)
    chosen = beats.validation(training[aside], scale)
    limits = tuple(int(limit * scale) for limit in TESTED)
    tested = beats.limited(test, limits, np.zeros(len(test)))
    strata = []
    for label in range(len(CLASSES)):
        own = tested[data.labels[tested] == label]
        weight = float((data.labels[test] == label).sum() / len(own))
        strata.append(Stratum(beats.spikes(own), data.labels[own], weight))
    whole = [Stratum(beats.spikes(test), data.labels[test])] if scale >= 1 else strata
    held_back = ", ".join(map(str, HELD_OUT[0]))
    return Task(
        beats.network(seed),
        beats.spikes(kept, vary=True),
        data.labels[kept],
        (beats.spikes(chosen), data.labels[chosen]),
        strata,
        whole,
        EPOCHS,
        2,
        CHOSEN.rate,
        CLASSES,
        True,
        f"inter-patient: records of DS1 train, but for {held_back}, which choose the epoch; "
        "records of DS2 test. Curves are on beats drawn from DS2 by class, each of which stands "
        "for all of its class in F1; recall and F1 of each class are on all of DS2. Beats that "
        "train are cut a little elsewhere and of other heights, and those of rare classes are "
        "drawn several times",
        OPTIONS,
    )


def choose(
    seeds: tuple[int, ...], show: Callable[[str], None], epochs: int = EPOCHS
) -> list[dict[str, Any]]:
    """Train with each of the candidates' settings, and test on patients of DS1 that are held out.

    Parameters
    ----------
    seeds : tuple of int
    show : callable
        Takes a line for each of the candidates.
    epochs : int

    Returns
    -------
    list of dict
        For each of :data:`CANDIDATES` its settings, the recall of each class over all patients of
        DS1, each of whom is held out once for each seed, and the mean of the classes.
    """
    data = heart_beats(download=False)
    training, _ = data.inter_patient
    records, results = data.records[training], []
    for settings in CANDIDATES:
        right = np.zeros(len(CLASSES))
        for seed in seeds:
            for held_out in HELD_OUT:
                aside = np.isin(records, held_out)
                beats = Beats(data, settings, seed)
                answers = _answers(beats, training[~aside], training[aside], seed, epochs)
                labels = data.labels[training[aside]]
                right += np.bincount(labels[answers == labels], minlength=len(CLASSES))
        recall = right / len(seeds) / np.bincount(data.labels[training])
        results.append({
            "settings": asdict(settings) | {"intervals": list(settings.intervals)},
            "label": str(settings),
            "recall": np.round(recall, 3).tolist(),
            "mean": round(float(recall.mean()), 3),
        })
        show(f"{settings} | {recall.mean():.1%} | " + " ".join(f"{x:.1%}" for x in recall))
    return results


def _answers(
    beats: Beats, training: np.ndarray, held_out: np.ndarray, seed: int, epochs: int
) -> np.ndarray:
    """Train a network, and return the classes that it answers to beats that are held out."""
    kept, chosen = beats.training(training), beats.validation(held_out)
    net = beats.network(seed)
    train(
        net,
        beats.spikes(kept, vary=True),
        beats.labels[kept],
        TrainingOptions(
            epochs=epochs,
            learning_rate=beats.settings.rate,
            seed=seed,
            progress=False,
            **OPTIONS,
        ),
        validation=(beats.spikes(chosen), beats.labels[chosen]),
    )
    parts = np.array_split(held_out, len(held_out) // 512 + 1)
    return np.concatenate([net.run(beats.spikes(part)).classes for part in parts])
