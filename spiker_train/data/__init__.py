"""Data sets, found on disk or downloaded."""
