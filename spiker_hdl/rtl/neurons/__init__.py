"""Arithmetic that turns a neuron's equations into logic."""
