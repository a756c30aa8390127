"""The accelerator composed of the handshakes of its components."""
