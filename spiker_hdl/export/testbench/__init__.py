"""Self-checking test benches."""
