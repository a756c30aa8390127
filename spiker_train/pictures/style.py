"""What all pictures of emulation look like: a light background, thin axes, and few colours."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLOURS", "FAINT", "INK", "blank", "plain"]

INK = "#1a1a2e"
FAINT = "#8d99ae"
COLOURS = ("#1d5fa8", "#d62246", "#2a9d8f", "#e08e2b", "#6a4c93", "#6b7280")


def blank(width: float, height: float) -> Figure:
    """Return an empty figure outside pyplot, in inches."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def plain(axis: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Give axes their title and labels, and take away what is no help."""
    axis.set_title(title, fontsize=10, color=INK, loc="left")
    axis.set_xlabel(x, fontsize=9, color=INK)
    axis.set_ylabel(y, fontsize=9, color=INK)
    axis.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(FAINT)
