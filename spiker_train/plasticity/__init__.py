"""Rules of learning on tensors: in integers, bit for bit, and in floating point."""
