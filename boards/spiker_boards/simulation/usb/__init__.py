"""A computer with a USB host, for simulation."""
