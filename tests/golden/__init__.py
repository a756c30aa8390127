"""Small networks with spikes and answers that were worked out elsewhere: by hand and by loops.

Those by hand are in :mod:`~golden.by_hand`. The others are files, so that they hold the format too:
``NAME.spiker`` is a network and ``NAME.json`` holds its spikes and what :mod:`naive` answered.
``python -m golden.make``, in ``tests``, made them.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spiker_hdl.model import Network, load

from .by_hand import BY_HAND

__all__ = ["GOLDEN", "Golden", "check"]

FILES = sorted(Path(__file__).parent.glob("*.spiker"))


@dataclass(frozen=True)
class Golden:
    """A network, spikes, and what it must answer.

    Members
    -------
    name : str
    network : Network
    spikes : dict of str to array of int, shape (samples, steps, size)
    window : int or None
        Steps from one result to the next.
    answers : dict of str to list of list of (class, scores)
        For each readout, sample and window.
    record : dict of str to list
        Spikes and states after each step, for each sample; those that are known.
    """

    name: str
    network: Network
    spikes: dict
    answers: dict
    record: dict = field(default_factory=dict)
    window: int | None = None


def _read(path):
    stored = json.loads(path.with_suffix(".json").read_text())
    spikes = {name: np.array(train) for name, train in stored["spikes"].items()}
    return Golden(
        path.stem, load(path), spikes, stored["answers"], stored["record"], stored["window"]
    )


GOLDEN = [*(Golden(**case) for case in BY_HAND), *map(_read, FILES)]


def check(golden: Golden, result) -> None:
    """Fail unless ``result`` is what a golden network must answer; records where both have them."""
    for name, samples in golden.answers.items():
        for n, windows in enumerate(samples):
            classes, scores = result.answers[name].classes[n], result.answers[name].scores[n]
            if golden.window is None:
                classes, scores = [classes], [scores]
            results = [[int(c), s.tolist()] for c, s in zip(classes, scores, strict=True)]
            assert results == [[c, list(s)] for c, s in windows], (golden.name, name, n)
    for name, expected in golden.record.items():
        if name in result.spikes:
            assert np.array_equal(result.spikes[name], np.array(expected)), (golden.name, name)
