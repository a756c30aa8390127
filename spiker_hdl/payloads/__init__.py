"""How values lie in the bits of payloads and in beats, stated once."""
