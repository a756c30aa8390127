"""Pictures of a run: spikes of all neurons, and states and currents over time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.base.conversions import number_array
from spiker_train.network.runs.run import Outcome

from .style import COLOURS, INK, blank, plain

__all__ = ["draw_raster", "draw_traces"]

MOST_LINES = 12
"""Neurons whose traces are drawn where none are chosen."""


def draw_raster(
    outcome: Outcome,
    sample: int = 0,
    *,
    layers: Sequence[str] | None = None,
    inputs: Mapping[str, Any] | None = None,
    title: str = "",
) -> Figure:
    """Draw the spikes of a sample: a row for each neuron, a dot for each spike.

    A spike stands at the time at which its step begins, whose ticks have
    their unit; without seconds, at the number of its step, counted from 0.

    Parameters
    ----------
    outcome : Outcome
    sample : int
    layers : sequence of str, optional
        Layers that are drawn, from top to bottom; all spiking layers where none are given.
    inputs : mapping of str to array, each of shape (samples, steps, size), optional
        Events of inputs, which are drawn above the layers.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        A figure outside pyplot; save it with ``savefig``.

    Raises
    ------
    ValueError
        If there is no such sample or spiking layer, or the events do not suit the run.
    """
    check_kind("Outcome", outcome, Outcome)
    sample = check_int("Sample", sample, 0, len(outcome.scores) - 1)
    names = list(outcome.spikes) if layers is None else list(layers)
    for name in names:
        if name not in outcome.spikes:
            raise ValueError(f"Layer must be one of {sorted(outcome.spikes)}, not {name!r}")
    trains = {name: _array(outcome.spikes[name], sample) for name in names}
    steps = len(next(iter(trains.values()))) if trains else None
    for name, events in reversed([*(inputs or {}).items()]):
        train = _events(name, events, sample, len(outcome.scores), steps)
        trains, steps = {name: train} | trains, len(train)
    if not trains:
        raise ValueError("Raster must have at least one spiking layer or input, not none")
    sizes = [train.shape[1] for train in trains.values()]
    heights = [0.5 + min(size, 80) / 40 for size in sizes]
    figure = blank(7.0, 1.0 + 1.1 * sum(heights))
    axes = figure.subplots(len(trains), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    times, label = _times(outcome.times, steps or 0, 0)
    for axis, (name, train), size in zip(axes, trains.items(), sizes, strict=True):
        at, neuron = np.nonzero(train)
        marker = max(1.0, min(5.0, 160 / max(size, 1)))
        axis.scatter(times[at], neuron, s=marker**2 / 2, color=INK, linewidths=0)
        axis.set_ylim(size - 0.5, -0.5)
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        plain(
            axis, f"{name}: {len(at)} events", y="neuron" if name in outcome.spikes else "channel"
        )
    span = _span(outcome, times)
    axes[-1].set_xlim(*span)
    _seconds(axes[-1], outcome)
    axes[-1].set_xlabel(label, fontsize=9, color=INK)
    figure.suptitle(title, color=INK, fontsize=12)
    return figure


def draw_traces(
    outcome: Outcome,
    names: Sequence[str] | None = None,
    sample: int = 0,
    *,
    neurons: Sequence[int] | None = None,
    thresholds: Mapping[str, float] | None = None,
    unit: str = "arbitrary unit",
    title: str = "",
) -> Figure:
    """Draw recorded states and currents of a sample over time, a panel for each.

    A state stands at the end of its step, and a current is drawn as a stair over its step, which
    shows where a plan changes the length of steps. Without seconds, step ``n`` ends at ``n + 1``.

    Parameters
    ----------
    outcome : Outcome
        Of a run with ``record``.
    names : sequence of str, optional
        Of what is recorded, such as ``"hidden.v"``; all of it where none are given.
    sample : int
    neurons : sequence of int, optional
        Neurons that are drawn; the first 12 where none are given. Of a state per pair of neurons,
        these are targets, and the sum over their sources is drawn.
    thresholds : mapping of str to float, optional
        By recorded name, a level that is drawn as a dashed line.
    unit : str
        Unit of the values, which the network leaves to its user.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such sample, neuron or record.
    """
    check_kind("Outcome", outcome, Outcome)
    sample = check_int("Sample", sample, 0, len(outcome.scores) - 1)
    names = list(outcome.states) if names is None else list(names)
    if not names:
        raise ValueError("Outcome must have recorded states, such as net(x, record=['out.v'])")
    for name in names:
        if name not in outcome.states:
            raise ValueError(f"Trace must be one of {sorted(outcome.states)}, not {name!r}")
    figure = blank(7.0, 0.8 + 1.7 * len(names))
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    label = ""
    for axis, name in zip(axes, names, strict=True):
        values = _array(outcome.states[name], sample)
        values = values.sum(-1) if values.ndim == 3 else values
        steps, size = values.shape
        rows = range(min(size, MOST_LINES)) if neurons is None else neurons
        rows = [check_int(f"Neuron of {name!r}", row, 0, size - 1) for row in rows]
        current = name.endswith(".current")
        ends, label = _times(outcome.ends, steps, 1)
        begins, _ = _times(outcome.times, steps, 0)
        for n, row in enumerate(rows):
            options: dict[str, Any] = {
                "color": COLOURS[n % len(COLOURS)],
                "linewidth": 1.0,
                "label": str(row),
            }
            if current:
                axis.stairs(values[:, row], [*begins, ends[-1]], baseline=None, **options)
            else:
                axis.plot(ends, values[:, row], ".-" if steps < 80 else "-", ms=3, **options)
        if thresholds and name in thresholds:
            axis.axhline(thresholds[name], color=INK, linewidth=0.8, linestyle="--")
        counted = name.endswith(".countdown") and outcome.ends is not None
        plain(axis, name, y="s" if counted else unit)
        axis.set_xlim(begins[0], ends[-1])
        if 1 < len(rows) <= MOST_LINES:
            axis.legend(
                title="neuron", fontsize=7, title_fontsize=7, frameon=False,
                loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=1 + (len(rows) > 6),
            )  # fmt: skip
    _seconds(axes[-1], outcome)
    axes[-1].set_xlabel(label, fontsize=9, color=INK)
    figure.suptitle(title, color=INK, fontsize=12)
    return figure


def _array(values: torch.Tensor, sample: int) -> np.ndarray:
    return values[sample].detach().cpu().numpy()


def _events(name: str, events: Any, sample: int, samples: int, steps: int | None) -> np.ndarray:
    """Return the events of an input in a sample."""
    if isinstance(events, torch.Tensor):
        events = events.detach().cpu()
    values = number_array(f"Events of {name!r}", events)
    if values.ndim != 3 or len(values) != samples or values.shape[1] != (steps or values.shape[1]):
        raise ValueError(
            f"Events of {name!r} must have the shape ({samples}, {steps or 'steps'}, size), not "
            f"{values.shape}"
        )
    return values[sample]


def _times(seconds: np.ndarray | None, steps: int, first: int) -> tuple[np.ndarray, str]:
    """Return where the steps stand on the axis of time, and its label."""
    return (np.arange(steps) + first, "step") if seconds is None else (seconds, "time")


def _span(outcome: Outcome, times: np.ndarray) -> tuple[float, float]:
    if outcome.ends is None:
        return -0.5, len(times) - 0.5
    margin = 0.01 * float(outcome.ends[-1] - times[0])
    return float(times[0]) - margin, float(outcome.ends[-1])


def _seconds(axis: Any, outcome: Outcome) -> None:
    """Let an axis of seconds have ticks such as ``5 ms``, and one of steps whole numbers."""
    if outcome.times is None:
        axis.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    else:
        axis.xaxis.set_major_formatter(EngFormatter(unit="s"))
