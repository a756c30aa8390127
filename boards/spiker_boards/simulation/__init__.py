"""Boards simulated from their pins."""
