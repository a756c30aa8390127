"""From floating point to integers, with an account of what changed."""
