"""Runs of a network: what is prepared, what happens in a step, and what is left at the end."""
