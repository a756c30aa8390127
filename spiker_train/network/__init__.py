"""Spiking networks as PyTorch modules, in floating point and in the integers that ship."""
