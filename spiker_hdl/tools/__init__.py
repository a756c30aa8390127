"""The tools that synthesise, place and route: where they are, how they run, what they report."""
