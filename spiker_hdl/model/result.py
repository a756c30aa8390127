"""The result of a run, the same for every engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .network import Network

__all__ = ["Answer", "Result"]


@dataclass(frozen=True)
class Answer:
    """Answers of one readout for all samples.

    Members
    -------
    classes : array of int, shape (samples,) or (samples, windows)
        The winner; ties go to the lowest class.
    scores : array of int, shape (samples, classes) or (samples, windows, classes)

    Both are lists of arrays where samples differ in windows.
    """

    classes: Any
    scores: Any


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Members
    -------
    classes : array of int, shape (samples,) or (samples, windows)
        Winner of the first readout.
    scores : array of int, shape (samples, classes) or (samples, windows, classes)
        Scores of the first readout.
    steps : array of int, shape (samples,)
        Time steps up to the last answer.
    counts : mapping of str to array of int, shape (samples,)
        Events of each population that emits any, in all neurons and those steps: spikes, or outputs
        other than 0 of neurons whose output is a value.
    spikes : mapping of str to array or list of array
        Recorded spikes or outputs of a population, by its name, and states after each step, by
        ``"name.state"``, of the shape (samples, steps, size). A list of arrays where samples differ
        in steps.
    cycles : array of int, shape (samples,), or None
        Clock cycles from the first accepted event to the result, if the engine counts them.
    answers : mapping of str to Answer
        Every readout, by name.
    engine : str
        Name of the engine.
    network : Network, optional
        The network that was run, if known.
    """

    classes: Any
    scores: Any
    steps: np.ndarray
    counts: Mapping[str, np.ndarray]
    spikes: Mapping[str, Any] = field(default_factory=dict)
    cycles: np.ndarray | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    engine: str = "reference"
    network: "Network | None" = field(default=None, repr=False, compare=False)

    def differences(self, other: "Result") -> list[str]:
        """Return in which samples and fields two results differ, apart from cycles.

        Recorded spikes and states are compared where both results have them.

        Returns
        -------
        list of str
            One line for each field and sample, such as ``"sample 3: class 2, not 7"``; empty if
            equal.
        """
        lines = []
        for name in self.answers:
            mine, theirs = self.answers[name], other.answers[name]
            lines += _compare(f"readout {name!r} class", mine.classes, theirs.classes)
            lines += _compare(f"readout {name!r} scores", mine.scores, theirs.scores)
        lines += _compare("steps", self.steps, other.steps)
        for name in self.counts:
            lines += _compare(f"spikes of {name!r}", self.counts[name], other.counts[name])
        for name in self.spikes:
            if name in other.spikes:
                lines += _compare(f"record {name!r}", self.spikes[name], other.spikes[name])
        return lines


def _compare(what: str, mine: Any, theirs: Any) -> list[str]:
    if len(mine) != len(theirs):
        return [f"{what}: {len(mine)} samples, not {len(theirs)}"]
    lines = []
    for n, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            lines.append(f"sample {n}: {what} of shape {a.shape}, not {b.shape}")
        elif not np.array_equal(a, b):
            at = tuple(int(x) for x in np.argwhere(a != b)[0])
            where = f" at {', '.join(map(str, at))}" if at else ""
            lines.append(f"sample {n}: {what}{where} {a[at]}, not {b[at]}")
    return lines
