"""Pictures of distributions of weights over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from spiker_hdl.base.checks import check_kind

from .style import COLOURS, INK, blank, plain
from .weight_history import WeightHistory

__all__ = ["draw_weights"]

BANDS = ((0.0, 1.0, 0.12), (0.05, 0.95, 0.2), (0.25, 0.75, 0.3))
"""Quantiles between which a band is drawn, with its opacity."""


def draw_weights(
    history: WeightHistory, names: Sequence[str] | None = None, *, title: str = ""
) -> Figure:
    """Draw distributions of weights over time: quantiles at the left, first and last at the right.

    The bands hold all weights, 90 % of them, and half of them; the line is their median. The axis
    of time is logarithmic where all times are positive and the last is 100 times the first.

    Parameters
    ----------
    history : WeightHistory
    names : sequence of str, optional
        Names of connections; all that have a synapse where none are given.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such connection, or no time.
    """
    check_kind("History", history, WeightHistory)
    present = [name for name, rows in history.weights.items() if all(len(row) for row in rows)]
    names = present if names is None else list(names)
    for name in names:
        if name not in present:
            raise ValueError(f"Connection must be one with synapses, of {present}, not {name!r}")
    if not names or not history.times:
        raise ValueError("History must have weights of at least one time, not none")
    figure = blank(8.0, 2.4 * len(names) + 0.4)
    axes = figure.subplots(len(names), 2, squeeze=False, width_ratios=(2, 1))
    times = np.array(history.times)
    for (over_time, histogram), name in zip(axes, names, strict=True):
        rows = history.weights[name]
        for low, high, opacity in BANDS:
            band = np.array([np.quantile(row, (low, high)) for row in rows])
            over_time.fill_between(times, *band.T, alpha=opacity, color=COLOURS[0], linewidth=0)
        medians = [np.median(row) for row in rows]
        over_time.plot(times, medians, ".-", color=COLOURS[0], ms=4, linewidth=1)
        if times[0] > 0 and times[-1] >= 100 * times[0]:
            over_time.set_xscale("log")
        plain(over_time, name, history.label, "weight (arbitrary unit)")
        bins = np.linspace(min(row.min() for row in rows), max(row.max() for row in rows), 41)
        for row, time, colour in (
            (rows[0], times[0], COLOURS[5]),
            (rows[-1], times[-1], COLOURS[1]),
        ):
            histogram.hist(
                row, bins, histtype="step", color=colour, linewidth=1.2, label=f"{time:g}"
            )
        plain(histogram, "first and last", "weight (arbitrary unit)", "synapses")
        histogram.set_ylim(0, 1.45 * histogram.get_ylim()[1])  # leaves a place for the legend
        histogram.legend(
            title=history.label, fontsize=7, title_fontsize=7, frameon=False, loc="upper left"
        )
    figure.suptitle(title, color=INK, fontsize=12)
    return figure
