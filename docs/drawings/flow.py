"""The picture of the README: from a network in PyTorch to hardware, and what is compared."""

from pathlib import Path

from .svg import Drawing, text_width

__all__ = ["FILE", "draw_flow"]

FILE = Path(__file__).parents[1] / "flow.svg"
"""Where the picture is kept, since a README is read without being built."""

ENTRANCES = ("PyTorch: train", "snnTorch, NIR, Spiker: import")
CALLS = (
    ("reference", "NumPy: the right answer"),
    ("simulation", "the accelerator, by cycles"),
    ("Verilog, VHDL", "with a self-checking bench"),
    ("bitstream", "not yet tried on a real board"),
)


def draw_flow() -> Drawing:
    drawing = Drawing(
        "From PyTorch to hardware: one network of integers, and one answer everywhere"
    )
    width = max(map(text_width, ENTRANCES)) + 24
    for n, entrance in enumerate(ENTRANCES):
        y = 34 + 56 * n
        drawing.box(0, y, width, 32)
        drawing.text(width / 2, y + 20, entrance, "", "middle")
        drawing.path(f"M{width} {y + 16}C{width + 30} {y + 16} {width + 20} 78 {width + 50} 78")
    drawing.arrow(width + 50, 78)
    x = width + 50
    drawing.box(x, 50, 130, 56)
    drawing.text(x + 65, 74, "network", "title", "middle")
    drawing.text(x + 65, 90, "of integers", "small", "middle")
    left = x + 130
    for n, (call, what) in enumerate(CALLS):
        y = 44 * n
        drawing.path(
            f"M{left} 78C{left + 30} 78 {left + 20} {y + 17} {left + 46} {y + 17}", "stream"
        )
        drawing.arrow(left + 50, y + 17, kind="stream-head")
        drawing.box(left + 50, y, 190, 34)
        drawing.text(left + 145, y + 15, call, "title", "middle")
        drawing.text(left + 145, y + 28, what, "small", "middle")
    right = left + 240
    drawing.path(f"M{right + 6} 4H{right + 12}V118H{right + 6}")
    drawing.text(right + 20, 58, "the same spikes,", "")
    drawing.text(right + 20, 73, "bit for bit", "")
    return drawing


if __name__ == "__main__":
    FILE.write_text(draw_flow().svg())
