"""Netlists of emitted accelerators, checked by the emitted test bench."""
