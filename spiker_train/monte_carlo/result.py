"""The answers of a Monte-Carlo: accuracy of every draw at every time, yield and quantiles."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spiker_hdl.base import FileError, reader, shown, strict_json
from spiker_hdl.base.files.atomic_file import write_whole
from spiker_hdl.base.files.reading import read_bytes
from spiker_train.devices.checks import check_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Draws", "draw_accuracy", "draw_picture", "load_draws", "table"]

FORMAT = "spiker-monte-carlo"
VERSION = 1
MOST_BYTES = 2**26
MOST_LABELS = 12
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass
class Draws:
    """The draws of a Monte-Carlo that have run.

    Members
    -------
    key : str
        SHA-256 of everything that the answers depend on but the number of draws; empty where no
        file was named that keeps the draws, and no run can go on with them. Draws that are equal
        otherwise are equal.
    samples : int
        Number of samples that each draw classified.
    times : tuple of float
        Seconds after programming.
    right : dict of int to tuple of int
        By the number of the draw, the samples that were classified as their labels say, at each
        time.
    clipped : dict of int to tuple of int
        Likewise, the integer weights and parameters that were clipped to their bits.
    classes : tuple of int
        Samples of each class; empty where draws were not counted by class.
    hits : dict of int to tuple of tuple of int
        By the number of the draw, at each time, the samples of each class that were classified as
        their labels say.
    answers : dict of int to tuple of tuple of int
        Likewise, how many samples were classified as each class, rightly or not.
    """

    key: str = field(compare=False)
    samples: int
    times: tuple[float, ...]
    right: dict[int, tuple[int, ...]] = field(default_factory=dict)
    clipped: dict[int, tuple[int, ...]] = field(default_factory=dict)
    classes: tuple[int, ...] = ()
    hits: dict[int, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    answers: dict[int, tuple[tuple[int, ...], ...]] = field(default_factory=dict)

    def accuracy(self) -> np.ndarray:
        """Return the accuracy of each draw at each time, shape (draws, times)."""
        rows = [self.right[draw] for draw in sorted(self.right)]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.times)) / self.samples

    def mean(self) -> np.ndarray:
        """Return the mean accuracy over draws, shape (times,)."""
        return self.accuracy().mean(axis=0)

    def quantiles(self, shares: Sequence[float] = QUANTILES) -> np.ndarray:
        """Return quantiles of the accuracy over draws, shape (shares, times)."""
        checked = [check_share("Quantile", share) for share in shares]
        return np.quantile(self.accuracy(), checked, axis=0)

    def reaching(self, target: float) -> np.ndarray:
        """Return the yield: the share of draws that reach an accuracy, shape (times,)."""
        return (self.accuracy() >= check_share("Target accuracy", target)).mean(axis=0)

    def recall(self) -> np.ndarray:
        """Return the share of each class's samples that are classified as this class.

        Returns
        -------
        array of float, shape (draws, times, classes)
            NaN for a class without samples.

        Raises
        ------
        ValueError
            If the draws were not counted by class.
        """
        return _shares(self._by_class(self.hits), np.array(self.classes, dtype=float))

    def precision(self) -> np.ndarray:
        """Return the share of the samples classified as a class that are of this class.

        Returns
        -------
        array of float, shape (draws, times, classes)
            NaN for a class that is the answer to no sample.

        Raises
        ------
        ValueError
            If the draws were not counted by class.
        """
        return _shares(self._by_class(self.hits), self._by_class(self.answers))

    def f1(self) -> np.ndarray:
        """Return the F1 score of each class: the harmonic mean of its precision and its recall.

        Returns
        -------
        array of float, shape (draws, times, classes)
            0 for a class with samples of which none is classified as it, and NaN for a class that
            has no samples and is the answer to none.

        Raises
        ------
        ValueError
            If the draws were not counted by class.
        """
        total = self._by_class(self.answers) + np.array(self.classes, dtype=float)
        return _shares(2 * self._by_class(self.hits), total)

    def _by_class(self, counts: dict[int, tuple[tuple[int, ...], ...]]) -> np.ndarray:
        """Return counts as an array of the shape (draws, times, classes)."""
        if not self.classes:
            raise ValueError("Draws must have counts by class, and these were loaded without")
        rows = [counts[draw] for draw in sorted(self.right)]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.times), len(self.classes))

    def to_json(self) -> dict[str, Any]:
        """Return the draws as values that JSON can hold."""
        numbers = sorted(self.right)
        content = {
            FORMAT: VERSION,
            "key": self.key,
            "samples": self.samples,
            "times": list(self.times),
            "draws": numbers,
            "right": [list(self.right[draw]) for draw in numbers],
            "clipped": [list(self.clipped[draw]) for draw in numbers],
        }
        if self.classes:
            content["classes"] = list(self.classes)
            for name in ("hits", "answers"):
                counts = getattr(self, name)
                content[name] = [[list(row) for row in counts[draw]] for draw in numbers]
        return content

    def save(self, path: str | Path) -> None:
        """Write the draws to a JSON file, whole or not at all."""
        with write_whole(path) as file:
            file.write(json.dumps(self.to_json()).encode())

    def __str__(self) -> str:
        return table({"": self})


@reader("the draws of a Monte-Carlo in JSON", "json")
def load_draws(path: str | Path) -> Draws:
    """Read draws that :meth:`Draws.save` wrote.

    Raises
    ------
    FileError
        If the file is of another kind, or not whole.
    OSError
        If it cannot be read.
    """
    content = strict_json.parse_object(read_bytes(path, MOST_BYTES), MOST_BYTES)
    if content.get(FORMAT) != VERSION:
        raise FileError(f"must be {FORMAT!r} of version {VERSION}, not {shown(sorted(content))}")
    times = tuple(float(time) for time in content["times"])
    samples = content["samples"]
    if type(samples) is not int or samples < 1:
        raise FileError(f"samples must be a number of at least 1, not {shown(samples)}")
    draws = Draws(str(content["key"]), samples, times)
    for name, most in (("right", samples), ("clipped", 2**62)):
        rows = content[name]
        if len(rows) != len(content["draws"]):
            raise FileError(f"{name} must have {len(content['draws'])} rows, not {len(rows)}")
        for draw, row in zip(content["draws"], rows, strict=True):
            if type(draw) is not int or draw < 0:
                raise FileError(f"numbers of draws must be at least 0, not {shown(draw)}")
            if len(row) != len(times) or not all(
                type(count) is int and 0 <= count <= most for count in row
            ):
                raise FileError(
                    f"{name} of draw {draw} must be {len(times)} numbers of 0..{most}, "
                    f"not {shown(row)}"
                )
            getattr(draws, name)[draw] = tuple(row)
    if "classes" in content:
        _read_classes(draws, content)
    return draws


def _read_classes(draws: Draws, content: dict[str, Any]) -> None:
    """Read the counts by class, which must add up to those of all classes."""
    classes = content["classes"]
    if (
        not isinstance(classes, list)
        or not all(type(count) is int and count >= 0 for count in classes)
        or sum(classes) != draws.samples
    ):
        raise FileError(f"classes must add up to {draws.samples} samples, not {shown(classes)}")
    draws.classes = tuple(classes)
    for name in ("hits", "answers"):
        rows = content[name]
        if len(rows) != len(content["draws"]):
            raise FileError(f"{name} must have {len(content['draws'])} rows, not {len(rows)}")
        for draw, times in zip(content["draws"], rows, strict=True):
            totals = draws.right[draw] if name == "hits" else [draws.samples] * len(draws.times)
            if [len(row) for row in times] != [len(classes)] * len(draws.times) or not all(
                type(count) is int and count >= 0 for row in times for count in row
            ):
                raise FileError(
                    f"{name} of draw {draw} must be {len(draws.times)} x {len(classes)} numbers "
                    f"of at least 0, not {shown(times)}"
                )
            if [sum(row) for row in times] != list(totals):
                raise FileError(f"{name} of draw {draw} must add up to {list(totals)}")
            getattr(draws, name)[draw] = tuple(tuple(row) for row in times)


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return quotients, NaN where the divisor is 0."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def table(studies: Mapping[str, Draws], target: float | None = None) -> str:
    """Return a table of studies: mean, deviation and quantiles of the accuracy, and the yield.

    Parameters
    ----------
    studies : mapping of str to Draws
        By label, such as the number of levels or the noise.
    target : float, optional
        Accuracy that counts for the yield.
    """
    width = max([8, *(len(label) for label in studies)])
    heads = [f"{share:.0%}" for share in QUANTILES]
    lines = [
        f"{'study':<{width}} {'time':>9} {'draws':>6} {'mean':>7} {'sd':>7} "
        + " ".join(f"{head:>7}" for head in heads)
        + ("" if target is None else f" {f'>={target:.1%}':>8}")
    ]
    for label, draws in studies.items():
        accuracy, quantiles = draws.accuracy(), draws.quantiles()
        for n, seconds in enumerate(draws.times):
            deviation = accuracy[:, n].std(ddof=1) if len(accuracy) > 1 else 0.0
            lines.append(
                f"{label:<{width}} {f'{seconds:.4g} s':>9} {len(accuracy):>6} "
                f"{accuracy[:, n].mean():>7.2%} {deviation:>7.2%} "
                + " ".join(f"{value:>7.2%}" for value in quantiles[:, n])
                + ("" if target is None else f" {draws.reaching(target)[n]:>8.1%}")
            )
    return "\n".join(lines)


def draw_accuracy(
    curves: Mapping[str, Mapping[float, Draws]] | Mapping[str, Draws],
    *,
    label: str = "time after programming (s)",
    logarithmic: bool = True,
    target: float | None = None,
    title: str = "",
) -> "Figure":
    """Draw accuracy with its band of 5 % to 95 % of the draws.

    Parameters
    ----------
    curves : mapping of str to (mapping of float to Draws, or Draws)
        By the name of a curve, draws over a number such as the noise, of which the first time is
        drawn; or draws alone, which are drawn over their times.
    label : str
        Of the horizontal axis.
    logarithmic : bool
        Whether it is logarithmic.
    target : float, optional
        Accuracy that is drawn as a dashed line.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        A figure outside pyplot; save it with ``savefig``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for name, curve in curves.items():
        if isinstance(curve, Draws):
            x = np.array(curve.times)
            mean, band = curve.mean(), curve.quantiles((0.05, 0.95))
        else:
            x = np.array(list(curve))
            mean = np.array([draws.mean()[0] for draws in curve.values()])
            band = np.array([draws.quantiles((0.05, 0.95))[:, 0] for draws in curve.values()]).T
        (line,) = axis.plot(x, mean * 100, "o-", ms=4, label=name)
        axis.fill_between(x, *(band * 100), alpha=0.2, color=line.get_color())
    if target is not None:
        level = 100 * check_share("Target accuracy", target)
        axis.axhline(level, color="#1a1a2e", linewidth=0.8, linestyle="--")
    if logarithmic:
        above = all(min(_points(curve)) > 0 for curve in curves.values())
        axis.set_xscale("log" if above else "symlog")
        points = {x for curve in curves.values() if not isinstance(curve, Draws) for x in curve}
        if 0 < len(points) <= MOST_LABELS:  # each point has its number, and there are no others
            axis.set_xticks(sorted(points), [f"{x:g}" for x in sorted(points)])
            axis.minorticks_off()
    axis.set(xlabel=label, ylabel="accuracy (%)", title=title)
    axis.grid(alpha=0.3)
    if any(curves):
        axis.legend()
    return figure


def draw_picture(
    curves: Mapping[str, Mapping[float, Draws]] | Mapping[str, Draws],
    path: str | Path,
    **options: Any,
) -> None:
    """Write the picture of :func:`draw_accuracy`, which takes the same options.

    Parameters
    ----------
    curves : mapping of str to (mapping of float to Draws, or Draws)
    path : str or Path
    **options
        As for :func:`draw_accuracy`.
    """
    draw_accuracy(curves, **options).savefig(path, dpi=120)


def _points(curve: Any) -> tuple[float, ...]:
    return curve.times if isinstance(curve, Draws) else tuple(curve)
