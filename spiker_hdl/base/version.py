"""The version of this library."""

__all__ = ["LIBRARY_VERSION"]

LIBRARY_VERSION = "0.1.0"
"""Version of pyproject.toml, which written files and built hardware contain."""
