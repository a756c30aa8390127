"""Linear maps, and their composition into one sparse matrix and a bias."""
