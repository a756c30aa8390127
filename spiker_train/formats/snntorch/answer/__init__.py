"""What a module returns, as readouts."""
