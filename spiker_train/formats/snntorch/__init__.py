"""Modules of snnTorch as networks."""
