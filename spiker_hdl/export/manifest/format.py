"""Name and version of the manifest, which a reader checks first."""

__all__ = ["FORMAT", "MANIFEST", "VERSION"]

MANIFEST = "manifest.json"
"""File name of the manifest in an emitted directory."""

FORMAT = "spiker-emission"

VERSION = 2
"""Version of the manifest's keys: 1 had other names for them, and is refused."""
