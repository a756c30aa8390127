"""Memories of synaptic weights, and the look-up of an event's weights."""
