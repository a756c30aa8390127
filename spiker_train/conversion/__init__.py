"""Quantisation: from floating point to integers, with a report and a comparison."""
