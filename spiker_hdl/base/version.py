"""The version of this library."""

__all__ = ["LIBRARY_VERSION"]

LIBRARY_VERSION = "0.1.0"
"""Version of this library, which written files and built hardware contain.

This is its only place: the build reads it from the text of this file, so it stays a literal.
"""
