"""Address events, and the components through which they pass."""
