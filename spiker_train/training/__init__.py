"""Training by surrogate gradients."""
