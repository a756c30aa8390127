"""The manifest of an emitted directory: ports, payloads, timing and files, with their meaning."""
