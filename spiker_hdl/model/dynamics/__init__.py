"""Dynamics of synapses, in integers, and the neurons that have them."""
