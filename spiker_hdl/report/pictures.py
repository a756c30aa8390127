"""Pictures of a sample on its way through a network, and of the cycles of many samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from spiker_hdl.base.checks import check_int, check_kind
from spiker_hdl.model import Input, Network, Population, Result, stimulus

__all__ = ["draw_activity", "draw_cycles", "recorded_names"]

INK = "#1a1a2e"
FAINT = "#8d99ae"
SPIKE = "#d62246"
RIGHT = "#2a9d8f"
WRONG = "#e76f51"


def recorded_names(network: Network) -> tuple[str, ...]:
    """Return the names that a run must record for :func:`draw_activity`."""
    names = []
    for population in network.populations:
        neuron = population.neuron
        names += [population.name] if neuron.emits else []
        names += [f"{population.name}.{neuron.potential}"] if _has_potential(population) else []
    return tuple(names)


def draw_activity(
    network: Network,
    spikes: Any,
    result: Result,
    sample: int = 0,
    *,
    label: int | None = None,
    title: str = "",
) -> Figure:
    """Draw the spikes and potentials of one sample, step by step.

    Each input and population has a panel with a row for each neuron and a column for each step:
    dots are spikes, or outputs, as large as their values, and colours are potentials. The panel at
    the right has the scores of the first readout.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        The samples of the run.
    result : Result
        Result of the run, by any engine, with ``record=recorded_names(network)``.
    sample : int
        Number of the sample to draw.
    label : int, optional
        The right class.
    title : str
        Title above the panels.

    Returns
    -------
    matplotlib.figure.Figure
        A figure outside pyplot; save it with ``savefig``.

    Raises
    ------
    ValueError
        If a population was not recorded, or there is no such sample.
    """
    check_kind("Network", network, Network)
    stimuli = stimulus(network, spikes)
    sample = check_int("Sample", sample, 0, len(stimuli) - 1)
    for name in recorded_names(network):
        if name not in result.spikes:
            raise ValueError(f"Result must have recorded {name!r}, not {sorted(result.spikes)}")
    events = {name: np.asarray(values) for name, values in stimuli.sample(sample).items()}
    images = [node for node in network.inputs if _is_image(node)]
    nodes = [*network.inputs, *(network.population[name] for name in network.order)]
    steps = len(next(iter(events.values())))
    widths = [1.5] * len(images) + [1.0 + min(steps, 60) * 0.09] * len(nodes) + [1.2]
    figure = Figure(
        figsize=(2.0 + 1.55 * sum(widths), 5.0), layout=ConstrainedLayoutEngine(w_pad=0.08)
    )
    axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    for axis, node in zip(axes, images, strict=False):
        _draw_image(axis, node, events[node.name])
    for axis, node in zip(axes[len(images) :], nodes, strict=False):
        if isinstance(node, Input):
            _draw_events(axis, node, events[node.name])
        else:
            _draw_population(figure, axis, node, result, sample, steps)
    winner = int(result.classes[sample])
    _draw_scores(axes[-1], network, np.asarray(result.scores[sample]), winner, label)
    verdict = "" if label is None else f", which is {'right' if label == winner else 'wrong'}"
    figure.suptitle(f"{title or network.name}: answer {winner}{verdict}", color=INK, fontsize=13)
    return figure


def draw_cycles(network: Network, spikes: Any, result: Result, *, title: str = "") -> Figure:
    """Draw the clock cycles of each sample over its events: input events and spikes.

    Parameters
    ----------
    network : Network
    spikes : array of int, list of arrays, or a mapping from input names to such
        The samples of the run.
    result : Result
        Result of the run, by an engine that counts cycles.
    title : str
        Title above the axes.

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
    stimuli = stimulus(network, spikes)
    events = np.array([
        sum(int(np.count_nonzero(values[n])) for values in stimuli.values.values())
        for n in range(len(stimuli))
    ])
    events = events + sum(np.asarray(counts) for counts in result.counts.values())
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


# -- panels ----------------------------------------------------------------------------------------


def _has_potential(population: Population) -> bool:
    return population.neuron.potential in population.neuron.states


def _is_image(node: Input) -> bool:
    return isinstance(node.shape, tuple) and len(node.shape) == 2


def _plain(axis: Axes, title: str) -> None:
    axis.set_title(title, fontsize=10, color=INK, loc="left")
    axis.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    for side in axis.spines.values():
        side.set_color(FAINT)


def _draw_image(axis: Axes, node: Input, events: np.ndarray) -> None:
    axis.imshow(np.abs(events).sum(0).reshape(node.shape), cmap="Greys", interpolation="nearest")
    _plain(axis, f"{node.name}, summed")
    axis.set_xticks([])
    axis.set_yticks([])


def _draw_events(axis: Axes, node: Input, events: np.ndarray) -> None:
    steps, size = events.shape
    at, channel = np.nonzero(events)
    values = np.abs(events[at, channel]) / max(-node.low, node.high)
    axis.scatter(at + 1, channel, s=_dot(size) * values, color=INK, linewidths=0)
    _plain(axis, f"{node.name}: {len(at)} events")
    _frame(axis, steps, size)
    axis.set_ylabel("channel", fontsize=9, color=INK)


def _draw_population(
    figure: Figure, axis: Axes, node: Population, result: Result, sample: int, steps: int
) -> None:
    if _has_potential(node):
        potential = np.asarray(result.spikes[f"{node.name}.{node.neuron.potential}"][sample])
        greatest, usual = np.abs(potential).max(), np.percentile(np.abs(potential), 90)
        # A few extreme potentials would make all others pale.
        reach = max(1.0, float(min(greatest, 2 * usual)))
        image = axis.imshow(
            potential.T,
            cmap=colormaps["PuOr"],
            norm=TwoSlopeNorm(0, -reach, reach),
            aspect="auto",
            interpolation="nearest",
            extent=(0.5, steps + 0.5, node.size - 0.5, -0.5),
        )
        ends = "both" if greatest > reach else "neither"
        bar = figure.colorbar(image, ax=axis, pad=0.03, aspect=40, extend=ends)
        bar.set_label("potential after the step", fontsize=8, color=INK)
        bar.ax.tick_params(labelsize=7, color=FAINT)
        bar.outline.set_visible(False)
    if node.neuron.emits:
        events = np.asarray(result.spikes[node.name][sample])
        at, neuron = np.nonzero(events)
        # Dots are as large as the values, which are 1 for spikes.
        sizes = _dot(node.size) * np.abs(events[at, neuron]) / max(-node.low, node.high)
        axis.scatter(at + 1, neuron, s=sizes, color=SPIKE, linewidths=0, zorder=3)
        _plain(axis, f"{node.name}: {len(at)} {'spikes' if node.neuron.spiking else 'outputs'}")
    else:
        _plain(axis, f"{node.name}: never fires")
    _frame(axis, steps, node.size)
    axis.set_ylabel("neuron", fontsize=9, color=INK)


def _draw_scores(
    axis: Axes, network: Network, scores: np.ndarray, winner: int, label: int | None
) -> None:
    good = RIGHT if label in {None, winner} else WRONG
    colours = [good if n == winner else FAINT for n in range(len(scores))]
    axis.barh(np.arange(len(scores)), scores, color=colours, height=0.7)
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.set_ylim(len(scores) - 0.5, -0.5)
    axis.set_yticks(_ticks(len(scores)))
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    _plain(axis, "scores")
    first = network.readout
    groups = f" in {first.groups} groups" if first.groups else ""
    axis.set_xlabel(f"{first.kind} of {first.population}{groups}", fontsize=9)
    axis.set_ylabel("class", fontsize=9, color=INK)


def _frame(axis: Axes, steps: int, size: int) -> None:
    axis.set_xlim(0.5, steps + 0.5)
    axis.set_ylim(size - 0.5, -0.5)
    axis.xaxis.set_major_locator(MaxNLocator(min(steps, 8), integer=True))
    axis.set_yticks(_ticks(size))
    axis.set_xlabel("step", fontsize=9, color=INK)


def _ticks(size: int) -> Sequence[int]:
    if size <= 12:
        return range(size)
    return range(0, size, 10 ** (len(str(size)) - 1) // 2 or 1)


def _dot(size: int) -> float:
    return float(np.clip(2200 / size, 3, 60))
