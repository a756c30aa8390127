"""What components of all kinds are made of."""
