"""Picture of a sweep: what it costs to be fast and right, with published accelerators beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

__all__ = ["PEERS", "Peer", "draw"]

INK = "#1a1a2e"
FAINT = "#8d99ae"
PEER = "#d62246"
COLOURS = ("#2a9d8f", "#457b9d", "#e9a03b", "#7b5ea7", "#5c8001", "#b56576", "#118ab2", "#3d405b")
MARKS = ("v", "s", "o", "D", "^", "P", "X", "h")
FLEXI = "Flexi-NeurA\n256-128-10"  # of other inputs
MHZ = 100  # at which times are told in cycles


@dataclass(frozen=True)
class Peer:
    """A published accelerator of MNIST: what is not known is None; blocks are of 18 kbit."""

    name: str
    cycles: float | None
    luts: int | None
    block_rams: float | None
    accuracy: float | None
    measured: bool = False


PEERS = (
    Peer("Spiker, measured", 91_779, 7_387, 29, 0.9385, measured=True),
    Peer("Spiker+", 78_000, 7_612, 36, 0.9385),
    Peer("SpikeExplorer", 120 * MHZ, None, None, 0.958),
    Peer(FLEXI, 1_100 * MHZ, 1_623, 14, 0.972),
    Peer("im-afan", 520 * MHZ, 6_358, 81, None),
    Peer("Lee", 11, None, None, 0.874),
)
"""From their publications; a block of 36 kbit counts twice, and a time is told at 100 MHz."""

PLACES = {
    "Spiker, measured": (0, 10),
    "Spiker+": (-9, -4),
    "SpikeExplorer": (0, 9),
    FLEXI: (0, -27),
}
"""Where names stand that are not below, in points: both Spikers lie side by side."""

TITLES = {
    "cycles": "mean latency, clock cycles",
    "all_luts": "LUT, with those used as memory (xc7)",
    "block_rams": "block RAM of 18 kbit",
    "error": "test error, %",
}


def draw(points: Sequence[dict]) -> Figure:
    """Draw the points of a sweep, each pair of costs with its Pareto front.

    Parameters
    ----------
    points : sequence of dict
        Each with lanes, banks, weights, accuracy, cycles, all_luts and block_rams.
    """
    rows = [{**point, "error": 100 * (1 - point["accuracy"])} for point in points]
    figure = Figure(figsize=(14.0, 5.4), layout="constrained")
    axes = figure.subplots(1, 3)
    colours = _assign([row["lanes"] for row in rows], COLOURS)
    marks = _assign([row["weights"] for row in rows], MARKS)
    for axis, (x, y) in zip(
        axes, (("cycles", "all_luts"), ("cycles", "error"), ("block_rams", "error")), strict=True
    ):
        for row in rows:
            axis.scatter(
                row[x],
                row[y],
                s=20 + 14 * min(row["banks"], 8),
                marker=marks[row["weights"]],
                color=colours[row["lanes"]],
                alpha=0.8,
                linewidths=0,
                zorder=3,
            )
        front = _front([(row[x], row[y]) for row in rows])
        axis.step(
            *zip(*front, strict=True), where="post", color=INK, linewidth=0.9, alpha=0.6, zorder=2
        )
        _peers(axis, x, y)
        _frame(axis, x, y)
    keys = [
        *(_key("o", colours[n], f"{n} lanes") for n in colours),
        *(
            _key(marks[n], FAINT, f"{n}-bit weights".replace("ternary-bit", "ternary"))
            for n in marks
        ),
        Line2D([], [], color=INK, linewidth=0.9, alpha=0.6, label="best of the pair"),
        _key("*", PEER, f"others, their times at {MHZ} MHz"),
    ]
    figure.legend(
        handles=keys, loc="outside lower center", ncols=min(len(keys), 9), fontsize=9, frameon=False
    )
    figure.suptitle(
        "MNIST 784-128-10: what speed and accuracy cost, beside published accelerators",
        fontsize=13,
        color=INK,
    )
    return figure


def _assign(values: Sequence, choices: Sequence[str]) -> dict:
    known = sorted(set(values), key=lambda value: (isinstance(value, int), value))
    return {value: choices[n % len(choices)] for n, value in enumerate(known)}


def _key(mark: str, colour: str, label: str) -> Line2D:
    return Line2D([], [], marker=mark, color=colour, linestyle="", label=label)


def _front(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the pairs that no other beats, from left to right."""
    front: list[tuple[float, float]] = []
    for pair in sorted(pairs):
        if not front or pair[1] < front[-1][1]:
            front.append(pair)
    return front


def _peers(axis: Axes, x: str, y: str) -> None:
    for peer in PEERS:
        known = {
            "cycles": peer.cycles,
            "all_luts": peer.luts,
            "block_rams": peer.block_rams,
            "error": None if peer.accuracy is None else 100 * (1 - peer.accuracy),
        }
        if known[x] is None or known[y] is None:
            continue
        axis.scatter(
            known[x],
            known[y],
            s=150 if peer.measured else 90,
            marker="*",
            color=PEER if peer.measured else "none",
            edgecolors=PEER,
            linewidths=1.0,
            zorder=4,
        )
        axis.annotate(
            peer.name,
            (known[x], known[y]),
            xytext=PLACES.get(peer.name, (0, -16)),
            textcoords="offset points",
            ha="right" if peer.name == "Spiker+" else "center",
            fontsize=8.5,
            color=PEER,
        )


def _frame(axis: Axes, x: str, y: str) -> None:
    for name, side, set_scale in (
        (x, axis.xaxis, axis.set_xscale),
        (y, axis.yaxis, axis.set_yscale),
    ):
        if name == "block_rams":
            side.set_major_locator(MaxNLocator(8, integer=True))
        else:
            set_scale("log")
            wide = max(side.get_data_interval()) > 30 * min(side.get_data_interval())
            side.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 3.0, 5.0, 7.0)))
            side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
            side.set_minor_formatter(NullFormatter())
    axis.set_xlabel(TITLES[x], fontsize=10, color=INK)
    axis.set_ylabel(TITLES[y], fontsize=10, color=INK)
    axis.margins(0.12)
    axis.grid(color=FAINT, alpha=0.2, linewidth=0.6)
    axis.tick_params(labelsize=9, color=FAINT, labelcolor=INK)
    for edge in ("top", "right"):
        axis.spines[edge].set_visible(False)
