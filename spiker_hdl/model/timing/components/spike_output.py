"""The handshake of the spike output of a population."""

import numpy as np

from ..traces import Trace
from .part import FAR, Part
from .queue import Queue
from .scanner import Scanner

__all__ = ["SpikeOutput"]


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
        Cycles from a step's end to its first group.
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

    def clock(self, complete, taken, token, words: Trace, kept: Trace) -> None:
        """Advance by a cycle.

        ``complete`` is where a step ends, ``taken`` where an item leaves, ``token`` where that is a
        token. ``words`` has every word, ``kept`` those that are written.
        """
        group = np.where(self.coming[-1], 0, self.group)
        comes = group < self.groups
        last = group == self.groups - 1
        over = comes & (last | (group % self.gather == self.gather - 1))
        written = over & (last | (words.read(self.computed) > 0))
        ready = self.scanner.ready(taken)
        word = kept.read(self.queue.place)
        self.scanner.clock(taken, ready, self.queue.valid, word)
        self.queue.clock(written, ready)
        self.advanced = (
            self.coming.any(axis=0) | complete | self.queue.advanced | self.scanner.advanced
        )
        self.computed += over
        self.group = np.minimum(group + 1, self.groups)
        self.coming = np.concatenate([complete[None], self.coming[:-1]])
        self.waiting = self.waiting + complete - (taken & token)

    def changed(self) -> np.ndarray:
        return self.advanced

    def horizon(self) -> np.ndarray:
        # The next word that is not empty is written with its last group.
        word = self.group // self.gather + self.silent.read(self.computed)
        last = np.minimum((word + 1) * self.gather, self.groups) - 1
        return np.where(self.group < self.groups, last - self.group, FAR)

    def skip(self, cycles: np.ndarray) -> None:
        counts = cycles * (self.group < self.groups)
        words = (self.group + counts) // self.gather - self.group // self.gather
        self.computed += words.astype(np.int32)
        self.group += counts

    def select(self, kept: np.ndarray) -> None:
        super().select(kept)
        self.queue.select(kept)
        self.scanner.select(kept)
