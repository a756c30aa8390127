"""Synapses of a projection: integer weights, and which pairs of source and target have them."""
