"""Tracing of a module: the linear maps from spikes to neurons, found by running its forward."""
