"""Pruning of the parts of a network that cannot change its answers."""
