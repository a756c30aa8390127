"""Emitted directories read back, and checked against their manifests."""
