"""The handshake of the spike output of a population."""

from typing import Any

import numpy as np

from ..traces import Trace
from .part import FAR, Part
from .queue import Queue
from .scanner import Scanner

__all__ = ["PacedSpikeOutput", "SpikeOutput"]


class SpikeOutput(Part):
    """The queue of the words of a population's steps, and the scanner behind it.

    Its twin is ``rtl.streams.spike_output``.

    Parameters
    ----------
    machines : int
    groups : int
        Groups of neurons of a step.
    gather : int
        Groups of a word.
    depth, max_steps : int
        Words and steps that may wait.
    delay : int
        Cycles from a step's start to its first group.
    silent : Trace
        For each word, how many consecutive words from it on are empty, and so not written.
    """

    def __init__(
        self,
        machines: int,
        *,
        groups: int,
        gather: int,
        depth: int,
        max_steps: int,
        delay: int,
        silent: Trace,
    ):
        self.groups = groups
        self.gather = gather
        self.max_steps = max_steps
        self.queue = Queue(machines, depth)
        self.scanner = Scanner(machines)
        self.coming = np.zeros((delay, machines), bool)
        self.group = np.full(machines, groups, np.int32)
        self.computed = np.zeros(machines, np.int32)
        self.waiting = np.zeros(machines, np.int32)
        self.silent = silent

    @property
    def free(self) -> np.ndarray:
        """Where one more step can wait."""
        return self.waiting < self.max_steps

    def clock(self, start, go, taken, token, words: Trace, kept: Trace) -> None:
        """Advance by a cycle.

        ``start`` is where a step starts whose words follow, ``go`` where a group of neurons reads
        its sums, ``taken`` where an item leaves, ``token`` where that is a token. ``words`` has
        every word, ``kept`` those that are written.
        """
        comes, group, moved = self._next_group(start, go)
        last = group == self.groups - 1
        over = comes & (last | (group % self.gather == self.gather - 1))
        written = over & (last | (words.read(self.computed) > 0))
        ready = self.scanner.ready(taken)
        word = kept.read(self.queue.place)
        self.scanner.clock(taken, ready, self.queue.valid, word)
        self.queue.clock(written, ready)
        self.advanced = moved | self.queue.advanced | self.scanner.advanced
        self.computed += over
        self.waiting = self.waiting + start - (taken & token)

    def _next_group(self, start, go):
        """Return where a group comes, its number, and where more than counters moves."""
        group = np.where(self.coming[-1], 0, self.group)
        moved = self.coming.any(axis=0) | start
        self.group = np.minimum(group + 1, self.groups)
        self.coming = np.concatenate([start[None], self.coming[:-1]])
        return group < self.groups, group, moved

    @property
    def going(self) -> np.ndarray:
        """Where a group comes in the next cycle, if that is like the last one."""
        return self.group < self.groups

    def changed(self) -> np.ndarray:
        return self.advanced

    def horizon(self) -> np.ndarray:
        # The next word that is not empty is written with its last group.
        word = self.group // self.gather + self.silent.read(self.computed)
        last = np.minimum((word + 1) * self.gather, self.groups) - 1
        return np.where(self.going, last - self.group, FAR)

    def skip(self, cycles: np.ndarray) -> None:
        counts = cycles * self.going
        words = (self.group + counts) // self.gather - self.group // self.gather
        self.computed += words.astype(np.int32)
        self.group += counts

    def select(self, kept: np.ndarray) -> None:
        super().select(kept)
        self.queue.select(kept)
        self.scanner.select(kept)


class PacedSpikeOutput(SpikeOutput):
    """A spike output whose groups come ``delay`` cycles after they read their sums.

    Between two groups of a step, there may be any number of cycles.
    """

    def __init__(self, machines: int, **settings: Any):
        super().__init__(machines, **settings)
        self.group = np.zeros(machines, np.int32)

    def _next_group(self, start, go):
        comes, group = self.coming[-1], self.group
        moved = (self.coming != go).any(axis=0)
        self.group = np.where(comes, (group + 1) % self.groups, group)
        self.coming = np.concatenate([go[None], self.coming[:-1]])
        return comes, group, moved

    @property
    def going(self) -> np.ndarray:
        return self.coming[-1]
