"""The samples of an emitted test bench: taken from the user, made up, and read back."""
