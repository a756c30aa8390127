"""A picture of what samples cost."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spiker_hdl.model import Network, Result, stimulus

from .activity_picture import FAINT, INK, RIGHT

__all__ = ["draw_cycles"]


def draw_cycles(network: Network, spikes: Any, result: Result, *, title: str = "") -> Figure:
    """Draw the clock cycles of each sample over its events: input events and spikes.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        What was run.
    result : Result
        By an engine that knows cycles.
    title : str
        What is written above.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the engine did not count cycles.
    """
    if result.cycles is None:
        raise ValueError(f"Result must have cycles, which {result.engine!r} does not count")
    given = stimulus(network, spikes)
    events = np.array([
        sum(int(np.count_nonzero(each[n])) for each in given.values.values())
        for n in range(len(given))
    ])
    events = events + sum(np.asarray(one) for one in result.counts.values())
    cycles = np.asarray(result.cycles)
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axis = figure.subplots()
    axis.scatter(events, cycles, s=18, color=RIGHT, alpha=0.75, linewidths=0)
    axis.axhline(cycles.mean(), color=INK, linewidth=0.8, linestyle="--")
    axis.annotate(
        f"mean {cycles.mean():.1f}",
        (0, cycles.mean()),
        xycoords=("axes fraction", "data"),
        xytext=(6, 4),
        textcoords="offset points",
        fontsize=9,
        color=INK,
    )
    axis.set_ylim(0, cycles.max() * 1.08)
    axis.set_xlim(0, events.max() * 1.05)
    axis.set_xlabel("events of the sample: input and spikes", fontsize=9, color=INK)
    axis.set_ylabel("clock cycles to the result", fontsize=9, color=INK)
    axis.set_title(title or f"{network.name}: {len(cycles)} samples", fontsize=11, color=INK)
    axis.tick_params(labelsize=8, color=FAINT)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure
