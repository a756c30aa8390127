"""A neuron's equations as logic."""
