"""The link: frames of bytes between a host and an accelerator."""
