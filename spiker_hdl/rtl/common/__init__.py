"""Adders, shapes and writable memories, which components of all kinds use."""
