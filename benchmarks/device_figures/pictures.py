"""One picture for each data set: a panel for each study."""

from pathlib import Path
from typing import Any

import numpy as np

from .scores import Scores
from .studies import Curves
from .task import Task

__all__ = ["draw"]

LABELS = {
    "levels": "levels of a device",
    "noise": "programming noise (% of the greatest conductance)",
    "time": "time after programming (s)",
    "stuck": "stuck cells (%)",
}
TITLES = {
    "levels": "Levels",
    "noise": "Programming noise",
    "time": "Drift of phase-change memory",
    "stuck": "Stuck cells",
    "yield": "Yield: noise of 5 %, 1 % of cells stuck",
    "classes": "Recall (bars) and F1 (diamonds) of each class",
}
COLOURS = {
    "usual": "#1f5a96",
    "noise-aware": "#c8551b",
    "retrained": "#2d7d46",
    "no compensation": "#8a8a8a",
    "compensation": "#1f5a96",
    "noise-aware, compensation": "#c8551b",
}


def draw(name: str, task: Task, studies: dict[str, Curves], target: float, path: Path) -> None:
    """Write the picture of a data set.

    Parameters
    ----------
    name : str
    task : Task
    studies : dict of str to Curves
        By the name of the study.
    target : float
        Score that a chip must reach to count for the yield, drawn as a dashed line.
    path : Path
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    score = "mean recall of the classes (%)" if task.balanced else "accuracy (%)"
    axes = figure.subplots(2, 3).flat
    for axis, (study, curves) in zip(axes, studies.items(), strict=False):
        if study == "yield":
            _yield(axis, curves, target)
            axis.set(xlabel=score, ylabel="chips that reach it (%)")
        elif study == "classes":
            _classes(axis, curves, task.classes)
        else:
            _curves(axis, study, curves)
            axis.axhline(100 * target, color="grey", lw=0.8, ls="--")
            axis.set(xlabel=LABELS[study], ylabel=score, ylim=(_lowest(curves), 100))
            axis.legend(fontsize=8, loc="lower right" if study == "levels" else "lower left")
        axis.set_title(TITLES[study], fontsize=10)
        axis.grid(alpha=0.3)
    for axis in list(axes)[len(studies) :]:
        axis.set_visible(False)
    figure.suptitle(
        f"{name}: mean and 5 % to 95 % of the draws; dashed: score that a good chip must reach"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _curves(axis: Any, study: str, curves: Curves) -> None:
    """Draw the mean score and its band over a number or over time."""
    factor = 100 if study in {"noise", "stuck"} else 1
    points: list[float] = []
    for label, curve in curves.items():
        if isinstance(curve, Scores):
            x, scores = list(curve.times), list(curve.score().T)
        else:
            x, scores = list(curve), [point.score()[:, 0] for point in curve.values()]
        points = [factor * value for value in x]
        means = [100 * values.mean() for values in scores]
        band = [[100 * np.quantile(values, share) for values in scores] for share in (0.05, 0.95)]
        axis.plot(points, means, "o-", ms=4, label=label, color=COLOURS[label])
        axis.fill_between(points, *band, alpha=0.2, color=COLOURS[label])
    axis.set_xscale("log")
    if study != "time":
        axis.set_xticks(points, [f"{value:g}" for value in points], fontsize=7)
        axis.minorticks_off()


def _lowest(curves: Curves) -> int:
    """Return where the vertical axis begins, at least ten points below all curves."""
    points = [
        scores
        for curve in curves.values()
        for scores in ([curve] if isinstance(curve, Scores) else curve.values())
    ]
    least = min(float(np.quantile(scores.score(), 0.05, axis=0).min()) for scores in points)
    return max(0, int(10 * least - 1) * 10)


def _yield(axis: Any, curves: Curves, target: float) -> None:
    """Draw how many chips reach each score."""
    for label, scores in curves.items():
        reached = np.sort(scores.score()[:, 0])[::-1] * 100
        share = np.arange(1, len(reached) + 1) / len(reached) * 100
        good = (reached >= 100 * target).mean()
        axis.step(reached, share, label=f"{label}: {good:.1%}", color=COLOURS[label])
    axis.axvline(100 * target, color="grey", lw=0.8, ls="--")
    axis.legend(fontsize=8, loc="lower left")


def _classes(axis: Any, curves: Curves, classes: tuple[str, ...]) -> None:
    """Draw bars of the recall of each class, with its F1 beside it."""
    places = np.arange(len(classes))
    width = 0.8 / len(curves)
    for n, (label, scores) in enumerate(curves.items()):
        at = places + (n - (len(curves) - 1) / 2) * width
        colour = COLOURS[label.partition(",")[0]]
        faded = 0.45 if label.endswith("imperfect") else 1.0
        recall, f1 = 100 * scores.recall().mean(0)[0], 100 * scores.f1().mean(0)[0]
        axis.bar(at, recall, width, color=colour, alpha=faded, label=label)
        axis.plot(at, f1, "D", ms=3, color="black", mfc="white", mew=0.8)
    axis.set_xticks(places, classes)
    low = min(float(min(s.recall().min(), s.f1().min())) for s in curves.values())
    axis.set(xlabel="class", ylabel="%", ylim=(0 if low < 0.6 else 60, 119 if low < 0.6 else 109))
    axis.legend(fontsize=7, ncols=2, loc="upper center")
