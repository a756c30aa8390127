"""Linear maps, and several in a row folded into one."""
