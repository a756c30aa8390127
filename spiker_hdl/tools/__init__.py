"""Programs that synthesise, place and route: found, called, and what they say read."""
