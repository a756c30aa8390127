"""Files of data sets: downloads, and the formats that others write."""
