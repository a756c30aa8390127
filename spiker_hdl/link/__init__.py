"""Frames on a wire between a host and an accelerator."""
