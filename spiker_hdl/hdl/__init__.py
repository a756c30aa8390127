"""Amaranth designs as text of other hardware languages, whatever the design is."""
