"""Pictures of the connections of a network: weights as matrices, and layers as a graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import MaxNLocator

from spiker_train.network.layers import Connection
from spiker_train.network.network import SpikingNetwork, check_network
from spiker_train.network.time import Duration, in_whole_units

from .style import COLOURS, FAINT, INK, blank, plain

__all__ = ["draw_connectivity", "draw_graph"]


POINTS = 140
"""About how many points are from one column of a graph to the next."""

ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73)
"""Places of a label along its arrow, as shares of it, in the order in which they are tried."""


@dataclass(frozen=True)
class _Arc:
    """An arrow as the curve that it follows, and the text that stands on it.

    Members
    -------
    points : array of float, shape (points, 2)
        Along the curve, evenly from its source (0) to its target (1).
    text : str
    """

    points: np.ndarray
    text: str

    def at(self, share: float) -> np.ndarray:
        """Return the point at a share of the curve."""
        return self.points[round(share * (len(self.points) - 1))]

    @property
    def half(self) -> np.ndarray:
        """About half of the label's width and height."""
        lines = self.text.split("\n")
        return np.array([2.1 * max(map(len, lines)) + 4, 4.4 * len(lines) + 3]) / POINTS


def draw_connectivity(
    net: SpikingNetwork, names: Sequence[str] | None = None, *, title: str = ""
) -> Figure:
    """Draw the weights of connections as matrices, red where positive and blue where negative.

    Rows are targets and columns sources; synapses that do not exist are grey. Colours have the
    same scale in all panels.

    Parameters
    ----------
    net : SpikingNetwork
    names : sequence of str, optional
        Names of connections; all where none are given.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such connection, or none at all.
    """
    check_network(net)
    connections = {connection.name: connection for connection in net.connections}
    names = list(connections) if names is None else list(names)
    for name in names:
        if name not in connections:
            raise ValueError(f"Connection must be one of {sorted(connections)}, not {name!r}")
    if not names:
        raise ValueError("Network must have a connection to draw, not none")
    matrices = {name: connections[name].matrix(np.nan) for name in names}
    limit = max(float(np.nanmax(np.abs(matrix), initial=0)) for matrix in matrices.values()) or 1.0
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = blank(3.2 * columns + 0.9, 3.0 * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    image = None
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=False):
        axis.set_facecolor("#d9dce1")
        image = axis.imshow(
            matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
        )
        count = int(np.isfinite(matrix).sum())
        plain(axis, f"{name}\n{count} synapses", "source", "target")
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    for axis in axes[len(names) :]:
        axis.remove()
    if image is not None:
        bar = figure.colorbar(image, ax=axes[: len(names)].tolist(), shrink=0.8)
        bar.set_label("weight (arbitrary unit)", fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    figure.suptitle(title, color=INK, fontsize=12)
    return figure


def draw_graph(net: SpikingNetwork, *, title: str = "") -> Figure:
    """Draw inputs and layers as nodes, and connections as arrows with their delay and dynamics.

    Layers stand from left to right in the order in which they are updated; a connection with a
    delay is dashed, and one to the same or an earlier layer runs below. One that reaches a receptor
    other than the first has the receptor's number.

    Parameters
    ----------
    net : SpikingNetwork
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    check_network(net)
    place = _places(net)
    width = 1 + max(x for x, _ in place.values())
    heights = [y for _, y in place.values()]
    figure = blank(1.0, 1.0)
    axis = figure.subplots()
    readouts = {readout.population: readout.kind for readout in net.readouts}
    half: dict[str, tuple[float, float]] = {}
    for declared in net.inputs:
        text = f"{declared.name}\n{declared.size} channels"
        half[declared.name] = _node(axis, place[declared.name], text, COLOURS[2])
    for layer in net.layers:
        text = f"{layer.name}\n{layer.size} {layer.cell.kind.__name__}"
        if layer.name in readouts:
            text += f"\nread: {readouts[layer.name]}"
        half[layer.name] = _node(axis, place[layer.name], text, COLOURS[0])
    drawn: dict[tuple[str, str], int] = {}
    arcs = []
    for connection in net.connections:
        ends = connection.source, connection.target
        drawn[ends] = drawn.get(ends, -1) + 1
        arcs.append(_arrow(axis, place, half, connection, drawn[ends]))
    nodes = [(np.array(place[name]), np.array(size) / POINTS) for name, size in half.items()]
    _labels(axis, arcs, nodes)
    heights += [float(y) for arc in arcs for y in arc.points[:, 1]]
    low, high = min(heights) - 0.25, max(heights) + 0.25
    axis.set(xlim=(-0.45, width - 0.55), ylim=(low, high), aspect="equal")
    figure.set_size_inches(2.3 * (width - 0.1), 2.3 * (high - low) + 0.4)
    axis.axis("off")
    axis.set_title(title or net.name, color=INK, fontsize=12)
    return figure


def _places(net: SpikingNetwork) -> dict[str, tuple[float, float]]:
    """Return where inputs and layers stand: a column for each length of path without delay."""
    column = {declared.name: 0 for declared in net.inputs}
    for name in net.graph.order:
        before = [
            column[connection.source]
            for connection in net.connections
            if connection.target == name and connection.source in column
        ]
        column[name] = 1 + max(before, default=0)
    rows: dict[int, int] = {}
    place = {}
    for name, x in column.items():
        place[name] = (float(x), -0.7 * rows.get(x, 0))
        rows[x] = rows.get(x, 0) + 1
    return place


def _node(axis: Axes, at: tuple[float, float], text: str, colour: str) -> tuple[float, float]:
    """Draw a node, and return about half of its width and height, in points."""
    axis.text(
        *at, text, ha="center", va="center", fontsize=9, color=INK, zorder=3,
        bbox={"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": colour},
    )  # fmt: skip
    lines = text.split("\n")
    return 2.7 * max(map(len, lines)) + 6, 5.4 * len(lines) + 6


def _shrink(half: tuple[float, float], x: float, y: float) -> float:
    """Return how many points from its middle a line leaves a node in a direction."""
    length = max(np.hypot(x, y), 1e-9)
    return min(size * length / max(abs(way), 1e-9) for size, way in zip(half, (x, y), strict=True))


def _arrow(
    axis: Axes,
    place: dict[str, tuple[float, float]],
    half: dict[str, tuple[float, float]],
    connection: Connection,
    number: int,
) -> _Arc:
    """Draw a connection, the ``number``-th of its ends; return the curve that it follows."""
    (x0, y0), (x1, y1) = place[connection.source], place[connection.target]
    options: dict[str, Any] = {
        "arrowstyle": "-|>", "mutation_scale": 11, "color": FAINT, "zorder": 1,
        "linestyle": "--" if connection.late else "-", "shrinkA": 0, "shrinkB": 0,
    }  # fmt: skip
    if connection.source == connection.target:
        below = y0 - half[connection.source][1] / POINTS - 0.02
        out = 0.1 + 0.06 * number
        ends = (x0 + out, below), (x0 - out, below)
        rise = -0.26 - 0.16 * number
    else:
        ends = (x0, y0), (x1, y1)
        # Straight to the next column; above what stands between, and below on the way back.
        rise = 0.14 * number
        if x1 <= x0:
            rise = -0.3 - 0.1 * (x0 - x1) - rise
        elif x1 - x0 > 1:
            rise += 0.3 + 0.06 * (x1 - x0)
    (x0, y0), (x1, y1) = ends
    # An arc whose control point is off the chord by its length times ``bend``: its middle by half.
    length = max(np.hypot(x1 - x0, y1 - y0), 1e-9)
    bend = 2 * rise / length * (1 if x1 < x0 else -1)
    options["connectionstyle"] = f"arc3,rad={bend}"
    control = (x0 + x1) / 2 + bend * (y1 - y0), (y0 + y1) / 2 - bend * (x1 - x0)
    if connection.source != connection.target:
        for name, end, key in (
            (connection.source, ends[0], "shrinkA"),
            (connection.target, ends[1], "shrinkB"),
        ):
            options[key] = _shrink(half[name], control[0] - end[0], control[1] - end[1])
    axis.add_patch(FancyArrowPatch(*ends, **options))
    # The quadratic Bezier curve that Matplotlib draws for ``arc3``.
    t = np.linspace(0, 1, 101)[:, None]
    points = (1 - t) ** 2 * np.array(ends[0]) + 2 * t * (1 - t) * np.array(control)
    return _Arc(points + t**2 * np.array(ends[1]), _about(connection))


def _labels(axis: Axes, arcs: list[_Arc], nodes: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Write the label of each arrow where it covers no node, label or other arrow if possible."""
    taken = list(nodes)
    for arc in arcs:
        others = np.concatenate([np.zeros((0, 2)), *(o.points for o in arcs if o is not arc)])
        covered = [_covered(arc.at(share), arc.half, taken, others) for share in ALONG]
        at = arc.at(ALONG[covered.index(min(covered))])
        taken.append((at, arc.half))
        axis.text(
            at[0], at[1], arc.text, ha="center", va="center", fontsize=7, color=INK, zorder=2,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip


def _covered(
    at: np.ndarray,
    half: np.ndarray,
    boxes: list[tuple[np.ndarray, np.ndarray]],
    points: np.ndarray,
) -> tuple[int, int]:
    """Return how many boxes, and then points of arrows, a label at a place covers."""
    met = [bool((np.abs(at - middle) < half + size).all()) for middle, size in boxes]
    return sum(met), int((np.abs(points - at) < half).all(axis=1).sum())


def _about(connection: Connection) -> str:
    kind = connection.kind.replace("_", " ")
    lines = [kind]
    if connection.dynamics is not None:
        lines.append(type(connection.dynamics).__name__)
    if connection.receptor:
        lines.append(f"receptor {connection.receptor}")
    if isinstance(connection.delay, Duration):
        delay = connection.delay.picoseconds
        lines += [in_whole_units(int(delay))] if np.ndim(delay) == 0 and delay else []
    elif connection.delay:
        lines.append(f"{connection.delay} step" + "s" * (connection.delay > 1))
    return "\n".join(lines)
