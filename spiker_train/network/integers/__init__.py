"""What a network is in integers: settings, grids of weights, and fused synapses."""
