"""Where the tests stand."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""


def read_page(name):
    """Return the text of the page ``name`` of the documentation, in whichever folder it is."""
    (file,) = (ROOT / "docs").rglob(f"{name}.md")
    return file.read_text()
