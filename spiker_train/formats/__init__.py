"""Models of other programs: one package for each format."""
