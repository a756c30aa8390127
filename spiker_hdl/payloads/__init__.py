"""Layout of values in the bits of payloads and in beats, stated once for all who use it."""
