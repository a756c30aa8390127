"""Progress of long work where there is no terminal: a line now and then, on standard error."""

import sys
import time
from collections.abc import Callable

__all__ = ["INTERVAL", "ProgressLines"]

INTERVAL = 30.0
"""Seconds between lines, and before the first one: short work has none."""


class ProgressLines:
    """Lines that say how much of some work is done, for logs.

    Parameters
    ----------
    title : str
    total : int
        Number of items of the work.
    interval : float
        Seconds between lines.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self,
        title: str,
        total: int,
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.title = title
        self.total = total
        self.interval = interval
        self.clock = clock
        self.done = 0
        self.began = self.last = clock()

    def advance(self, count: int = 1) -> None:
        """Count items that are done; print a line if the last one was long ago."""
        self.done += count
        now = self.clock()
        if now - self.last < self.interval or self.done >= self.total:
            return
        self.last = now
        spent = now - self.began
        left = spent * (self.total - self.done) / max(1, self.done)
        print(
            f"{self.title}: {self.done:,} of {self.total:,} after {spent:,.0f} s, "
            f"about {left:,.0f} s left",
            file=sys.stderr,
            flush=True,
        )
