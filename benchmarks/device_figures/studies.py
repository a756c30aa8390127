"""Networks that devices hold, trained once and kept, and the studies of one data set."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spiker_train import (
    Device,
    DifferentialPair,
    Draws,
    Faults,
    GaussianNoise,
    MonteCarlo,
    SpikingNetwork,
    TrainingOptions,
    pcm,
    train,
)

from .scores import Scores, joined
from .task import Stratum, Task

__all__ = ["STUDIES", "Curves", "Options", "Studies"]

HIGH = 25e-6
LEVELS = (2, 3, 4, 6, 8, 12, 16, 32, 64)
NOISE = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
TIMES = (20.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
STUCK = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6)
TRAINED_NOISE = 0.1
CHIPS = 200
DEVIATIONS = 2.0
"""Standard deviations at which weights are clipped before a network is trained for noise."""

Curves = dict[str, dict[float, Scores] | Scores]
"""By the name of a curve, scores over a number, or scores of draws alone."""


@dataclass(frozen=True)
class Options:
    """What is common to all studies.

    Members
    -------
    seed : int
        Seed of the weights, the trainings and the devices.
    draws, chips : int
        Draws of each point of a curve, and chips that are trained again.
    progress : bool
    folder : Path
        Where trainings and draws are kept, so that an interrupted study goes on.
    """

    seed: int
    draws: int
    chips: int
    progress: bool
    folder: Path


def noisy(share: float, **stages: Any) -> Device:
    """Return a device whose programming noise is a share of its greatest conductance."""
    return Device(high=HIGH, programming=GaussianNoise(absolute=share * HIGH), **stages)


def stuck(share: float) -> Device:
    """Return a device of which a share of the cells is stuck, half of them at each end."""
    return Device(high=HIGH, faults=Faults(stuck_low=share / 2, stuck_high=share / 2))


IDEAL = Device(high=HIGH)
IMPERFECT = noisy(0.05, faults=Faults(stuck_low=0.005, stuck_high=0.005))


def clip(net: SpikingNetwork) -> None:
    """Clip the weights of each connection, since its greatest weight decides what noise does.

    The greatest conductance stands for the greatest weight: a few large ones make noise large
    against all others.
    """
    with torch.no_grad():
        for connection in net.connections:
            limit = DEVIATIONS * float(connection.weights.std())
            connection.weights.clamp_(-limit, limit)


class Studies:
    """The studies of one data set.

    Members
    -------
    plain, aware : SpikingNetwork
        Trained as usual; and trained further, with clipped weights and with new noise of 10 % of
        the greatest conductance for each batch.
    ideal : dict of str to Scores
        Of both without devices' imperfections, on the samples of the curves.
    """

    def __init__(self, task: Task, options: Options):
        self.task, self.options = task, options
        options.folder.mkdir(parents=True, exist_ok=True)
        self.settings = TrainingOptions(
            epochs=task.epochs,
            learning_rate=task.rate,
            seed=options.seed,
            progress=options.progress,
            **({"max_grad_norm": 1.0} | task.settings),
        )
        self.plain = task.net
        self._train(self.plain, self.settings, "usual")
        self.aware = deepcopy(self.plain)
        clip(self.aware)
        gentle = replace(self.settings, learning_rate=task.rate / 2)
        self._train(self.aware, replace(gentle, devices=noisy(TRAINED_NOISE)), "noise-aware")
        self.nets = {"usual": self.plain, "noise-aware": self.aware}
        self.ideal = {name: self.scores(net, IDEAL, 1) for name, net in self.nets.items()}

    def _train(self, net: SpikingNetwork, settings: TrainingOptions, name: str) -> None:
        """Train a network, or load it where it was trained before."""
        task, file = self.task, self.options.folder / f"{name}.safetensors"
        settings = replace(settings, title=f"training, {name}")
        train(
            net,
            task.spikes,
            task.labels,
            settings,
            validation=task.validation,
            checkpoint=file,
        )

    def scores(
        self,
        net: SpikingNetwork,
        devices: Any,
        draws: int = 0,
        *,
        file: str = "",
        samples: list[Stratum] | None = None,
        **options: Any,
    ) -> Scores:
        """Run draws of devices on test samples, and keep them in a file if one is named."""
        study = MonteCarlo(net, devices, draws or self.options.draws, self.options.seed, **options)
        parts = []
        for n, stratum in enumerate(self.task.test if samples is None else samples):
            path = self.options.folder / f"{file} {n}.json" if file else None
            result = study.run(
                stratum.spikes, stratum.labels, file=path, progress=self.options.progress
            )
            parts.append((result, stratum.weight))
        return Scores.of(parts, self.task.balanced)

    def levels(self) -> Curves:
        """Return curves over the number of levels of a device."""
        return {
            name: {
                n: self.scores(net, Device(high=HIGH, levels=n), 1, file=f"levels {name} {n}")
                for n in LEVELS
            }
            for name, net in self.nets.items()
        }

    def noise(self) -> Curves:
        """Return curves over the programming noise."""
        return {
            name: {
                share: self.scores(net, noisy(share), file=f"noise {name} {share:g}")
                for share in NOISE
            }
            for name, net in self.nets.items()
        }

    def time(self) -> Curves:
        """Return curves over the time after programming a phase-change memory."""
        return {
            name: self.scores(
                net,
                DifferentialPair(device=pcm(HIGH), compensate=compensate),
                file=f"time {name}",
                times=TIMES,
            )
            for name, net, compensate in (
                ("no compensation", self.plain, False),
                ("compensation", self.plain, True),
                ("noise-aware, compensation", self.aware, True),
            )
        }

    def stuck(self) -> Curves:
        """Return curves over the share of stuck cells."""
        usual = {
            share: self.scores(self.plain, stuck(share), file=f"stuck usual {share:g}")
            for share in STUCK
        }
        return {"usual": usual, "retrained": {share: self._retrained(share) for share in STUCK}}

    def _retrained(self, share: float) -> Scores:
        """Return scores of a few chips, each of which was trained again with its faults known."""
        result = []
        for chip in range(self.options.chips):
            net = deepcopy(self.plain)
            settings = replace(
                self.settings,
                epochs=self.task.retraining,
                learning_rate=self.task.rate / 2,
                devices=stuck(share),
                device_draw=chip,
            )
            self._train(net, settings, f"stuck {share:g} chip {chip}")
            result.append(self._chip(net, stuck(share), chip))
        return joined(result)

    def _chip(self, net: SpikingNetwork, devices: Device, chip: int) -> Scores:
        """Return the scores of one draw of devices."""
        study = MonteCarlo(net, devices, chip + 1, self.options.seed)
        (source,) = (population.name for population in net.inputs)
        parts = []
        for stratum in self.task.test:
            hits, answers, _ = study.count([chip], {source: stratum.spikes}, stratum.labels)
            classes = np.bincount(stratum.labels, minlength=len(self.task.classes))
            draws = Draws("", len(stratum.labels), (0.0,), {chip: (0,)}, classes=tuple(classes))
            draws.hits[chip], draws.answers[chip] = hits[0], answers[0]
            parts.append((draws, stratum.weight))
        return Scores.of(parts, self.task.balanced)

    def chips(self) -> Curves:
        """Return the scores of 200 chips, with noise of 5 % and 1 % of stuck cells."""
        return {
            name: self.scores(net, IMPERFECT, CHIPS, file=f"yield {name}")
            for name, net in self.nets.items()
        }

    def classes(self) -> Curves:
        """Return scores on the whole test part, without imperfections and with those of the chips.

        Their recall and F1 of each class are what counts.
        """
        return {
            f"{name}, {title}": self.scores(
                net,
                devices,
                draws,
                file=f"classes {name} {title}",
                samples=self.task.whole,
            )
            for name, net in self.nets.items()
            for title, devices, draws in (
                ("ideal", IDEAL, 1),
                ("imperfect", IMPERFECT, min(5, self.options.draws)),
            )
        }


STUDIES: dict[str, Callable[[Studies], Curves]] = {
    "levels": Studies.levels,
    "noise": Studies.noise,
    "time": Studies.time,
    "stuck": Studies.stuck,
    "yield": Studies.chips,
    "classes": Studies.classes,
}
