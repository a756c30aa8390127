"""Many draws of the devices that hold a network's weights, and the same draws in hardware."""
