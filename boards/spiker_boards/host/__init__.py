"""The host: what runs networks on a board."""
