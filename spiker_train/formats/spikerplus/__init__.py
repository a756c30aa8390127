"""Networks of Spiker and Spiker+."""
