"""Readouts that correspond to the values that a module returns."""
