"""Memory devices and their arrays: what is programmed, how it drifts, and what is read."""
