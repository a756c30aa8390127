"""The parts of benchmarks/devices.py: data sets, studies, scores and pictures."""
