"""Rules of learning: how the weights of a projection change while samples run."""
