"""Estimates of what a network costs in hardware, made without synthesis and without a board."""
