"""What of a network cannot change its answers, found and left out."""
