"""The version of this library."""

__all__ = ["LIBRARY_VERSION"]

LIBRARY_VERSION = "0.1.0"
"""That of pyproject.toml; what is made says by which version."""
