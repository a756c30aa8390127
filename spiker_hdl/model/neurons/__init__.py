"""Neuron models: their arithmetic, what each declares, and how far it reaches."""
