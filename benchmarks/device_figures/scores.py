"""Scores of draws of devices: accuracy, recall and F1 of each class, quantiles and yield."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spiker_train import Draws

__all__ = ["Scores", "joined", "table"]


@dataclass
class Scores:
    """The answers of draws to weighted test samples.

    Members
    -------
    times : tuple of float
        Seconds after programming.
    samples : array of float, shape (classes,)
        Weight of the samples of each class.
    hits, answers : array of float, shape (draws, times, classes)
        Weight of the samples of each class that are classified as their labels say, and of all
        samples that are classified as the class.
    balanced : bool
        Whether the score is the mean of the classes' recall, not the accuracy.
    """

    times: tuple[float, ...]
    samples: np.ndarray
    hits: np.ndarray
    answers: np.ndarray
    balanced: bool

    @classmethod
    def of(cls, parts: list[tuple[Draws, float]], balanced: bool) -> "Scores":
        """Return the scores of the draws on strata of samples, each with its weight."""
        hits, answers, samples = 0.0, 0.0, 0.0
        for draws, weight in parts:
            order = sorted(draws.right)
            hits = hits + weight * np.array([draws.hits[draw] for draw in order], dtype=float)
            answers = answers + weight * np.array([draws.answers[draw] for draw in order], float)
            samples = samples + weight * np.array(draws.classes, dtype=float)
        return cls(parts[0][0].times, np.array(samples), hits, answers, balanced)

    def accuracy(self) -> np.ndarray:
        """Return the share of right answers, shape (draws, times)."""
        return self.hits.sum(2) / self.samples.sum()

    def recall(self) -> np.ndarray:
        """Return the share of each class that is found, shape (draws, times, classes)."""
        return self.hits / self.samples

    def f1(self) -> np.ndarray:
        """Return the harmonic mean of precision and recall, shape (draws, times, classes)."""
        return 2 * self.hits / (self.answers + self.samples)

    def score(self) -> np.ndarray:
        """Return the score of each draw at each time, shape (draws, times)."""
        return self.recall().mean(2) if self.balanced else self.accuracy()

    def numbers(self, target: float) -> dict[str, Any]:
        """Return what the results keep."""
        score = self.score()
        content = {
            "times": list(self.times),
            "draws": len(score),
            "mean": _short(score.mean(0)),
            "5%": _short(np.quantile(score, 0.05, axis=0)),
            "95%": _short(np.quantile(score, 0.95, axis=0)),
            "yield": _short((score >= target).mean(0)),
            "recall": _short(self.recall().mean(0)),
            "f1": _short(self.f1().mean(0)),
        }
        if self.balanced:
            content["accuracy"] = _short(self.accuracy().mean(0))
        return content


def joined(parts: list[Scores]) -> Scores:
    """Return the scores of the draws of all parts, on the same samples."""
    first = parts[0]
    hits, answers = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("hits", "answers")
    )
    return Scores(first.times, first.samples, hits, answers, first.balanced)


def table(studies: dict[str, Scores], target: float, classes: tuple[str, ...]) -> str:
    """Return a table of the score, the yield, and the recall and F1 of each class."""
    width = max(len(label) for label in studies)
    lines = [
        f"{'':<{width}} {'seconds':>8} {'draws':>5} {'mean':>6} {'sd':>6} {'5%':>6} {'95%':>6} "
        f"{'yield':>6}  recall of " + " ".join(f"{name:>4}" for name in classes)
    ]
    for label, scores in studies.items():
        for n, seconds in enumerate(scores.times):
            score = scores.score()[:, n]
            low, high = np.quantile(score, (0.05, 0.95))
            recall = " ".join(f"{share:>4.0%}" for share in scores.recall().mean(0)[n])
            lines.append(
                f"{label:<{width}} {seconds:>8.3g} {len(score):>5} {score.mean():>6.1%} "
                f"{score.std():>6.1%} {low:>6.1%} {high:>6.1%} {(score >= target).mean():>6.1%}"
                f"            {recall}"
            )
    return "\n".join(lines)


def _short(values: np.ndarray) -> Any:
    return np.round(values, 4).tolist()
