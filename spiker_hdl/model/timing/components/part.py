"""What all components of the timing model have in common."""

import numpy as np

__all__ = ["FAR", "Part"]


FAR = np.iinfo(np.int32).max
"""More cycles than anything that only counts takes."""


class Part:
    """A component whose state is arrays, the last axis for machines."""

    def changed(self) -> np.ndarray | None:
        """Tell where the last cycle changed more than counters; None if it never does so alone."""
        return None

    def horizon(self) -> np.ndarray | None:
        """Return how many cycles like the last one follow; None if this part sets no limit."""
        return None

    def skip(self, cycles: np.ndarray) -> None:
        """Count on for so many cycles like the last one."""

    def select(self, kept: np.ndarray) -> None:
        """Keep some machines."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[..., kept])
