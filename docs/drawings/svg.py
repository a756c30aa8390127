"""A small writer of SVG, in the colours of the page that shows it."""

from html import escape

__all__ = ["CHARACTER", "STYLE", "Drawing", "text_width"]

CHARACTER = 6.6
"""Width of a character of the font, in pixels at its size of 11."""

STYLE = """\
svg.drawing { color: var(--color-foreground-primary, #1b1b1b); max-width: none; }
svg.drawing text { fill: currentColor;
  font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
svg.drawing .title { font-weight: bold; }
svg.drawing .small { font-size: 9.5px; opacity: 0.75; }
svg.drawing .box { fill: var(--color-background-secondary, #f4f5f7); stroke: currentColor; }
svg.drawing .room { fill: var(--color-background-primary, #fff); stroke: currentColor;
  stroke-opacity: 0.35; }
svg.drawing .frame { fill: none; stroke: currentColor; stroke-opacity: 0.5; }
svg.drawing .line { fill: none; stroke: currentColor; stroke-width: 1.2; }
svg.drawing .stream { fill: none; stroke: var(--color-brand-primary, #0a4bff); stroke-width: 2; }
svg.drawing .logic { fill: none; stroke: currentColor; stroke-opacity: 0.45;
  stroke-dasharray: 3 3; }
svg.drawing .grid { fill: none; stroke: currentColor; stroke-opacity: 0.15; }
svg.drawing .wave { fill: none; stroke: var(--color-brand-primary, #0a4bff); stroke-width: 1.5; }
svg.drawing .value { fill: var(--color-background-secondary, #f4f5f7);
  stroke: var(--color-brand-primary, #0a4bff); stroke-width: 1.2; }
svg.drawing .unknown { fill: currentColor; fill-opacity: 0.12; stroke: none; }
svg.drawing .transfer { fill: var(--color-brand-primary, #0a4bff); fill-opacity: 0.16; }
svg.drawing .head { fill: currentColor; }
svg.drawing .stream-head { fill: var(--color-brand-primary, #0a4bff); }
"""
"""Colours are those of the theme of the page."""

ALONE = """\
@media (prefers-color-scheme: dark) {
  svg.drawing { --color-foreground-primary: #e6edf3; --color-background-primary: #0d1117;
    --color-background-secondary: #21262d; --color-brand-primary: #58a6ff; }
}
"""
"""Colours of a file that stands alone where the reader prefers dark ones."""


def text_width(text: str) -> float:
    """Return the width of ``text``, in pixels."""
    return CHARACTER * len(text)


class Drawing:
    """A picture that grows with what is drawn.

    Parameters
    ----------
    title : str
        What it shows, for those who cannot see it.
    margin : float
        Space around what is drawn.
    """

    def __init__(self, title: str, margin: float = 10):
        self.title = title
        self.margin = margin
        self.width = self.height = 0.0
        self.parts: list[str] = []

    def _grow(self, x: float, y: float) -> None:
        self.width = max(self.width, x)
        self.height = max(self.height, y)

    def box(self, x: float, y: float, width: float, height: float, kind: str = "box") -> None:
        self._grow(x + width, y + height)
        shape = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self.parts.append(f'<rect class="{kind}" rx="3" {shape}/>')

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """Write ``text`` on the line ``y``; ``anchor`` is start, middle or end."""
        width = text_width(text)
        self._grow(x + {"start": width, "middle": width / 2, "end": 0}[anchor], y + 4)
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        self.parts.append(f'<text class="{kind}" {place}>{escape(text)}</text>')

    def path(self, commands: str, kind: str = "line") -> None:
        self.parts.append(f'<path class="{kind}" d="{commands}"/>')

    def arrow(self, x: float, y: float, right: bool = True, kind: str = "head") -> None:
        """Draw the head of an arrow that ends at ``x``, ``y``."""
        back = x - 6 if right else x + 6
        self.path(f"M{x:.1f} {y:.1f}L{back:.1f} {y - 3:.1f}L{back:.1f} {y + 3:.1f}Z", kind)

    def svg(self, style: bool = True) -> str:
        """Return the picture as SVG.

        Parameters
        ----------
        style : bool
            Whether it brings the rules for its colours and fonts.
        """
        margin = self.margin
        width, height = self.width + 2 * margin, self.height + 2 * margin
        view = f'viewBox="{-margin:.0f} {-margin:.0f} {width:.0f} {height:.0f}"'
        size = f'width="{width:.0f}" height="{height:.0f}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" {size} {view}>'
        title = f"<title>{escape(self.title)}</title>"
        rules = [f"<style>{STYLE}{ALONE}</style>"] if style else []
        return "\n".join([head, title, *rules, *self.parts, "</svg>", ""])
