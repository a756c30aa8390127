"""Weights in memory, and what an event looks up there."""
