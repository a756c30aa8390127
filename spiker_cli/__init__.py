"""The `spiker` command: the only layer that sees all the others."""
