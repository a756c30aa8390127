"""Kernels that run a layer through all time steps at once, generated from a neuron's step."""
