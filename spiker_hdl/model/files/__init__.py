"""Network files, written and read back."""
